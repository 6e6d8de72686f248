/**
 * Starts the real krtd with netlink sockets that write down all they are to send before they send it, and in which
 * some faults can be called up that nobody can cause from outside. It runs compiled, beside what `npm run build`
 * made: see recorded.ts, which sets the variables.
 *
 *   KRTD_TEST_ROOT     the clone
 *   KRTD_TEST_RECORD   file for the records, appended: magic u32, length u32, namespace u64, nanoseconds u64, bytes
 *   KRTD_TEST_SOCKETS  JSON: SocketFaults
 *   KRTD_TEST_FAULTS   directory; a fault lasts while the file of its name is there
 *
 *   no-net-admin  the thread that sends commands has no CAP_NET_ADMIN meanwhile; a number in the file says for how
 *                 many sends
 *   lose-acks     all answers to every n-th batch are lost, and the socket says ENOBUFS, as the kernel does; the file
 *                 holds the share of batches, 1 / n
 *   no-answers    no answer to any command comes, and nothing says so
 *   wall-clock    the wall clock is off by so many milliseconds
 */

import { existsSync, openSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ReceiveGroup } from "../../../src/sysdep/linux/netlink/receive-group.ts";
import type {
  NetlinkSocket,
  ReceiveBuffer,
  SocketOptions,
} from "../../../src/sysdep/linux/netlink/socket.ts";

type Role = "dump" | "command" | "notify";

/** Receive buffers in bytes, in place of those krtd asks for. */
export type SocketFaults = Readonly<Partial<Record<Role, number>>>;

const MAGIC = 0x4b525444;
const HEADER_LENGTH = 24;
const ENOBUFS = 105;
const EAGAIN = 11;
/** linux/capability.h */
const CAP_NET_ADMIN = 12;
const CAPABILITY_VERSION = 0x20080522;

const environment = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`Cannot start: ${name} is not set`);
  return value;
};
const root = environment("KRTD_TEST_ROOT");
const record = openSync(environment("KRTD_TEST_RECORD"), "a");
const faults = environment("KRTD_TEST_FAULTS");
const sizes = JSON.parse(environment("KRTD_TEST_SOCKETS")) as SocketFaults;
const active = (fault: string): boolean => existsSync(join(faults, fault));

function writeDown(namespace: bigint, bytes: Uint8Array, length: number): void {
  const line = Buffer.alloc(HEADER_LENGTH + length);
  line.writeUInt32LE(MAGIC, 0);
  line.writeUInt32LE(length, 4);
  line.writeBigUInt64LE(namespace, 8);
  line.writeBigUInt64LE(process.hrtime.bigint(), 16);
  line.set(bytes.subarray(0, length), HEADER_LENGTH);
  // In one call, so that no record is ever half written, whatever becomes of this process.
  if (writeSync(record, line) !== line.length) throw new Error("Cannot write a whole record");
}

/** Takes CAP_NET_ADMIN from this thread while `fn` runs. */
function withoutNetAdmin<T>(fn: () => T): T {
  const koffi = createRequire(join(root, "package.json"))("koffi") as typeof import("koffi").default;
  const library = koffi.load("libc.so.6");
  const capget = library.func("int capget(uint8_t *header, _Out_ uint8_t *data)");
  const capset = library.func("int capset(uint8_t *header, uint8_t *data)");
  const bytes = (): Uint8Array => new Uint8Array(new ArrayBuffer(128)).subarray(0, 24);
  const header = bytes();
  new DataView(header.buffer).setUint32(0, CAPABILITY_VERSION, true);
  const before = bytes();
  if (capget(header, before) !== 0) throw new Error("Cannot read the capabilities");
  const without = bytes();
  without.set(before);
  const view = new DataView(without.buffer);
  view.setUint32(0, view.getUint32(0, true) & ~(1 << CAP_NET_ADMIN), true);
  if (capset(header, without) !== 0) throw new Error("Cannot drop CAP_NET_ADMIN");
  try {
    return fn();
  } finally {
    capset(header, before);
  }
}

/** The socket's own send runs in the thread pool, whose threads keep their capabilities: so this one sends itself. */
async function sendUnprivileged(socket: NetlinkSocket, bytes: Uint8Array, length: number): Promise<number> {
  const file = pathToFileURL(join(root, "dist/sysdep/linux/netlink/libc.js")).href;
  const libc = (await import(file)) as typeof import("../../../src/sysdep/linux/netlink/libc.ts");
  const { fd, kernel } = socket as unknown as { readonly fd: number; readonly kernel: Uint8Array };
  return withoutNetAdmin(() => libc.sendto(fd, bytes, length, kernel));
}

