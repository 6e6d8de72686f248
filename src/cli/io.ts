/** What krtctl touches of the process it runs in; tests hand in their own. */

import type { Writable } from "node:stream";

/** A stream that may be a terminal. */
export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
}

export interface CliIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: NodeJS.ProcessEnv;
  readonly uid: number;
  /** The working directory. */
  readonly directory: string;
  /** Wall clock, ms. */
  readonly now: () => number;
}

/** By the locale, in the order setlocale(3) asks. */
export function isUtf8({ env }: CliIo): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find(
    (name) => name !== undefined && name !== "",
  );
  return /utf-?8/i.test(locale ?? "");
}
