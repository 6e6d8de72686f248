/**
 * flock(2) through koffi: the one lock that the kernel itself lets go when its holder dies, however it dies. A
 * pid file can lie (kill -9, a reused pid), an abstract socket is seen in its own network namespace only.
 */

import koffi from "koffi";

/** sys/file.h */
const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;
const EINTR = 4;

let flock: ((fd: number, operation: number) => number) | null = null;

/**
 * Takes the exclusive lock of the open file, without waiting. It lasts until the descriptor is closed. False:
 * somebody else holds it. Throws when the file system knows no locks.
 */
export function tryFlock(fd: number): boolean {
  flock ??= koffi.load("libc.so.6").func("int flock(int fd, int operation)") as (
    fd: number,
    operation: number,
  ) => number;
  for (;;) {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const errno = koffi.errno();
    if (errno === EWOULDBLOCK) return false;
    if (errno !== EINTR) throw new Error(`flock: errno ${errno}`);
  }
}
