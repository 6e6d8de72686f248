import { type ChildProcess, execFile, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { root } from "../house/source-files.ts";
import { makeDirectory } from "../support/krtd.ts";
import { createNetns, type Netns, waitFor } from "../support/netns.ts";

const execute = promisify(execFile);

let ns: Netns;
let directory: string;
let npm: ChildProcess;
let output: string;
let ended: Promise<number | null>;

const shown = async (): Promise<string> =>
  (await ns.tryIp("route show table 1000")).stdout + (await ns.tryIp("-6 route show table 1000")).stdout;

/** `npm start` in the namespace, as leader of a process group of its own, and its routes in the kernel. */
beforeEach(async () => {
  ns = await createNetns();
  directory = await makeDirectory();
  const words = ["netns", "exec", ns.name, "npm", "start", "--", "--socket", join(directory, "krtd.sock")];
  npm = spawn("ip", words, { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  output = "";
  npm.stdout?.on("data", (text: Buffer) => (output += text.toString()));
  npm.stderr?.on("data", (text: Buffer) => (output += text.toString()));
  ended = new Promise((resolve) => npm.once("close", resolve));
  const ready = async (): Promise<boolean> => {
    if (npm.exitCode !== null) throw new Error(`npm start ended with ${npm.exitCode}: ${output}`);
    return (await shown()).includes("203.0.113.0/24") && output.includes("in sync");
  };
  await waitFor("npm start to be in sync", ready, 60_000);
});
afterEach(async () => {
  if (npm.exitCode === null && npm.signalCode === null) process.kill(-(npm.pid ?? 0), "SIGKILL");
  await ended;
  await ns.dispose();
  rmSync(directory, { recursive: true });
});

describe("npm start", () => {
  it("keeps the documentation prefixes in table 1000, and table main as it is", async () => {
    const routes = await shown();
    for (const prefix of ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8:1::/48"]) {
      expect(routes).toContain(prefix);
    }
    expect(await ns.ip("route show proto 120")).toBe("");
  });

  it("is answered by npx krtctl", async () => {
    const words = [
      "krtctl",
      "--socket",
      join(directory, "krtd.sock"),
      "--json",
      "show",
      "routes",
      "table",
      "all",
    ];
    const { stdout } = await execute("npx", words, { cwd: root });
    const routes = JSON.parse(stdout) as { dst: string; kernel: { state: string } }[];
    expect(routes.find(({ dst }) => dst === "203.0.113.0/24")?.kernel.state).toBe("synced");
  });

  it("stops in order when npm gets SIGTERM", async () => {
    npm.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(await shown()).toBe("");
  });

  it("stops in order, and once, on Ctrl-C, which reaches krtd from the terminal and from npm", async () => {
    process.kill(-(npm.pid ?? 0), "SIGINT");
    expect(await ended).toBe(0);
    expect(await shown()).toBe("");
    expect(output.match(/"message":"stopping"/g)).toHaveLength(1);
  });
});
