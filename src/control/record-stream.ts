/**
 * Sends a list of any length with bounded memory: records are gathered into chunks of 64 KiB, and the producer
 * asks ready() between slices, which waits until the client has read what was written. A client that reads
 * nothing for `stallMs` is dropped, so a forgotten `curl | less` cannot hold daemon state for ever.
 *
 * A list is an array of JSON or, if asked for, NDJSON. Of alike records NDJSON may tell once what they share
 * (list-type.ts).
 *
 * What goes wrong after the first byte cannot change the
 * status any more: it is told in the trailer Krtd-Error, and an array is left unclosed so that nobody takes
 * half an answer for a whole one.
 */

import type { ServerResponse } from "node:http";
import type { Clock } from "../lib/clock.ts";
import { KrtdError } from "../lib/errors.ts";
import { ALIKE_RECORDS, ALIKE_TYPE, JSON_TYPE, type ListType } from "./list-type.ts";

/** A request with this header (any value) gets HTTP 102 now and then while it waits for slow work. */
export const PROGRESS_HEADER = "Krtd-Progress";
/** Name of the trailer, whose value is the JSON of an error body. */
export const ERROR_TRAILER = "Krtd-Error";

const CHUNK_CHARS = 64 * 1024;
/** Most of a record that is remembered, so that others may refer to it. */
const LONGEST_ALIKE = 4096;

/** An object that was sent and may be referred to. */
interface Sent {
  readonly head: string;
  /** `[n,"` */
  readonly reference: string;
}

export interface RecordStreamOptions {
  readonly type: ListType;
  readonly clock: Clock;
  /** How long a client may read nothing. */
  readonly stallMs: number;
  /** Told when the stream begins and ceases to wait for its client. */
  readonly onStall?: (stalled: boolean) => void;
}

export class RecordStream {
  /** Records pushed so far. */
  count = 0;
  private readonly response: ServerResponse;
  private readonly options: RecordStreamOptions;
  private readonly array: boolean;
  /** By their tails; null where none is referred to. */
  private readonly sent: Map<string, Sent> | null;
  private objects = 0;
  private pending = "";
  private flowing = true;

  constructor(response: ServerResponse, options: RecordStreamOptions) {
    this.response = response;
    this.options = options;
    this.array = options.type === JSON_TYPE;
    this.sent = options.type === ALIKE_TYPE ? new Map() : null;
  }

  /** True when the status is on its way and can only be followed by a trailer. */
  get started(): boolean {
    return this.response.headersSent;
  }

  /** True when the client is behind: call ready() before more. */
  get full(): boolean {
    return !this.flowing;
  }

  /** Adds one record: JSON text without line ends, in ASCII. */
  push(record: string): void {
    if (this.sent !== null) this.number();
    this.add(record);
  }

  /** The same for a record with a `dst`, which stands between `head` and `tail`: `{…"dst":"` and `"…}`. */
  pushRoute(head: string, dst: string, tail: string): void {
    // Long texts are seldom alike, and V8 hashes those of more than 16,383 characters by their length only.
    const sent = tail.length > LONGEST_ALIKE ? null : this.sent;
    const like = sent?.get(tail);
    if (like !== undefined && like.head === head) {
      this.add(`${like.reference}${dst}"]`);
      return;
    }
    const number = this.sent === null ? 0 : this.number();
    sent?.set(tail, { head, reference: `[${number},"` });
    this.add(`${head}${dst}${tail}`);
  }

  /** The number of the next object. */
  private number(): number {
    const number = this.objects;
    this.objects = (number + 1) % ALIKE_RECORDS;
    if (number === 0) this.sent?.clear();
    return number;
  }

  private add(record: string): void {
    if (!this.array) this.pending += `${record}\n`;
    else this.pending += this.count === 0 ? `[${record}` : `,\n${record}`;
    this.count++;
    if (this.pending.length >= CHUNK_CHARS) this.flush();
  }

  /** Resolves when the client has read enough for more. Throws KrtdError "client-gone" when it left or stalls. */
  async ready(): Promise<void> {
    if (this.response.destroyed) throw gone("it closed the connection");
    if (!this.flowing) await this.drained();
  }

  end(): void {
    if (this.array) this.pending += this.count === 0 ? "[]\n" : "]\n";
    this.flush();
    this.response.end();
  }

  /** Ends an answer that cannot be completed. `error` is the JSON of an error body. */
  fail(error: string): void {
    this.flush();
    this.response.addTrailers({ [ERROR_TRAILER]: error.trim() });
    this.response.end();
  }

  private flush(): void {
    const { response } = this;
    if (!response.headersSent) {
      response.writeHead(200, {
        "Content-Type": this.options.type,
        // An HTTP/1.0 client knows no chunks, and so no trailers: Node refuses to announce one.
        ...(response.useChunkedEncodingByDefault ? { Trailer: ERROR_TRAILER } : {}),
      });
    }
    if (this.pending === "" || response.destroyed) return;
    this.flowing = response.write(this.pending, "latin1");
    this.pending = "";
  }

  private drained(): Promise<void> {
    const { response } = this;
    const { clock, stallMs, onStall } = this.options;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        cancel();
        onStall?.(false);
        response.off("drain", onDrain);
        response.off("close", onClose);
      };
      const onDrain = (): void => {
        settle();
        this.flowing = true;
        resolve();
      };
      const onClose = (): void => {
        settle();
        reject(gone("it closed the connection"));
      };
      const cancel = clock.after(stallMs, () => {
        settle();
        response.destroy();
        reject(gone(`it read nothing for ${stallMs / 1000} s`));
      });
      response.on("drain", onDrain);
      response.on("close", onClose);
      onStall?.(true);
    });
  }
}

function gone(why: string): KrtdError {
  return new KrtdError("client-gone", `Cannot finish the answer to a client: ${why}`);
}
