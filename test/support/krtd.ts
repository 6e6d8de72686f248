/**
 * Runs krtd as a real process inside a test's own namespace, with its own socket and state in a temporary
 * directory, and asks it questions with krtctl. The process is ended, by its pid, when the test disposes it.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Netns, waitFor } from "./netns.ts";

const execute = promisify(execFile);
const ROOT = new URL("../../", import.meta.url).pathname;
const KRTD = join(ROOT, "bin", "krtd.js");
const KRTCTL = join(ROOT, "bin", "krtctl.js");

export interface KernelStatus {
  readonly state: string;
  readonly errno: number | null;
  readonly message: string | null;
  readonly metric: number;
}

/** What the tests read of `show routes --json`. */
export interface ShownRoute {
  readonly table: string;
  readonly dst: string;
  readonly type: string;
  readonly source: string;
  readonly kernel: KernelStatus;
}

export interface CtlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningKrtd extends AsyncDisposable {
  readonly pid: number;
  readonly directory: string;
  readonly socket: string;
  /** All it has logged so far. */
  log(): string;
  ctl(...words: readonly string[]): Promise<CtlResult>;
  /** `krtctl --json WORDS`, parsed; throws unless the exit code is 0. */
  json<T>(...words: readonly string[]): Promise<T>;
  routes(...words: readonly string[]): Promise<ShownRoute[]>;
  /** Waits until status says "in-sync". */
  synced(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with the exit code (null: killed by a signal). */
  readonly exited: Promise<number | null>;
  /** SIGTERM, wait. Idempotent. */
  stop(): Promise<number | null>;
}

export interface KrtdOptions {
  readonly args?: readonly string[];
  /** Put before `node`: ["setpriv", …]. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further files, by name relative to the configuration's directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** A directory of an earlier run to use again. */
  readonly directory?: string;
}

/** Starts krtd on a configuration text; resolves as soon as the process runs. */
export async function startKrtd(ns: Netns, yaml: string, options: KrtdOptions = {}): Promise<RunningKrtd> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "krtd-test-")));
  const config = join(directory, "krt.yaml");
  const socket = join(directory, "krtd.sock");
  await writeFile(config, yaml);
  for (const [name, text] of Object.entries(options.files ?? {}))
    await writeFile(join(directory, name), text);
  const command = [...(options.wrapper ?? []), process.execPath, KRTD, "-c", config, "--socket", socket];
  // exec: the pid is krtd's own, so that signals reach it and nothing else.
  const child = spawn("ip", ["netns", "exec", ns.name, ...command, ...(options.args ?? [])], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  child.stdout.resume();
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const running = describe(child, directory, socket, exited, () => log);
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
        await exited;
        clearTimeout(timer);
      }
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

function describe(
  child: ChildProcess,
  directory: string,
  socket: string,
  exited: Promise<number | null>,
  log: () => string,
): Omit<RunningKrtd, typeof Symbol.asyncDispose> {
  const ctl = async (...words: readonly string[]): Promise<CtlResult> => {
    const args = [KRTCTL, "--socket", socket, ...words];
    try {
      const { stdout, stderr } = await execute(process.execPath, args, { maxBuffer: 1 << 28 });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const failed = error as { code: number; stdout: string; stderr: string };
      return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr };
    }
  };
  const json = async <T>(...words: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await ctl("--json", ...words);
    if (code !== 0) throw new Error(`krtctl ${words.join(" ")}: exit ${code}: ${stdout}${stderr}\n${log()}`);
    return JSON.parse(stdout) as T;
  };
  return {
    pid: child.pid ?? 0,
    directory,
    socket,
    log,
    ctl,
    json,
    exited,
    routes: (...words) => json<ShownRoute[]>("show", "routes", "table", "all", ...words),
    async synced() {
      await waitFor("krtd in sync", async () => {
        if (child.exitCode !== null) throw new Error(`krtd ended with ${child.exitCode}: ${log()}`);
        const { code, stdout } = await ctl("--json", "show", "status");
        return code === 0 && (JSON.parse(stdout) as { state: string }).state === "in-sync";
      });
    },
    signal: (signal) => void child.kill(signal),
    async stop() {
      if (child.exitCode === null) child.kill("SIGTERM");
      return exited;
    },
  };
}
