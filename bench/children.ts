/**
 * The processes of the benchmark: each is spawned here, has a time limit, and is remembered by its pid until it
 * ended, so that whatever happens only these are ended. What they cost is read from /proc.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const OUTPUT_LIMIT = 1 << 20;

const alive = new Set<ChildProcess>();

export interface Child {
  readonly pid: number;
  /** Milliseconds, performance.now(), just before it was spawned. */
  readonly startedAt: number;
  /** Output so far, the first MiB of each. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves with the exit code, null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Calls back for every line of stderr, with the time it came. */
  onLine(listener: (line: string, at: number) => void): void;
  /** Ends it and waits. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface StartOptions {
  /** Take stdout (default: it goes to /dev/null). */
  readonly output?: boolean;
  readonly input?: string;
}

export function start(command: readonly string[], options: StartOptions = {}): Child {
  const [program = "", ...args] = command;
  const startedAt = performance.now();
  const child = spawn(program, args, {
    stdio: ["pipe", options.output === true ? "pipe" : "ignore", "pipe"],
  });
  alive.add(child);
  let stdout = "";
  let stderr = "";
  let rest = "";
  const listeners: ((line: string, at: number) => void)[] = [];
  child.stdin?.on("error", () => {});
  if (options.input !== undefined) child.stdin?.end(options.input);
  child.stdout?.setEncoding("latin1").on("data", (text: string) => {
    if (stdout.length < OUTPUT_LIMIT) stdout += text;
  });
  child.stderr?.setEncoding("latin1").on("data", (text: string) => {
    const at = performance.now();
    if (stderr.length < OUTPUT_LIMIT) stderr += text;
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) for (const listener of listeners) listener(line, at);
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) => {
      alive.delete(child);
      reject(error);
    });
    child.once("close", (code) => {
      alive.delete(child);
      resolve(code);
    });
  });
  // Whoever is interested awaits it; nobody else is to be disturbed.
  exited.catch(() => {});
  return {
    pid: child.pid ?? 0,
    startedAt,
    exited,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    onLine: (listener) => void listeners.push(listener),
    async end(signal = "SIGKILL") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
    },
  };
}

export interface Finished {
  readonly stdout: string;
  readonly seconds: number;
}

/** Runs a program to its end. Throws, with what it said, when it fails or does not end in time. */
export async function run(
  command: readonly string[],
  limitMs: number,
  options: StartOptions = {},
): Promise<Finished> {
  const child = start(command, options);
  const code = await within(command.join(" "), child.exited, limitMs, child);
  const seconds = (performance.now() - child.startedAt) / 1000;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${child.stderr.trim()}`);
  return { stdout: child.stdout, seconds };
}

/** Waits for `promise`, but not longer than the limit; `child` is ended then. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  limitMs: number,
  child?: Child,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      void child?.end();
      reject(new Error(`${what} took longer than ${limitMs / 1000} s: ${child?.stderr.slice(-2000) ?? ""}`));
    }, limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks every `everyMs` until the answer is yes; throws after the limit. */
export async function until(
  what: string,
  limitMs: number,
  everyMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what} took longer than ${limitMs / 1000} s`);
    await pause(everyMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ends all that still run, at once. For the way out. */
export function endAll(): void {
  for (const child of alive) child.kill("SIGKILL");
}

/** Processor time of all threads so far, seconds, in steps of 10 ms. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory now and at its highest, MB (10⁶ bytes); zeros for a process that is gone. */
export function memory(pid: number): { readonly now: number; readonly peak: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1]);
    return { now: (field("VmRSS") * 1024) / 1e6 || 0, peak: (field("VmHWM") * 1024) / 1e6 || 0 };
  } catch {
    return { now: 0, peak: 0 };
  }
}
