/**
 * What the HTTP parser reads instead of a client's socket. A parser that is handed 64 KiB at once works through it in
 * one go: thousands of pipelined requests, or ten thousand chunks of one byte, are 60 ms in which krtd does nothing
 * else. So bytes wait here and are handed on in small slices, some in each turn (turns.ts), and not at all while a
 * request of this client is being answered. No more than HELD_BYTES wait: then the client's writes block.
 *
 *   socket ──► held (≤ 64 KiB + one read) ──► 512 bytes at a time ──► parser
 *   socket ◄───────────────────────────────────────────────────────── answers, as they come
 */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Turns } from "./turns.ts";

const HELD_BYTES = 64 * 1024;
/** The parser cannot be stopped inside one: at most 28 requests of 18 bytes. */
const SLICE_BYTES = 512;
const TURN_BYTES = 4 * 1024;

export class MeteredSocket extends Duplex {
  /** The client said that nothing more comes. */
  ended = false;
  private readonly raw: Socket;
  private readonly turns: Turns;
  private readonly mayFeed: () => boolean;
  private readonly held: Buffer[] = [];
  private heldBytes = 0;
  private discarding = false;
  private wanted = false;
  private feeding = false;

  /** `mayFeed` says whether the parser may have more now; call feed() when that changes. */
  constructor(raw: Socket, turns: Turns, mayFeed: () => boolean) {
    super({ allowHalfOpen: true });
    this.raw = raw;
    this.turns = turns;
    this.mayFeed = mayFeed;
    raw.on("data", (bytes) => this.keep(bytes));
    raw.on("end", () => {
      this.ended = true;
      this.emit("half-closed");
      this.feed();
    });
    // "close" follows.
    raw.on("error", () => {});
    raw.on("close", () => this.destroy());
  }

  /** Whether anything waits to be parsed. */
  get holds(): boolean {
    return this.heldBytes > 0;
  }

  /** From now on what the client sends is read and forgotten. */
  discard(): void {
    this.discarding = true;
    this.held.length = 0;
    this.heldBytes = 0;
    this.raw.resume();
  }

  /** Hands on what waits, if anything does and may be handed on. */
  feed(): void {
    if (this.feeding || this.discarding || !this.wanted || !this.mayFeed()) return;
    if (this.heldBytes === 0 && !this.ended) return;
    this.feeding = true;
    void this.turns.next().then(() => {
      this.feeding = false;
      this.handOn();
    });
  }

  override _read(): void {
    this.wanted = true;
    this.feed();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.raw.write(bytes, done);
  }

  override _writev(pieces: { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.raw.cork();
    for (const [i, { chunk }] of pieces.entries()) {
      if (i < pieces.length - 1) this.raw.write(chunk);
      else this.raw.write(chunk, done);
    }
    this.raw.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.raw.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.held.length = 0;
    this.heldBytes = 0;
    this.raw.destroy();
    done(error);
  }

  private keep(bytes: Buffer): void {
    if (this.discarding) return;
    this.held.push(bytes);
    this.heldBytes += bytes.length;
    if (this.heldBytes >= HELD_BYTES) this.raw.pause();
    this.emit("arrived");
    this.feed();
  }

  private handOn(): void {
    let left = TURN_BYTES;
    while (left > 0 && this.heldBytes > 0 && this.wanted && this.mayFeed() && !this.destroyed) {
      const slice = this.slice();
      left -= slice.length;
      this.wanted = this.push(slice);
    }
    if (this.destroyed || this.discarding) return;
    if (this.heldBytes < HELD_BYTES && this.raw.isPaused()) this.raw.resume();
    if (this.heldBytes > 0 || !this.ended) this.feed();
    else if (this.mayFeed()) this.push(null);
  }

  private slice(): Buffer {
    const first = this.held[0]!;
    const slice = first.subarray(0, SLICE_BYTES);
    if (slice.length === first.length) this.held.shift();
    else this.held[0] = first.subarray(SLICE_BYTES);
    this.heldBytes -= slice.length;
    return slice;
  }
}
