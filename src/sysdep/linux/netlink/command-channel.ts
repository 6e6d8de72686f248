/**
 * Batches of commands over one socket. The kernel carries out a whole batch inside send(2), which runs in the
 * thread pool; when it returns, every answer is already in the receive buffer, in order. So answers are read
 * at once, without waiting, and only a missing one is waited for.
 *
 * Only the last message asks for an acknowledgement; failures are answered anyway, so silence before an
 * answered message means success. When answers were lost (ENOBUFS) those received are the first ones, since
 * nothing is read during the send and the kernel drops everything after the first that found no room: all up
 * to the last answer received are known, the rest may have happened or not.
 */

import type { Clock } from "../../../lib/clock.ts";
import { EAGAIN, EINTR, ENOBUFS } from "../../../lib/errno.ts";
import { NLMSG_ERROR } from "./constants.ts";
import type { MutableWireCounters } from "./counters.ts";
import { MessageCursor, readErrno, readErrorText } from "./message.ts";
import { createReceiveBuffer, type NetlinkSocket } from "./socket.ts";
import type { BatchReply } from "./transport.ts";

/** Longest wait for the last answer of a batch. */
export const BATCH_TIMEOUT_MS = 5000;

interface WaitingBatch {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly count: number;
  readonly firstSequence: number;
  readonly resolve: (reply: BatchReply) => void;
}

interface Answers {
  readonly errors: Map<number, { readonly errno: number; readonly message: string | null }>;
  /** Index after the last message that was answered. */
  known: number;
  /** Answers were dropped, or reading failed: the missing ones will not come. */
  lost: boolean;
}

export class CommandChannel {
  private readonly socket: NetlinkSocket;
  private readonly counters: MutableWireCounters;
  private readonly clock: Clock;
  private readonly buffer = createReceiveBuffer();
  private readonly cursor = new MessageCursor();
  private readonly queue: WaitingBatch[] = [];
  private busy = false;
  private closing = false;

  constructor(socket: NetlinkSocket, counters: MutableWireCounters, clock: Clock) {
    this.socket = socket;
    this.counters = counters;
    this.clock = clock;
  }

  get portId(): number {
    return this.socket.portId;
  }

  batch(bytes: Uint8Array, length: number, count: number, firstSequence: number): Promise<BatchReply> {
    return new Promise((resolve) => {
      this.queue.push({ bytes, length, count, firstSequence, resolve });
      if (!this.busy) void this.work();
    });
  }

  /** A batch under way is waited for; those not yet sent are not sent, and answered as unknown. */
  async close(): Promise<void> {
    this.closing = true;
    await this.socket.close();
  }

  private async work(): Promise<void> {
    this.busy = true;
    for (let batch = this.queue.shift(); batch !== undefined; batch = this.queue.shift()) {
      batch.resolve(await this.apply(batch));
    }
    this.busy = false;
  }

  private async apply(batch: WaitingBatch): Promise<BatchReply> {
    if (this.closing) return { errors: new Map(), unknownFrom: 0 };
    const sent = await this.socket.send(batch.bytes, batch.length);
    if (sent < 0) return nothingSent(batch.count, -sent);
    const answers: Answers = { errors: new Map(), known: 0, lost: false };
    this.collectNow(batch, answers);
    if (answers.known < batch.count && !answers.lost) await this.collectLate(batch, answers);
    return { errors: answers.errors, unknownFrom: answers.known < batch.count ? answers.known : null };
  }

  /** Reads what is there, up to the last answer. */
  private collectNow(batch: WaitingBatch, answers: Answers): void {
    while (answers.known < batch.count) {
      const received = this.socket.receiveNow(this.buffer);
      if (received >= 0) this.take(batch, answers, received);
      else if (received === -EAGAIN || !this.mayGoOn(answers, -received)) return;
    }
  }

  /** Waits for the last answer: it is only late when the kernel had no memory for it, or our framing was wrong. */
  private async collectLate(batch: WaitingBatch, answers: Answers): Promise<void> {
    const deadline = this.clock.now() + BATCH_TIMEOUT_MS;
    while (answers.known < batch.count && !answers.lost && !this.closing && this.clock.now() < deadline) {
      const received = await this.socket.receive(this.buffer);
      if (received >= 0) this.take(batch, answers, received);
      else this.mayGoOn(answers, -received);
    }
  }

  /** After a failed read: whether another may bring something. */
  private mayGoOn(answers: Answers, errno: number): boolean {
    if (errno === EAGAIN || errno === EINTR) return true;
    answers.lost = true;
    if (errno !== ENOBUFS) return false;
    this.counters.overruns++;
    return true;
  }

  private take(batch: WaitingBatch, answers: Answers, received: number): void {
    if (this.buffer.sender() !== 0) {
      this.counters.forged++;
      return;
    }
    const { cursor } = this;
    const { bytes, view } = this.buffer;
    cursor.reset(view, received);
    while (cursor.next()) {
      if (cursor.type !== NLMSG_ERROR || cursor.portId !== this.socket.portId) continue;
      const index = cursor.sequence - batch.firstSequence;
      if (index < 0 || index >= batch.count) continue;
      const errno = readErrno(view, cursor.start, cursor.end);
      if (errno !== 0) {
        const message = readErrorText(bytes, view, cursor.start, cursor.end, cursor.flags);
        answers.errors.set(index, { errno, message });
      }
      answers.known = Math.max(answers.known, index + 1);
    }
    if (received > bytes.length) this.counters.truncated++;
    else if (cursor.malformed) this.counters.malformed++;
  }
}

/** send(2) failed before the kernel looked at the first message (too long, no memory): none was applied. */
function nothingSent(count: number, errno: number): BatchReply {
  const errors = new Map<number, { readonly errno: number; readonly message: string | null }>();
  for (let index = 0; index < count; index++) errors.set(index, { errno, message: null });
  return { errors, unknownFrom: null };
}
