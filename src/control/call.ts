/** One request as the handlers of the API see it: what was asked and the ways to answer, without HTTP. */

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ControlBackend } from "./backend.ts";
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
