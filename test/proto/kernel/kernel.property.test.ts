/**
 * Whatever happens to the kernel and to the table, in whatever order: nothing foreign is ever touched, and once
 * the churn stops, own routes are what is wanted and installable, what is learned is a function of what the kernel
 * holds, and nothing is written any more.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import { originOf } from "../../../src/nest/origin.ts";
import { ROUTE_TYPE_NUMBERS } from "../../../src/nest/route.ts";
import type { RouteView } from "../../../src/sysdep/model/index.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip, OWN, prefixOf, routeText, safety, TABLE } from "./fixture.ts";

/** A number our routes had in an earlier life. */
const FORMER = 119;
const REDIRECT = 1;
const RUNS = Number(process.env["KRTD_PROPERTY_RUNS"] ?? 150);

interface Universe {
  readonly prefixes: readonly string[];
  readonly gateways: readonly string[];
  readonly address: string;
  readonly length: number;
}

const UNIVERSES: Readonly<Record<Family, Universe>> = {
  4: {
    prefixes: ["10.1.0.0/16", "10.1.1.0/24", "10.99.0.0/24"],
    gateways: ["10.0.0.2", "10.0.0.3", "10.99.0.5"],
    address: "10.99.0.1",
    length: 24,
  },
  6: {
    prefixes: ["2001:db8:1::/48", "2001:db8:1:1::/64", "2001:db8:99::/64"],
    gateways: ["2001:db8:0:1::2", "2001:db8:0:1::3", "2001:db8:99::5"],
    address: "2001:db8:99::1",
    length: 64,
  },
};

type Act =
  | {
      readonly do: "want";
      readonly prefix: number;
      readonly gateways: readonly number[];
      readonly metric: number;
    }
  | { readonly do: "reject" | "device" | "unwant"; readonly prefix: number }
  | {
      readonly do: "foreign";
      readonly op: "add" | "append" | "prepend" | "replace" | "delete";
      readonly prefix: number;
      readonly gateway: number;
      readonly metric: number;
      readonly protocol: number;
    }
  | { readonly do: "link"; readonly up: boolean }
  | { readonly do: "address"; readonly add: boolean };

type Step =
  | Act
  | { readonly do: "scan"; readonly fault: "none" | "incomplete" | "lost-ack" | "busy" }
  | { readonly do: "lose" }
  /** A scan, with something happening in the middle of its dump. */
  | { readonly do: "during"; readonly after: number; readonly act: Act }
  | { readonly do: "pass" };

