/**
 * Two krtd with protocol numbers and metrics of their own, and BIRD, keep routes in one table of one namespace, partly
 * for the same prefixes, all of them learning. Links flap, all three are configured anew all the time, and `ip` deletes
 * routes of all three. Then each has in the kernel just what it wants, learned is what the others have there, and
 * nobody writes any more. KRTD_CHURN_SECONDS makes it longer (a minute is the measure; in the suite ten seconds).
 * Where there is no program `bird`, that is said, and the two krtd are alone.
 */

import { execFile } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { RouteInput } from "../../src/config/input.ts";
import type { DriftJson } from "../../src/control/json.ts";
import { findBird, type RunningBird, startBird } from "../support/bird.ts";
import { configText, FAMILIES, type FamilyCase } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";
import { createTwoLinks, V, W } from "../support/two-links.ts";

const CHURN_MS = 1000 * Number(process.env["KRTD_CHURN_SECONDS"] ?? 10);
const SETTLE_DEADLINE_MS = 30_000;
const SCAN_SECONDS = 2;
/** Two scans of each, and more. */
const QUIET_MS = 5000;
const BIRD = 12;
const STATIC = 4;
/** Variants of the configuration that follow each other. */
const VARIANTS = 12;

/** Who keeps routes: rtm_protocol and metric. */
const FIRST = { protocol: 120, metric: 32, at: 100 };
const SECOND = { protocol: 130, metric: 64, at: 200 };
const THIRD = { protocol: BIRD, metric: 128, at: 300 };
type Keeper = typeof FIRST;

interface Wanted {
  readonly prefix: string;
  /** Gateways; none: a blackhole. */
  readonly via: readonly string[];
}

/** What one of them wants in one family: some for itself, some like the others, and some only now and then. */
function wanted({ family, net }: FamilyCase, { at }: Keeper, variant: number): Wanted[] {
  const ways = [[V.gateway[family]], [W.gateway[family]], [V.gateway[family], W.gateway[family]], []];
  const route = (i: number, way: number): Wanted => ({ prefix: net(i), via: ways[way % ways.length]! });
  return [
    ...Array.from({ length: 20 }, (_, i) => route(i, i + at / 100)),
    ...Array.from({ length: 40 }, (_, i) => route(at + i, i)),
    ...Array.from({ length: 8 }, (_, i) => route(400 + ((variant + i) % VARIANTS), variant + i)),
  ];
}

function krtdConfig(keeper: Keeper, variant: number): string {
  const inputs = (family: 0 | 1): RouteInput[] =>
    wanted(FAMILIES[family]!, keeper, variant).map(({ prefix, via }) => {
      const [first, ...more] = via;
      if (first === undefined) return { prefix, type: "blackhole" };
      return more.length === 0
        ? { prefix, via: first }
        : { prefix, nexthops: via.map((gateway) => ({ via: gateway })) };
    });
  return configText(
    { 4: inputs(0), 6: inputs(1) },
    {
      scanTime: SCAN_SECONDS,
      kernel: { learn: true, metric: keeper.metric },
      root: { "protocol-id": keeper.protocol },
    },
  );
}

function birdConfig(keeper: Keeper, variant: number): string {
  const part = (it6: FamilyCase): string => {
    const { family } = it6;
    const routes = wanted(it6, keeper, variant).map(({ prefix, via }) => {
      const how = via.length === 0 ? "blackhole" : via.map((gateway) => `via ${gateway}`).join(" ");
      return `  route ${prefix} ${how};`;
    });
    return `\
protocol kernel kernel${family} {
  ipv${family} { import all; export all; };
  learn;
  persist off;
  metric ${keeper.metric};
  scan time ${SCAN_SECONDS};
}
protocol static static${family} {
  ipv${family};
${routes.join("\n")}
}
`;
  };
  return `router id 10.0.0.1;\nlog stderr all;\nprotocol device { scan time 1; }\n${FAMILIES.map(part).join("")}`;
}

