/**
 * What must hold after every fault, whatever it was:
 *
 *   A  the routes of our protocol are those that are wanted and installable, and stay so without a write
 *   B  every foreign route is what the test put there
 *   C  nothing was sent that writes outside the (namespace, table, family, protocol) of the configuration
 *   D  no crash, no complaint that nobody expected, memory and descriptors within bounds
 */

import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import { foreignLines } from "../../support/families.ts";
import type { RunningKrtd } from "../../support/krtd.ts";
import { type Netns, waitFor } from "../../support/netns.ts";
import type { Recording } from "./recorded.ts";
import { changesNothing, RTM_DELROUTE, type SentMessage } from "./sent-messages.ts";
import { installable, installed, type WantedRoutes } from "./wanted.ts";

const PAGE = 4096;
/** Room for what a fault makes krtd hold for a while: queues, learned routes, code compiled. */
const MEMORY_GROWTH_BYTES = 96 * 1024 * 1024;
const RTM_F_REPLACE = 0x100;
const RTM_F_EXCL = 0x200;

/** Where krtd may write. */
export interface Scope {
  /** As namespaceNumber() has it. */
  readonly namespace: bigint;
  readonly tables: readonly number[];
  readonly families: readonly Family[];
  readonly protocols: readonly number[];
}

/** Waits for the first half of A; returns the milliseconds it took. Throws with the difference. */
export async function converged(ns: Netns, wanted: WantedRoutes, deadlineMs: number): Promise<number> {
  const from = performance.now();
  let routes: string[] = [];
  let right: string[] = [];
  const same = async (): Promise<boolean> => {
    right = await installable(ns, wanted);
    routes = await installed(ns);
    return routes.join("\n") === right.join("\n");
  };
  try {
    await waitFor("the kernel has the wanted routes", same, deadlineMs, 20);
  } catch (error) {
    expect(difference(routes, right), `A: after ${deadlineMs} ms`).toEqual({ missing: [], surplus: [] });
    throw error;
  }
  return performance.now() - from;
}

/**
 * The second half of A: another look at everything makes krtd write nothing, but that it may try once again to add
 * each route that cannot be installed.
 */
export async function silent(
  krtd: RunningKrtd,
  ns: Netns,
  wanted: WantedRoutes,
  recording: Recording,
): Promise<void> {
  await krtd.scan((await settledState(krtd)) as "in-sync");
  const before = await installed(ns);
  // What was heard of links and addresses lets waiting routes be tried again a little later.
  const sent = await recording.quiet(150);
  await krtd.scan((await settledState(krtd)) as "in-sync");
  const writes = (await recording.messages()).slice(sent).filter((message) => !changesNothing(message));
  const waiting = wanted[4].length + wanted[6].length - before.length;
  const tries = writes.filter(({ flags }) => (flags & RTM_F_EXCL) !== 0).slice(0, waiting);
  expect(
    writes.filter((write) => !tries.includes(write)),
    "A: writes though all is right",
  ).toEqual([]);
  expect(await installed(ns), "A: routes after a scan").toEqual(before);
}

/** Waits until it is neither starting nor syncing. */
async function settledState(krtd: RunningKrtd): Promise<string> {
  let state: string | null = null;
  await waitFor("krtd is in sync or knows why not", async () => {
    state = await krtd.state();
    return state === "in-sync" || state === "degraded";
  });
  return state ?? "";
}

/**
 * All that is not krtd's. The kernel's own IPv6 routes are left out: it makes them some time after their link or address,
 * and nobody can say when.
 */
export async function foreignRoutes(ns: Netns): Promise<string[]> {
  const own = (line: string): boolean => line.includes(" proto kernel ") && line.includes(":");
  return (await foreignLines(ns)).filter((line) => !own(line));
}

/** B: `before` is foreignRoutes() of when the test had put its routes there. */
export async function foreignUntouched(ns: Netns, before: readonly string[]): Promise<void> {
  expect(difference(await foreignRoutes(ns), before), "B: foreign routes").toEqual({
    missing: [],
    surplus: [],
  });
}

/** C, of all that was ever sent. */
export function withinScope(messages: readonly SentMessage[], scopes: readonly Scope[]): void {
  expect(messages.length, "C: messages recorded").toBeGreaterThan(0);
  const strays = messages.filter((message) => {
    if (changesNothing(message)) return false;
    const { namespace, route, type, flags } = message;
    if (route === null || route === "unreadable") return true;
    // An addition that neither excludes nor replaces would join a foreign multipath route.
    if (type !== RTM_DELROUTE && (flags & (RTM_F_REPLACE | RTM_F_EXCL)) === 0) return true;
    return !scopes.some(
      (scope) =>
        scope.namespace === namespace &&
        scope.tables.includes(route.table) &&
        scope.families.includes(route.family) &&
        scope.protocols.includes(route.protocol),
    );
  });
  expect(strays, "C: writes outside the configuration").toEqual([]);
}

/** What D compares with: krtd before the fault. */
export interface Footprint {
  readonly residentBytes: number;
  readonly descriptors: number;
}

export function footprint(krtd: RunningKrtd): Footprint {
  const pages = Number(readFileSync(`/proc/${krtd.pid}/statm`, "utf8").split(" ")[1]);
  return { residentBytes: pages * PAGE, descriptors: readdirSync(`/proc/${krtd.pid}/fd`).length };
}

/** D, of a krtd that runs on. */
export async function bounded(
  krtd: RunningKrtd,
  before: Footprint,
  growthBytes: number = MEMORY_GROWTH_BYTES,
): Promise<void> {
  const { residentBytes } = footprint(krtd);
  expect(residentBytes - before.residentBytes, "D: memory grew by bytes").toBeLessThan(growthBytes);
  // The connection of the last question may not be closed yet.
  const closed = (): boolean => footprint(krtd).descriptors <= before.descriptors;
  await waitFor(`D: no more than ${before.descriptors} descriptors`, closed, 1000).catch((error: Error) => {
    throw new Error(`${error.message}, but ${footprint(krtd).descriptors}`);
  });
}

/** D: its log has nothing that a person would have to act on, and nothing that is no record: a stack trace, say. */
export function calm(krtd: RunningKrtd, expected: RegExp | null): void {
  const bad = krtd
    .log()
    .split("\n")
    .filter((line) => line !== "" && (!line.startsWith("{") || line.includes('"level":"error"')))
    .filter((line) => expected === null || !expected.test(line));
  expect(bad, "D: errors in the log").toEqual([]);
}

interface Difference {
  readonly missing: readonly string[];
  readonly surplus: readonly string[];
}

/** As multisets: IPv6 dumps come in no order of meaning. */
function difference(shown: readonly string[], wanted: readonly string[]): Difference {
  const left = new Map<string, number>();
  for (const line of wanted) left.set(line, (left.get(line) ?? 0) + 1);
  const surplus = shown.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
  const missing = [...left].flatMap(([line, count]) => (count > 0 ? [line] : []));
  return { missing: missing.slice(0, 20), surplus: surplus.slice(0, 20) };
}
