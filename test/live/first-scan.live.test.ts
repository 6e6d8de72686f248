/**
 * What an incomplete dump may not do: before the first complete scan nothing is written, and later on nothing is
 * deleted, reinstalled or withdrawn. The daemon runs in this process, on a port that spoils its dumps.
 */

import { describe, expect, it } from "vitest";
import type { RouteInput } from "../../src/config/input.ts";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { type LiveDaemon, SpoiltDumps, startDaemon } from "../support/live-daemon.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";

const ROUTES = 50;

function routesOf({ gateway, net }: (typeof FAMILIES)[number]): RouteInput[] {
  return Array.from({ length: ROUTES }, (_, i) => ({ prefix: net(i), via: gateway }));
}

const CONFIG = configText(
  { 4: routesOf(FAMILIES[0]!), 6: routesOf(FAMILIES[1]!) },
  { kernel: { learn: true } },
);

/** In each family: half of what is wanted, one wrong, one stale, and 20 of somebody else. */
async function prepare(ns: Netns): Promise<void> {
  await settled(ns);
  const commands = FAMILIES.flatMap(({ gateway, otherGateway, net }) => [
    ...Array.from({ length: ROUTES / 2 }, (_, i) => `${net(i)} via ${gateway} metric 32 proto 120`),
    `${net(40)} via ${otherGateway} metric 32 proto 120`,
    `${net(300)} via ${gateway} metric 32 proto 120`,
    ...Array.from({ length: 20 }, (_, i) => `${net(400 + i)} via ${gateway} metric 32 proto 4`),
  ]);
  await ns.batch(commands.map((command) => `route add ${command}`));
}

const everything = async (ns: Netns): Promise<string[]> => [
  ...(await ownLines(ns, "-4")),
  ...(await ownLines(ns, "-6")),
  ...(await foreignLines(ns)),
];

const spoilt = async (
  ns: Netns,
  mode: SpoiltDumps["mode"],
  prepareDumps: (dumps: SpoiltDumps) => void = () => {},
): Promise<[LiveDaemon, SpoiltDumps]> => {
  let dumps: SpoiltDumps | undefined;
  const live = await startDaemon(ns, CONFIG, (os) => {
    dumps = new SpoiltDumps(os);
    dumps.mode = mode;
    prepareDumps(dumps);
    return dumps;
  });
  return [live, dumps!];
};

const count = (trace: readonly string[], what: string): number =>
  trace.filter((entry) => entry === what).length;

const scanAll = async ({ daemon }: LiveDaemon): Promise<void> => {
  for (const { protocol } of daemon.backend.protocols()) await protocol.scan?.();
};

const routeCounts = ({ daemon }: LiveDaemon): number[] =>
  daemon.backend.tables().map((table) => table.routeCount);

describe("before the first complete scan", () => {
  it.each(["all, incomplete", "half, incomplete"] as const)(
    "nothing is written (dumps show %s)",
    async (mode) => {
      await using ns = await createTopology();
      await prepare(ns);
      const before = await everything(ns);
      const [live, dumps] = await spoilt(ns, mode);
      await using _live = live;
      const tried = (): number =>
        Math.min(...[4, 6].map((family) => count(dumps.trace, `dump ${family} incomplete`)));
      await waitFor("three dumps of each family", () => tried() >= 3);
      expect(live.os.counters.routeWrites).toBe(0);
      expect(await everything(ns)).toEqual(before);
      expect(live.daemon.backend.status().state).toBe("degraded");
      const states = live.daemon.backend.protocols().flatMap(({ protocol }) => protocol.kernel ?? []);
      expect(states.map((kernel) => [kernel.inSync, kernel.report().scan.lastProblem])).toEqual([
        [false, "injected"],
        [false, "injected"],
      ]);

      dumps.mode = "honest";
      await live.daemon.firstSync;
      for (const { flag, family } of FAMILIES) {
        expect(await ownLines(ns, flag)).toHaveLength(ROUTES);
        const firstWrite = dumps.trace.indexOf(`write ${family}`);
        expect(dumps.trace.indexOf(`dump ${family} complete`)).toBeLessThan(firstWrite);
      }
      expect(live.daemon.backend.status().state).toBe("in-sync");
      // Per family: 24 missing, one stale, one replaced (IPv6: deleted and added). What was right was adopted.
      expect(live.os.counters.routeWrites).toBe(26 + 27);
    },
  );

  it("a sound dump adopts what is right: a restart with nothing changed writes nothing", async () => {
    await using ns = await createTopology();
    const [first] = await spoilt(ns, "honest");
    await first.daemon.firstSync;
    expect(first.os.counters.routeWrites).toBe(2 * ROUTES);
    await first.stop({ keep: true });
    const [second, dumps] = await spoilt(ns, "honest");
    await using live = second;
    await live.daemon.firstSync;
    await scanAll(live);
    expect(live.os.counters.routeWrites).toBe(0);
    expect(dumps.trace.filter((entry) => entry.startsWith("write"))).toEqual([]);
  });
});

