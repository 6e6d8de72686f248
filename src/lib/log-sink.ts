/**
 * Writes log lines to a file descriptor, at once and synchronously, so that the last words of a dying process
 * arrive. A log must never take the daemon down: when the reader has gone (EPIPE), the disk is full (ENOSPC)
 * or a non-blocking pipe stays full (EAGAIN), the line is dropped and counted, and the count is told with the
 * first line that gets through again.
 */

import { writeSync } from "node:fs";

/** A full non-blocking pipe gets this many chances of a millisecond to be emptied. */
const EAGAIN_RETRIES = 20;

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

export class LogSink {
  /** Lines dropped since the sink was made. */
  lost = 0;
  private untold = 0;
  /** The last write ended inside a line: the next one starts on a new line. */
  private torn = false;
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
        if (code !== "EAGAIN" || retries++ >= EAGAIN_RETRIES) break;
        Atomics.wait(sleepCell, 0, 0, 1);
      }
    }
    const complete = at === bytes.length;
    if (at > 0) this.torn = !complete;
    return complete;
  }
}
