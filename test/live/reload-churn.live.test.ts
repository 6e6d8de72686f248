/**
 * Fifty reloads while others change routes of the same table, at the same prefixes, all the time. A second namespace
 * lives through the same foreign changes without krtd: what its kernel holds and tells is what the first one's must,
 * krtd's own routes left out. And of those only what a reload changes is ever written.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RouteInput } from "../../src/config/input.ts";
import type { Family } from "../../src/lib/ip.ts";
import { configText, FAMILIES, type FamilyCase, foreignLines, isOwn, ownLines } from "../support/families.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const RELOADS = 50;
/** Prefixes 0 … are in every configuration, those after it change. */
const STABLE = 120;
const CHANGING = 40;
const FOREIGN_METRICS = [5, 10, 20, 100, 500];
const FOREIGN_PROTOCOLS = [3, 4, 11, 16, 186];

type Shape = Omit<RouteInput, "prefix">;

/** The last is no route at all. */
const shapesOf = ({ gateway, otherGateway }: FamilyCase): readonly (Shape | null)[] => [
  { via: gateway },
  { via: otherGateway },
  { via: gateway, mtu: 1400 },
  { nexthops: [{ via: gateway }, { via: otherGateway, weight: 2 }] },
  { dev: "v0" },
  { type: "blackhole" },
  { via: gateway, metric: 77 },
  null,
];

/** A small generator (mulberry32): the same run every time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

/** The changes that the kernel needs to get from one to the other. */
function writesBetween(family: Family, from: Shape | null, to: Shape | null): number {
  if (from === to) return 0;
  if (from === null || to === null) return 1;
  if (from.metric !== to.metric) return 2;
  // In IPv6 a route without gateways cannot be replaced by one with, nor the other way round.
  const gateways = (shape: Shape): boolean => shape.dev === undefined && shape.type === undefined;
  return family === 4 || (gateways(from) && gateways(to)) ? 1 : 2;
}

/** Foreign changes for `ip -batch`, each possible where the ones before were made. */
function foreignChanges({ gateway, otherGateway, net }: FamilyCase, roll: (sides: number) => number) {
  const standing = new Map<string, number>();
  const change = (): string => {
    const prefix = net(roll(STABLE + CHANGING + 10));
    const metric = FOREIGN_METRICS[roll(FOREIGN_METRICS.length)]!;
    const key = `${prefix} metric ${metric}`;
    const before = standing.get(key);
    const what = roll(4);
    if (before !== undefined && what === 0) {
      standing.delete(key);
      return `route del ${key} proto ${before}`;
    }
    const protocol = FOREIGN_PROTOCOLS[roll(FOREIGN_PROTOCOLS.length)]!;
    standing.set(key, protocol);
    const via = roll(2) === 0 ? gateway : otherGateway;
    return `route ${before === undefined ? "add" : "replace"} ${key} via ${via} proto ${protocol}`;
  };
  return (count: number): string[] => Array.from({ length: count }, change);
}