class RecordedSocket implements NetlinkSocket {
  readonly portId: number;
  readonly receiveBufferBytes: number;
  private readonly inner: NetlinkSocket;
  private readonly role: Role;
  private readonly namespace: bigint;
  private batches = 0;
  private refused = 0;
  /** The answers to this batch get lost. */
  private losing = false;
  private told = false;

  constructor(inner: NetlinkSocket, role: Role) {
    this.inner = inner;
    this.role = role;
    this.portId = inner.portId;
    this.receiveBufferBytes = inner.receiveBufferBytes;
    const link = readlinkSync("/proc/thread-self/ns/net");
    this.namespace = BigInt(/\d+/.exec(link)?.[0] ?? "0");
  }

  send(bytes: Uint8Array, length: number): Promise<number> {
    writeDown(this.namespace, bytes, length);
    if (this.role !== "command") return this.inner.send(bytes, length);
    this.batches++;
    this.losing = active("no-answers") || this.losesAnswers();
    this.told = false;
    return this.mayWrite() ? this.inner.send(bytes, length) : sendUnprivileged(this.inner, bytes, length);
  }

  async receive(buffer: ReceiveBuffer): Promise<number> {
    return this.lose(await this.inner.receive(buffer), () => -EAGAIN);
  }

  /** Only dumps read so, and of these nothing is lost here. */
  receiveSeveral(group: ReceiveGroup): Promise<number> {
    return this.inner.receiveSeveral(group);
  }

  receiveNow(buffer: ReceiveBuffer): number {
    return this.lose(this.inner.receiveNow(buffer), () => this.receiveNow(buffer));
  }

  drops(): number {
    return this.inner.drops();
  }

  addMembership(group: number): number {
    return this.inner.addMembership(group);
  }

  dropMembership(group: number): number {
    return this.inner.dropMembership(group);
  }

  ignoreSender(portId: number): number {
    return this.inner.ignoreSender(portId);
  }

  watch(readable: () => void): { close(): void } {
    return this.inner.watch(readable);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private mayWrite(): boolean {
    if (!active("no-net-admin")) return true;
    const limit = readFileSync(join(faults, "no-net-admin"), "utf8");
    return limit !== "" && ++this.refused > Number(limit);
  }

  private losesAnswers(): boolean {
    if (!active("lose-acks")) return false;
    const every = Math.round(1 / Number(readFileSync(join(faults, "lose-acks"), "utf8")));
    // Not the first one, which is the question whether writing is allowed.
    return this.batches % every === 2 % every;
  }

  /** `next` reads on after an answer that is lost without a word. */
  private lose(received: number, next: () => number): number {
    if (received < 0 || !this.losing) return received;
    if (active("no-answers") || this.told) return next();
    this.told = true;
    return -ENOBUFS;
  }
}

function roleOf({ sendBufferBytes, options }: SocketOptions): Role {
  if (sendBufferBytes !== null) return "command";
  return options.length > 0 ? "dump" : "notify";
}

/** From now on the wall clock is off by what the file says. Monotonic time is not touched. */
function bendWallClock(): void {
  const RealDate = Date;
  const file = join(faults, "wall-clock");
  const offset = (): number => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [RealDate.now() + offset()] : args, newTarget) as object,
    get: (target, key, receiver) =>
      key === "now" ? () => RealDate.now() + offset() : (Reflect.get(target, key, receiver) as unknown),
  });
}

const load = (file: string): Promise<unknown> => import(pathToFileURL(join(root, "dist", file)).href);
bendWallClock();
const { openSocket } = (await load(
  "sysdep/linux/netlink/socket.js",
)) as typeof import("../../../src/sysdep/linux/netlink/socket.ts");
const { main } = (await load("main.js")) as typeof import("../../../src/main.ts");
await main(process.argv.slice(2), (options) => {
  const role = roleOf(options);
  const receiveBufferBytes = sizes[role] ?? options.receiveBufferBytes;
  return new RecordedSocket(openSocket({ ...options, receiveBufferBytes }), role);
});
