/**
 * npm run bench [-- MODE …] [--routes N] [--rounds N] [--family 4|6]: measures krtd beside the kernel's limit and its
 * peers, in the same run and in turns, so that a busy machine slows all of them. Needs root: it works in a network
 * namespace of its own, which is removed however the run ends.
 */

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { findBird, measureBird } from "./bird.ts";
import { endAll, run } from "./children.ts";
import { measureChurn } from "./churn.ts";
import { measureGrowth } from "./growth.ts";
import { measureIpBatch } from "./iproute2.ts";
import { measureAnswers, measureKrtd } from "./krtd.ts";
import { Limit } from "./limit.ts";
import { isMode, MODES, type Mode } from "./modes.ts";
import { Namespace } from "./namespace.ts";
import { describeMachine, judge, load, renderTable } from "./report.ts";
import { type Family, writeRoutes } from "./routes.ts";
import { Samples } from "./samples.ts";
import type { Setting } from "./setting.ts";
import { measureShape, SHAPES } from "./shapes.ts";

/** This file runs as bench/results/.build/bench/main.js. */
const BENCH = new URL("../../../", import.meta.url).pathname;
const MOST_ROUTES = 4_000_000;
/** IPv6 routes for each IPv4 route, as on the Internet. */
const IPV6_SHARE = 0.2;

interface Options {
  readonly modes: ReadonlySet<Mode>;
  readonly families: readonly Family[];
  readonly routes: number;
  readonly rounds: number;
}

const USAGE = `npm run bench -- [MODE ...] [--routes N] [--rounds N] [--family 4|6]

${Object.entries(MODES)
  .map(([mode, text]) => `  ${mode.padEnd(7)} ${text}`)
  .join("\n")}

Without a mode all are measured. --routes (1,000,000) is the number of IPv4 routes; of IPv6 there are a fifth.
`;

function readOptions(): Options | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      routes: { type: "string", default: "1000000" },
      rounds: { type: "string", default: "2" },
      family: { type: "string", default: "" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const number = (name: string, text: string, most: number): number => {
    const value = Number(text.replaceAll(/[_,]/g, ""));
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Error(`--${name} takes a whole number from 1 to ${most}, not "${text}"`);
  };
  for (const mode of positionals) {
    if (!isMode(mode)) throw new Error(`there is no mode "${mode}": ${Object.keys(MODES).join(", ")}`);
  }
  if (!["", "4", "6"].includes(values.family))
    throw new Error(`--family takes 4 or 6, not "${values.family}"`);
  const modes = positionals.length === 0 ? Object.keys(MODES) : positionals;
  return {
    modes: new Set(modes.filter(isMode)),
    families: values.family === "4" ? [4] : values.family === "6" ? [6] : [4, 6],
    routes: number("routes", values.routes, MOST_ROUTES),
    rounds: number("rounds", values.rounds, 1000),
  };
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

interface Tools {
  readonly limit: Limit | null;
  readonly bird: string | null;
}

/**
 * One round of one family: each part leaves the table empty. One that fails is told, and keeps no other from being
 * measured. Returns what failed.
 */
async function measureRound(
  setting: Setting,
  modes: ReadonlySet<Mode>,
  { limit, bird }: Tools,
): Promise<string[]> {
  const any = (...some: Mode[]): boolean => some.some((mode) => modes.has(mode));
  const failures: string[] = [];
  const part = async (name: string, work: () => Promise<unknown> | undefined): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const failure = `IPv${setting.family} ${name}: ${error instanceof Error ? error.message : String(error)}`;
      say(failure);
      failures.push(failure);
      endAll();
      await setting.namespace.flush();
    }
  };
  const pushLimit = () => limit?.measurePush(setting);
  if (any("push")) await part("C", pushLimit);
  if (any("push", "start", "scan", "memory", "show"))
    await part("krtd", () => measureKrtd(setting, limit, modes));
  if (any("push")) await part("C", pushLimit);
  if (any("lag")) await part("lag", () => measureAnswers(setting));
  if (any("churn")) await part("churn", () => measureChurn(setting, limit));
  if (any("push")) await part("ip -batch", () => measureIpBatch(setting));
  if (bird !== null && any("push", "start", "scan", "memory", "lag"))
    await part("BIRD", () => measureBird(setting, any("scan")));
  if (any("growth") && setting.family === 4) await part("growth", () => measureGrowth(setting));
  if (any("shapes") && setting.family === 4) {
    for (const shape of SHAPES) await part(shape.name, () => measureShape(setting, shape));
  }
  return failures;
}

