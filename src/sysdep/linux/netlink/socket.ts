/**
 * One rtnetlink socket: an open descriptor, its port id, and the calls the channels make on it. Channels see it
 * as the NetlinkSocket interface, so that tests can put a scripted one in its place.
 *
 * A descriptor number is reused as soon as it is closed, so close() first waits for the calls that are under
 * way in the thread pool; a blocked read is woken by a NLMSG_NOOP that asks for an acknowledgement.
 */

import { EAGAIN, EBADF, errnoText } from "../../../lib/errno.ts";
import { KrtdError } from "../../../lib/errors.ts";
import {
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_TRUNC,
  MSG_WAITFORONE,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_ROUTE,
  SK_MEMINFO_DROPS,
  SK_MEMINFO_VARS,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVTIMEO,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./constants.ts";
import * as libc from "./libc.ts";
import { buildNoop } from "./message.ts";
import type { ReceiveGroup } from "./receive-group.ts";

/** sizeof(struct sockaddr_nl): family 2, padding 2, nl_pid 4, nl_groups 4. */
export const SOCKADDR_LENGTH = 12;

/** V8 keeps the bytes of smaller arrays on its heap, where they could move. */
const OFF_HEAP = 128;

/** A datagram's place in memory. Larger than any frame the kernel makes for a reader of 64 KiB. */
export interface ReceiveBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** nl_pid of the sender of what was received last; 0 is the kernel. */
  sender(): number;
  readonly address: Uint8Array;
}

export const RECEIVE_LENGTH = 65536;

export function createReceiveBuffer(length: number = RECEIVE_LENGTH): ReceiveBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(length));
  const address = new Uint8Array(new ArrayBuffer(OFF_HEAP), 0, SOCKADDR_LENGTH);
  const addressView = new DataView(address.buffer);
  return {
    bytes,
    view: new DataView(bytes.buffer),
    address,
    sender: () => addressView.getUint32(4, true),
  };
}

/** What the channels need of a socket. Results are ≥ 0, or -errno. */
export interface NetlinkSocket {
  /** nl_pid of this socket: the kernel answers to it. */
  readonly portId: number;
  /** What the system granted of the receive buffer that was asked for. */
  readonly receiveBufferBytes: number;
  /** Waits, in the thread pool, up to the receive time-out (1 s; then -EAGAIN). Returns the datagram's true length. */
  receive(buffer: ReceiveBuffer): Promise<number>;
  /** As receive(), and takes what else is there already: returns how many datagrams the group holds now, in order. */
  receiveSeveral(group: ReceiveGroup): Promise<number>;
  /** As receive(), at once: -EAGAIN when there is nothing. */
  receiveNow(buffer: ReceiveBuffer): number;
  /** Sends bytes[0..length) to the kernel from the thread pool: it works on the whole of it before it returns. */
  send(bytes: Uint8Array, length: number): Promise<number>;
  /** Datagrams dropped since the socket was opened; only grows. */
  drops(): number;
  addMembership(group: number): number;
  dropMembership(group: number): number;
  /**
   * Makes the kernel drop what the socket with this port id caused before it reaches this one. A system that
   * refuses filters answers -errno, and nothing is lost but time.
   */
  ignoreSender(portId: number): number;
  /** Calls back from the event loop whenever something can be read. */
  watch(readable: () => void): { close(): void };
  /** Ends reads under way and closes. Idempotent. */
  close(): Promise<void>;
}

export interface SocketOptions {
  readonly receiveBufferBytes: number;
  /** Null: the system's default. */
  readonly sendBufferBytes: number | null;
  /** Options of SOL_NETLINK to switch on, and whether it may go on without. */
  readonly options: readonly { readonly option: number; readonly required: boolean }[];
  readonly receiveTimeoutMs: number;
}

export type OpenNetlinkSocket = (options: SocketOptions) => NetlinkSocket;