const METRICS = [0, 20, 32];
const prefix = fc.nat(2);
const gateway = fc.nat(2);
const metric = fc.constantFrom(...METRICS);
const act = fc.oneof<fc.Arbitrary<Act>[]>(
  fc.record({
    do: fc.constant("want" as const),
    prefix,
    gateways: fc.uniqueArray(gateway, { minLength: 1, maxLength: 2 }),
    metric: fc.constantFrom(0, 20),
  }),
  fc.record({ do: fc.constantFrom("reject" as const, "device" as const, "unwant" as const), prefix }),
  fc.record({
    do: fc.constant("foreign" as const),
    op: fc.constantFrom("add", "append", "prepend", "replace", "delete"),
    prefix,
    gateway,
    metric,
    protocol: fc.constantFrom(4, 4, 16, OWN, OWN, FORMER, REDIRECT),
  }),
  fc.record({ do: fc.constant("link" as const), up: fc.boolean() }),
  fc.record({ do: fc.constant("address" as const), add: fc.boolean() }),
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { arbitrary: act, weight: 6 },
    {
      arbitrary: fc.record({
        do: fc.constant("scan" as const),
        fault: fc.constantFrom("none", "none", "incomplete", "lost-ack", "busy"),
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({
        do: fc.constant("during" as const),
        after: fc.integer({ min: 1, max: 4 }),
        act,
      }),
      weight: 1,
    },
    { arbitrary: fc.record({ do: fc.constantFrom("pass" as const, "lose" as const) }), weight: 1 },
  ),
  { maxLength: 25 },
);

async function take(f: Fixture, universe: Universe, step: Step): Promise<void> {
  const v0 = f.kernel.links.byName("v0")!.ifindex;
  switch (step.do) {
    case "want": {
      const nexthops = step.gateways.map((i) => ({ via: universe.gateways[i]! }));
      f.want(universe.prefixes[step.prefix]!, { nexthops }, step.metric);
      return;
    }
    case "reject":
      f.want(universe.prefixes[step.prefix]!, { type: "unreachable" });
      return;
    case "device":
      f.want(universe.prefixes[step.prefix]!, { nexthops: [{ device: v0 }] });
      return;
    case "unwant":
      f.unwant(universe.prefixes[step.prefix]!);
      return;
    case "foreign":
      f.foreign({
        op: step.op,
        prefix: universe.prefixes[step.prefix]!,
        metric: step.metric,
        protocol: step.protocol,
        ...(step.op === "delete"
          ? {}
          : { nexthops: [{ gateway: ip(universe.gateways[step.gateway]!), device: 0 }] }),
      });
      return;
    case "link":
      if (step.up) f.kernel.setUp(v0);
      else f.kernel.setDown(v0);
      return;
    case "address":
      if (step.add) f.kernel.addAddress(v0, ip(universe.address), universe.length);
      else f.kernel.removeAddress(v0, ip(universe.address), universe.length);
      return;
    case "scan":
      if (step.fault === "incomplete") f.os.faults.injectIncompleteScan();
      if (step.fault === "lost-ack") f.os.faults.loseAcknowledgements(2);
      if (step.fault === "busy") f.os.faults.failNextWrite(105);
      await f.scan();
      return;
    case "during":
      f.os.faults.duringScan(step.after, () => void take(f, universe, step.act));
      await f.scan();
      return;
    case "lose":
      f.os.loseEvents();
      return;
    case "pass":
      await f.clock.advance(20);
  }
}

/** Makes every write of ours prove that it leaves foreign routes as they are. */
function guardForeign(f: Fixture): string[] {
  const harm: string[] = [];
  const { kernel, os } = f;
  const untouched = kernel.route.bind(kernel);
  const foreign = (): string[] =>
    kernel
      .entries(f.family, TABLE)
      .filter(({ protocol }) => ![OWN, FORMER, REDIRECT].includes(protocol))
      .map(routeText);
  kernel.route = (request, origin) => {
    if (origin !== os) return untouched(request, origin);
    const before = foreign();
    const answer = untouched(request, origin);
    const after = foreign();
    const gone = before.filter((route) => !after.includes(route));
    if (gone.length > 0) harm.push(`${request.op} harmed ${gone.join(", ")}`);
    return answer;
  };
  return harm;
}

function ownRoutes(f: Fixture): RouteView[] {
  return f.kernel.routes(f.family, TABLE).filter(({ protocol }) => protocol === OWN || protocol === FORMER);
}

/** What has to be learned from what the kernel holds now: per prefix the lowest metric, then the first listed. */
function learnable(f: Fixture): string[] {
  const best = new Map<string, RouteView>();
  for (const route of f.kernel.routes(f.family, TABLE)) {
    if ([2, OWN, FORMER, REDIRECT].includes(route.protocol)) continue;
    const key = JSON.stringify(route.prefix);
    const known = best.get(key);
    if (known === undefined || route.metric < known.metric) best.set(key, route);
  }
  return [...best.values()]
    .map(({ prefix: net, metric: m, protocol, nexthops }) => {
      const gateways = nexthops.map((hop) => `${hop.gateway?.w0}.${hop.gateway?.w3}`).sort();
      return `${net.w0} ${net.w1}/${net.length} metric ${m} proto ${protocol} via ${gateways}`;
    })
    .sort();
}

function learned(f: Fixture): string[] {
  const { fib } = f.table;
  const lines: string[] = [];
  for (let node = fib.next(0); node !== 0; node = fib.next(node)) {
    const route = f.table.routeOf(node, f.protocol.channels[0]!.source);
    if (route === 0) continue;
    const { w0, w1, length } = fib.prefix(node);
    const { protocol } = originOf(f.table.origin(route));
    const hops = f.attrs.describe(f.table.attrsOf(route)).nexthops;
    const gateways = hops.map((hop) => `${hop.gateway?.w0}.${hop.gateway?.w3}`).sort();
    lines.push(`${w0} ${w1}/${length} metric ${f.table.metricOf(route)} proto ${protocol} via ${gateways}`);
  }
  return lines.sort();
}

describe.each([
  { family: 4, learn: false },
  { family: 6, learn: false },
  { family: 4, learn: true },
  { family: 6, learn: true },
] as const)("KernelProtocol under random IPv$family churn, learn: $learn", ({ family, learn }) => {
  const universe = UNIVERSES[family];

  it("harms nothing foreign, converges to what is wanted and installable, and falls silent", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (churn, scansToo) => {
        const f = await fixture({ family, learn, former: [FORMER] });
        try {
          const harm = guardForeign(f);
          await f.start();
          for (const step of churn) {
            await take(f, universe, step);
            // Events of the kernel come at once, timers do not.
            await settle();
          }
          f.os.faults.duringScan(Number.POSITIVE_INFINITY, () => {});
          // What events and the scans they ask for leave behind must be right without any further look.
          for (let i = 0; i < 5; i++) {
            if (scansToo) await f.scan();
            await f.clock.advance(20_000);
          }
          if (learn && !scansToo) expect(learned(f)).toEqual(learnable(f));
          expect(harm).toEqual([]);
          f.os.journal.length = 0;
          await f.scan();
          expect(f.os.journal.filter(({ errno }) => errno === 0)).toEqual([]);
          checkOwn(f, universe);
          if (learn) expect(learned(f)).toEqual(learnable(f));
        } finally {
          await f.protocol.stop({ keep: true });
        }
      }),
      { numRuns: RUNS },
    );
  }, 300_000);

  it("deletes and replaces nothing at a protected prefix, and falls silent", async () => {
    const [kept] = universe.prefixes;
    await fc.assert(
      fc.asyncProperty(steps, async (churn) => {
        const f = await fixture({ family, learn, former: [FORMER], safety: safety([kept!]) });
        try {
          await f.start();
          for (const step of churn) {
            await take(f, universe, step);
            await settle();
          }
          f.os.faults.duringScan(Number.POSITIVE_INFINITY, () => {});
          for (let i = 0; i < 5; i++) await f.clock.advance(20_000);
          const harm = () => f.os.journal.filter(({ op, prefix }) => prefix === kept && op !== "add");
          expect(harm()).toEqual([]);
          f.os.journal.length = 0;
          await f.scan();
          expect(f.os.journal.filter(({ errno }) => errno === 0)).toEqual([]);
          // A stop that has to look again waits by the clock.
          const stopped = f.protocol.stop({ keep: false });
          for (let i = 0; i < 5; i++) await f.clock.advance(1000);
          await stopped;
          expect(harm()).toEqual([]);
        } finally {
          await f.protocol.stop({ keep: true });
        }
      }),
      { numRuns: RUNS },
    );
  }, 300_000);
});

