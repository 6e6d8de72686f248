/** Runs the attacks of control-attack.mjs beside a test. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("control-attack.mjs", import.meta.url));

export const ATTACKS = [
  "500 connections that say nothing",
  "headers byte by byte",
  "bodies byte by byte",
  "half requests, then silence",
  "garbage",
  "floods of pipelined requests, answers read",
  "floods of pipelined requests, answers not read",
  "floods of tiny chunks",
  "floods of headers",
  "lengths of 4 GiB",
  "bodies of 1 MiB of brackets",
  "1,000 connections that come and go",
  "64 lists of all routes, never read",
  "64 lists of all routes, read",
  "64 lists of all routes, left in the middle",
  "counts of all routes, not waited for",
  "64 kernel dumps, never read",
  "64 times explain",
  "64 times diff",
] as const;

export type Attack = (typeof ATTACKS)[number];

/** Resolves once it goes on; it ends when it is disposed. */
export async function startAttack(socketPath: string, attack: Attack): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, [SCRIPT, socketPath, attack], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const began = new Promise<true>((resolve) => child.stdout.once("data", () => resolve(true)));
  if ((await Promise.race([began, ended])) !== true) throw new Error(`There is no attack "${attack}"`);
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
