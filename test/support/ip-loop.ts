/** Somebody who does the same to the kernel over and over, as fast as `ip` can. */

import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Netns } from "./netns.ts";

/** So many rounds are done by one process: starting it costs more than all of them. */
const ROUNDS = 500;

/** Runs the commands (those of netns.batch) until it is disposed of; what is refused does not matter. */
export async function startIpLoop(
  ns: Netns,
  directory: string,
  commands: readonly string[],
): Promise<AsyncDisposable> {
  const file = join(directory, "ip-loop");
  const lines = Array.from({ length: ROUNDS }, () => commands).flat();
  await writeFile(file, `${lines.join("\n")}\n`);
  const script = 'while :; do ip -n "$0" -force -batch "$1"; done';
  // In a group of its own, so that the shell and the ip it waits for end together.
  const child = spawn("sh", ["-c", script, ns.name, file], { stdio: "ignore", detached: true });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      await ended;
    },
  };
}
