/**
 * What a channel exports of the routes of a net: filtered, merged, remembered, and told to the sink only when it
 * differs from what the sink holds.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import type { Family } from "../../src/lib/ip.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { Channel } from "../../src/nest/channel.ts";
import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../../src/nest/filter.ts";
import {
  compileFilter,
  type FilterMatch,
  type FilterRule,
  type FilterSet,
} from "../../src/nest/filter-rules.ts";
import { Rtable } from "../../src/nest/rtable.ts";
import { type AttrsText, draftOf, type NexthopText } from "../support/draft.ts";

const MTU = 2;

const accept = (match: FilterMatch = {}, set: FilterSet = {}): FilterRule => ({
  match,
  action: "accept",
  set,
});
const reject = (match: FilterMatch = {}): FilterRule => ({ match, action: "reject", set: {} });
const mtu = (value: number): Filter =>
  compileFilter("mtu", [accept({}, { metrics: new Map([[MTU, value]]) })]);

interface Setup {
  readonly family?: Family;
  readonly import?: Filter;
  readonly export?: Filter;
  readonly mergePaths?: number;
  /** Names of sources of which the sink's protocol takes no routes. */
  readonly vetoed?: readonly string[];
}

interface Offer extends AttrsText {
  readonly preference?: number;
  readonly metric?: number;
}

/** A table with the sources a, b and c, and a channel that is up and whose sink keeps what it was told. */
async function setUp(options: Setup = {}) {
  const attrs = new AttrsTable();
  const { family = 4 } = options;
  const table = new Rtable("t", family, attrs, systemClock);
  const [a, b, c] = ["a", "b", "c"].map((name) => table.addSource(name, "static")) as [
    number,
    number,
    number,
  ];
  const sources: Readonly<Record<string, number>> = { a, b, c };
  const held = new Map<number, string>();
  const told: [net: number, what: string][] = [];
  const channel: Channel = new Channel({
    name: "k",
    table,
    sourceType: "inherit",
    preference: 10,
    import: options.import ?? ACCEPT_ALL,
    export: options.export ?? ACCEPT_ALL,
    ...(options.mergePaths !== undefined && { mergePaths: options.mergePaths }),
    takes: (route) => options.vetoed?.includes(table.source(table.sourceOf(route)).name) !== true,
    deviceName: (device) => `eth${device}`,
    clock: systemClock,
    sink: {
      exported(node, best) {
        const net = table.fib.word(node, 0) >>> 8;
        const what = best === 0 ? "gone" : shown(node);
        told.push([net, what]);
        if (best === 0) held.delete(net);
        else held.set(net, what);
      },
    },
  });
  /** "10.0.0.1%2 w3 … mtu 1400 metric 5" of what the channel exports for the net. */
  function shown(node: number): string {
    const { nexthops, metrics, type, flow } = attrs.describe(channel.exportedAttrs(node), family);
    const hops = nexthops.map(
      ({ gateway, device, weight }) => `${(gateway?.w0 ?? 0) & 255}%${device}w${weight}`,
    );
    const words = [type === "unicast" ? [] : [type], hops].flat();
    if (metrics.has(MTU)) words.push(`mtu ${metrics.get(MTU)}`);
    if (flow !== 0) words.push(`realm ${flow}`);
    if (channel.exportedMetric(node) !== 0) words.push(`metric ${channel.exportedMetric(node)}`);
    return words.join(" ");
  }
  const prefix = (net: number): [number, number, number, number, number] => [net << 8, 0, 0, 0, 24];
  await channel.up();
  return {
    attrs,
    table,
    channel,
    held,
    told,
    shown: (net: number): string => {
      const node = table.fib.find(...prefix(net));
      return node !== 0 && channel.isExported(node) ? shown(node) : "gone";
    },
    add(source: string, { preference = 200, metric = 0, ...text }: Offer, net = 1): void {
      table.update(sources[source]!, ...prefix(net), attrs.intern(draftOf(text)), preference, metric);
    },
    drop: (source: string, net = 1) => table.withdraw(sources[source]!, ...prefix(net)),
    offer: (text: AttrsText, net = 1, metric = 0) =>
      channel.importRoute(...prefix(net), attrs.intern(draftOf(text)), metric),
    /** All routes and the channel gone: what is left was leaked. */
    async leaked(): Promise<number> {
      await channel.down();
      for (const source of Object.values(sources)) await table.withdrawAll(source);
      return attrs.size;
    },
  };
}

