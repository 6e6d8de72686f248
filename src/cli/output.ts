/**
 * Where the answer goes: standard output, through a pager on a terminal. It keeps back-pressure, so that a long
 * answer is never held here, and it ends quietly when its reader has seen enough (`| head`, q in the pager).
 */

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Writable } from "node:stream";
import type { CliIo } from "./io.ts";

/** Thrown by write() when nobody reads any more: stop, there is nothing to report. */
export class ReaderGone extends Error {}

export class Output {
  private readonly io: CliIo;
  private readonly pagerCommand: string | null;
  private stream: Writable | null = null;
  private pager: ChildProcess | null = null;
  private failure: Error | null = null;

  /** `pagerCommand` is run by the shell, at the first write. Null: no pager. */
  constructor(io: CliIo, pagerCommand: string | null) {
    this.io = io;
    this.pagerCommand = pagerCommand;
  }

  /** Anything was written. */
  get used(): boolean {
    return this.stream !== null;
  }

  /** Resolves when more may be written. Throws ReaderGone. */
  async write(text: string): Promise<void> {
    if (text === "") return;
    this.stream ??= this.open();
    this.check();
    if (!this.stream.write(text)) await drained(this.stream);
    this.check();
  }

  /** Waits for the pager to be left. Call once, last. */
  async close(): Promise<void> {
    const { pager } = this;
    if (pager !== null) {
      pager.stdin?.end();
      if (pager.exitCode === null && pager.signalCode === null && this.failure === null) {
        await new Promise((resolve) => pager.once("exit", resolve));
      }
      process.off("SIGINT", ignore);
    }
    // Errors that come after the last write, when a closed pipe is noticed late, are of no interest.
    this.stream?.on("error", ignore);
    this.stream?.off("error", this.onError);
  }

  private open(): Writable {
    if (this.pagerCommand !== null) this.pager = startPager(this.pagerCommand, this.io);
    const stream = this.pager?.stdin ?? this.io.stdout;
    stream.on("error", this.onError);
    this.pager?.on("error", this.onError);
    return stream;
  }

  private readonly onError = (error: Error): void => {
    this.failure ??= error;
  };

  private check(): void {
    if (this.failure === null) return;
    if ((this.failure as NodeJS.ErrnoException).code === "EPIPE") throw new ReaderGone();
    throw this.failure;
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const event of ["drain", "close", "error"]) stream.off(event, settle);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) stream.on(event, settle);
  });
}

function ignore(): void {}

function startPager(command: string, io: CliIo): ChildProcess {
  // Ctrl-C is for the pager; we end when it does.
  process.on("SIGINT", ignore);
  const env = { ...io.env };
  // Quit when it fits one screen, keep colours, leave the text on the screen.
  env["LESS"] ??= "FRX";
  return spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "inherit", "inherit"], env });
}

/** $KRTD_PAGER, $PAGER, or less if it is installed; null: none ("" and "cat" mean none too). */
export function pagerCommand(io: CliIo): string | null {
  const asked = io.env["KRTD_PAGER"] ?? io.env["PAGER"];
  if (asked !== undefined) return asked === "" || asked === "cat" ? null : asked;
  const found = (io.env["PATH"] ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, "less"), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? "less" : null;
}
