import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { parseIp } from "../../src/lib/ip.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { Rtable } from "../../src/nest/rtable.ts";
import { INSTALLED } from "../../src/nest/sync-flags.ts";
import { draftOf } from "../support/draft.ts";

interface Reference {
  readonly source: number;
  readonly preference: number;
  readonly metric: number;
  readonly flow: number;
}

/**
 * A table with three sources (P is a pipe) and helpers that speak of nets 0…n and of attributes that differ by `flow`.
 */
function tableWith(names: readonly string[] = ["a", "b", "c"], wall: () => number = () => 0) {
  const attrs = new AttrsTable();
  const table = new Rtable("master4", 4, attrs, { ...systemClock, wall });
  const sources = names.map((name) => table.addSource(name, name === "P" ? "pipe" : "static"));
  const prefix = (net: number): [number, number, number, number, number] => [net << 8, 0, 0, 0, 24];
  return {
    attrs,
    table,
    sources,
    update: (source: number, net: number, flow: number, preference = 200, metric = 0) =>
      table.update(source, ...prefix(net), attrs.intern(draftOf({ flow })), preference, metric),
    withdraw: (source: number, net: number) => table.withdraw(source, ...prefix(net)),
    node: (net: number) => table.fib.find(...prefix(net)),
  };
}

type Fixture = ReturnType<typeof tableWith>;

function contentOf({ table, attrs }: Fixture, route: number): Reference | null {
  if (route === 0) return null;
  return {
    source: table.sourceOf(route),
    preference: table.preferenceOf(route),
    metric: table.metricOf(route),
    flow: attrs.describe(table.attrsOf(route)).flow,
  };
}

function routesOf(fixture: Fixture, node: number): (Reference | null)[] {
  const found: (Reference | null)[] = [];
  if (node === 0) return found;
  const { table } = fixture;
  for (let r = table.best(node); r !== 0; r = table.nextRoute(r)) found.push(contentOf(fixture, r));
  return found;
}

/** The order of semantics, as a comparison for Array.sort. */
function byRank(a: Reference, b: Reference): number {
  return b.preference - a.preference || a.metric - b.metric || a.source - b.source;
}

const step = fc.record({
  op: fc.constantFrom("update", "update", "update", "withdraw"),
  source: fc.integer({ min: 1, max: 3 }),
  net: fc.nat(3),
  flow: fc.integer({ min: 1, max: 2 }),
  preference: fc.constantFrom(10, 200),
  metric: fc.constantFrom(0, 1, 0xffffffff),
});

