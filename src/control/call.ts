/** One request as the handlers of the API see it: what was asked and the ways to answer, without HTTP. */

import { asciiJson } from "../lib/ascii-json.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ControlBackend } from "./backend.ts";
import { Query } from "./query.ts";
import type { RecordStream } from "./record-stream.ts";

export interface Call {
  readonly backend: ControlBackend;
  readonly clock: Clock;
  readonly log: Log;
  readonly parameters: URLSearchParams;
  /** The part of the path that stands for NAME, decoded; "" where there is none. */
  readonly name: string;
  /** The body of a POST: an object, {} when there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Answers with one value. `sent` runs once the answer left or the client is gone. */
  json(status: number, value: object, sent?: () => void): void;
  /** Answers with a list. */
  stream(): RecordStream;
}

/** Throws ApiError 400 when there are query parameters. */
export function noParameters(call: Call): void {
  new Query(call.parameters, []);
}

/** For lists of which there are few. */
export function sendAll(call: Call, values: readonly object[]): void {
  const stream = call.stream();
  for (const value of values) stream.push(asciiJson(JSON.stringify(value)));
  stream.end();
}