/** An on-link nexthop 10.0.0.`host` over device 1. */
const hop = (host: number, weight = 1): NexthopText => ({ via: `0.0.0.${host}`, device: 1, weight });
const via = (...hosts: number[]): AttrsText => ({ nexthops: hosts.map((host) => hop(host)) });

describe("an export filter that changes routes", () => {
  it("shows in what the channel exports, and not in the table", async () => {
    const { attrs, table, add, shown, told, leaked } = await setUp({
      export: compileFilter("f", [accept({}, { metric: 50, metrics: new Map([[MTU, 1400]]) })]),
    });
    add("a", via(1));
    expect(told).toEqual([[1, "1%1w1 mtu 1400 metric 50"]]);
    const best = table.best(table.fib.find(1 << 8, 0, 0, 0, 24));
    expect([table.metricOf(best), attrs.describe(table.attrsOf(best)).metrics.size]).toEqual([0, 0]);
    add("a", via(2));
    expect(shown(1)).toBe("2%1w1 mtu 1400 metric 50");
    expect(await leaked()).toBe(0);
  });

  it("may change the metric alone, or remove it", async () => {
    const { add, shown, leaked } = await setUp({
      export: compileFilter("f", [accept({ source: ["a"] }, { metric: 7 }), accept({}, { metric: 0 })]),
    });
    add("a", { ...via(1), metric: 5 });
    expect(shown(1)).toBe("1%1w1 metric 7");
    add("b", { ...via(2), metric: 5, preference: 300 });
    expect(shown(1)).toBe("2%1w1");
    expect(await leaked()).toBe(0);
  });

  it("keeps what it made of a net until the route goes, however often others come by", async () => {
    const { attrs, add, drop, shown, leaked } = await setUp({ export: mtu(1400) });
    for (let net = 1; net <= 300; net++) add("a", via(net & 255), net);
    expect(attrs.size).toBe(512);
    expect([shown(1), shown(300)]).toEqual(["1%1w1 mtu 1400", "44%1w1 mtu 1400"]);
    for (let net = 1; net < 300; net++) drop("a", net);
    expect([attrs.size, shown(300)]).toEqual([2, "44%1w1 mtu 1400"]);
    expect(await leaked()).toBe(0);
  });

  it("withdraws a route that it turns away after letting it through, and only then", async () => {
    const { add, told, channel, leaked } = await setUp({
      export: compileFilter("f", [
        accept({ metric: [{ from: 0, to: 9 }] }, { metrics: new Map([[MTU, 1400]]) }),
      ]),
    });
    add("a", { ...via(1), metric: 10 });
    add("a", { ...via(1), metric: 9 });
    add("a", { ...via(1), metric: 11 });
    add("a", { ...via(1), metric: 12 });
    expect(told).toEqual([
      [1, "1%1w1 mtu 1400 metric 9"],
      [1, "gone"],
    ]);
    expect(channel.stats.exported).toBe(0);
    expect(await leaked()).toBe(0);
  });

  it("is asked about each source's route by its own name and kind", async () => {
    const { add, shown } = await setUp({
      export: compileFilter("f", [accept({ source: ["b"], sourceType: ["static"] })]),
    });
    add("a", via(1));
    expect(shown(1)).toBe("gone");
    add("b", { ...via(2), preference: 300 });
    expect(shown(1)).toBe("2%1w1");
  });
});

