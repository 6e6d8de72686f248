/**
 * Writes log lines to a file descriptor, at once and synchronously, so that the last words of a dying process
 * arrive. A log must never take the daemon down: when the reader has gone (EPIPE), the disk is full (ENOSPC)
 * or a pipe or terminal takes no more (EAGAIN), the line is dropped and counted, and the count is told with the
 * first line that gets through again. Nothing is kept: a log nobody reads costs no memory.
 *
 * A blocking write to a pipe nobody reads, or to a terminal stopped with Ctrl-S, would stop the daemon. So both are
 * opened anew for this process alone, non-blocking; to make them so by fcntl would change them for the shell, too.
 */

import { constants, fstatSync, openSync, writeSync } from "node:fs";

/**
 * A full pipe gets this many chances of a millisecond to be emptied; once it has missed them, none until it takes
 * something again: a flood of lines must not wait for each.
 */
const EAGAIN_RETRIES = 20;

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

export class LogSink {
  /** Lines dropped since the sink was made. */
  lost = 0;
  private untold = 0;
  /** The last write ended inside a line: the next one starts on a new line. */
  private torn = false;
  private stuck = false;
  private readonly fd: number;
  private readonly lostLine: (count: number) => string;
  private readonly writeBytes: typeof writeSync;

  /** `lostLine` words the report of dropped lines. `writeBytes` stands in for fs.writeSync in tests. */
  constructor(fd: number, lostLine: (count: number) => string, writeBytes: typeof writeSync = writeSync) {
    this.fd = fd;
    this.lostLine = lostLine;
    this.writeBytes = writeBytes;
  }

  /** Writes `line` and a newline. Never throws. */
  write(line: string): void {
    const told = this.untold;
    const report = told > 0 ? `${this.lostLine(told)}\n` : "";
    if (this.put(`${this.torn ? "\n" : ""}${report}${line}\n`)) {
      this.untold -= told;
    } else {
      this.lost++;
      this.untold++;
    }
  }

  /** True when every byte was taken. */
  private put(text: string): boolean {
    const bytes = Buffer.from(text);
    let at = 0;
    let retries = 0;
    while (at < bytes.length) {
      try {
        at += this.writeBytes(this.fd, bytes, at);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "EINTR") continue;
        if (code !== "EAGAIN" || this.stuck) break;
        this.stuck = retries++ >= EAGAIN_RETRIES;
        Atomics.wait(sleepCell, 0, 0, 1);
      }
    }
    const complete = at === bytes.length;
    if (complete) this.stuck = false;
    if (at > 0) this.torn = !complete;
    return complete;
  }
}

/**
 * What to write to instead of `fd`, so that no write can block: for a pipe or a terminal a descriptor of our own, else
 * `fd` itself (a file does not block; a socket was made non-blocking by Node).
 */
export function nonBlocking(fd: number): number {
  try {
    const stat = fstatSync(fd);
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}
