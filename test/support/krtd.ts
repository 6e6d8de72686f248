/**
 * Runs krtd as a real process inside a test's own namespace, with its own socket and state in a temporary
 * directory. Questions go straight to its API (krtd-api.ts); `ctl` is for tests of krtctl itself. The process
 * is ended, by its pid, when the test disposes it.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ConfigureJson } from "../../src/control/json-actions.ts";
import { ask } from "./http-unix.ts";
import { type KrtdApi, krtdApi } from "./krtd-api.ts";
import { type Netns, waitFor } from "./netns.ts";

const execute = promisify(execFile);
const ROOT = new URL("../../", import.meta.url).pathname;
export const KRTD: string = join(ROOT, "bin", "krtd.js");
const KRTCTL = join(ROOT, "bin", "krtctl.js");

/** A stop that takes longer than this is a hang. */
const STOP_LIMIT_MS = 20_000;

export interface CtlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningKrtd extends AsyncDisposable, KrtdApi {
  readonly pid: number;
  readonly directory: string;
  readonly socket: string;
  /** All it has logged (stderr) so far, as text. */
  log(): string;
  /** All it has answered (stdout) so far. */
  output(): string;
  /** The log records with this message. */
  records(message: string): Record<string, unknown>[];
  /** The first of them, or undefined. */
  logged(message: string): Record<string, unknown> | undefined;
  /** krtctl with these words. */
  ctl(...words: readonly string[]): Promise<CtlResult>;
  /** Writes another configuration over the running one and has it applied. Rejects when it is refused. */
  configure(yaml: string): Promise<ConfigureJson>;
  /** Waits until status says "in-sync"; throws with its log when it ends before that. */
  synced(deadlineMs?: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with the exit code (null: killed by a signal). */
  readonly exited: Promise<number | null>;
  /** SIGTERM, wait. Idempotent. */
  stop(): Promise<number | null>;
  /** SIGKILL, wait: the crash no program can prepare for. */
  kill(): Promise<void>;
}

export interface KrtdOptions {
  readonly args?: readonly string[];
  /** What Node runs in place of bin/krtd.js. */
  readonly program?: string;
  /** Put before `node`: ["setpriv", …]. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further files, by name relative to the configuration's directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** A directory of an earlier run to use again; the caller removes it. */
  readonly directory?: string;
  /** Everybody may use the directory: krtd is going to be another user. */
  readonly open?: boolean;
}

/** Starts krtd on a configuration text; resolves as soon as the process is spawned. */
export async function startKrtd(ns: Netns, yaml: string, options: KrtdOptions = {}): Promise<RunningKrtd> {
  const directory = options.directory ?? (await makeDirectory());
  if (options.open === true) await chmod(directory, 0o1777);
  const config = join(directory, "krt.yaml");
  const socket = join(directory, "krtd.sock");
  await writeFile(config, yaml);
  for (const [name, text] of Object.entries(options.files ?? {}))
    await writeFile(join(directory, name), text);
  const program = [process.execPath, options.program ?? KRTD];
  const command = [...(options.wrapper ?? []), ...program, "-c", config, "--socket", socket];
  // ip execs what it is told to run: the pid is krtd's own, so that signals reach it and nothing else.
  const child = spawn("ip", ["netns", "exec", ns.name, ...command, ...(options.args ?? [])], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  const running = describe(child, directory, socket);
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await running.stop();
      clearTimeout(timer);
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Starts krtd and waits until it is in sync. */
export async function startSynced(ns: Netns, yaml: string, options: KrtdOptions = {}): Promise<RunningKrtd> {
  const krtd = await startKrtd(ns, yaml, options);
  try {
    await krtd.synced();
    return krtd;
  } catch (error) {
    await krtd[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts krtd in the expectation that it ends by itself, and waits for that. */
export async function runKrtd(
  ns: Netns,
  yaml: string,
  options: KrtdOptions = {},
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  await using krtd = await startKrtd(ns, yaml, options);
  const code = await krtd.exited;
  return { code, stderr: krtd.log() };
}

/** A temporary directory for several runs on the same socket and files. */
export function makeDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "krtd-test-"));
}

function describe(
  child: ChildProcess,
  directory: string,
  socket: string,
): Omit<RunningKrtd, typeof Symbol.asyncDispose> {
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  // "close" and not "exit": all it wrote has then arrived.
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const end = (signal: NodeJS.Signals): Promise<number | null> => {
    if (alive()) child.kill(signal);
    return exited;
  };
  const api = krtdApi(socket);
  const records = (message: string): Record<string, unknown>[] =>
    parseLog(log).filter((record) => record["message"] === message);
  return {
    ...api,
    pid: child.pid ?? 0,
    directory,
    socket,
    exited,
    log: () => log,
    output: () => output,
    records,
    logged: (message) => records(message)[0],
    async ctl(...words) {
      try {
        const args = [KRTCTL, "--socket", socket, ...words];
        const { stdout, stderr } = await execute(process.execPath, args, { maxBuffer: 1 << 28 });
        return { code: 0, stdout, stderr };
      } catch (error) {
        const failed = error as { code: number; stdout: string; stderr: string };
        return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr };
      }
    },
    async configure(yaml) {
      await writeFile(join(directory, "krt.yaml"), yaml);
      const answer = await ask(socket, "/v1/configure", { method: "POST", body: "{}" });
      if (answer.status !== 200) throw new Error(`configure: ${answer.status} ${answer.text}`);
      return JSON.parse(answer.text) as ConfigureJson;
    },
    async synced(deadlineMs = 10_000) {
      await waitFor(
        "krtd in sync",
        async () => {
          if (!alive()) throw new Error(`krtd ended with ${child.exitCode}: ${log}`);
          return (await api.state()) === "in-sync";
        },
        deadlineMs,
      );
    },
    signal: (signal) => void child.kill(signal),
    stop: () => end("SIGTERM"),
    async kill() {
      await end("SIGKILL");
    },
  };
}

/** The log as records; what is no record (a stack trace of a crash) is left out. */
function parseLog(log: string): Record<string, unknown>[] {
  return log.split("\n").flatMap((line) => {
    try {
      return line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : [];
    } catch {
      return [];
    }
  });
}