interface KernelRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly metric?: number;
  readonly protocol: string;
  readonly nexthops?: readonly { readonly gateway: string }[];
}

/** The routes of table main as `ip` sees them. */
async function kernelRoutes(ns: Netns, { flag }: FamilyCase, selector = ""): Promise<KernelRoute[]> {
  return JSON.parse(await ns.ip(`-N -j ${flag} route show table main ${selector}`)) as KernelRoute[];
}

function words(prefix: string, via: readonly string[], metric: number): string {
  return `${prefix} ${via.length === 0 ? "blackhole" : [...via].sort().join(" ")} metric ${metric}`;
}

/** What a keeper has in the kernel, and what it wants there, in the same words. */
async function kept(ns: Netns, it6: FamilyCase, { protocol }: Keeper): Promise<string[]> {
  const routes = await kernelRoutes(ns, it6, `proto ${protocol}`);
  return routes
    .map(({ dst, gateway, nexthops, metric }) => {
      const via = nexthops?.map((hop) => hop.gateway) ?? (gateway === undefined ? [] : [gateway]);
      return words(dst, via, metric ?? 0);
    })
    .sort();
}

function keeps(it6: FamilyCase, keeper: Keeper, variant: number): string[] {
  return wanted(it6, keeper, variant)
    .map(({ prefix, via }) => words(prefix, via, keeper.metric))
    .sort();
}

/** What a krtd has learned, and what it should have: the best route of everybody else for each prefix. */
async function learned(krtd: RunningKrtd): Promise<string[]> {
  const routes = await krtd.routes("all=true");
  return routes
    .filter((route) => route["source-type"] === "inherit")
    .map(
      (route) =>
        `${route.dst} metric ${route.metric} proto ${(route as { "protocol-id"?: number })["protocol-id"]}`,
    )
    .sort();
}

async function learnable(ns: Netns, { protocol: own }: Keeper): Promise<string[]> {
  const best = new Map<string, KernelRoute>();
  for (const it6 of FAMILIES) {
    for (const route of await kernelRoutes(ns, it6)) {
      if (Number(route.protocol) <= 2 || Number(route.protocol) === own) continue;
      const before = best.get(route.dst);
      if (before === undefined || (route.metric ?? 0) < (before.metric ?? 0)) best.set(route.dst, route);
    }
  }
  return [...best.values()]
    .map(({ dst, metric, protocol }) => `${dst} metric ${metric ?? 0} proto ${protocol}`)
    .sort();
}

/** Everything that happens at once, until the time is over. Returns the netlink ports of each `ip` that deleted. */
async function churn(
  ns: Netns,
  all: readonly [RunningKrtd, RunningKrtd, RunningBird | null],
): Promise<{ readonly ports: Set<number>; readonly counts: Record<string, number> }> {
  const [first, second, third] = all;
  const end = performance.now() + CHURN_MS;
  const ports = new Set<number>();
  const counts = { flaps: 0, configurations: 0, deletions: 0 };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const going = (): boolean => performance.now() < end;

  const flaps = async (): Promise<void> => {
    for (let i = 0; going(); i++) {
      const { name } = [V, W][i % 2]!;
      await ns.ip(`link set ${name} down`);
      await pause((i * 37) % 150);
      await ns.ip(`link set ${name} up`);
      counts.flaps++;
      await pause(200 + ((i * 91) % 600));
    }
  };
  const configurations = async (): Promise<void> => {
    for (let variant = 1; going(); variant = (variant + 1) % VARIANTS) {
      await Promise.all([
        first.configure(krtdConfig(FIRST, variant)),
        second.configure(krtdConfig(SECOND, (variant * 5) % VARIANTS)),
        third?.configure(birdConfig(THIRD, (variant * 7) % VARIANTS)),
      ]);
      counts.configurations += KEEPERS.length;
      await pause(300);
    }
  };
  // One after the other, so that none is deleted ten times a minute and thought to be fought over.
  const deletions = async (): Promise<void> => {
    const targets = KEEPERS.flatMap((keeper) =>
      FAMILIES.flatMap((it6) => wanted(it6, keeper, 0).map(({ prefix }) => ({ it6, keeper, prefix }))),
    );
    for (let i = 0; going(); i++) {
      const { it6, keeper, prefix } = targets[(i * 101) % targets.length]!;
      const selector = `${prefix} metric ${keeper.metric} proto ${keeper.protocol}`;
      const args = ["-n", ns.name, it6.flag, "route", "del", ...selector.split(" ")];
      await new Promise<void>((resolve) => {
        // It may be gone at that moment: then the kernel says so.
        const child = execFile("ip", args, () => resolve());
        ports.add(child.pid ?? 0);
      });
      counts.deletions++;
      await pause(60);
    }
  };
  await Promise.all([flaps(), configurations(), deletions()]);
  return { ports, counts };
}

