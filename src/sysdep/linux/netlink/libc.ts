/**
 * The system calls netlink needs, through koffi: no compiler at install time, and recvfrom and sendto can run
 * in libuv's thread pool, so the kernel's time (a dump frame, a batch of writes) never blocks the event loop.
 *
 * errno is the tricky part: it is per thread, and an asynchronous call runs on another one. koffi saves it right
 * after the call and puts it back while the callback runs, so it must be read first thing in the callback. All
 * calls here do that and return -errno instead of -1, as the kernel itself does.
 */

import koffi from "koffi";
import { EIO } from "../../../lib/errno.ts";
import { SO_ATTACH_FILTER, SOL_SOCKET } from "./constants.ts";

/** A length in and out (socklen_t *), or one number out. */
type Cell = [number];

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Cell): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Cell): number;
  recvfrom: AsyncCallable<
    [fd: number, bytes: Uint8Array, size: number, flags: number, address: Uint8Array, length: Cell]
  >;
  sendto: AsyncCallable<
    [fd: number, bytes: Uint8Array, size: number, flags: number, address: Uint8Array, length: number]
  >;
  recvmmsg: AsyncCallable<[fd: number, headers: Uint8Array, count: number, flags: number, timeout: null]>;
  open(path: string, flags: number): number;
  setns(fd: number, type: number): number;
  close(fd: number): number;
}

interface AsyncCallable<Args extends readonly unknown[]> {
  (...args: Args): number;
  async(...args: [...Args, callback: (error: Error | null, result: number) => void]): void;
}

let calls: Calls | null = null;

/** Loaded at first use, so that nothing native is touched by a process that never opens a socket. */
function libc(): Calls {
  if (calls === null) {
    const library = koffi.load("libc.so.6");
    calls = {
      socket: library.func("int socket(int domain, int type, int protocol)"),
      bind: library.func("int bind(int fd, const uint8_t *address, uint32_t length)"),
      getsockname: library.func("int getsockname(int fd, uint8_t *address, _Inout_ uint32_t *length)"),
      setsockopt: library.func(
        "int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)",
      ),
      getsockopt: library.func(
        "int getsockopt(int fd, int level, int name, uint8_t *value, _Inout_ uint32_t *length)",
      ),
      recvfrom: library.func(
        "intptr_t recvfrom(int fd, uint8_t *bytes, size_t size, int flags, uint8_t *address, _Inout_ uint32_t *length)",
      ),
      sendto: library.func(
        "intptr_t sendto(int fd, const uint8_t *bytes, size_t size, int flags, const uint8_t *address, uint32_t length)",
      ),
      recvmmsg: library.func(
        "int recvmmsg(int fd, uint8_t *headers, unsigned int count, int flags, void *timeout)",
      ),
      open: library.func("int open(const char *path, int flags, ...)"),
      setns: library.func("int setns(int fd, int type)"),
      close: library.func("int close(int fd)"),
    };
  }
  return calls;
}

/** Turns libc's -1 into -errno. Must be the first thing that runs after the call. */
function outcome(result: number): number {
  return result < 0 ? -koffi.errno() : result;
}

export function socket(domain: number, type: number, protocol: number): number {
  return outcome(libc().socket(domain, type, protocol));
}

export function bind(fd: number, address: Uint8Array): number {
  return outcome(libc().bind(fd, address, address.length));
}

/** Fills `address`. */
export function getsockname(fd: number, address: Uint8Array): number {
  return outcome(libc().getsockname(fd, address, [address.length]));
}

export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  return outcome(libc().setsockopt(fd, level, name, value, value.length));
}

/**
 * Gives a socket a classic BPF filter: `program` is an array of sock_filter (linux/filter.h), 8 bytes each. The
 * kernel copies it during the call.
 */
export function attachFilter(fd: number, program: Uint8Array): number {
  // sock_fprog: unsigned short len, then a pointer on the next multiple of 8.
  const head = new DataView(new ArrayBuffer(16));
  head.setUint16(0, program.length / 8, true);
  head.setBigUint64(8, pointerTo(program), true);
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(head.buffer));
}

/** Fills `value`; returns the number of bytes the option has. */
export function getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  const length: Cell = [value.length];
  const result = outcome(libc().getsockopt(fd, level, name, value, length));
  return result < 0 ? result : length[0];
}

/** On this thread. Returns the length of the datagram (with MSG_TRUNC its true one) or -errno. */
export function recvfrom(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array): number {
  return outcome(libc().recvfrom(fd, bytes, bytes.length, flags, address, [address.length]));
}

/** In the thread pool; `bytes` and `address` belong to the call until `done`. */
export function recvfromAsync(
  fd: number,
  bytes: Uint8Array,
  flags: number,
  address: Uint8Array,
  done: (result: number) => void,
): void {
  libc().recvfrom.async(fd, bytes, bytes.length, flags, address, [address.length], (error, result) => {
    const code = error === null ? outcome(result) : FAILED_CALL;
    done(code);
  });
}

/**
 * Several datagrams in one call, in the thread pool; `headers` is struct mmsghdr[] (receive-group.ts), and all that it
 * points to belongs to the call until `done`. Returns how many came.
 */
export function recvmmsgAsync(
  fd: number,
  headers: Uint8Array,
  count: number,
  flags: number,
  done: (result: number) => void,
): void {
  libc().recvmmsg.async(fd, headers, count, flags, null, (error, result) => {
    const code = error === null ? outcome(result) : FAILED_CALL;
    done(code);
  });
}

/** Bytes of a pointer. */
export const WORD_BYTES: number = koffi.sizeof("void *");

/** Where the bytes are. They stay there only if V8 keeps them off its heap, and live only while somebody holds them. */
export function pointerTo(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** On this thread: for short messages only. Returns the bytes sent or -errno. */
export function sendto(fd: number, bytes: Uint8Array, length: number, address: Uint8Array): number {
  return outcome(libc().sendto(fd, bytes, length, 0, address, address.length));
}

/** In the thread pool; `bytes` belongs to the call until `done`. */
export function sendtoAsync(
  fd: number,
  bytes: Uint8Array,
  length: number,
  address: Uint8Array,
  done: (result: number) => void,
): void {
  libc().sendto.async(fd, bytes, length, 0, address, address.length, (error, result) => {
    const code = error === null ? outcome(result) : FAILED_CALL;
    done(code);
  });
}

/** open(2) without O_CREAT. */
export function open(path: string, flags: number): number {
  return outcome(libc().open(path, flags));
}

/** Moves the calling thread into the namespace of `fd`. */
export function setns(fd: number, type: number): number {
  return outcome(libc().setns(fd, type));
}

export function close(fd: number): number {
  return outcome(libc().close(fd));
}

/** koffi itself refused the call (too many at once): reported as EIO. */
const FAILED_CALL = -EIO;

export interface PollHandle {
  /** Idempotent. */
  close(): void;
}

/**
 * Calls `readable` from the event loop whenever `fd` has data or an error to read; occupies no thread. Makes
 * the descriptor non-blocking. libuv stops watching after an error (ENOBUFS raises EPOLLERR): `readable` then
 * reads the error, and watching starts again by itself.
 */
export function pollReadable(fd: number, readable: () => void): PollHandle {
  let closed = false;
  /** koffi's types leave the status out; it comes first. */
  const onPoll = (status: unknown): void => {
    if (closed) return;
    readable();
    if (typeof status === "number" && status < 0 && !closed) handle.start({ readable: true }, onPoll);
  };
  const handle = koffi.node.poll(fd, { readable: true }, onPoll);
  return {
    close() {
      if (closed) return;
      closed = true;
      handle.close();
    },
  };
}
