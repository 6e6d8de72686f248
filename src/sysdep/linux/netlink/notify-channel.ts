/**
 * Notifications: what anybody changes, as multicast. The socket is watched by the event loop and read there
 * without waiting, so it occupies no thread and can be closed at any time.
 *
 * Losses are the tricky part. ENOBUFS is signalled once, ahead of the messages that did fit; while those wait,
 * the kernel drops silently. The socket's drop counter is always true: it is compared whenever the queue has
 * been emptied, so a loss that began while stale messages were read is told as well. Whoever is told of a loss
 * pauses the channel, drains it and resumes it; a socket that cannot be read any more is replaced by the drain.
 */

import type { Clock } from "../../../lib/clock.ts";
import { EAGAIN, EBADF, EINTR, ENOBUFS, errnoText } from "../../../lib/errno.ts";
import { KrtdError } from "../../../lib/errors.ts";
import type { Drained } from "../../os.ts";
import {
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  RTNLGRP_NEXTHOP,
} from "./constants.ts";
import type { MutableWireCounters } from "./counters.ts";
import { MessageCursor } from "./message.ts";
import { createReceiveBuffer, type NetlinkSocket } from "./socket.ts";
import type { Subscription } from "./transport.ts";

/** A route's nexthops alone can be 64 KiB, and unlike a dump a notification is as large as it needs to be. */
const NOTIFICATION_BYTES = 128 * 1024;
/** Datagrams read in one turn of the event loop: well under a millisecond. */
const DATAGRAMS_PER_TURN = 64;
/** A drain, or a catching up, that has not come to an end by then has met a storm. */
export const DRAIN_LIMIT_MS = 1000;

export type NotifyHandler = (
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  type: number,
  flags: number,
  port: number,
  ownEcho: boolean,
) => void;

export interface NotifyChannelOptions {
  /** The socket whose changes are our own. */
  readonly commandPort: number;
  readonly counters: MutableWireCounters;
  readonly clock: Clock;
  /** Another socket like the first, in the same namespace; throws when there can be none. */
  readonly reopen: () => NetlinkSocket;
}

interface Listener {
  readonly groups: readonly number[];
  readonly onMessage: NotifyHandler;
  readonly onLost: (reason: string) => void;
}

export class NotifyChannel {
  private socket: NetlinkSocket;
  private readonly options: NotifyChannelOptions;
  private readonly buffer = createReceiveBuffer(NOTIFICATION_BYTES);
  private readonly cursor = new MessageCursor();
  private listener: Listener | null = null;
  private watching: { close(): void } | null = null;
  private knownDrops = 0;
  /** The errno with which reading failed for good, 0: it has not. */
  private failed = 0;
  private closed = false;

  constructor(socket: NetlinkSocket, options: NotifyChannelOptions) {
    this.socket = socket;
    this.options = options;
  }

  /** Throws KrtdError when there is a subscription already or the kernel refuses a group. */
  subscribe(
    groups: readonly number[],
    onMessage: NotifyHandler,
    onLost: (reason: string) => void,
  ): Subscription {
    if (this.listener !== null) {
      throw new KrtdError("already-subscribed", "Cannot subscribe to netlink groups: already subscribed");
    }
    while (this.discardOne() >= 0);
    this.join(this.socket, groups);
    this.listener = { groups, onMessage, onLost };
    this.watch();
    return {
      pause: () => this.stopWatching(),
      drain: () => this.drain(),
      resume: () => this.watch(),
      close: async () => {
        this.stopWatching();
        this.listener = null;
        for (const group of groups) this.socket.dropMembership(group);
      },
    };
  }

  /** As NetlinkTransport.catchUp() says. */
  async catchUp(): Promise<void> {
    const { clock } = this.options;
    const deadline = clock.now() + DRAIN_LIMIT_MS;
    while (this.watching !== null && !this.read() && clock.now() < deadline) await clock.yield();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stopWatching();
    this.listener = null;
    await this.socket.close();
  }

  private join(socket: NetlinkSocket, groups: readonly number[]): void {
    this.knownDrops = socket.drops();
    for (const group of groups) {
      const result = socket.addMembership(group);
      // Before Linux 5.3 there are no nexthop objects.
      if (result < 0 && group !== RTNLGRP_NEXTHOP) {
        throw new KrtdError(
          "netlink-unavailable",
          `Cannot join netlink group ${group}: ${errnoText(-result)}`,
        );
      }
    }
    // A push of a full table echoes every route. Where the kernel takes no filter, `ownEcho` tells them apart.
    socket.ignoreSender(this.options.commandPort);
  }

