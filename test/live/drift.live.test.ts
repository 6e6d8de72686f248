/**
 * Whatever somebody does to a route of krtd in the kernel, an event tells of it, and it is put right at once, without
 * any scan timer: what was done, from what to what, and by whom, is on record. Nothing else is touched. What an event
 * cannot prove is put right by the scan it asks for. When nothing changed, scans are silent: `ip monitor` is the
 * witness, and its watch.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriftJson } from "../../src/control/json.ts";
import { configOf, FAMILIES, ownLines } from "../support/families.ts";
import { printFigure, printTimes } from "../support/figures.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const execute = promisify(execFile);
const OURS = "metric 32 proto 120";
const REPAIR_DEADLINE_MS = 10_000;
/** 50 ms are promised, on a machine that has nothing else to do. */
const BUSY_MACHINE_MS = 2000;

type Kinds = readonly DriftJson["kind"][];

interface Drift {
  readonly what: string;
  /** What happens to route NET (via GW) of krtd; OTHER is a second gateway on the same link. */
  readonly commands: readonly string[];
  /** What krtd tells of it. */
  readonly kinds: Kinds | Readonly<Record<4 | 6, Kinds>>;
  /** The first event proves what happened: it is put right without any scan. */
  readonly atOnce?: true;
  /** What is there afterwards that is none of krtd's. */
  readonly leaves?: string;
}

const DRIFT: readonly Drift[] = [
  { what: "is deleted", commands: [`del NET ${OURS}`], kinds: ["deleted"], atOnce: true },
  {
    what: "is replaced by one via another gateway",
    commands: [`replace NET via OTHER ${OURS}`],
    kinds: ["changed"],
    atOnce: true,
  },
  {
    what: "is replaced by one with an mtu",
    commands: [`replace NET via GW mtu 1300 ${OURS}`],
    kinds: ["changed"],
    atOnce: true,
  },
  {
    what: "is replaced by a device route",
    commands: [`replace NET dev v0 ${OURS}`],
    kinds: ["changed"],
    atOnce: true,
  },
  {
    what: "loses to a blackhole",
    commands: [`replace blackhole NET ${OURS}`],
    kinds: ["changed"],
    atOnce: true,
  },
  {
    what: "becomes ECMP",
    commands: [`replace NET ${OURS} nexthop via GW nexthop via OTHER`],
    kinds: ["changed"],
    atOnce: true,
  },
  {
    what: "is swapped for a device route",
    commands: [`del NET ${OURS}`, `add NET dev v0 ${OURS}`],
    kinds: ["deleted"],
  },
  {
    what: "is swapped for a blackhole",
    commands: [`del NET ${OURS}`, `add blackhole NET ${OURS}`],
    kinds: ["deleted"],
  },
  {
    what: "gets a duplicate behind it",
    commands: [`append NET via OTHER ${OURS}`],
    kinds: { 4: [], 6: ["changed"] },
  },
  {
    what: "gets a duplicate before it",
    commands: [`prepend NET via OTHER ${OURS}`],
    kinds: ["changed"],
  },
  {
    what: "gets many duplicates",
    commands: [`append NET via OTHER ${OURS}`, `append NET dev v1 ${OURS}`, `append blackhole NET ${OURS}`],
    kinds: { 4: [], 6: ["changed"] },
  },
  { what: "gets a second metric", commands: ["add NET via GW metric 5 proto 120"], kinds: [] },
  {
    what: "moves to another metric",
    commands: [`del NET ${OURS}`, "add NET via GW metric 33 proto 120"],
    kinds: ["deleted"],
  },
  {
    what: "is changed to somebody else's",
    commands: [`del NET ${OURS}`, "add NET via GW metric 31 proto 4"],
    kinds: ["deleted"],
    leaves: "proto 4",
  },
];

