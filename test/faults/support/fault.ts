/**
 * One fault, many seeds. fault() makes a world for each (a namespace with links, addresses and other people's routes),
 * lets the test do its worst, and tells the seed and the whole history of the run when anything is not as it must be.
 *
 * `npm test` runs a few seeds of each fault; `npm run test:faults` ($KRTD_FAULTS=all) runs them all.
 */

import { rm } from "node:fs/promises";
import { afterAll, expect, it } from "vitest";
import { configText, FAMILIES } from "../../support/families.ts";
import { foreignCommands } from "../../support/foreign-routes.ts";
import { makeDirectory, type RunningKrtd } from "../../support/krtd.ts";
import { type Netns, settled } from "../../support/netns.ts";
import { createLinks } from "./links.ts";
import {
  bounded,
  calm,
  converged,
  type Footprint,
  footprint,
  foreignRoutes,
  foreignUntouched,
  type Scope,
  silent,
  withinScope,
} from "./oracles.ts";
import { type Random, randomFrom, seeds } from "./random.ts";
import { createRecording, namespaceNumber, type RecordedOptions, type Recording } from "./recorded.ts";
import { inputOf, installed, type WantedRoutes } from "./wanted.ts";

/** Of npm run test:faults; longer waits and larger numbers are worth it then. */
export const FULL: boolean = process.env["KRTD_FAULTS"] === "all";
const RUN_MS = 120_000;
const MAIN = 254;
const PROTOCOL = 120;
/** After a loss krtd has this long, plus the time of a dump. */
const CONVERGE_MS = 5000;
/** Beyond it for machines that are busy; the time taken is printed. */
const SLACK_MS = 15_000;
const LOG_TAIL = 4000;

export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly ns: Netns;
  readonly directory: string;
  readonly recording: Recording;
  /** Adds a line to the history that a failure tells. */
  note(text: string): void;
  /** As of the namespace, and noted. */
  ip(command: string): Promise<void>;
  tryIp(command: string): Promise<void>;
  batch(commands: readonly string[]): Promise<void>;
  /** Starts the recorded krtd; waits for nothing. */
  start(yaml: string, options?: RecordedOptions): Promise<RunningKrtd>;
  /** The same, waits until it is in sync, and takes its footprint. */
  startSynced(yaml: string, options?: RecordedOptions): Promise<RunningKrtd>;
  /** Puts everybody else's routes there and remembers all foreign routes for oracle B. */
  populate(): Promise<void>;
  /** Remembers the foreign routes as they are now for oracle B. */
  rememberForeign(): Promise<void>;
  /** All four oracles, of the krtd that runs. */
  check(krtd: RunningKrtd, wanted: WantedRoutes, options?: CheckOptions): Promise<void>;
}

export interface CheckOptions {
  /** How soon A must hold; default: what is promised after a loss. */
  readonly withinMs?: number;
  /** Lines of the log that this fault causes. */
  readonly expected?: RegExp;
  /** Where it may write; default: table main of its own namespace. */
  readonly scopes?: readonly Scope[];
  readonly growthBytes?: number;
}

export interface Runs {
  /** Seeds in `npm test`; 0: it takes too long there. */
  readonly short: number;
  /** Seeds in `npm run test:faults`. */
  readonly full: number;
  /** Makes the namespace; default: v0 with addresses, and its peer v1. */
  readonly topology?: () => Promise<Netns>;
}

const figures = new Map<string, { seeds: number; convergedMs: number[] }>();

/** Registers a test that runs `body` once for each seed. */
export function fault(name: string, runs: Runs, body: (world: World) => Promise<void>): void {
  const count = FULL ? runs.full : runs.short;
  if (count === 0) return;
  const all = seeds(count, FULL);
  it(`${name} (${all.length} seeds)`, { timeout: RUN_MS * all.length }, async () => {
    const failures: Error[] = [];
    for (const seed of all) {
      await run(name, seed, runs.topology ?? createLinks, body).catch((error: Error) => failures.push(error));
    }
    const [first, ...others] = failures;
    if (first === undefined) return;
    first.message += others.map(({ message }) => `\nand with another seed: ${headOf(message)}`).join("");
    throw first;
  });
}

/** Table main of a namespace, with krtd's own number. */
export function scopeOf(ns: Netns): Scope {
  return { namespace: namespaceNumber(ns), tables: [MAIN], families: [4, 6], protocols: [PROTOCOL] };
}

/** A configuration of kernel4 and kernel6 for these routes, scanning only when asked to. */
export function configOfWanted(wanted: WantedRoutes, options: Parameters<typeof configText>[1] = {}): string {
  return configText({ 4: inputOf(wanted[4]), 6: inputOf(wanted[6]) }, options);
}

