import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { type ChangeCounters, Channel, type ChannelStats } from "../../src/nest/channel.ts";
import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../../src/nest/filter.ts";
import { Rtable } from "../../src/nest/rtable.ts";
import { draftOf } from "../support/draft.ts";

type Net = [number, number, number, number, number];
const prefix = (net: number): Net => [net << 8, 0, 0, 0, 24];

interface Setup {
  readonly import?: Filter;
  readonly export?: Filter;
  readonly clock?: Clock;
}

/** A table, a feeder source that fills it, and a channel under test whose sink keeps what it was told. */
function setUp(options: Setup = {}) {
  const attrs = new AttrsTable();
  const clock = options.clock ?? systemClock;
  const table = new Rtable("master4", 4, attrs, clock);
  const feeder = table.addSource("feeder", "static");
  const held = new Map<number, number>();
  const calls: [net: number, flow: number][] = [];
  const channel = new Channel({
    name: "kernel4",
    table,
    sourceType: "inherit",
    preference: 10,
    import: options.import ?? ACCEPT_ALL,
    export: options.export ?? ACCEPT_ALL,
    deviceName: String,
    clock,
    sink: {
      exported(node, best) {
        const net = table.fib.word(node, 0) >>> 8;
        const flow = best === 0 ? 0 : attrs.describe(table.attrsOf(best)).flow;
        calls.push([net, flow]);
        if (flow === 0) expect(held.delete(net)).toBe(true);
        else held.set(net, flow);
      },
    },
  });
  return {
    attrs,
    table,
    channel,
    held,
    calls,
    add: (net: number, flow: number) =>
      table.update(feeder, ...prefix(net), attrs.intern(draftOf({ flow })), 200, 0),
    drop: (net: number) => table.withdraw(feeder, ...prefix(net)),
    offer: (net: number, flow: number, preference?: number) =>
      channel.importRoute(...prefix(net), attrs.intern(draftOf({ flow })), 0, 0, preference),
    retract: (net: number) => channel.withdrawRoute(...prefix(net)),
  };
}

const counts = (received: number, what: Partial<ChangeCounters>): ChangeCounters => ({
  received,
  rejected: 0,
  filtered: 0,
  ignored: 0,
  accepted: 0,
  ...what,
});

function checkSums(stats: ChannelStats): void {
  for (const key of ["importUpdates", "importWithdraws", "exportUpdates", "exportWithdraws"] as const) {
    const { received, rejected, filtered, ignored, accepted } = stats[key];
    expect(rejected + filtered + ignored + accepted).toBe(received);
  }
}

interface Change {
  readonly op: "add" | "drop" | "offer" | "retract";
  readonly net: number;
  readonly flow: number;
  readonly preference: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  op: fc.constantFrom("add", "drop", "offer", "retract"),
  net: fc.nat(60),
  flow: fc.integer({ min: 1, max: 3 }),
  preference: fc.constantFrom(10, 300),
});

describe("Channel import", () => {
  it("counts accepted, ignored and rejected changes and the routes in the table", async () => {
    const { channel, table, attrs, offer, retract } = setUp();
    offer(1, 1);
    retract(1);
    expect(channel.source).toBe(0);
    await channel.up();
    offer(1, 1);
    offer(2, 1);
    offer(1, 1);
    offer(1, 2);
    retract(2);
    retract(2);
    expect(channel.stats).toMatchObject({
      importUpdates: counts(5, { accepted: 3, ignored: 1, rejected: 1 }),
      importWithdraws: counts(3, { accepted: 1, ignored: 1, rejected: 1 }),
      imported: 1,
      preferred: 1,
    });
    expect(table.preferenceOf(table.best(table.fib.find(...prefix(1))))).toBe(10);
    offer(1, 2, 77);
    expect(table.preferenceOf(table.best(table.fib.find(...prefix(1))))).toBe(77);
    expect(attrs.size).toBe(1);
  });

  it("filters everything with policy none, and keeps no reference to attributes", async () => {
    const { channel, table, attrs, offer } = setUp({ import: REJECT_ALL });
    await channel.up();
    offer(1, 1);
    expect(channel.stats.importUpdates).toEqual(counts(1, { filtered: 1 }));
    expect([table.routeCount, table.fib.size, attrs.size]).toEqual([0, 0, 0]);
  });

  it("withdraws its routes and its source when it goes down, and can come up again", async () => {
    const { channel, table, attrs, offer } = setUp();
    await channel.up();
    for (let net = 0; net < 3000; net++) offer(net, 1);
    const going = channel.down();
    offer(5000, 1);
    await going;
    await channel.down();
    expect([channel.source, table.routeCount, attrs.size]).toEqual([0, 0, 0]);
    expect(channel.stats.importUpdates.rejected).toBe(1);
    await channel.up();
    offer(1, 1);
    expect([channel.source, channel.stats.imported]).toEqual([2, 1]);
  });

  it("counts a route as preferred only while it is the best of its net", async () => {
    const { channel, add, drop, offer } = setUp();
    await channel.up();
    offer(1, 1);
    add(1, 2);
    expect(channel.stats).toMatchObject({ imported: 1, preferred: 0 });
    drop(1);
    expect(channel.stats).toMatchObject({ imported: 1, preferred: 1 });
  });
});