const bird = await findBird();
if (bird === null)
  printFigure("There is no program `bird` (package bird2): two krtd are tested without BIRD.");
const KEEPERS = bird === null ? [FIRST, SECOND] : [FIRST, SECOND, THIRD];

describe(`krtd, another krtd and ${bird ?? "no BIRD"} in one table`, () => {
  it(
    "delete nothing of each other's, and each has what it wants, in all churn",
    async () => {
      await using ns = await createTwoLinks();
      // Somebody else's that stay whatever happens to links; one at a prefix of all three, at no metric of theirs.
      for (const { flag, net } of FAMILIES) {
        for (const i of [0, 500, 501])
          await ns.ip(`${flag} route add blackhole ${net(i)} metric 4000 proto ${STATIC}`);
      }
      await using first = await startSynced(ns, krtdConfig(FIRST, 0));
      await using third = bird === null ? null : await startBird(ns, birdConfig(THIRD, 0));
      await using second = await startSynced(ns, krtdConfig(SECOND, 0));

      const expectKept = async (gone: readonly Keeper[] = []): Promise<void> => {
        for (const it6 of FAMILIES) {
          for (const keeper of KEEPERS) {
            const should = gone.includes(keeper) ? [] : keeps(it6, keeper, 0);
            const same = async (): Promise<boolean> => (await kept(ns, it6, keeper)).join() === should.join();
            await waitFor(`routes of ${keeper.protocol}`, same, SETTLE_DEADLINE_MS, 50).catch(() => {});
            expect(await kept(ns, it6, keeper)).toEqual(should);
          }
        }
      };
      const expectLearned = async (): Promise<void> => {
        for (const [krtd, keeper] of [
          [first, FIRST],
          [second, SECOND],
        ] as const) {
          const same = async (): Promise<boolean> =>
            (await learned(krtd)).join() === (await learnable(ns, keeper)).join();
          await waitFor("what is learned", same, SETTLE_DEADLINE_MS, 50).catch(() => {});
          const should = await learnable(ns, keeper);
          expect(should.length).toBeGreaterThan(100);
          expect(await learned(krtd)).toEqual(should);
        }
      };
      await expectKept();
      await expectLearned();

      const { ports, counts } = await churn(ns, [first, second, third]);
      const churned = performance.now();
      await Promise.all([
        first.configure(krtdConfig(FIRST, 0)),
        second.configure(krtdConfig(SECOND, 0)),
        third?.configure(birdConfig(THIRD, 0)),
      ]);
      await expectKept();
      await expectLearned();
      const settledAfter = ((performance.now() - churned) / 1000).toFixed(1);
      printFigure(`${JSON.stringify(counts)} in ${CHURN_MS / 1000} s; all as wanted ${settledAfter} s later`);

      // All are healthy, and whoever changed a route of krtd was one of the `ip` that were to.
      for (const krtd of [first, second]) {
        await waitFor("in sync", async () => (await krtd.state()) === "in-sync", SETTLE_DEADLINE_MS);
        const level = (record: string): boolean => /^\{"level":"(error|fatal)"/.test(record);
        expect(krtd.log().split("\n").filter(level)).toEqual([]);
        const drift = await krtd.get<DriftJson[]>("/v1/drift");
        expect(drift.filter(({ port }) => port !== null && !ports.has(port))).toEqual([]);
        expect(drift.filter(({ kind }) => kind !== "deleted")).toEqual([]);
        for (const { kernel } of await krtd.kernels()) {
          expect(kernel).toMatchObject({ contested: 0, waiting: 0, failed: 0, queued: 0 });
        }
      }
      if (third !== null) {
        expect(third.alive()).toBe(true);
        const protocols = await third.ctl("show", "protocols");
        for (const name of ["kernel4", "kernel6", "static4", "static6"]) {
          expect(protocols).toMatch(new RegExp(`^${name} .* up `, "m"));
        }
      }

      await using monitor = await monitorRoutes(ns);
      const writes = [await first.writes(), await second.writes()];
      const scans = async (krtd: RunningKrtd): Promise<number> =>
        (await krtd.kernels()).reduce((sum, { kernel }) => sum + kernel.scan.count, 0);
      const scanned = await scans(first);
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      expect(await monitor.events()).toEqual([]);
      expect([await first.writes(), await second.writes()]).toEqual(writes);
      expect(await scans(first)).toBeGreaterThan(scanned);

      // Each takes its own away when it ends, and nothing else.
      expect(await first.stop()).toBe(0);
      await expectKept([FIRST]);
      await third?.stop();
      await expectKept([FIRST, THIRD]);
      expect(await second.stop()).toBe(0);
      await expectKept(KEEPERS);
      for (const it6 of FAMILIES) {
        expect(await kernelRoutes(ns, it6, `proto ${STATIC}`)).toHaveLength(3);
      }
    },
    CHURN_MS + 300_000,
  );
});

describe.each(bird === null ? [] : FAMILIES)("IPv$family: krtd and BIRD at one key", (it6) => {
  const { family, flag, net } = it6;
  const prefix = net(1);
  const ours = configText({ [family]: [{ prefix, via: V.gateway[family] }] }, { scanTime: SCAN_SECONDS });
  const theirs = `\
router id 10.0.0.1;
log stderr all;
protocol device {}
protocol kernel { ipv${family} { export all; }; persist off; metric 32; scan time ${SCAN_SECONDS}; }
protocol static { ipv${family}; route ${prefix} via ${W.gateway[family]}; }
`;

  it("leave it to who was there first, and come when that one goes", async () => {
    await using ns = await createTwoLinks();
    const shown = async (): Promise<string[]> =>
      (await kernelRoutes(ns, it6, `exact ${prefix}`)).map(
        ({ protocol, gateway }) => `${protocol} via ${gateway}`,
      );
    const krtdHas = [`120 via ${V.gateway[family]}`];
    const birdHas = [`${BIRD} via ${W.gateway[family]}`];
    const becomes = async (what: readonly string[]): Promise<void> => {
      const same = async (): Promise<boolean> => (await shown()).join() === what.join();
      await waitFor(`${flag} ${what}`, same, SETTLE_DEADLINE_MS, 50);
    };
    const stays = async (what: readonly string[]): Promise<void> => {
      await using monitor = await monitorRoutes(ns);
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      expect(await monitor.events()).toEqual([]);
      expect(await shown()).toEqual(what);
    };

    const first = await startSynced(ns, ours);
    await using other = await startBird(ns, theirs);
    await becomes(krtdHas);
    await stays(krtdHas);
    await first[Symbol.asyncDispose]();
    await becomes(birdHas);

    await using second = await startSynced(ns, ours);
    await stays(birdHas);
    expect((await second.route(prefix)).kernel).toMatchObject({
      state: "failed",
      rival: `unicast ${prefix} proto bird metric 32`,
    });
    await other.stop();
    await becomes(krtdHas);
    expect((await second.route(prefix)).kernel.state).toBe("synced");
  });
});
