/**
 * Buffers for several datagrams of one recvmmsg(2), with the struct mmsghdr that lead there. All its fields are made
 * as wide as a pointer by padding, so it is eight words of that width (linux/socket.h):
 *
 *   0 name ──► sockaddr_nl   1 namelen   2 iov ──► { base ──► bytes, length }   3 iovlen = 1
 *   4 control = 0            5 controllen = 0            6 flags                7 msg_len, out
 */

import { pointerTo, WORD_BYTES } from "./libc.ts";
import { createReceiveBuffer, type ReceiveBuffer, SOCKADDR_LENGTH } from "./socket.ts";

const HEADER_WORDS = 8;

export class ReceiveGroup {
  readonly buffers: readonly ReceiveBuffer[];
  /** struct mmsghdr[]. */
  readonly headers: Uint8Array;
  /** What the headers point to has to live as long as they do. */
  private readonly vectors: readonly Uint8Array[];
  private readonly view: DataView;

  constructor(size: number) {
    this.buffers = Array.from({ length: size }, () => createReceiveBuffer());
    this.headers = new Uint8Array(new ArrayBuffer(size * HEADER_WORDS * WORD_BYTES));
    this.view = new DataView(this.headers.buffer);
    this.vectors = this.buffers.map(({ bytes }) => vectorOf(bytes));
    for (const [i, { address }] of this.buffers.entries()) {
      const at = i * HEADER_WORDS;
      putWord(this.view, at, pointerTo(address));
      putWord(this.view, at + 2, pointerTo(this.vectors[i]!));
      putWord(this.view, at + 3, 1n);
    }
  }

  /** Before each call: the kernel has written the lengths of the addresses it gave. */
  prepare(): void {
    for (let i = 0; i < this.buffers.length; i++) {
      this.view.setUint32((i * HEADER_WORDS + 1) * WORD_BYTES, SOCKADDR_LENGTH, true);
    }
  }

  /** After it: the true length of datagram `i`, with MSG_TRUNC also beyond its buffer. */
  length(i: number): number {
    return this.view.getUint32((i * HEADER_WORDS + 7) * WORD_BYTES, true);
  }

  /** What a call that was not made would have written: for tests. */
  setLength(i: number, length: number): void {
    this.view.setUint32((i * HEADER_WORDS + 7) * WORD_BYTES, length, true);
  }
}

/** struct iovec: base and length. */
function vectorOf(bytes: Uint8Array): Uint8Array {
  // Large enough that V8 keeps it off its heap, where it could move.
  const vector = new Uint8Array(new ArrayBuffer(128));
  const view = new DataView(vector.buffer);
  putWord(view, 0, pointerTo(bytes));
  putWord(view, 1, BigInt(bytes.length));
  return vector;
}

function putWord(view: DataView, index: number, value: bigint): void {
  if (WORD_BYTES === 8) view.setBigUint64(index * 8, value, true);
  else view.setUint32(index * 4, Number(value), true);
}