async function run(
  name: string,
  seed: number,
  topology: () => Promise<Netns>,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const began = performance.now();
  const history: string[] = [];
  const note = (text: string): void => {
    history.push(`${(performance.now() - began).toFixed(0).padStart(7)} ms  ${text}`);
  };
  const started: RunningKrtd[] = [];
  const directory = await makeDirectory();
  await using ns = await topology();
  try {
    const world = await createWorld({ name, seed, ns, directory, note, started });
    await body(world);
    await ended(world, started.at(-1));
  } catch (error) {
    throw told(error, name, seed, history, started);
  } finally {
    for (const krtd of started) await krtd[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  }
}

/** An orderly stop of the krtd that is left takes its routes out, and nothing else. */
async function ended({ ns, note, recording }: World, last: RunningKrtd | undefined): Promise<void> {
  if (last === undefined || (await last.state()) === null) return;
  const foreign = await foreignRoutes(ns);
  note("krtd is told to stop");
  expect(await last.stop(), "exit code of the orderly stop").toBe(0);
  expect(await installed(ns), "routes after the orderly stop").toEqual([]);
  await foreignUntouched(ns, foreign);
  calm(last, null);
  expect(await recording.messages()).not.toEqual([]);
}

interface WorldParts {
  readonly name: string;
  readonly seed: number;
  readonly ns: Netns;
  readonly directory: string;
  readonly note: (text: string) => void;
  /** Every krtd that the world starts. */
  readonly started: RunningKrtd[];
}

async function createWorld({ name, seed, ns, directory, note, started }: WorldParts): Promise<World> {
  const recording = await createRecording(directory);
  await settled(ns);
  const footprints = new Map<RunningKrtd, Footprint>();
  let foreign = await foreignRoutes(ns);
  const start = async (yaml: string, options: RecordedOptions = {}): Promise<RunningKrtd> => {
    const krtd = await recording.start(ns, yaml, options);
    started.push(krtd);
    note(`krtd ${krtd.pid} starts`);
    return krtd;
  };
  const defaultScope = scopeOf(ns);
  return {
    seed,
    random: randomFrom(seed),
    ns,
    directory,
    recording,
    note,
    start,
    async ip(command) {
      note(`ip ${command}`);
      await ns.ip(command);
    },
    async tryIp(command) {
      const { code } = await ns.tryIp(command);
      note(`ip ${command} → ${code}`);
    },
    async batch(commands) {
      note(`ip -batch, ${commands.length} commands:\n${commands.slice(0, 50).join("\n")}`);
      await ns.batch(commands);
    },
    async startSynced(yaml, options) {
      const krtd = await start(yaml, options);
      await krtd.synced(CONVERGE_MS + SLACK_MS);
      footprints.set(krtd, footprint(krtd));
      note("krtd is in sync");
      return krtd;
    },
    async populate() {
      await ns.batch(FAMILIES.flatMap(foreignCommands).filter((command) => !command.includes("default")));
      foreign = await foreignRoutes(ns);
    },
    async rememberForeign() {
      foreign = await foreignRoutes(ns);
    },
    async check(krtd, wanted, options = {}) {
      note("the oracles are asked");
      const took = await converged(ns, wanted, (options.withinMs ?? CONVERGE_MS) + SLACK_MS);
      note(`A holds after ${took.toFixed(0)} ms`);
      await silent(krtd, ns, wanted, recording);
      await foreignUntouched(ns, foreign);
      withinScope(await recording.messages(), options.scopes ?? [defaultScope]);
      const before = footprints.get(krtd);
      if (before !== undefined) await bounded(krtd, before, options.growthBytes);
      calm(krtd, options.expected ?? null);
      const known = figures.get(name) ?? { seeds: 0, convergedMs: [] };
      figures.set(name, { seeds: known.seeds + 1, convergedMs: [...known.convergedMs, took] });
    },
  };
}

/** What went wrong, and the seed. */
function headOf(message: string): string {
  return message.slice(0, message.indexOf("\nhistory:"));
}

/** The same error, with all that is needed to see it again. */
function told(
  error: unknown,
  name: string,
  seed: number,
  history: readonly string[],
  started: readonly RunningKrtd[],
): Error {
  const failure = error instanceof Error ? error : new Error(String(error));
  const logs = started.map((krtd) => `krtd ${krtd.pid}, the end of its log:\n${krtd.log().slice(-LOG_TAIL)}`);
  failure.message = [
    failure.message,
    `fault "${name}", KRTD_SEED=${seed}`,
    "history:",
    ...history,
    ...logs,
  ].join("\n");
  return failure;
}

afterAll(() => {
  for (const [name, { seeds: count, convergedMs }] of figures) {
    const longest = Math.max(...convergedMs).toFixed(0);
    process.stdout.write(`      ${name}: ${count} times right, after ${longest} ms at most\n`);
  }
});
