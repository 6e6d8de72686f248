/**
 * The default netlink transport: three sockets of one network namespace through koffi, one for dumps, one for
 * commands, one for notifications. All are opened in open(), synchronously: they stay in the namespace the
 * calling thread is in at that moment (see netns.ts).
 */

import { type Clock, systemClock } from "../../../lib/clock.ts";
import { KrtdError } from "../../../lib/errors.ts";
import { CommandChannel } from "./command-channel.ts";
import { NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK } from "./constants.ts";
import { MutableWireCounters, type WireCounters } from "./counters.ts";
import { DumpChannel } from "./dump-channel.ts";
import { requireLittleEndian } from "./message.ts";
import { insideNetns, netnsIdentity } from "./netns.ts";
import { NotifyChannel, type NotifyHandler } from "./notify-channel.ts";
import { Sequences } from "./sequence.ts";
import { type NetlinkSocket, type OpenNetlinkSocket, openSocket, type SocketOptions } from "./socket.ts";
import type {
  AheadHandler,
  BatchReply,
  DumpReply,
  DumpRequest,
  MessageHandler,
  NetlinkTransport,
  Subscription,
} from "./transport.ts";

/** A read that nobody wakes ends after this, so that even a crash path can exit. */
const RECEIVE_TIMEOUT_MS = 1000;
/** Room for one batch with the kernel's overhead; a longer send is EMSGSIZE. */
const SEND_BUFFER_BYTES = 1024 * 1024;
/** A dump keeps at most two frames of 32 KiB queued. */
const DUMP_BUFFER_BYTES = 512 * 1024;
/** Thousands of failures in one batch, each with the kernel's text, must fit. */
const COMMAND_BUFFER_BYTES = 8 * 1024 * 1024;

/** The namespace the calling thread is in. */
const HERE = "/proc/thread-self/ns/net";

export interface SocketTransportOptions {
  /** Receive buffer of the notification socket. */
  readonly rxBufferBytes: number;
  /** The namespace that open() is called in, as insideNetns() takes it, to open a socket there again; null: our own. */
  readonly netns?: string | null;
  /** Told at a subscription when the system grants less than `rxBufferBytes`. */
  readonly onSmallBuffer?: (grantedBytes: number) => void;
  readonly clock?: Clock;
  /** Opens the sockets; default: those of the system. */
  readonly open?: OpenNetlinkSocket | undefined;
}

interface Channels {
  readonly dump: DumpChannel;
  readonly command: CommandChannel;
  readonly notify: NotifyChannel;
}

export class SocketTransport implements NetlinkTransport {
  readonly name = "socket";
  readonly supportsMonitor = true;
  readonly counters: WireCounters;
  private readonly wire = new MutableWireCounters();
  private readonly options: SocketTransportOptions;
  private readonly sequences = new Sequences();
  private channels: Channels | null = null;
  /** Which namespace the sockets are in; null: not known. */
  private identity: string | null = null;
  /** Receive buffer of the notification socket. */
  private grantedBytes = 0;

  constructor(options: SocketTransportOptions) {
    this.options = options;
    this.counters = this.wire;
  }

  /** Everything happens before the first await: see the head of this file. Idempotent. */
  async open(): Promise<void> {
    if (this.channels !== null) return;
    requireLittleEndian();
    this.identity = netnsIdentity(HERE);
    const clock = this.options.clock ?? systemClock;
    const opened: NetlinkSocket[] = [];
    const openOne = (
      receiveBufferBytes: number,
      sendBufferBytes: number | null,
      options: SocketOptions["options"],
    ): NetlinkSocket => {
      const socket = this.openSocket(receiveBufferBytes, sendBufferBytes, options);
      opened.push(socket);
      return socket;
    };
    try {
      // Kernels before 4.20 have no strict checking; they ignore the filter, and the scan filters by itself.
      const dump = openOne(DUMP_BUFFER_BYTES, null, [{ option: NETLINK_GET_STRICT_CHK, required: false }]);
      const command = openOne(COMMAND_BUFFER_BYTES, SEND_BUFFER_BYTES, [
        { option: NETLINK_CAP_ACK, required: false },
        { option: NETLINK_EXT_ACK, required: false },
      ]);
      const notify = openOne(this.options.rxBufferBytes, null, []);
      this.grantedBytes = notify.receiveBufferBytes;
      this.channels = {
        dump: new DumpChannel(dump, this.sequences, this.wire, clock),
        command: new CommandChannel(command, this.wire, clock),
        notify: new NotifyChannel(notify, {
          commandPort: command.portId,
          counters: this.wire,
          clock,
          reopen: () => this.reopenNotify(),
        }),
      };
    } catch (error) {
      for (const socket of opened) void socket.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const channels = this.channels;
    this.channels = null;
    if (channels === null) return;
    await Promise.all([channels.notify.close(), channels.dump.close(), channels.command.close()]);
  }

  async dump(request: DumpRequest, onMessage: MessageHandler, onAhead?: AheadHandler): Promise<DumpReply> {
    return this.opened().dump.dump(request, onMessage, onAhead);
  }

  reserveSequence(count: number): number {
    return this.sequences.reserve(count);
  }

  async batch(bytes: Uint8Array, length: number, count: number, firstSequence: number): Promise<BatchReply> {
    return this.opened().command.batch(bytes, length, count, firstSequence);
  }

  async subscribe(
    groups: readonly number[],
    onMessage: NotifyHandler,
    onLost: (reason: string) => void,
  ): Promise<Subscription> {
    const { notify } = this.opened();
    const { rxBufferBytes, onSmallBuffer } = this.options;
    if (this.grantedBytes < rxBufferBytes) onSmallBuffer?.(this.grantedBytes);
    return notify.subscribe(groups, onMessage, onLost);
  }

  async catchUp(): Promise<void> {
    await this.opened().notify.catchUp();
  }

  /** The name may stand for another namespace by now, whose news would be wrong here. */
  private reopenNotify(): NetlinkSocket {
    const { netns = null, rxBufferBytes } = this.options;
    const open = (): NetlinkSocket => {
      if (netnsIdentity(HERE) !== this.identity) {
        throw new KrtdError("netns-unavailable", `Network namespace ${netns} is another one now`);
      }
      return this.openSocket(rxBufferBytes, null, []);
    };
    return netns === null ? open() : insideNetns(netns, open);
  }

  private openSocket(
    receiveBufferBytes: number,
    sendBufferBytes: number | null,
    options: SocketOptions["options"],
  ): NetlinkSocket {
    const open = this.options.open ?? openSocket;
    return open({ receiveBufferBytes, sendBufferBytes, options, receiveTimeoutMs: RECEIVE_TIMEOUT_MS });
  }

  private opened(): Channels {
    if (this.channels === null) {
      throw new KrtdError("not-open", "Cannot use the netlink transport: it is not open");
    }
    return this.channels;
  }
}