describe.each(FAMILIES)("IPv$family: a route of krtd", (it6) => {
  const { family, flag, gateway, otherGateway, net } = it6;
  const routes = DRIFT.map((_, i) => ({ prefix: net(i), via: gateway }));
  const timesMs: number[] = [];
  let ns: Netns;
  let krtd: RunningKrtd;
  let wanted: string[];

  beforeAll(async () => {
    ns = await createTopology();
    // What changes while an interface does is not told as drift.
    await settled(ns);
    krtd = await startSynced(ns, configOf(it6, routes));
    wanted = await ownLines(ns, flag);
  });

  afterAll(async () => {
    await krtd?.[Symbol.asyncDispose]();
    await ns?.dispose();
    printTimes(`IPv${family}, put right after the event`, timesMs);
  });

  /** In one batch: krtd's answer may come between two of its commands, of which the second is then refused. */
  const disturb = async (commands: readonly string[], prefix: string): Promise<void> => {
    const words = commands.map(
      (command) =>
        `route ${command.replace("NET", prefix).replace("GW", gateway).replace("OTHER", otherGateway)}`,
    );
    await ns.batch(words).catch((error: Error) => {
      if (commands.length === 1 || !error.message.includes("File exists")) throw error;
    });
  };

  it("stands there to begin with", () => {
    expect(wanted).toEqual(
      routes.map(
        ({ prefix }) =>
          `unicast ${prefix} via ${gateway} dev v0 proto 120 scope global metric 32${it6.suffix}`,
      ),
    );
  });

  const repaired = async (): Promise<boolean> => (await ownLines(ns, flag)).join() === wanted.join();
  const driftOf = async (prefix: string): Promise<DriftJson[]> =>
    (await krtd.get<DriftJson[]>("/v1/drift")).filter(({ dst }) => dst === prefix);

  const rows = DRIFT.map((row, i) => ({ ...row, prefix: net(i) }));
  it.each(rows)("that $what is put right, on record, and no other is touched", async (row) => {
    const { prefix, commands, kinds, atOnce, leaves } = row;
    await using monitor = await monitorRoutes(ns);
    await disturb(commands, prefix);
    await waitFor("the routes are as before", repaired, REPAIR_DEADLINE_MS);
    await waitFor("it is synced", async () => (await krtd.route(prefix)).kernel.state === "synced");

    const events = await monitor.timed();
    expect(events.filter(({ line }) => !line.includes(` ${prefix} `))).toEqual([]);
    if (atOnce === true) {
      const [first] = events;
      const back = events.find(({ line }) => line.startsWith(`unicast ${prefix} via ${gateway} dev v0 `));
      const tookMs = (back?.atMs ?? Number.NaN) - (first?.atMs ?? Number.NaN);
      expect(tookMs).toBeLessThan(BUSY_MACHINE_MS);
      timesMs.push(tookMs);
    }

    const told = await driftOf(prefix);
    const expected = "length" in kinds ? kinds : kinds[family];
    expect(told.map(({ kind }) => kind)).toEqual(expected);
    for (const record of told) {
      expect(record).toMatchObject({
        protocol: `kernel${family}`,
        table: 254,
        metric: 32,
        // Nexthops more than krtd's may be somebody else's: only the next scan can tell whether they are gone.
        reaction: family === 6 && row.what.includes("duplicate") ? "scan" : "repaired",
      });
      expect(record.before).toMatchObject({ type: "unicast", gateway });
      expect(record.after === null).toBe(record.kind === "deleted");
      if (atOnce === true) expect(record["seen-by"]).toBe("event");
    }

    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    expect(await repaired()).toBe(true);
    // Only an addition that krtd's own was faster than was refused.
    if (leaves !== undefined) await ns.ip(`${flag} route del ${prefix} ${leaves}`);
  });

  it("that nobody wants is deleted, soon, by the scan that its appearance asks for", async () => {
    const prefix = net(900);
    await disturb(["add NET via GW metric 32 proto 120", "add blackhole NET metric 99 proto 120"], prefix);
    await waitFor("it is gone", repaired, REPAIR_DEADLINE_MS);
    expect(await driftOf(prefix)).toEqual([]);
  });

  it("is not touched while nothing changes", async () => {
    await waitFor("no scan is due", async () => (await krtd.state()) === "in-sync");
    const writes = await krtd.writes();
    await using monitor = await monitorRoutes(ns);
    for (let scans = 0; scans < 3; scans++) await krtd.scan();
    expect(await monitor.events()).toEqual([]);
    expect(await krtd.writes()).toBe(writes);
  });
});

