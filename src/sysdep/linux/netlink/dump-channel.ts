/**
 * Dumps over one socket, one at a time: the kernel answers a second one on the same socket with EBUSY, so they
 * queue here. HOT PATH: a million routes come as some two thousand frames of 32 KiB. The kernel makes the next
 * frame inside the read of the last one, so a read is always under way in the thread pool while the frames
 * before it are parsed: two groups of buffers, in turn. Waking a thread takes as long as a quarter of a frame, so one
 * read takes several frames. Every group is a turn of the event loop.
 *
 * A dump that went wrong in any way is still read to its end, so that the socket is free for the next one.
 */

import { type Clock, LONG_TURN_MS } from "../../../lib/clock.ts";
import { EAGAIN, EINTR, ENOBUFS, errnoText } from "../../../lib/errno.ts";
import { NLM_F_DUMP } from "./constants.ts";
import type { MutableWireCounters } from "./counters.ts";
import { buildRequest } from "./message.ts";
import { ReceiveGroup } from "./receive-group.ts";
import { RunningDump } from "./running-dump.ts";
import type { Sequences } from "./sequence.ts";
import type { NetlinkSocket } from "./socket.ts";
import type { AheadHandler, DumpReply, DumpRequest, MessageHandler } from "./transport.ts";

/** Longest wait for a frame before a dump is given up. */
export const DUMP_TIMEOUT_MS = 30_000;
/** Two milliseconds of the kernel's time, and less of ours; with more, a client waits longer for an answer. */
const FRAMES_PER_READ = 8;

export class DumpChannel {
  private readonly socket: NetlinkSocket;
  private readonly sequences: Sequences;
  private readonly counters: MutableWireCounters;
  private readonly clock: Clock;
  private readonly groups: readonly [ReceiveGroup, ReceiveGroup] = [
    new ReceiveGroup(FRAMES_PER_READ),
    new ReceiveGroup(FRAMES_PER_READ),
  ];
  private tail: Promise<unknown> = Promise.resolve();
  private closing = false;
  /** The last dump was given up: the rest of it may still come. */
  private stale = false;

  constructor(socket: NetlinkSocket, sequences: Sequences, counters: MutableWireCounters, clock: Clock) {
    this.socket = socket;
    this.sequences = sequences;
    this.counters = counters;
    this.clock = clock;
  }

  dump(request: DumpRequest, onMessage: MessageHandler, onAhead?: AheadHandler): Promise<DumpReply> {
    const reply = this.tail.then(() => this.run(request, onMessage, onAhead));
    this.tail = reply.catch(() => undefined);
    return reply;
  }

  /** Dumps under way and waiting end as incomplete. */
  async close(): Promise<void> {
    this.closing = true;
    await this.socket.close();
    await this.tail;
  }

  private async run(
    request: DumpRequest,
    onMessage: MessageHandler,
    onAhead: AheadHandler | undefined,
  ): Promise<DumpReply> {
    if (this.stale) await this.discard();
    const sequence = this.sequences.reserve(1);
    const dump = new RunningDump(sequence, this.socket.portId, onMessage, this.counters, onAhead);
    if (this.closing) return dump.giveUp(CLOSED);
    const bytes = buildRequest(request.type, NLM_F_DUMP, sequence, request.payload);
    const sent = await this.socket.send(bytes, bytes.length);
    if (sent < 0) return dump.giveUp(`the request could not be sent: ${errnoText(-sent)}`, -sent);

    let turn = 0;
    let heard = this.clock.now();
    let reading = this.socket.receiveSeveral(this.groups[0]);
    for (;;) {
      const received = await reading;
      const group = this.groups[turn === 0 ? 0 : 1];
      if (this.closing) return dump.giveUp(CLOSED);
      if (received < 0 && !retryable(-received)) {
        this.stale = true;
        return dump.giveUp(`reading failed: ${errnoText(-received)}`, -received);
      }
      if (received >= 0) heard = this.clock.now();
      else if (this.clock.now() - heard >= DUMP_TIMEOUT_MS) {
        this.stale = true;
        return dump.giveUp(`nothing came for ${DUMP_TIMEOUT_MS / 1000} s`);
      }
      const last = endsIn(dump, group, received);
      if (!last) {
        turn ^= 1;
        reading = this.socket.receiveSeveral(this.groups[turn === 0 ? 0 : 1]);
      }
      if (received < 0) dump.take(group.buffers[0]!, received);
      for (let i = 0, began = this.clock.now(); i < received; i++) {
        dump.take(group.buffers[i]!, group.length(i));
        // They take longer when what judges them has yet to be compiled.
        if (this.clock.now() - began < LONG_TURN_MS) continue;
        await this.clock.yield();
        if (this.closing) break;
        began = this.clock.now();
      }
      if (last) return this.closing ? dump.giveUp(CLOSED) : dump.finish();
    }
  }

  /** Reads what is left of a dump that was given up; each read lets the kernel go on with it. */
  private async discard(): Promise<void> {
    this.stale = false;
    const more = (): boolean => {
      const received = this.socket.receiveNow(this.groups[0].buffers[0]!);
      return received >= 0 || received === -EINTR || received === -ENOBUFS;
    };
    while (!this.closing && more()) await this.clock.yield();
  }
}

function endsIn(dump: RunningDump, group: ReceiveGroup, received: number): boolean {
  for (let i = received - 1; i >= 0; i--) if (dump.endsIn(group.buffers[i]!, group.length(i))) return true;
  return false;
}

const CLOSED = "the transport was closed";

function retryable(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS;
}