describe("fifty reloads under foreign churn", () => {
  it("write just what changes, and touch nothing of anybody else", async () => {
    await using ns = await createTopology();
    await using twin = await createTopology();
    await Promise.all([settled(ns), settled(twin)]);
    const roll = dice(20261121);
    const chosen = new Map<Family, number[]>(
      FAMILIES.map(({ family }) => [family, Array.from({ length: CHANGING }, () => 7)]),
    );
    const text = (): string => {
      const routes = FAMILIES.map((it6): [Family, RouteInput[]] => {
        const shapes = shapesOf(it6);
        const stable = Array.from({ length: STABLE }, (_, i) => ({ prefix: it6.net(i), ...shapes[i % 7]! }));
        const changing = chosen.get(it6.family)!.flatMap((shape, i) => {
          const said = shapes[shape];
          return said == null ? [] : [{ prefix: it6.net(STABLE + i), ...said }];
        });
        return [it6.family, [...stable, ...changing]];
      });
      return configText(Object.fromEntries(routes), { scanTime: "1s" });
    };
    await using krtd = await startSynced(ns, text());
    const atStart = await krtd.writes();
    expect(atStart).toBe(2 * STABLE);
    await using told = await monitorRoutes(ns);
    await using toldTwin = await monitorRoutes(twin);

    const churn = startChurn(ns, twin, dice(7));
    let needed = 0;
    let seen = 0;
    try {
      for (let i = 0; i < RELOADS; i++) {
        const changed = new Set<string>();
        for (const it6 of FAMILIES) {
          const shapes = shapesOf(it6);
          const now = chosen.get(it6.family)!;
          for (let k = 0; k < 8; k++) {
            const at = roll(CHANGING);
            if (changed.has(it6.net(STABLE + at))) continue;
            const next = roll(shapes.length);
            needed += writesBetween(it6.family, shapes[now[at]!]!, shapes[next]!);
            now[at] = next;
            changed.add(it6.net(STABLE + at));
          }
        }
        await reload(krtd, text(), i);
        await waitFor("all is written", async () => (await krtd.writes()) >= atStart + needed, 10_000);
        await krtd.synced();
        const events = (await told.events()).filter(isOwn);
        const touched = events
          .slice(seen)
          .filter((line) => ![...changed].some((net) => line.includes(` ${net} `)));
        expect(touched, `reload ${i}`).toEqual([]);
        seen = events.length;
        expect(await krtd.writes(), `after reload ${i}`).toBe(atStart + needed);
      }
    } finally {
      await churn.stop();
    }
    expect(churn.changes()).toBeGreaterThan(RELOADS * 10);
    await krtd.scan();
    expect(await krtd.writes()).toBe(atStart + needed);
    expect((await krtd.get<unknown[]>("/v1/drift")).length).toBe(0);
    expect(krtd.records("configuration applied")).toHaveLength(RELOADS);
    expect(krtd.log()).not.toMatch(/"level":"(error|warn)"/);

    expect(await churned(ns)).toEqual(await churned(twin));
    const foreign = (events: readonly string[]): string[] => events.filter((line) => !isOwn(line));
    const [here, there] = [foreign(await told.events()), foreign(await toldTwin.events())];
    expect(here).toEqual(there);
    expect(here.length).toBeGreaterThan(RELOADS * 10);

    await using _fresh = await startSynced(twin, text());
    for (const { flag } of FAMILIES) {
      const own = await ownLines(ns, flag);
      expect(own.length).toBeGreaterThan(STABLE);
      expect(own.toSorted()).toEqual((await ownLines(twin, flag)).toSorted());
    }
  });
});

/** What the churn left; the kernel's own routes have link-local addresses that nobody chose. */
async function churned(ns: Netns): Promise<string[]> {
  return (await foreignLines(ns)).filter((line) => !line.includes(" proto kernel ")).toSorted();
}

/** By turns as a signal, over the socket, and with krtctl. */
async function reload(krtd: RunningKrtd, text: string, turn: number): Promise<void> {
  if (turn % 3 === 0) {
    await krtd.configure(text);
    return;
  }
  await writeFile(join(krtd.directory, "krt.yaml"), text);
  if (turn % 3 === 1) {
    expect(await krtd.ctl("configure")).toMatchObject({ code: 0 });
    return;
  }
  const before = krtd.records("configuration applied").length;
  krtd.signal("SIGHUP");
  await waitFor("the reload", () => krtd.records("configuration applied").length > before, 10_000);
}

/** Changes foreign routes of both families in both namespaces until it is stopped. */
function startChurn(ns: Netns, twin: Netns, roll: (sides: number) => number) {
  const sources = FAMILIES.map((it6) => foreignChanges(it6, roll));
  let going = true;
  let changes = 0;
  const work = async (): Promise<void> => {
    while (going) {
      const commands = sources.flatMap((next) => next(15));
      changes += commands.length;
      await Promise.all([ns.batch(commands), twin.batch(commands)]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  let failure: unknown = null;
  const worked = work().catch((error: unknown) => {
    failure = error;
  });
  return {
    changes: () => changes,
    async stop() {
      going = false;
      await worked;
      if (failure !== null) throw failure;
    },
  };
}