describe("Rtable", () => {
  it("orders the routes of a net like sorting them, and announcements replayed give the best ones", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const fixture = tableWith();
        const { table, attrs } = fixture;
        const model = new Map<number, Map<number, Reference>>();
        const replayed = new Map<number, Reference | null>();
        let calls = 0;
        table.listen({
          bestChanged(node, best, previous) {
            calls++;
            const net = table.fib.word(node, 0) >>> 8;
            expect(contentOf(fixture, previous)).toEqual(replayed.get(net) ?? null);
            expect(best).toBe(table.best(node));
            replayed.set(net, contentOf(fixture, best));
          },
        });
        for (const { op, source, net, flow, preference, metric } of steps) {
          const routes = model.get(net) ?? new Map<number, Reference>();
          model.set(net, routes);
          const before = [...routes.values()].sort(byRank)[0];
          const callsBefore = calls;
          if (op === "update") {
            const known = routes.get(source);
            const wanted = { source, preference, metric, flow };
            const same = known !== undefined && JSON.stringify(known) === JSON.stringify(wanted);
            routes.set(source, wanted);
            const expected = known === undefined ? "created" : same ? "unchanged" : "updated";
            expect(fixture.update(source, net, flow, preference, metric)).toBe(expected);
          } else expect(fixture.withdraw(source, net)).toBe(routes.delete(source));
          const after = [...routes.values()].sort(byRank)[0];
          expect(calls - callsBefore).toBe(JSON.stringify(before) === JSON.stringify(after) ? 0 : 1);
        }
        let total = 0;
        const flows = new Set<number>();
        for (const [net, routes] of model) {
          const sorted = [...routes.values()].sort(byRank);
          expect(routesOf(fixture, fixture.node(net))).toEqual(sorted);
          expect(replayed.get(net) ?? null).toEqual(sorted[0] ?? null);
          total += sorted.length;
          for (const route of sorted) flows.add(route.flow);
        }
        const all = [...model.values()].map((routes) => [...routes.values()].sort(byRank));
        expect(table.routeCount).toBe(total);
        expect(table.netCount).toBe(all.filter((routes) => routes.length > 0).length);
        expect(table.fib.size).toBe(table.netCount);
        expect(attrs.size).toBe(flows.size);
        for (const id of fixture.sources) {
          expect(table.routeCountOf(id)).toBe(all.flat().filter((route) => route.source === id).length);
          expect(table.preferredCountOf(id)).toBe(all.filter((routes) => routes[0]?.source === id).length);
        }
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    { why: "higher preference first", better: [2, 200, 50], worse: [1, 100, 1] },
    { why: "then the lower metric", better: [2, 200, 10], worse: [1, 200, 100] },
    { why: "a metric not set before any set", better: [2, 200, 0], worse: [1, 200, 1] },
    { why: "metrics are unsigned", better: [2, 200, 1], worse: [1, 200, 0xffffffff] },
    { why: "then the name of the source", better: [1, 200, 10], worse: [2, 200, 10] },
  ])("prefers by rank, whichever came first: $why", ({ better, worse }) => {
    for (const order of [
      [better, worse],
      [worse, better],
    ]) {
      const fixture = tableWith();
      for (const [source, preference, metric] of order) fixture.update(source!, 0, 1, preference, metric);
      expect(fixture.table.sourceOf(fixture.table.best(fixture.node(0)))).toBe(better[0]);
    }
  });

  it("prefers what came over no pipe, then by name, of equally good ones, whichever came first", () => {
    for (const names of ["abcP", "cPba", "Pbca"]) {
      const fixture = tableWith([...names]);
      for (const source of fixture.sources) fixture.update(source, 0, 1);
      const order = routesOf(fixture, fixture.node(0)).map((route) => names[route!.source - 1]);
      expect(order).toEqual(["a", "b", "c", "P"]);
    }
  });

  it("keeps the id of a best route that changes, and shows its old content as the previous one", () => {
    const fixture = tableWith();
    const { table } = fixture;
    fixture.update(1, 0, 1);
    const id = table.best(fixture.node(0));
    const seen: unknown[] = [];
    table.listen({
      bestChanged: (_node, best, previous) => {
        seen.push([best, contentOf(fixture, previous)?.flow, contentOf(fixture, best)?.flow]);
      },
    });
    fixture.update(1, 0, 2);
    expect(seen).toEqual([[id, 1, 2]]);
    expect(fixture.attrs.size).toBe(1);
    expect(table.routeCount).toBe(1);
  });

  it("keeps a net with flags until they are cleared and releaseNode() is called", () => {
    const fixture = tableWith();
    const { table } = fixture;
    fixture.update(1, 0, 1);
    const node = fixture.node(0);
    table.fib.flags[node]! |= INSTALLED;
    fixture.withdraw(1, 0);
    expect([fixture.node(0), table.netCount]).toEqual([node, 0]);
    table.releaseNode(node);
    expect(fixture.node(0)).toBe(node);
    table.fib.flags[node]! &= ~INSTALLED;
    table.releaseNode(node);
    expect(fixture.node(0)).toBe(0);
    table.releaseNode(node);
    table.releaseNode(0);
    expect(table.fib.size).toBe(0);
  });

  it("lets a listener free the announced net: later listeners still see it, then it goes", () => {
    const fixture = tableWith();
    const { table } = fixture;
    fixture.update(1, 0, 1);
    const node = fixture.node(0);
    table.fib.flags[node] = INSTALLED;
    const seen: boolean[] = [];
    table.listen({
      bestChanged: (n) => {
        table.fib.flags[n] = 0;
        table.releaseNode(n);
      },
    });
    table.listen({ bestChanged: (n) => seen.push(table.fib.isLive(n)) });
    fixture.withdraw(1, 0);
    expect([seen, table.fib.size]).toEqual([[true], 0]);
  });

  it("lets a listener change other nets, however deep, but not those being announced", () => {
    const fixture = tableWith();
    const { table } = fixture;
    const chain: number[] = [];
    table.listen({
      bestChanged: (node) => {
        const net = table.fib.word(node, 0) >>> 8;
        chain.push(net);
        if (net < 5) fixture.update(1, net + 1, 1);
        else for (const busy of chain) expect(() => fixture.update(2, busy, 1)).toThrow(/being announced/);
      },
    });
    fixture.update(1, 0, 1);
    expect([chain, table.routeCount]).toEqual([[0, 1, 2, 3, 4, 5], 6]);
  });

  it("survives growth of every column caused by listeners", () => {
    const fixture = tableWith();
    const { table } = fixture;
    const order: number[] = [];
    table.listen({
      bestChanged: (node, best, previous) => {
        const net = table.fib.word(node, 0) >>> 8;
        order.push(net);
        if (net !== 0) return;
        for (let i = 1; i <= 3000; i++) fixture.update(1, i, i);
        for (let i = 1; i <= 3000; i += 2) fixture.withdraw(1, i);
        expect([contentOf(fixture, previous)?.flow, contentOf(fixture, best)?.flow]).toEqual([
          order.length === 4501 ? undefined : 1,
          order.length === 4501 ? 1 : 2,
        ]);
      },
    });
    fixture.update(1, 0, 1);
    expect([order.length, table.routeCount, table.netCount]).toEqual([4501, 1501, 1501]);
    fixture.update(1, 0, 2);
    expect(contentOf(fixture, table.best(fixture.node(0)))?.flow).toBe(2);
    expect(fixture.attrs.size).toBe(1500);
  });

  it("stays consistent when a listener throws", () => {
    const fixture = tableWith();
    const { table } = fixture;
    const unlisten = table.listen({
      bestChanged: () => {
        throw new Error("listener");
      },
    });
    expect(() => fixture.update(1, 0, 1)).toThrow("listener");
    expect(() => fixture.update(1, 0, 2)).toThrow("listener");
    expect(() => fixture.withdraw(1, 0)).toThrow("listener");
    unlisten();
    expect([table.routeCount, table.netCount, table.fib.size, fixture.attrs.size]).toEqual([0, 0, 0, 0]);
    expect(fixture.update(1, 0, 1)).toBe("created");
  });

  it("withdraws everything of one source in slices, and nothing else", async () => {
    const fixture = tableWith();
    const { table } = fixture;
    for (let net = 0; net < 3000; net++) fixture.update(1, net, 1);
    for (let net = 0; net < 3000; net += 3) fixture.update(2, net, 2);
    let withdrawn = 0;
    table.listen({ bestChanged: () => withdrawn++ });
    expect(await table.withdrawAll(1)).toBe(3000);
    expect([withdrawn, table.routeCount, table.netCount]).toEqual([3000, 1000, 1000]);
    expect(await table.withdrawAll(1)).toBe(0);
  });

  it("dates a route by its last change", () => {
    let now = 1000;
    const fixture = tableWith(undefined, () => now);
    const { table } = fixture;
    fixture.update(1, 0, 1);
    now = 2000;
    fixture.update(1, 0, 1);
    expect(table.sinceOf(table.best(fixture.node(0)))).toBe(1000);
    fixture.update(1, 0, 2);
    expect(table.sinceOf(table.best(fixture.node(0)))).toBe(2000);
  });

  it("finds the route of a source, and ids of sources are reused lowest first", () => {
    const fixture = tableWith();
    const { table } = fixture;
    fixture.update(3, 0, 1);
    fixture.update(1, 0, 2);
    const node = fixture.node(0);
    expect(table.sourceOf(table.routeOf(node, 3))).toBe(3);
    expect(table.netOf(table.routeOf(node, 3))).toBe(node);
    expect(table.routeOf(node, 2)).toBe(0);
    table.removeSource(2);
    expect(() => table.source(2)).toThrow(RangeError);
    expect(table.addSource("d", "pipe")).toBe(2);
    expect(table.source(2)).toEqual({ id: 2, name: "d", sourceType: "pipe" });
    expect(() => table.removeSource(1)).toThrow("without routes");
  });

  it("refuses unknown sources and preferences out of range", () => {
    const fixture = tableWith();
    expect(() => fixture.update(9, 0, 1)).toThrow(RangeError);
    expect(() => fixture.update(1, 0, 1, 65_536)).toThrow(RangeError);
    expect(fixture.table.fib.size).toBe(0);
    expect(fixture.withdraw(9, 0)).toBe(false);
  });

  it("keeps IPv6 nets apart by every word", () => {
    const attrs = new AttrsTable();
    const table = new Rtable("master6", 6, attrs, systemClock);
    const source = table.addSource("a", "static");
    const draft = draftOf({ nexthops: [{ via: "fe80::1", device: 2 }] });
    for (const text of ["1::", "0:0:1::", "0:0:0:0:1::", "::1"]) {
      const { w0, w1, w2, w3 } = parseIp(text)!;
      table.update(source, w0, w1, w2, w3, 128, attrs.intern(draft), 200, 0);
    }
    expect([table.netCount, attrs.size]).toEqual([4, 1]);
  });
});
