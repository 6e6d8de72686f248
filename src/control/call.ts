/** One request as the handlers of the API see it: what was asked and the ways to answer, without HTTP. */

import { asciiJson } from "../lib/ascii-json.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { KernelFacet, KernelRouteView } from "../nest/protocol.ts";
import type { ControlBackend } from "./backend.ts";
import type { KernelBacklog } from "./kernel-backlog.ts";
import { Query } from "./query.ts";
import type { RecordStream } from "./record-stream.ts";

const SLICE_RECORDS = 256;

/** KernelFacet.dump, when its turn among the clients has come. */
export type DumpKernel = (
  facet: Pick<KernelFacet, "dump">,
  onRoute: (route: KernelRouteView) => void,
) => Promise<string | null>;

export interface Call {
  readonly backend: ControlBackend;
  /** yield() waits for the client's next turn, and throws KrtdError "client-gone" when it left. */
  readonly clock: Clock;
  readonly log: Log;
  readonly parameters: URLSearchParams;
  /** The part of the path that stands for NAME, decoded; "" where there is none. */
  readonly name: string;
  /** The body of a POST: an object, {} when there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Answers with one value. `sent` runs once the answer left or the client is gone. */
  json(status: number, value: object, sent?: () => void): void;
  /** Answers with a text of that media type. */
  text(type: string, text: string): void;
  /** Answers with a list. */
  stream(): RecordStream;
  readonly dump: DumpKernel;
  /** For kernel routes that wait to be sent; forgotten when the answer is out. */
  backlog(): KernelBacklog;
}

/** Throws ApiError 400 when there are query parameters. */
export function noParameters(call: Call): void {
  new Query(call.parameters, []);
}

/** For lists of which there are few: `render` makes one record. */
export async function sendAll<T>(
  call: Call,
  values: readonly T[],
  render: (value: T) => object,
): Promise<void> {
  const stream = call.stream();
  for (const [i, value] of values.entries()) {
    stream.push(asciiJson(JSON.stringify(render(value))));
    if (!stream.full && i % SLICE_RECORDS !== SLICE_RECORDS - 1) continue;
    await stream.ready();
    await call.clock.yield();
  }
  stream.end();
}
