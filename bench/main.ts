/**
 * npm run bench [-- --routes N] [-- --rounds N]: measures krtd beside the kernel's limit and its peers, in the
 * same run and in turns, so that a busy machine slows all of them. Needs root: it works in a network namespace
 * of its own, which is removed however the run ends.
 */

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { findBird, measureBird } from "./bird.ts";
import { endAll, run } from "./children.ts";
import { measureIpBatch } from "./iproute2.ts";
import { measureAnswers, measureKrtd } from "./krtd.ts";
import { Limit } from "./limit.ts";
import { Namespace } from "./namespace.ts";
import { describeMachine, load, renderTable } from "./report.ts";
import { writeRoutes } from "./routes.ts";
import { Samples } from "./samples.ts";
import type { Setting } from "./setting.ts";

/** This file runs as bench/results/.build/bench/main.js. */
const BENCH = new URL("../../../", import.meta.url).pathname;
const MOST_ROUTES = 4_000_000;

interface Options {
  readonly routes: number;
  readonly rounds: number;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      routes: { type: "string", default: "100000" },
      rounds: { type: "string", default: "3" },
    },
  });
  const number = (name: string, text: string, most: number): number => {
    const value = Number(text.replaceAll("_", ""));
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Error(`--${name} takes a whole number from 1 to ${most}, not "${text}"`);
  };
  return {
    routes: number("routes", values.routes, MOST_ROUTES),
    rounds: number("rounds", values.rounds, 1000),
  };
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

async function measure({ routes, rounds }: Options, name: string, directory: string): Promise<boolean> {
  const missing: string[] = [];
  const limit = await Limit.compile(join(BENCH, "limit"), directory);
  if (limit === null) missing.push("C limit (no C compiler: install gcc or clang)");
  const bird = await findBird();
  if (bird === null) missing.push("BIRD (not installed: Debian's bird2)");
  const iproute2 = (await run(["ip", "-V"], 10_000, { output: true })).stdout.trim();
  const started = new Date().toISOString();
  const loadBefore = load();

  say(`writing ${routes} routes`);
  const files = await writeRoutes(directory, routes);
  const samples = new Samples();
  const namespace = await Namespace.create(name);
  const setting: Setting = { namespace, directory, files, routes, samples, limitMs: 60_000 + routes / 5 };
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}: C and krtd`);
    await limit?.measurePush(setting);
    await measureKrtd(setting, limit);
    await limit?.measurePush(setting);
    await measureAnswers(setting);
    say(`round ${round} of ${rounds}: peers`);
    await measureIpBatch(setting);
    if (bird !== null) await measureBird(setting);
  }

  const machine = describeMachine();
  const peers = [iproute2, ...(bird === null ? [] : [bird])];
  const record = {
    started,
    routes,
    rounds,
    machine,
    load: { before: loadBefore, after: load() },
    peers,
    missing,
  };
  const results = join(BENCH, "results");
  mkdirSync(results, { recursive: true });
  const file = join(results, `${started.replaceAll(":", "").slice(0, 17)}-${routes}.json`);
  writeFileSync(file, `${JSON.stringify({ ...record, samples: samples.all() }, null, 1)}\n`);
  console.log(`${routes} IPv4 routes, ${rounds} rounds, ${started.slice(0, 10)}`);
  console.log(`${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}`);
  console.log(`peers: ${peers.join(" · ")}`);
  for (const peer of missing) console.log(`missing: ${peer}`);
  if (loadBefore > 0.5)
    console.log(`other programs were at work (load ${loadBefore}): trust the ratios only`);
  console.log(`\n${renderTable(samples)}\n${relative(process.cwd(), file)}`);
  return ["writes.scan", "writes.restart"].every((key) => samples.of(key).every((count) => count === 0));
}

async function main(): Promise<void> {
  const options = readOptions();
  if (process.getuid?.() !== 0) throw new Error("it makes a network namespace, so run it as root (sudo)");
  const name = `krtd-bench-${process.pid}-${randomBytes(3).toString("hex")}`;
  const directory = mkdtempSync(join(tmpdir(), "krtd-bench-"));
  process.on("exit", () => {
    endAll();
    Namespace.remove(name);
    rmSync(directory, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      say(`${signal}: cleaning up`);
      process.exit(1);
    });
  }
  if (await measure(options, name, directory)) process.exit(0);
  say("krtd wrote routes that were there already");
  process.exit(1);
}

main().catch((error: unknown) => {
  say(`Cannot finish: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