/** Resolves with whether all was measured, and nothing written that was there already. */
async function measure(options: Options, name: string, directory: string): Promise<boolean> {
  const { modes, families, rounds } = options;
  const missing: string[] = [];
  const limit = await Limit.compile(join(BENCH, "limit"), directory);
  if (limit === null) missing.push("C limit (no C compiler: install gcc or clang)");
  const bird = await findBird();
  if (bird === null) missing.push("BIRD (not installed: Debian's bird2)");
  const iproute2 = (await run(["ip", "-V"], 10_000, { output: true })).stdout.trim();
  const started = new Date().toISOString();
  const loadBefore = load();

  const namespace = await Namespace.create(name);
  const settings: Setting[] = [];
  for (const family of families) {
    const routes = family === 4 ? options.routes : Math.max(1, Math.round(options.routes * IPV6_SHARE));
    say(`writing ${routes} IPv${family} routes`);
    const files = await writeRoutes(directory, family, routes);
    const samples = new Samples();
    settings.push({ family, namespace, directory, files, routes, samples, limitMs: 60_000 + routes / 5 });
  }
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const setting of settings) {
      say(`round ${round} of ${rounds}: IPv${setting.family}`);
      failures.push(...(await measureRound(setting, modes, { limit, bird })));
    }
  }

  const machine = describeMachine();
  const peers = [iproute2, ...(bird === null ? [] : [bird])];
  const record = {
    started,
    modes: [...modes],
    rounds,
    machine,
    load: { before: loadBefore, after: load() },
    peers,
    missing,
    failures,
    families: settings.map(({ family, routes, samples }) => ({
      family,
      routes,
      goals: isGoalSize(family, routes) ? judge(samples, modes) : [],
      samples: samples.all(),
    })),
  };
  const results = join(BENCH, "results");
  mkdirSync(results, { recursive: true });
  const file = join(results, `${started.replaceAll(":", "").slice(0, 17)}-${options.routes}.json`);
  writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
  console.log(`${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}`);
  console.log(`peers: ${peers.join(" · ")}`);
  for (const peer of missing) console.log(`missing: ${peer}`);
  if (loadBefore > 0.5 || record.load.after > machine.cores + 1)
    console.log(
      `other programs were at work (load ${loadBefore}, then ${record.load.after}): trust the ratios only`,
    );
  for (const { family, routes, samples } of settings) {
    console.log(`\n${routes} IPv${family} routes, ${rounds} rounds, ${started.slice(0, 10)}`);
    if (!isGoalSize(family, routes)) console.log("(the goals are for 1,000,000 IPv4 routes)");
    console.log(`\n${renderTable(samples, modes, isGoalSize(family, routes))}`);
  }
  for (const { key, text, goal } of record.families.flatMap(({ goals }) =>
    goals.filter(({ met }) => met === false),
  ))
    console.log(`fell short: ${text} (${key}): ${goal}`);
  for (const failure of failures) console.log(`failed: ${failure}`);
  console.log(relative(process.cwd(), file));
  const idle = settings.every(({ samples }) =>
    ["writes.scan", "writes.restart", "writes.shapes"].every((key) =>
      samples.of(key).every((count) => count === 0),
    ),
  );
  if (!idle) say("krtd wrote routes that were there already");
  return idle && failures.length === 0;
}

function isGoalSize(family: Family, routes: number): boolean {
  return family === 4 && routes === 1_000_000;
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === null) {
    process.stdout.write(USAGE);
    return;
  }
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
  process.exit((await measure(options, name, directory)) ? 0 : 1);
}

main().catch((error: unknown) => {
  say(`Cannot finish: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