describe.each(FAMILIES)("IPv$family: the record of a drift", (it6) => {
  const { family, flag, gateway, otherGateway, net } = it6;
  const prefix = net(1);

  /** `ip route` with these words; returns its netlink port, which the kernel takes from the process id. */
  const ipRoute = async (ns: Netns, words: string): Promise<number | undefined> => {
    const running = execute("ip", ["-n", ns.name, flag, "route", ...words.split(" ")]);
    await running;
    return running.child.pid;
  };

  it.each([
    { kind: "deleted", words: `del ${prefix} ${OURS}`, after: null, reaction: "repaired" },
    {
      kind: "changed",
      words: `replace ${prefix} via ${otherGateway} mtu 1300 ${OURS}`,
      after: { type: "unicast", gateway: otherGateway, dev: "v0", mtu: 1300 },
      reaction: "repaired",
    },
    {
      kind: "taken",
      words: `replace ${prefix} via ${otherGateway} metric 32 proto static`,
      after: { type: "unicast", gateway: otherGateway, dev: "v0" },
      reaction: "left",
    },
    {
      kind: "taken",
      words: `replace blackhole ${prefix} metric 32 proto static`,
      after: { type: "blackhole" },
      reaction: "left",
    },
  ])(
    "says $kind: what, by whom, when, and what krtd did ($words)",
    async ({ kind, words, after, reaction }) => {
      await using ns = await createTopology();
      await using krtd = await startSynced(ns, configOf(it6, [{ prefix, via: gateway }]));
      const from = Date.now();
      const port = await ipRoute(ns, words);
      const drift = (): Promise<DriftJson[]> => krtd.get<DriftJson[]>("/v1/drift");
      await waitFor("it is told", async () => (await drift()).length > 0, REPAIR_DEADLINE_MS);
      await krtd.scan();
      const [record, ...more] = await drift();
      expect(more).toEqual([]);
      expect(record).toMatchObject({
        protocol: `kernel${family}`,
        table: 254,
        dst: prefix,
        metric: 32,
        kind,
        "seen-by": "event",
        port,
        before: { type: "unicast", gateway },
        after,
        reaction,
      });
      const at = Date.parse(record!.at);
      expect(at).toBeGreaterThanOrEqual(from);
      expect(at).toBeLessThanOrEqual(Date.now());
      expect(krtd.records(`a route of ours was ${kind} by somebody else`)).toMatchObject([
        { level: "warn", protocol: `kernel${family}`, prefix, metric: 32, port, reaction },
      ]);
      const shown = await krtd.ctl("show", "drift");
      expect(shown.stdout).toContain(prefix);
      expect(shown.stdout).toContain(kind);
    },
  );

  it("counts what was repaired", async () => {
    await using ns = await createTopology();
    const routes = [1, 2, 3].map((i) => ({ prefix: net(i), via: gateway }));
    await using krtd = await startSynced(ns, configOf(it6, routes));
    await ns.ip(`${flag} route del ${net(1)}`);
    await ns.ip(`${flag} route replace ${net(2)} via ${otherGateway} ${OURS}`);
    const repaired = async (): Promise<number> =>
      (await krtd.kernels()).reduce((sum, { kernel }) => sum + kernel.drift.repaired, 0);
    await waitFor("both are repaired", async () => (await repaired()) === 2, REPAIR_DEADLINE_MS);
    await krtd.scan();
    expect(await repaired()).toBe(2);
    // IPv6 deletes what is shown and adds: REPLACE there might hit somebody else's nexthops.
    const writes = family === 4 ? { add: 4, replace: 1, delete: 0 } : { add: 5, replace: 0, delete: 1 };
    expect(await krtd.protocol(`kernel${family}`)).toMatchObject({
      kernel: { writes: { ...writes, errors: {} } },
    });
  });

  it("is no flood when all routes are deleted at once, and all come back", async () => {
    await using ns = await createTopology();
    const count = 3000;
    const routes = Array.from({ length: count }, (_, i) => ({ prefix: it6.host(i), via: gateway }));
    await using krtd = await startSynced(ns, configOf(it6, routes));
    const from = performance.now();
    // It fails when krtd is faster: what it means to delete has been written anew.
    await ns.tryIp(`${flag} route flush proto 120`);
    const back = async (): Promise<boolean> => (await ownLines(ns, flag)).length === count;
    await waitFor(
      "all are back",
      async () => (await back()) && (await krtd.state()) === "in-sync",
      30_000,
      50,
    );
    printFigure(
      `IPv${family}: ${count} flushed routes back after ${(performance.now() - from).toFixed(0)} ms`,
    );
    const drift = (await krtd.get<DriftJson[]>("/v1/drift")).length;
    expect(drift).toBeGreaterThan(0);
    expect(drift).toBeLessThanOrEqual(1024);
    expect(krtd.log().length).toBeLessThan(200_000);
    await krtd.scan();
    expect(await back()).toBe(true);
  });
});

describe.each(FAMILIES)("IPv$family: the first scan", (it6) => {
  const { flag, gateway, otherGateway, net } = it6;

  it("removes stale routes of protocol 120, whatever they look like, and keeps those that are wanted", async () => {
    await using ns = await createTopology();
    const stale = [
      `${net(20)} via ${gateway} metric 32`,
      `${net(21)} dev v0 metric 1`,
      `blackhole ${net(22)} metric 4000000000`,
      `unreachable ${net(23)} metric 32`,
      `prohibit ${net(23)} metric 33`,
      `throw ${net(24)} metric 32`,
      `default via ${gateway} metric 32`,
      `${net(25)} via ${gateway} mtu 1400 metric 32`,
      `${net(1)} via ${gateway} metric 31`,
    ];
    for (const route of stale) await ns.ip(`${flag} route add ${route} proto 120`);
    await ns.ip(
      `${flag} route add ${net(26)} ${OURS} nexthop via ${gateway} nexthop via ${otherGateway} weight 9`,
    );
    await ns.ip(`${flag} route add ${net(1)} via ${gateway} ${OURS}`);
    await using monitor = await monitorRoutes(ns);
    await using _krtd = await startSynced(
      ns,
      configOf(it6, [{ prefix: net(1), via: gateway }], { root: { safety: { "max-delete-percent": 100 } } }),
    );
    expect(await ownLines(ns, flag)).toEqual([
      `unicast ${net(1)} via ${gateway} dev v0 proto 120 scope global metric 32${it6.suffix}`,
    ]);
    const events = await monitor.events();
    expect(events.filter((line) => !line.startsWith("Deleted "))).toEqual([]);
  });
});
