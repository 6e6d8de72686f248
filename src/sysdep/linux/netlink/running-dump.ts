/**
 * HOT PATH. What one dump has shown so far, and whether it may be believed: it is complete only when DONE came
 * without an error and nothing on the way was lost, cut off or malformed. A message of another sender, port or
 * sequence number is no part of it.
 */

import { ENOBUFS, errnoText } from "../../../lib/errno.ts";
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN } from "./constants.ts";
import type { MutableWireCounters } from "./counters.ts";
import { MessageCursor, readDoneText, readErrno, readErrorText } from "./message.ts";
import type { ReceiveBuffer } from "./socket.ts";
import type { AheadHandler, DumpReply, MessageHandler } from "./transport.ts";

export class RunningDump {
  private readonly sequence: number;
  private readonly portId: number;
  private readonly onMessage: MessageHandler;
  private readonly onAhead: AheadHandler | undefined;
  private readonly counters: MutableWireCounters;
  private readonly cursor = new MessageCursor();
  private messages = 0;
  private errno = 0;
  private interrupted = false;
  private reason: string | null = null;
  private thrown: { readonly error: unknown } | null = null;

  constructor(
    sequence: number,
    portId: number,
    onMessage: MessageHandler,
    counters: MutableWireCounters,
    onAhead: AheadHandler | undefined = undefined,
  ) {
    this.sequence = sequence;
    this.portId = portId;
    this.onMessage = onMessage;
    this.onAhead = onAhead;
    this.counters = counters;
  }

  /** Whether DONE or ERROR of this dump is in the datagram; looks at headers only, so that it is quick. */
  endsIn(buffer: ReceiveBuffer, received: number): boolean {
    if (received <= 0 || buffer.sender() !== 0) return false;
    const cursor = this.cursor;
    cursor.reset(buffer.view, received);
    while (cursor.next()) {
      if ((cursor.type === NLMSG_DONE || cursor.type === NLMSG_ERROR) && this.isOurs(cursor)) return true;
    }
    return false;
  }

  /** Takes in one receive: `received` is the datagram's true length, or -errno. */
  take(buffer: ReceiveBuffer, received: number): void {
    if (received < 0) {
      if (received !== -ENOBUFS) return;
      this.counters.overruns++;
      this.fail("the receive buffer overflowed");
      return;
    }
    if (buffer.sender() !== 0) {
      this.counters.forged++;
      return;
    }
    const { cursor, onAhead } = this;
    if (onAhead !== undefined) {
      cursor.reset(buffer.view, received);
      while (cursor.next()) onAhead(buffer.view, cursor.start, cursor.end, cursor.type);
    }
    cursor.reset(buffer.view, received);
    while (cursor.next()) {
      if (this.isOurs(cursor)) this.takeMessage(buffer, cursor);
      else if (this.isOfAnother(cursor)) this.fail("an answer to another request came");
    }
    if (received > buffer.bytes.length) {
      this.counters.truncated++;
      this.fail(`a frame of ${received} bytes was cut off`);
    } else if (cursor.malformed) {
      this.counters.malformed++;
      this.fail("a frame was malformed");
    }
  }

  /** After the end. Throws what a handler threw. */
  finish(): DumpReply {
    if (this.thrown !== null) throw this.thrown.error;
    if (this.interrupted) this.fail("the kernel's data changed while it was read");
    return {
      complete: this.reason === null,
      errno: this.errno,
      interrupted: this.interrupted,
      reason: this.reason,
      messages: this.messages,
    };
  }

  /** Ends it before its end. */
  giveUp(reason: string, errno = 0): DumpReply {
    this.reason = reason;
    this.errno = errno;
    return this.finish();
  }

  private takeMessage(buffer: ReceiveBuffer, cursor: MessageCursor): void {
    const { bytes, view } = buffer;
    const { start, end, flags } = cursor;
    if ((flags & NLM_F_DUMP_INTR) !== 0) this.interrupted = true;
    switch (cursor.type) {
      case NLMSG_NOOP:
        return;
      case NLMSG_OVERRUN:
        this.counters.overruns++;
        this.fail("the kernel reports lost data");
        return;
      case NLMSG_DONE:
        this.end(readErrno(view, start, end), readDoneText(bytes, view, start, end, flags));
        return;
      case NLMSG_ERROR:
        // One without an error is an acknowledgement, but what the dump should have shown is missing.
        this.end(readErrno(view, start, end), readErrorText(bytes, view, start, end, flags));
        this.fail("the kernel answered without an end of the dump");
        return;
      default:
        this.hand(bytes, view, start, end, cursor.type, flags);
    }
  }

  private hand(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    type: number,
    flags: number,
  ): void {
    if (this.thrown !== null) return;
    this.messages++;
    try {
      this.onMessage(bytes, view, start, end, type, flags);
    } catch (error) {
      this.thrown = { error };
    }
  }

  private end(errno: number, text: string | null): void {
    if (errno === 0) return;
    this.errno = errno;
    const words = errnoText(errno);
    this.fail(`the kernel says "${text === null ? words : `${words}: ${text}`}"`);
  }

  /** The first reason stands. */
  private fail(reason: string): void {
    this.reason ??= reason;
  }

  /** The kernel answers one request at a time here: an answer that nobody waits for means that something was missed. */
  private isOfAnother({ sequence, portId, type }: MessageCursor): boolean {
    return (
      portId === this.portId && sequence !== this.sequence && type !== NLMSG_ERROR && type !== NLMSG_NOOP
    );
  }

  private isOurs(cursor: MessageCursor): boolean {
    return cursor.sequence === this.sequence && cursor.portId === this.portId;
  }
}