  private watch(): void {
    if (this.watching !== null || this.listener === null || this.failed !== 0) return;
    this.watching = this.socket.watch(() => void this.read());
  }

  private stopWatching(): void {
    this.watching?.close();
    this.watching = null;
  }

  private async drain(): Promise<Drained> {
    const { clock } = this.options;
    if (this.failed !== 0 && !this.replaceSocket()) return "deaf";
    const deadline = clock.now() + DRAIN_LIMIT_MS;
    let dropsBefore = this.socket.drops();
    for (;;) {
      let received = 0;
      for (let count = 0; count < DATAGRAMS_PER_TURN && received >= 0; count++) received = this.discardOne();
      if (this.closed) return "deaf";
      if (received === -EAGAIN) {
        const drops = this.socket.drops();
        this.knownDrops = drops;
        if (drops === dropsBefore) return "empty";
        // What was dropped is of the time before this moment, or so close to it that it counts as such.
        dropsBefore = drops;
      } else if (received < 0) {
        this.failed = -received;
        return this.replaceSocket() ? "empty" : "deaf";
      }
      if (clock.now() >= deadline) return "storm";
      await clock.yield();
    }
  }

  /** ≥ 0: there may be more. */
  private discardOne(): number {
    const received = this.socket.receiveNow(this.buffer);
    return received === -ENOBUFS || received === -EINTR ? 0 : received;
  }

  private replaceSocket(): boolean {
    if (this.closed || this.listener === null) return false;
    let socket: NetlinkSocket | null = null;
    try {
      socket = this.options.reopen();
      this.join(socket, this.listener.groups);
    } catch {
      void socket?.close();
      return false;
    }
    // A descriptor that is none of ours any more may be somebody else's by now.
    if (this.failed !== EBADF) void this.socket.close();
    this.socket = socket;
    this.failed = 0;
    return true;
  }

  /** True: nothing waits any more. Otherwise the event loop calls again, after everything else had its turn. */
  private read(): boolean {
    for (let count = 0; count < DATAGRAMS_PER_TURN && this.watching !== null; count++) {
      const received = this.socket.receiveNow(this.buffer);
      if (received >= 0) {
        this.take(received);
      } else if (received === -EAGAIN) {
        this.checkDrops();
        return true;
      } else if (received === -ENOBUFS) {
        this.options.counters.overruns++;
        this.knownDrops = this.socket.drops();
        this.lost("the receive buffer overflowed");
      } else if (received !== -EINTR) {
        this.failed = -received;
        this.stopWatching();
        this.lost(`reading failed: ${errnoText(-received)}`);
        return true;
      }
    }
    return false;
  }

  private checkDrops(): void {
    const drops = this.socket.drops();
    if (drops === this.knownDrops) return;
    this.knownDrops = drops;
    this.options.counters.overruns++;
    this.lost("notifications were dropped while older ones were read");
  }

  private lost(reason: string): void {
    this.listener?.onLost(reason);
  }

  private take(received: number): void {
    const { counters, commandPort } = this.options;
    if (this.buffer.sender() !== 0) {
      counters.forged++;
      return;
    }
    const { cursor } = this;
    const { bytes, view } = this.buffer;
    cursor.reset(view, received);
    while (cursor.next()) {
      switch (cursor.type) {
        case NLMSG_NOOP:
        case NLMSG_DONE:
        case NLMSG_ERROR:
          break;
        case NLMSG_OVERRUN:
          counters.overruns++;
          this.lost("the kernel reports lost data");
          break;
        default:
          if (cursor.type < NLMSG_MIN_TYPE) break;
          this.listener?.onMessage(
            bytes,
            view,
            cursor.start,
            cursor.end,
            cursor.type,
            cursor.flags,
            cursor.portId,
            cursor.portId === commandPort,
          );
      }
    }
    if (received > bytes.length) {
      counters.truncated++;
      this.lost(`a notification of ${received} bytes was cut off`);
    } else if (cursor.malformed) {
      counters.malformed++;
      this.lost("a notification was malformed");
    }
  }
}
