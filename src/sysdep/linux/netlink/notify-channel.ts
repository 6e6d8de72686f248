/**
 * Notifications: what anybody changes, as multicast. The socket is watched by the event loop and read there
 * without waiting, so it occupies no thread and can be closed at any time.
 *
 * Losses are the tricky part. ENOBUFS is signalled once, ahead of the messages that did fit; while those wait,
 * the kernel drops silently. The socket's drop counter is always true: it is compared whenever the queue has
 * been emptied, so a loss that began while stale messages were read is told as well.
 */

import { EAGAIN, EINTR, ENOBUFS, errnoText } from "../../../lib/errno.ts";
import { KrtdError } from "../../../lib/errors.ts";
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_MIN_TYPE, NLMSG_NOOP, NLMSG_OVERRUN } from "./constants.ts";
import type { MutableWireCounters } from "./counters.ts";
import { MessageCursor } from "./message.ts";
import { createReceiveBuffer, type NetlinkSocket } from "./socket.ts";
import type { Subscription } from "./transport.ts";

/** Datagrams read in one turn of the event loop. */
const DATAGRAMS_PER_TURN = 64;

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

export class NotifyChannel {
  private readonly socket: NetlinkSocket;
  /** The socket whose changes are our own. */
  private readonly commandPort: number;
  private readonly counters: MutableWireCounters;
  private readonly buffer = createReceiveBuffer();
  private readonly cursor = new MessageCursor();
  private watching: { close(): void } | null = null;
  private knownDrops = 0;

  constructor(socket: NetlinkSocket, commandPort: number, counters: MutableWireCounters) {
    this.socket = socket;
    this.commandPort = commandPort;
    this.counters = counters;
  }

  /** Throws KrtdError when there is a subscription already or the kernel refuses a group. */
  subscribe(
    groups: readonly number[],
    onMessage: NotifyHandler,
    onLost: (reason: string) => void,
  ): Subscription {
    if (this.watching !== null) {
      throw new KrtdError("already-subscribed", "Cannot subscribe to netlink groups: already subscribed");
    }
    this.drain();
    this.knownDrops = this.socket.drops();
    for (const group of groups) {
      const result = this.socket.addMembership(group);
      if (result < 0) {
        throw new KrtdError(
          "netlink-unavailable",
          `Cannot join netlink group ${group}: ${errnoText(-result)}`,
        );
      }
    }
    // A push of a full table echoes every route. Where the kernel takes no filter, `ownEcho` tells them apart.
    this.socket.ignoreSender(this.commandPort);
    this.watching = this.socket.watch(() => this.read(onMessage, onLost));
    return {
      close: async () => {
        this.stopWatching();
        for (const group of groups) this.socket.dropMembership(group);
      },
    };
  }

  async close(): Promise<void> {
    this.stopWatching();
    await this.socket.close();
  }

  private stopWatching(): void {
    this.watching?.close();
    this.watching = null;
  }

  private drain(): void {
    let received = 0;
    while (received >= 0 || received === -ENOBUFS || received === -EINTR) {
      received = this.socket.receiveNow(this.buffer);
    }
  }

  /** The event loop calls again while more is there, after everything else had its turn. */
  private read(onMessage: NotifyHandler, onLost: (reason: string) => void): void {
    for (let count = 0; count < DATAGRAMS_PER_TURN && this.watching !== null; count++) {
      const received = this.socket.receiveNow(this.buffer);
      if (received >= 0) {
        this.take(received, onMessage, onLost);
      } else if (received === -EAGAIN) {
        this.checkDrops(onLost);
        return;
      } else if (received === -ENOBUFS) {
        this.counters.overruns++;
        this.knownDrops = this.socket.drops();
        onLost("the receive buffer overflowed");
      } else if (received !== -EINTR) {
        this.stopWatching();
        onLost(`reading failed: ${errnoText(-received)}`);
        return;
      }
    }
  }

  private checkDrops(onLost: (reason: string) => void): void {
    const drops = this.socket.drops();
    if (drops === this.knownDrops) return;
    this.knownDrops = drops;
    this.counters.overruns++;
    onLost("notifications were dropped while older ones were read");
  }

  private take(received: number, onMessage: NotifyHandler, onLost: (reason: string) => void): void {
    if (this.buffer.sender() !== 0) {
      this.counters.forged++;
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
          this.counters.overruns++;
          onLost("the kernel reports lost data");
          break;
        default:
          if (cursor.type < NLMSG_MIN_TYPE) break;
          onMessage(
            bytes,
            view,
            cursor.start,
            cursor.end,
            cursor.type,
            cursor.flags,
            cursor.portId,
            cursor.portId === this.commandPort,
          );
      }
    }
    if (received > bytes.length) {
      this.counters.truncated++;
      onLost(`a notification of ${received} bytes was cut off`);
    } else if (cursor.malformed) {
      this.counters.malformed++;
      onLost("a notification was malformed");
    }
  }
}
