/** Runs krtctl in this process and keeps what it prints. */

import { Writable } from "node:stream";
import type { CliIo } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/run.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** Standard output is a terminal. */
  readonly terminal?: boolean;
  /** Standard error is one. */
  readonly errTerminal?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly directory?: string;
}

class Capture extends Writable {
  text = "";
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** The wall clock is 2026-11-21T02:59:48Z. Pagers are off unless `env` names one. */
export async function runKrtctl(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const stdout = new Capture(options.terminal === true);
  const stderr = new Capture(options.errTerminal === true);
  const io: CliIo = {
    stdout,
    stderr,
    env: { KRTD_PAGER: "", ...options.env },
    uid: options.uid ?? 1000,
    directory: options.directory ?? "/etc/krtd",
    now: () => Date.UTC(2026, 10, 21, 2, 59, 48),
  };
  const code = await runCli(argv, io);
  return { code, out: stdout.text, err: stderr.text };
}