describe("an IPv6 dump during which routes change", () => {
  it("proves no absence: in sync is only said when all is there", async () => {
    await using ns = await createTopology();
    let disturbed = 0;
    const [live, dumps] = await spoilt(ns, "honest", (spoiler) => {
      spoiler.meanwhile = async (family) => {
        if (family === 4 || disturbed >= 2) return;
        const { events6 } = spoiler;
        await ns.ip(`-6 route add unreachable ${FAMILIES[1]!.net(500 + disturbed++)} table 77`);
        await waitFor("the monitor tells it", () => spoiler.events6 > events6);
      };
    });
    await using _live = live;
    await live.daemon.firstSync;
    expect(await ownLines(ns, "-6")).toHaveLength(ROUTES);
    expect(disturbed).toBe(2);
    expect(count(dumps.trace, "dump 6 complete")).toBe(3);
    expect(live.daemon.backend.status().state).toBe("in-sync");
  });
});

describe("an incomplete dump later on", () => {
  it("deletes, reinstalls and withdraws nothing", async () => {
    await using ns = await createTopology();
    await prepare(ns);
    const [live, dumps] = await spoilt(ns, "honest");
    await using _live = live;
    await live.daemon.firstSync;
    await scanAll(live);
    const tables = routeCounts(live);
    expect(tables).toEqual([ROUTES + 20, ROUTES + 20]);
    const before = await everything(ns);
    const writes = live.os.counters.routeWrites;

    dumps.mode = "half, incomplete";
    await scanAll(live);
    await scanAll(live);
    expect(count(dumps.trace, "dump 4 incomplete")).toBeGreaterThanOrEqual(2);
    expect(live.os.counters.routeWrites).toBe(writes);
    expect(routeCounts(live)).toEqual(tables);
    expect(await everything(ns)).toEqual(before);

    // Drift that only an incomplete dump has seen, and no event told of, waits for a complete one.
    dumps.mode = "all, incomplete";
    dumps.deaf = true;
    for (const { flag, net, gateway } of FAMILIES) {
      await ns.ip(`${flag} route del ${net(1)} metric 32`);
      await ns.ip(`${flag} route del ${net(401)} metric 32`);
      await ns.ip(`${flag} route add ${net(301)} via ${gateway} metric 32 proto 120`);
    }
    await scanAll(live);
    expect(live.os.counters.routeWrites).toBe(writes);
    expect(routeCounts(live)).toEqual(tables);

    dumps.mode = "honest";
    dumps.deaf = false;
    await scanAll(live);
    await waitFor("the drift is repaired", async () => live.os.counters.routeWrites === writes + 2 * 2);
    expect(routeCounts(live)).toEqual(tables.map((routes) => routes - 1));
    for (const { flag } of FAMILIES) expect(await ownLines(ns, flag)).toHaveLength(ROUTES);
  });
});
