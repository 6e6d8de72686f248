/** BIRD 2 as a neighbour: in the foreground, in a namespace, on files of its own. Ended by its pid. */

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Netns, waitFor } from "./netns.ts";

const execute = promisify(execFile);

export interface RunningBird extends AsyncDisposable {
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  alive(): boolean;
  /** birdc with these words: what it printed. */
  ctl(...words: readonly string[]): Promise<string>;
  /** Writes another configuration over the running one and has it applied. Rejects when it is refused. */
  configure(config: string): Promise<void>;
  /** SIGTERM, wait: it takes its routes away unless told to persist. Idempotent. */
  stop(): Promise<void>;
}

/** "BIRD version 2.0.12", or null when there is no such program. */
export async function findBird(): Promise<string | null> {
  try {
    const { stdout, stderr } = await execute("bird", ["--version"]);
    return /BIRD version \S+/.exec(stdout + stderr)?.[0] ?? null;
  } catch {
    return null;
  }
}

/** Starts BIRD; resolves when it answers. */
export async function startBird(ns: Netns, config: string): Promise<RunningBird> {
  const directory = await mkdtemp(join(tmpdir(), "krtd-bird-"));
  const file = join(directory, "bird.conf");
  const socket = join(directory, "bird.ctl");
  await writeFile(file, config);
  const child = spawn("ip", ["netns", "exec", ns.name, "bird", "-f", "-c", file, "-s", socket], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const ctl = async (...words: readonly string[]): Promise<string> =>
    (await execute("birdc", ["-s", socket, ...words])).stdout;
  const stop = async (): Promise<void> => {
    if (alive()) child.kill("SIGTERM");
    await ended;
  };
  const bird: RunningBird = {
    pid: child.pid ?? 0,
    log: () => log,
    alive,
    ctl,
    async configure(text) {
      await writeFile(file, text);
      const said = await ctl("configure");
      if (!/Reconfigur/.test(said)) throw new Error(`birdc configure: ${said}`);
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await waitFor("bird answers", async () => {
      if (!alive()) throw new Error(`bird ended: ${log}`);
      return ctl("show", "status").then(
        () => true,
        () => false,
      );
    });
    return bird;
  } catch (error) {
    await bird[Symbol.asyncDispose]();
    throw error;
  }
}