/** Every synced route stands in the kernel; every other one is refused by the kernel at this moment, too. */
function checkOwn(f: Fixture, universe: Universe): void {
  const own = ownRoutes(f);
  for (const text of universe.prefixes) {
    const { w0, w1, w2, w3, length } = prefixOf(text);
    const node = f.table.fib.find(w0, w1, w2, w3, length);
    const standing = own.filter(
      (r) => r.prefix.w0 === w0 && r.prefix.w1 === w1 && r.prefix.length === length,
    );
    const best = node === 0 ? 0 : f.table.best(node);
    if (best === 0 || f.table.sourceOf(best) === f.protocol.channels[0]!.source) {
      expect(standing.map(routeText)).toEqual([]);
      continue;
    }
    const { state, metric: wanted, errno } = f.protocol.status(node);
    expect(["synced", "waiting", "failed"]).toContain(state);
    if (state === "synced") {
      expect(standing.map((r) => r.metric)).toEqual([wanted]);
      continue;
    }
    const attrs = f.attrs.describe(f.table.attrsOf(f.table.best(node)));
    const answer = f.kernel.route({
      op: "add",
      prefix: prefixOf(text),
      table: TABLE,
      metric: wanted,
      protocol: OWN,
      type: ROUTE_TYPE_NUMBERS[attrs.type],
      nexthops: attrs.nexthops,
    });
    expect(answer.errno, `${text} is ${state} (${errno}), and the kernel would take it`).not.toBe(0);
  }
}
