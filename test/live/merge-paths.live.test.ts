/**
 * merge-paths: routes to one prefix that are equally good become one route with all their nexthops. Each change of
 * them is one REPLACE, so that the prefix is never without a route; `ip monitor` is the witness.
 */

import { describe, expect, it } from "vitest";
import type { KernelInput, KrtInput, RouteInput, StaticInput } from "../../src/config/input.ts";
import { FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const gateways = ({ family }: FamilyCase, count: number, from = 10): string[] =>
  Array.from({ length: count }, (_, i) =>
    family === 4 ? `10.0.0.${from + i}` : `2001:db8:0:1::${(from + i).toString(16)}`,
  );

/** One static protocol for each entry, all of the same table. */
function config(
  { table }: FamilyCase,
  statics: Readonly<Record<string, Omit<StaticInput, "table">>>,
  kernel: KernelInput,
): string {
  const input: KrtInput = {
    log: { format: "json" },
    kernel: { kernel1: { table, "scan-time": 0, ...kernel } },
    static: Object.fromEntries(Object.entries(statics).map(([name, one]) => [name, { table, ...one }])),
  };
  return `${JSON.stringify(input, null, 1)}\n`;
}

/** The gateways and weights of the only route of ours, sorted; one that is alone has weight 1. */
async function nexthops(ns: Netns, { flag }: FamilyCase): Promise<string[]> {
  const own = await ownLines(ns, flag);
  expect(own).toHaveLength(1);
  const [line = ""] = own;
  return [...line.matchAll(/ via (\S+)(?: dev \S+)?(?: weight (\d+))?/g)]
    .map(([, via, weight]) => `${via}*${weight ?? 1}`)
    .sort();
}

const times = (list: readonly string[], weight = 1): string[] => list.map((via) => `${via}*${weight}`).sort();

describe.each(FAMILIES)("IPv$family: merge-paths", (it6) => {
  const { flag, family, net } = it6;
  const [one = "", two = "", three = ""] = gateways(it6, 3);
  const route = (via: string, more: Partial<RouteInput> = {}): RouteInput[] => [
    { prefix: net(1), via, ...more },
  ];

  it("makes one ECMP route of two statics, and a plain one again when one goes, by one replace each", async () => {
    await using ns = await createTopology();
    const both = { a: { routes: route(one) }, b: { routes: route(two) } };
    const kernel = { "merge-paths": true };
    await using krtd = await startSynced(ns, config(it6, both, kernel));
    expect(await nexthops(ns, it6)).toEqual(times([one, two]));
    expect(await krtd.writes()).toBe(1);
    await krtd.scan();
    expect(await krtd.writes()).toBe(1);
    expect((await krtd.ctl("diff")).code).toBe(0);

    await using monitor = await monitorRoutes(ns);
    const changes: readonly (readonly [what: string, () => Promise<unknown>, expected: string[]])[] = [
      ["disabled", () => krtd.act("disable", "b"), times([one])],
      ["enabled", () => krtd.act("enable", "b"), times([one, two])],
      [
        "a third",
        () => krtd.configure(config(it6, { ...both, c: { routes: route(three) } }, kernel)),
        times([one, two, three]),
      ],
      [
        "the best goes",
        () => krtd.configure(config(it6, { b: both.b, c: { routes: route(three) } }, kernel)),
        times([two, three]),
      ],
      ["alone", () => krtd.configure(config(it6, { b: both.b }, kernel)), times([two])],
    ];
    let writes = 1;
    for (const [what, change, expected] of changes) {
      await change();
      await waitFor(what, async () => (await nexthops(ns, it6)).join() === expected.join());
      await krtd.scan();
      expect([what, await krtd.writes()]).toEqual([what, ++writes]);
    }
    const [shown] = await krtd.kernels();
    expect(shown?.kernel.writes).toEqual({ add: 1, replace: 5, delete: 0, errors: {} });
    const events = await monitor.events();
    expect(events.filter((line) => line.startsWith("Deleted "))).toEqual([]);
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, flag)).toEqual([]);
  });

  it("joins the nexthops of routes that have several, with their weights, each once", async () => {
    await using ns = await createTopology();
    const statics = {
      a: { routes: [{ prefix: net(1), nexthops: [{ via: one, weight: 5 }, { via: two }] }] },
      b: {
        routes: [
          {
            prefix: net(1),
            nexthops: [
              { via: two, weight: 9 },
              { via: three, weight: 2 },
            ],
          },
        ],
      },
    };
    await using krtd = await startSynced(ns, config(it6, statics, { "merge-paths": true }));
    expect(await nexthops(ns, it6)).toEqual([`${one}*5`, `${two}*1`, `${three}*2`].sort());
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
  });

  it("stops at the number it is given, and at what is sane", async () => {
    await using ns = await createTopology();
    const limit = family === 4 ? 128 : 64;
    const all = gateways(it6, limit + 10);
    const statics = Object.fromEntries(
      all.map((via, i) => [`s${String(i).padStart(3, "0")}`, { routes: route(via) }]),
    );
    await using krtd = await startSynced(ns, config(it6, statics, { "merge-paths": true }));
    expect(await nexthops(ns, it6)).toHaveLength(limit);
    let writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    await using monitor = await monitorRoutes(ns);
    for (const [merge, count] of [
      [2, 2],
      [false, 1],
      [5, 5],
      [true, limit],
    ] as const) {
      await krtd.configure(config(it6, statics, { "merge-paths": merge }));
      await waitFor(`${count} nexthops`, async () => (await nexthops(ns, it6)).length === count);
      await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
      expect(await krtd.writes()).toBe(++writes);
    }
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    const gone = (await monitor.events()).filter((line) => line.startsWith("Deleted "));
    expect(gone).toEqual([]);
  });

  it("leaves apart what is not equally good", async () => {
    await using ns = await createTopology();
    const statics = {
      a: { routes: route(one) },
      worse: { preference: 150, routes: route(two) },
      metric: { routes: route(three, { metric: 7 }) },
      block: {
        routes: [
          { prefix: net(2), type: "blackhole" as const },
          { prefix: net(3), dev: "v0" },
        ],
      },
      block2: {
        routes: [
          { prefix: net(2), via: one },
          { prefix: net(3), via: two },
        ],
      },
    };
    await using krtd = await startSynced(ns, config(it6, statics, { "merge-paths": true }));
    const own = await ownLines(ns, flag);
    expect(own).toHaveLength(3);
    const shown = await krtd.routes();
    for (const { dst, kernel, nexthops: several } of shown) {
      expect([dst, kernel.state, dst === net(3) ? undefined : several]).toEqual([dst, "synced", undefined]);
    }
    // A device without a gateway goes together with others in IPv4 alone.
    const device = own.find((line) => line.includes(` ${net(3)} `)) ?? "";
    expect((device.match(/nexthop/g) ?? []).length).toBe(family === 4 ? 2 : 0);
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    // What was worse is alone when the better ones have gone.
    await krtd.act("disable", "a");
    await krtd.act("disable", "metric");
    await waitFor("the worse one", async () => (await ownLines(ns, flag)).some((line) => line.includes(two)));
  });

  it("repairs a nexthop that somebody took out", async () => {
    await using ns = await createTopology();
    const statics = { a: { routes: route(one) }, b: { routes: route(two) }, c: { routes: route(three) } };
    await using krtd = await startSynced(ns, config(it6, statics, { "merge-paths": true }));
    const wanted = await ownLines(ns, flag);
    if (family === 4) {
      const less = `nexthop via ${one} nexthop via ${two}`;
      await ns.ip(`route replace ${net(1)} metric 32 proto 120 ${less}`);
    } else {
      await ns.ip(`-6 route del ${net(1)} via ${three} dev v0 metric 32`);
    }
    await waitFor("it is repaired", async () => (await ownLines(ns, flag)).join() === wanted.join());
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
  });

  it("adopts its merged routes at a restart, without a write", async () => {
    await using ns = await createTopology();
    const statics = { a: { routes: route(one) }, b: { routes: route(two) }, c: { routes: route(three) } };
    const yaml = config(it6, statics, { "merge-paths": 2 });
    const first = await startSynced(ns, yaml);
    await first.shutdown({ keep: true });
    expect(await first.exited).toBe(0);
    await using monitor = await monitorRoutes(ns);
    await using second = await startSynced(ns, yaml);
    await second.scan();
    expect(await second.writes()).toBe(0);
    expect(await monitor.events()).toEqual([]);
  });
});