/**
 * Opens and binds a socket in the network namespace of the calling thread, synchronously. Throws KrtdError
 * "netlink-unavailable" when the system refuses.
 */
export function openSocket(options: SocketOptions): NetlinkSocket {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw refused("open a netlink socket", -fd);
  try {
    return configure(fd, options);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function configure(fd: number, options: SocketOptions): NetlinkSocket {
  // The forced variants go beyond the system's limits but need CAP_NET_ADMIN in the first user namespace.
  if (setInt(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBufferBytes) < 0) {
    setInt(fd, SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
  }
  if (
    options.sendBufferBytes !== null &&
    setInt(fd, SOL_SOCKET, SO_SNDBUFFORCE, options.sendBufferBytes) < 0
  ) {
    setInt(fd, SOL_SOCKET, SO_SNDBUF, options.sendBufferBytes);
  }
  setReceiveTimeout(fd, options.receiveTimeoutMs);
  for (const { option, required } of options.options) {
    const result = setInt(fd, SOL_NETLINK, option, 1);
    if (result < 0 && required) throw refused(`set netlink option ${option}`, -result);
  }
  const address = new Uint8Array(new ArrayBuffer(SOCKADDR_LENGTH));
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  const bound = libc.bind(fd, address);
  if (bound < 0) throw refused("bind a netlink socket", -bound);
  const named = libc.getsockname(fd, address);
  if (named < 0) throw refused("read the port id of a netlink socket", -named);
  const socket = new OpenSocket(fd, view.getUint32(4, true), receiveBufferOf(fd));
  socket.enlargeFrames();
  return socket;
}

class OpenSocket implements NetlinkSocket {
  readonly portId: number;
  readonly receiveBufferBytes: number;
  private readonly fd: number;
  private readonly kernel: Uint8Array;
  private readonly memory = new Uint8Array(new ArrayBuffer(SK_MEMINFO_VARS * 4));
  private underWay = 0;
  private idle: (() => void) | null = null;
  private closed: Promise<void> | null = null;

  constructor(fd: number, portId: number, receiveBufferBytes: number) {
    this.fd = fd;
    this.portId = portId;
    this.receiveBufferBytes = receiveBufferBytes;
    this.kernel = new Uint8Array(new ArrayBuffer(SOCKADDR_LENGTH));
    new DataView(this.kernel.buffer).setUint16(0, AF_NETLINK, true);
  }

  /**
   * The kernel makes dump frames as large as the largest read it has seen on the socket, up to 32 KiB, and the
   * first frame is made before the first read of the dump. So one read comes first, of an acknowledgement.
   */
  enlargeFrames(): void {
    const noop = buildNoop();
    libc.sendto(this.fd, noop, noop.length, this.kernel);
    this.receiveNow(createReceiveBuffer());
  }

  receive(buffer: ReceiveBuffer): Promise<number> {
    return this.inPool((done) => libc.recvfromAsync(this.fd, buffer.bytes, MSG_TRUNC, buffer.address, done));
  }

  receiveSeveral(group: ReceiveGroup): Promise<number> {
    group.prepare();
    const { headers, buffers } = group;
    const flags = MSG_TRUNC | MSG_WAITFORONE;
    return this.inPool((done) => libc.recvmmsgAsync(this.fd, headers, buffers.length, flags, done));
  }

  receiveNow(buffer: ReceiveBuffer): number {
    if (this.closed !== null) return CLOSED;
    return libc.recvfrom(this.fd, buffer.bytes, MSG_TRUNC | MSG_DONTWAIT, buffer.address);
  }

  send(bytes: Uint8Array, length: number): Promise<number> {
    return this.inPool((done) => libc.sendtoAsync(this.fd, bytes, length, this.kernel, done));
  }

  drops(): number {
    if (libc.getsockopt(this.fd, SOL_SOCKET, SO_MEMINFO, this.memory) < 0) return 0;
    return new DataView(this.memory.buffer).getUint32(SK_MEMINFO_DROPS * 4, true);
  }

  addMembership(group: number): number {
    return setInt(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  dropMembership(group: number): number {
    return setInt(this.fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  ignoreSender(portId: number): number {
    return libc.attachFilter(this.fd, filterOutSender(portId));
  }

  watch(readable: () => void): { close(): void } {
    return libc.pollReadable(this.fd, readable);
  }

  close(): Promise<void> {
    this.closed ??= this.finish();
    return this.closed;
  }

  private async finish(): Promise<void> {
    if (this.underWay > 0) {
      const noop = buildNoop();
      libc.sendto(this.fd, noop, noop.length, this.kernel);
      await new Promise<void>((resolve) => {
        this.idle = resolve;
      });
    }
    libc.close(this.fd);
  }

  private inPool(start: (done: (result: number) => void) => void): Promise<number> {
    if (this.closed !== null) return Promise.resolve(CLOSED);
    this.underWay++;
    return new Promise((resolve) => {
      const done = (result: number): void => {
        this.underWay--;
        if (this.underWay === 0) this.idle?.();
        resolve(result);
      };
      try {
        start(done);
      } catch {
        // koffi refuses when too many calls are under way at once.
        done(-EAGAIN);
      }
    });
  }
}

/** -EBADF: what the kernel says of a closed descriptor. */
const CLOSED = -EBADF;

/** The kernel keeps, and tells, twice what was asked for: the rest is for its own overhead. */
function receiveBufferOf(fd: number): number {
  const bytes = new Uint8Array(new ArrayBuffer(4));
  if (libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, bytes) < 0) return 0;
  return new DataView(bytes.buffer).getInt32(0, true) / 2;
}

function setInt(fd: number, level: number, name: number, value: number): number {
  const bytes = new Uint8Array(new ArrayBuffer(4));
  new DataView(bytes.buffer).setInt32(0, value, true);
  return libc.setsockopt(fd, level, name, bytes);
}

/** A classic BPF program: drop the datagram whose nlmsg_pid is `portId`, keep any other (linux/filter.h). */
function filterOutSender(portId: number): Uint8Array {
  const NLMSG_PID_OFFSET = 12;
  const BPF_LD_W_ABS = 0x20;
  const BPF_JMP_JEQ_K = 0x15;
  const BPF_RET_K = 0x06;
  // Big enough that V8 keeps the bytes off its heap, where they could move.
  const view = new DataView(new ArrayBuffer(128));
  const put = (i: number, code: number, jumpTrue: number, jumpFalse: number, k: number): void => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jumpTrue);
    view.setUint8(8 * i + 3, jumpFalse);
    view.setUint32(8 * i + 4, k, true);
  };
  // BPF loads words in network order, netlink writes them in the host's.
  const swapped = new DataView(new ArrayBuffer(4));
  swapped.setUint32(0, portId, true);
  put(0, BPF_LD_W_ABS, 0, 0, NLMSG_PID_OFFSET);
  put(1, BPF_JMP_JEQ_K, 0, 1, swapped.getUint32(0, false));
  put(2, BPF_RET_K, 0, 0, 0);
  put(3, BPF_RET_K, 0, 0, 0xffffffff);
  return new Uint8Array(view.buffer, 0, 32);
}

/** SO_RCVTIMEO: a safety net, so that even a read nobody wakes ends and the process can exit. */
function setReceiveTimeout(fd: number, timeoutMs: number): void {
  const timeval = new Uint8Array(new ArrayBuffer(16));
  const view = new DataView(timeval.buffer);
  view.setBigInt64(0, BigInt(Math.floor(timeoutMs / 1000)), true);
  view.setBigInt64(8, BigInt((timeoutMs % 1000) * 1000), true);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval);
}

function refused(what: string, errno: number): KrtdError {
  return new KrtdError("netlink-unavailable", `Cannot ${what}: ${errnoText(errno)}`);
}
