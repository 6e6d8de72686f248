/**
 * A netlink socket that plays back a script: what the kernel would send, or the errors a read would give. And
 * the bytes to put into it. For the channels, whose bad days (overruns, truncation, forgery, silence) the real
 * kernel does not produce on demand.
 */

import type { Clock } from "../../src/lib/clock.ts";
import { EAGAIN } from "../../src/lib/errno.ts";
import { align4 } from "../../src/sysdep/linux/netlink/attribute.ts";
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN } from "../../src/sysdep/linux/netlink/constants.ts";
import { putMessageHeader } from "../../src/sysdep/linux/netlink/message.ts";
import type { ReceiveGroup } from "../../src/sysdep/linux/netlink/receive-group.ts";
import type { NetlinkSocket, ReceiveBuffer } from "../../src/sysdep/linux/netlink/socket.ts";

export const FAKE_PORT = 4711;

/** One receive: a datagram, or -errno. */
export type Scripted =
  | number
  | {
      readonly bytes: Uint8Array;
      /** nl_pid of the sender, 0 if absent. */
      readonly sender?: number;
      /** True length when the datagram was longer than what arrived. */
      readonly trueLength?: number;
    };

/** Time stands still unless a read times out or a delay is waited for: then it jumps. */
export class JumpingClock implements Clock {
  time = 0;
  /** How often somebody yielded. */
  turns = 0;
  now(): number {
    return this.time;
  }
  wall(): number {
    return this.time;
  }
  after(delayMs: number, fn: () => void): () => void {
    const immediate = setImmediate(() => {
      this.time += delayMs;
      fn();
    });
    return () => clearImmediate(immediate);
  }
  yield(): Promise<void> {
    this.turns++;
    return new Promise((resolve) => setImmediate(resolve));
  }
}

export class FakeNetlinkSocket implements NetlinkSocket {
  readonly portId: number = FAKE_PORT;
  receiveBufferBytes: number = 1 << 30;
  /** What was sent, each send a copy. */
  readonly sent: Uint8Array[] = [];
  readonly groups: Set<number> = new Set();
  /** Answers to a send, in place of its length. */
  sendResult: number | null = null;
  dropCount = 0;
  closed = false;
  /** Called after each send: fills the script like the kernel fills the queue. */
  onSend: (bytes: Uint8Array) => void = () => {};
  private readonly script: Scripted[] = [];
  private readonly clock: JumpingClock;
  private readable: (() => void) | null = null;

  constructor(clock: JumpingClock = new JumpingClock()) {
    this.clock = clock;
  }

  queue(...items: readonly Scripted[]): void {
    this.script.push(...items);
  }

  /** The event loop sees data: calls the watcher while there is something to read. */
  notify(): void {
    do this.readable?.();
    while (this.readable !== null && this.script.length > 0);
  }

  async receive(buffer: ReceiveBuffer): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.script.length === 0) this.clock.time += 1000;
    return this.receiveNow(buffer);
  }

  async receiveSeveral(group: ReceiveGroup): Promise<number> {
    let result = await this.receive(group.buffers[0]!);
    if (result < 0) return result;
    group.setLength(0, result);
    for (let i = 1; i < group.buffers.length; i++) {
      // An error after the first datagram is for the next read to say.
      if (typeof this.script[0] === "number") return i;
      result = this.receiveNow(group.buffers[i]!);
      if (result < 0) return i;
      group.setLength(i, result);
    }
    return group.buffers.length;
  }

  receiveNow(buffer: ReceiveBuffer): number {
    const item = this.script.shift();
    if (item === undefined) return -EAGAIN;
    if (typeof item === "number") return item;
    const fitting = item.bytes.subarray(0, buffer.bytes.length);
    buffer.bytes.set(fitting);
    new DataView(buffer.address.buffer).setUint32(4, item.sender ?? 0, true);
    return item.trueLength ?? item.bytes.length;
  }

  async send(bytes: Uint8Array, length: number): Promise<number> {
    const copy = bytes.slice(0, length);
    this.sent.push(copy);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.sendResult !== null) return this.sendResult;
    this.onSend(copy);
    return length;
  }

  drops(): number {
    return this.dropCount;
  }

  /** A system without socket filters: echoes must be told apart by their port id. */
  ignoreSender(): number {
    return -22;
  }

  addMembership(group: number): number {
    this.groups.add(group);
    return 0;
  }

  dropMembership(group: number): number {
    this.groups.delete(group);
    return 0;
  }

  watch(readable: () => void): { close(): void } {
    this.readable = readable;
    return {
      close: () => {
        this.readable = null;
      },
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** One message as the kernel frames it. */
export function message(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array | readonly number[],
  portId: number = FAKE_PORT,
): Uint8Array {
  const bytes = new Uint8Array(align4(NLMSG_HDRLEN + payload.length));
  const view = new DataView(bytes.buffer);
  putMessageHeader(view, 0, NLMSG_HDRLEN + payload.length, type, flags, sequence);
  view.setUint32(12, portId, true);
  bytes.set(payload, NLMSG_HDRLEN);
  return bytes;
}

/** NLMSG_ERROR as of CAP_ACK: errno and the header of the request. errno 0 acknowledges. */
export function errorMessage(
  sequence: number,
  errno: number,
  flags = 0,
  tail: Uint8Array = bytesOf(),
): Uint8Array {
  const head = new Uint8Array(4 + NLMSG_HDRLEN);
  const view = new DataView(head.buffer);
  view.setInt32(0, -errno, true);
  putMessageHeader(view, 4, NLMSG_HDRLEN, 24, 5, sequence);
  return message(NLMSG_ERROR, flags, sequence, bytesOf(head, tail));
}

export function doneMessage(sequence: number, errno = 0, flags = 2): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setInt32(0, -errno, true);
  return message(NLMSG_DONE, flags, sequence, payload);
}

/** Joins parts into one datagram. */
export function bytesOf(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The sequence number of a request that was sent. */
export function sequenceOf(request: Uint8Array, at = 0): number {
  return new DataView(request.buffer, request.byteOffset).getUint32(at + 8, true);
}
