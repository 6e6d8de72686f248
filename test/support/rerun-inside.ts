/**
 * Runs a test file once more, as a process of its own inside a network namespace: for code that opens sockets
 * on threads we cannot move there (node-netlink uses libuv's pool). The file asks insideNetnsName() which of
 * the two runs it is in.
 */

import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Netns } from "./netns.ts";

const VARIABLE = "KRTD_TEST_NETNS";
const VITEST = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The namespace this process was started in by rerunInside(), or null in the outer run. Throws when the variable
 * lies: the tests would change the machine's own routes.
 */
export function insideNetnsName(): string | null {
  const name = process.env[VARIABLE];
  if (name === undefined) return null;
  if (statSync("/proc/self/ns/net").ino !== statSync(`/run/netns/${name}`).ino) {
    throw new Error(`${VARIABLE} is ${name}, but this process is in another network namespace`);
  }
  return name;
}

/** Runs the test file at `url` inside `ns`. Resolves with its exit code and all it printed. */
export function rerunInside(
  ns: Netns,
  url: string,
): Promise<{ readonly code: number; readonly output: string }> {
  const command = [
    "netns",
    "exec",
    ns.name,
    process.execPath,
    VITEST,
    "run",
    "--project",
    "live",
    fileURLToPath(url),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn("ip", command, {
      cwd: ROOT,
      env: { ...process.env, [VARIABLE]: ns.name, NO_COLOR: "1" },
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
}