describe("Channel export", () => {
  it("feeds what is there, then passes on changes and withdrawals", async () => {
    const { channel, add, drop, calls } = setUp();
    add(1, 1);
    add(2, 1);
    await channel.up();
    add(3, 1);
    add(1, 2);
    drop(2);
    expect(calls).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [1, 2],
      [2, 0],
    ]);
    expect(channel.stats).toMatchObject({
      exportUpdates: counts(4, { accepted: 4 }),
      exportWithdraws: counts(1, { accepted: 1 }),
      exported: 2,
    });
  });

  it("filters everything with policy none, silently", async () => {
    const { channel, add, drop, calls } = setUp({ export: REJECT_ALL });
    add(1, 1);
    await channel.up();
    drop(1);
    expect(calls).toEqual([]);
    expect(channel.stats).toMatchObject({
      exportUpdates: counts(1, { filtered: 1 }),
      exportWithdraws: counts(1, { ignored: 1 }),
      exported: 0,
    });
  });

  it("never exports back what it imported, and retracts what such a route replaces", async () => {
    const { channel, table, add, offer, retract, calls } = setUp();
    await channel.up();
    offer(1, 1);
    add(2, 2);
    offer(2, 3, 300);
    retract(2);
    expect(calls).toEqual([
      [2, 2],
      [2, 0],
      [2, 2],
    ]);
    expect(channel.isExported(table.fib.find(...prefix(1)))).toBe(false);
    expect(channel.isExported(table.fib.find(...prefix(2)))).toBe(true);
    expect(channel.stats).toMatchObject({
      exportUpdates: counts(4, { accepted: 2, rejected: 2 }),
      exportWithdraws: counts(1, { accepted: 1 }),
      exported: 1,
    });
  });

  it("forgets what it exported when it goes down, and feeds all of it again", async () => {
    const { channel, add, held, calls } = setUp();
    add(1, 1);
    await channel.up();
    await channel.down();
    expect(channel.stats.exported).toBe(0);
    add(2, 1);
    expect(calls).toEqual([[1, 1]]);
    held.clear();
    await channel.up();
    expect(calls.slice(1)).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it("ends a feed that is under way when it goes down, and starts another when it comes up", async () => {
    const { channel, add, held, calls } = setUp();
    for (let net = 0; net < 5000; net++) add(net, 1);
    const feeding = channel.up();
    const going = channel.down();
    const again = channel.up();
    await feeding;
    expect(calls.length).toBe(1024);
    held.clear();
    await Promise.all([going, again]);
    expect(held.size).toBe(5000);
    expect(channel.stats.exported).toBe(5000);
    await channel.up();
    expect(calls.length).toBe(6024);
  });

  it("says nothing after down(), even if an announcement was under way", async () => {
    const { channel, table, add, calls } = setUp();
    table.listen({ bestChanged: () => void channel.down() });
    await channel.up();
    add(1, 1);
    await channel.down();
    expect(calls).toEqual([]);
  });

  it("converges when a feed races with changes: no net lost, none twice for nothing, counters exact", async () => {
    const run = async (start: number, slices: Change[][]): Promise<void> => {
      // Every yield of the feed applies the next few changes; small ids are reused while the walk is beyond them.
      const pending = [...slices];
      const apply = (): void => {
        for (const c of pending.shift() ?? []) {
          if (c.op === "add") setup.add(c.net, c.flow);
          else if (c.op === "drop") setup.drop(c.net);
          else if (c.op === "offer") setup.offer(c.net, c.flow, c.preference);
          else setup.retract(c.net);
        }
      };
      const clock: Clock = {
        ...systemClock,
        yield: async () => {
          apply();
        },
      };
      const setup = setUp({ clock });
      const { table, channel, held, calls } = setup;
      for (let net = 0; net < start; net += 2) setup.add(net, 1);
      // Long stretches of nets between the changing ones make the walk take several slices.
      for (let net = 100; net < 3100; net++) setup.add(net, 1);
      for (let net = 1; net < start; net += 2) setup.add(net, 1);
      await channel.up();
      while (pending.length > 0) apply();
      const expected = new Map<number, number>();
      for (let node = table.fib.next(0); node !== 0; node = table.fib.next(node)) {
        const best = table.best(node);
        if (best === 0 || table.sourceOf(best) === channel.source) continue;
        expected.set(table.fib.word(node, 0) >>> 8, setup.attrs.describe(table.attrsOf(best)).flow);
      }
      expect(held).toEqual(expected);
      const { stats } = channel;
      expect(stats.exported).toBe(expected.size);
      expect(stats.exportUpdates.accepted + stats.exportWithdraws.accepted).toBe(calls.length);
      checkSums(stats);
      const last = new Map<number, number>();
      for (const [net, flow] of calls) {
        expect(last.get(net) ?? 0).not.toBe(flow);
        last.set(net, flow);
      }
      const quiet = calls.filter(([net]) => net >= 100);
      expect(quiet.length).toBe(3000);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.nat(60),
        fc.array(fc.array(change, { maxLength: 40 }), { minLength: 1, maxLength: 4 }),
        run,
      ),
      { numRuns: 60 },
    );
  });
});