describe("merging paths", () => {
  interface Row {
    readonly why: string;
    readonly offers: Readonly<Record<string, Offer>>;
    readonly exported: string;
    readonly setup?: Setup;
  }
  const rows: Row[] = [
    {
      why: "equally good routes of several sources share their nexthops",
      offers: { a: via(1), b: via(2), c: via(3) },
      exported: "1%1w1 2%1w1 3%1w1",
    },
    {
      why: "a less preferred one does not take part",
      offers: { a: via(1), b: { ...via(2), preference: 199 } },
      exported: "1%1w1",
    },
    {
      why: "nor does one of another metric",
      offers: { a: { ...via(1), metric: 5 }, b: { ...via(2), metric: 6 } },
      exported: "1%1w1 metric 5",
    },
    {
      why: "a nexthop that is there already counts once, with the weight of the best route",
      offers: { a: { nexthops: [hop(1, 3)] }, b: { nexthops: [hop(1, 9), hop(2, 5)] } },
      exported: "1%1w3 2%1w5",
    },
    {
      why: "the same gateway over another device is another nexthop",
      offers: { a: via(1), b: { nexthops: [{ ...hop(1), device: 2 }] } },
      exported: "1%1w1 1%2w1",
    },
    {
      why: "no more nexthops than allowed, those of the older sources first",
      offers: { a: via(1), b: via(2, 3), c: via(4) },
      exported: "1%1w1 2%1w1 3%1w1",
      setup: { mergePaths: 3 },
    },
    {
      why: "the best route keeps all of its own, be they more than allowed",
      offers: { a: via(1, 2, 3), b: via(4) },
      exported: "1%1w1 2%1w1 3%1w1",
      setup: { mergePaths: 2 },
    },
    {
      why: "1 is no merging",
      offers: { a: via(1), b: via(2) },
      exported: "1%1w1",
      setup: { mergePaths: 1 },
    },
    {
      why: "a blackhole is never merged: best",
      offers: { a: { type: "blackhole" }, b: via(2) },
      exported: "blackhole",
    },
    {
      why: "a blackhole is never merged: other",
      offers: { a: via(1), b: { type: "unreachable" }, c: via(3) },
      exported: "1%1w1 3%1w1",
    },
    {
      why: "a realm is never merged: the kernel refuses it for several nexthops",
      offers: { a: { ...via(1), flow: 5 }, b: via(2) },
      exported: "1%1w1 realm 5",
    },
    {
      why: "all else is that of the best route",
      offers: { a: { ...via(1), metrics: { [MTU]: 1400 } }, b: { ...via(2), metrics: { [MTU]: 1500 } } },
      exported: "1%1w1 2%1w1 mtu 1400",
    },
    {
      why: "what the protocol does not take does not take part",
      offers: { a: via(1), b: via(2), c: via(3) },
      exported: "1%1w1 3%1w1",
      setup: { vetoed: ["b"] },
    },
    {
      why: "where the best route is vetoed, there is nothing to join",
      offers: { a: via(1), b: via(2) },
      exported: "gone",
      setup: { vetoed: ["a"] },
    },
    {
      why: "what the filter rejects does not take part",
      offers: { a: via(1), b: via(2), c: via(3) },
      exported: "1%1w1 3%1w1",
      setup: { export: compileFilter("f", [reject({ source: ["b"] }), accept()]) },
    },
    {
      why: "what the filter gives another metric does not take part",
      offers: { a: via(1), b: via(2), c: via(3) },
      exported: "1%1w1 3%1w1 metric 9",
      setup: {
        export: compileFilter("f", [accept({ source: ["b"] }, { metric: 8 }), accept({}, { metric: 9 })]),
      },
    },
    {
      why: "what the filter sets counts for the best route",
      offers: { a: via(1), b: via(2) },
      exported: "1%1w1 2%1w1 mtu 1300",
      setup: {
        export: compileFilter("f", [
          accept({ source: ["a"] }, { metrics: new Map([[MTU, 1300]]) }),
          accept({}, { metrics: new Map([[MTU, 1200]]) }),
        ]),
      },
    },
    {
      why: "IPv4 joins routes with and without gateways",
      offers: { a: via(1), b: { nexthops: [{ device: 2 }] } },
      exported: "0%2w1 1%1w1",
    },
    {
      why: "IPv6 joins none without a gateway: the kernel refuses those in a multipath route",
      offers: { a: { nexthops: [{ via: "1::", device: 1 }] }, b: { nexthops: [{ device: 2 }] } },
      exported: "0%1w1",
      setup: { family: 6 },
    },
    {
      why: "IPv6 joins those with",
      offers: { a: { nexthops: [{ via: "1::", device: 1 }] }, b: { nexthops: [{ via: "1::", device: 2 }] } },
      exported: "0%1w1 0%2w1",
      setup: { family: 6 },
    },
  ];

  it.each(rows)("$why", async ({ offers, exported, setup }) => {
    for (const order of [Object.keys(offers), Object.keys(offers).reverse()]) {
      const { add, shown, leaked } = await setUp({ mergePaths: 64, ...setup });
      for (const source of order) add(source, offers[source]!);
      expect(shown(1)).toBe(exported);
      expect(await leaked()).toBe(0);
    }
  });

  it("follows routes that come, change and go, and tells the sink of nothing else", async () => {
    const { add, drop, told, channel, leaked } = await setUp({ mergePaths: 64 });
    add("a", via(1));
    add("b", via(2));
    add("c", { ...via(3), preference: 100 });
    add("c", { ...via(4), preference: 100 });
    add("b", via(5));
    add("b", { ...via(5), metric: 9 });
    add("c", via(1));
    drop("b");
    drop("c");
    drop("a");
    expect(told.map(([, what]) => what)).toEqual(["1%1w1", "1%1w1 2%1w1", "1%1w1 5%1w1", "1%1w1", "gone"]);
    const { received, rejected, filtered, ignored, accepted } = channel.stats.exportUpdates;
    expect(accepted).toBe(4);
    expect(rejected + filtered + ignored + accepted).toBe(received);
    expect(await leaked()).toBe(0);
  });

  it("never joins what the channel itself imported", async () => {
    const { add, offer, shown, leaked } = await setUp({
      mergePaths: 64,
      import: compileFilter("f", [accept({}, { preference: 200 })]),
    });
    add("a", via(1));
    offer(via(2));
    add("b", via(3));
    expect(shown(1)).toBe("1%1w1 3%1w1");
    expect(await leaked()).toBe(0);
  });

  it("is a function of the routes there are, whatever the order they came in", async () => {
    const offerOf = fc.record({
      source: fc.constantFrom("a", "b", "c"),
      drop: fc.nat(3).map((n) => n === 0),
      net: fc.nat(2),
      type: fc.constantFrom("unicast" as const, "unicast" as const, "blackhole" as const),
      hosts: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
      weight: fc.integer({ min: 1, max: 2 }),
      preference: fc.constantFrom(100, 200),
      metric: fc.constantFrom(0, 5),
    });
    const filters = [
      ACCEPT_ALL,
      mtu(1400),
      compileFilter("f", [reject({ source: ["b"] }), accept({}, { metric: 9 })]),
      REJECT_ALL,
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(offerOf, { maxLength: 40 }),
        fc.constantFrom(...filters),
        fc.constantFrom(1, 2, 64),
        async (offers, filter, mergePaths) => {
          const one = await setUp({ export: filter, mergePaths });
          const last = new Map<string, (typeof offers)[number]>();
          const give = (rig: typeof one, o: (typeof offers)[number]): void => {
            const { source, net, type, hosts, weight, preference, metric } = o;
            const nexthops = hosts.map((host) => hop(host, weight));
            rig.add(source, { type, ...(type === "unicast" && { nexthops }), preference, metric }, net);
          };
          for (const o of offers) {
            if (o.drop) one.drop(o.source, o.net);
            else give(one, o);
            last.set(`${o.source} ${o.net}`, o);
          }
          const other = await setUp({ export: filter, mergePaths });
          for (const o of [...last.values()].reverse()) if (!o.drop) give(other, o);
          expect(one.held).toEqual(other.held);
          for (const net of [0, 1, 2]) expect(one.shown(net)).toBe(one.held.get(net) ?? "gone");
          for (const net of [0, 1, 2]) {
            let before = "gone";
            for (const [at, what] of one.told) {
              if (at !== net) continue;
              if (what === "gone") expect(before).not.toBe("gone");
              before = what;
            }
          }
          // All merged nexthops come from routes of the net, and no gateway comes twice.
          for (const text of one.held.values()) {
            const gateways = text.match(/\d+%\d+/g) ?? [];
            expect(new Set(gateways).size).toBe(gateways.length);
          }
          expect([await one.leaked(), await other.leaked()]).toEqual([0, 0]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("does not depend on how the nexthops of one route are written", async () => {
    const { attrs, add, shown } = await setUp({ mergePaths: 64 });
    add("a", via(2, 1));
    add("b", via(3));
    const first = shown(1);
    add("a", via(1, 2));
    expect(shown(1)).toBe(first);
    expect(attrs.size).toBe(3);
  });
});

describe("Channel.reexport()", () => {
  it("tells the sink of the differences alone", async () => {
    const { add, channel, told, held, leaked } = await setUp();
    for (let net = 1; net <= 2000; net++)
      add("a", { ...via(net & 1 ? 1 : 2), metric: net <= 3 ? 7 : 0 }, net);
    told.length = 0;
    expect(await channel.reexport()).toBe(true);
    expect(told).toEqual([]);

    const seven = { metric: [{ from: 7, to: 7 }] };
    channel.setExport(compileFilter("f", [accept(seven, { metrics: new Map([[MTU, 1400]]) }), accept()]));
    await channel.reexport();
    expect(told).toEqual([
      [1, "1%1w1 mtu 1400 metric 7"],
      [2, "2%1w1 mtu 1400 metric 7"],
      [3, "1%1w1 mtu 1400 metric 7"],
    ]);

    told.length = 0;
    channel.setExport(compileFilter("f", [reject(seven), accept()]));
    await channel.reexport();
    expect(told.map(([net, what]) => `${net} ${what}`)).toEqual(["1 gone", "2 gone", "3 gone"]);
    expect([held.size, channel.stats.exported]).toEqual([1997, 1997]);

    told.length = 0;
    channel.setExport(ACCEPT_ALL);
    await channel.reexport();
    expect(told.map(([net]) => net)).toEqual([1, 2, 3]);
    expect(await leaked()).toBe(0);
  });

  it("does not tell of a filter that makes the same of the route in another way", async () => {
    const { add, channel, told, leaked } = await setUp({ export: mtu(1400) });
    add("a", via(1));
    add("b", { ...via(2), metrics: { [MTU]: 1400 } }, 2);
    told.length = 0;
    channel.setExport(
      compileFilter("other", [accept({ source: ["?"] }, { metrics: new Map([[MTU, 1400]]) })]),
    );
    await channel.reexport();
    channel.setExport(
      compileFilter("b", [accept({ source: ["b"] }), accept({}, { metrics: new Map([[MTU, 1400]]) })]),
    );
    await channel.reexport();
    expect(told).toEqual([]);
    expect(await leaked()).toBe(0);
  });

  it("tells of a metric that changed alone", async () => {
    const { add, channel, told } = await setUp();
    add("a", via(1));
    channel.setExport(compileFilter("f", [accept({}, { metric: 5 })]));
    await channel.reexport();
    channel.setExport(compileFilter("f", [accept({}, { metric: 6 })]));
    await channel.reexport();
    channel.setExport(ACCEPT_ALL);
    await channel.reexport();
    expect(told.map(([, what]) => what)).toEqual(["1%1w1", "1%1w1 metric 5", "1%1w1 metric 6", "1%1w1"]);
  });

  it("turns merging on and off", async () => {
    const { add, channel, told, leaked } = await setUp();
    add("a", via(1));
    add("b", via(2));
    add("a", via(3), 2);
    told.length = 0;
    channel.setExport(ACCEPT_ALL, 64);
    await channel.reexport();
    channel.setExport(ACCEPT_ALL, 1);
    await channel.reexport();
    expect(told).toEqual([
      [1, "1%1w1 2%1w1"],
      [1, "1%1w1"],
    ]);
    expect(await leaked()).toBe(0);
  });

  it("leaves what a new filter would change as it is until the route changes, when it is not called", async () => {
    const { add, channel, shown, told } = await setUp({ export: mtu(1400) });
    add("a", via(1));
    add("a", via(2), 2);
    channel.setExport(mtu(1300));
    add("a", via(3), 2);
    expect([shown(1), shown(2)]).toEqual(["1%1w1 mtu 1400", "3%1w1 mtu 1300"]);
    expect(told.length).toBe(3);
  });

  it("exports everything anew when nothing was, and ends when the channel goes down", async () => {
    const { add, channel, held } = await setUp({ export: REJECT_ALL });
    for (let net = 1; net <= 3000; net++) add("a", via(1), net);
    expect(held.size).toBe(0);
    channel.setExport(ACCEPT_ALL);
    const walking = channel.reexport();
    const going = channel.down();
    expect(await walking).toBe(false);
    await going;
    await channel.up();
    expect(held.size).toBe(3000);
  });

  it("keeps its counters exact", async () => {
    const { add, channel } = await setUp({ export: mtu(1400) });
    for (let net = 1; net <= 10; net++) add("a", { ...via(1), metric: net }, net);
    channel.setExport(compileFilter("f", [reject({ metric: [{ from: 1, to: 3 }] }), accept()]));
    await channel.reexport();
    await channel.reexport();
    const counters = { received: 30, rejected: 0, filtered: 6, ignored: 7, accepted: 17 };
    expect(channel.stats.exportUpdates).toEqual(counters);
    expect(channel.stats).toMatchObject({ exported: 7, exportWithdraws: { received: 3, accepted: 3 } });
  });
});

describe("an import filter", () => {
  it("changes what comes into the table, and leaves no reference behind", async () => {
    const { attrs, table, offer, leaked } = await setUp({
      import: compileFilter("f", [
        accept(
          { metric: [{ from: 5, to: 5 }] },
          { preference: 70, metric: 6, metrics: new Map([[MTU, 1400]]) },
        ),
        accept({ sourceType: ["inherit"], source: ["k"] }),
      ]),
    });
    offer(via(1), 1, 5);
    offer(via(1), 2, 4);
    const [one, two] = [1, 2].map((net) => table.best(table.fib.find(net << 8, 0, 0, 0, 24))) as [
      number,
      number,
    ];
    expect([table.preferenceOf(one), table.metricOf(one)]).toEqual([70, 6]);
    expect(attrs.describe(table.attrsOf(one)).metrics.get(MTU)).toBe(1400);
    expect([table.preferenceOf(two), table.metricOf(two)]).toEqual([10, 4]);
    expect(attrs.size).toBe(2);
    offer(via(1), 1, 5);
    expect(await leaked()).toBe(0);
  });

  it("withdraws what it let through before when it rejects the net's route now", async () => {
    const { table, offer, channel, leaked } = await setUp({
      import: compileFilter("f", [accept({ metric: [{ from: 0, to: 9 }] })]),
    });
    offer(via(1), 1, 9);
    offer(via(1), 1, 10);
    offer(via(1), 2, 10);
    expect(table.routeCount).toBe(0);
    expect(channel.stats.importUpdates).toMatchObject({ received: 3, filtered: 2, accepted: 1 });
    expect(await leaked()).toBe(0);
  });

  it("that is set later counts for what is announced again", async () => {
    const { table, offer, channel } = await setUp();
    offer(via(1), 1);
    offer(via(1), 2);
    channel.setImport(
      compileFilter("f", [reject({ metric: [{ from: 1, to: 1 }] }), accept({}, { metric: 3 })]),
      55,
    );
    offer(via(1), 1);
    offer(via(1), 2, 1);
    const best = table.best(table.fib.find(1 << 8, 0, 0, 0, 24));
    expect([table.routeCount, table.preferenceOf(best), table.metricOf(best)]).toEqual([1, 55, 3]);
  });
});
