import { describe, expect, it } from "vitest";
import { ACCEPT_ALL, REJECT_ALL } from "../../../src/nest/filter.ts";
import { internOrigin, originOf } from "../../../src/nest/origin.ts";
import { draftOf } from "../../support/draft.ts";
import { settle } from "../../support/fake-clock.ts";
import { filterOf, PipeNet } from "./fixture.ts";

const odd = filterOf("odd", ({ w0 }) => ((w0 >>> 8) & 1) === 1);
const even = filterOf("even", ({ w0 }) => ((w0 >>> 8) & 1) === 0);

describe("PipeProtocol between two tables", () => {
  it("passes on what is there and what changes, with attributes, metric and preference, both ways", async () => {
    const f = new PipeNet("ab");
    f.announce("a", 1, 7, 200, 50);
    f.announce("b", 2, 8, 0);
    await f.start("ab");
    expect(f.shown("b")).toEqual([
      "2: id 8 preference 0 metric 0 from static-b trail ",
      "1: id 7 preference 200 metric 50 from ab trail a",
    ]);
    expect(f.shown("a")[1]).toBe("2: id 8 preference 0 metric 0 from ab trail b");
    f.announce("a", 1, 9, 77, 60);
    expect(f.best("b", 1)).toBe("id 9 preference 77 metric 60");
    f.announce("a", 1, 9, 78, 60);
    expect(f.best("b", 1)).toBe("id 9 preference 78 metric 60");
    f.withdraw("a", 1);
    f.withdraw("b", 2);
    expect([f.shown("a"), f.shown("b"), f.attrs.size]).toEqual([[], [], 0]);
  });

  it("passes the best route only, and not what it brought itself", async () => {
    const f = new PipeNet("ab");
    f.announce("a", 1, 7, 100);
    f.announce("b", 1, 8, 200);
    const { pipe } = await f.start("ab");
    expect(f.shown("a")).toEqual([
      "1: id 8 preference 200 metric 0 from ab trail b",
      "1: id 7 preference 100 metric 0 from static-a trail ",
    ]);
    expect(f.shown("b")).toEqual(["1: id 8 preference 200 metric 0 from static-b trail "]);
    f.withdraw("b", 1);
    // What "a" has to offer instead comes while "b" announces that it has nothing any more: a moment later.
    expect([f.best("a", 1), f.best("b", 1)]).toEqual(["id 7 preference 100 metric 0", "none"]);
    await Promise.resolve();
    expect(f.best("b", 1)).toBe("id 7 preference 100 metric 0");
    expect(f.shown("a")).toHaveLength(1);
    expect(pipe.channels.map(({ stats }) => [stats.imported, stats.exported])).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });

  it("feeds tables of many slices while they change", async () => {
    const f = new PipeNet("ab");
    for (let net = 0; net < 5000; net++) f.announce(net % 2 === 0 ? "a" : "b", net, 1 + (net % 9));
    const starting = f.start("ab");
    await f.clock.yield();
    for (let net = 0; net < 5000; net += 10) f.withdraw("a", net);
    for (let net = 1; net < 5000; net += 10) f.announce("b", net, 33);
    for (let net = 5000; net < 5100; net++) f.announce("a", net, 5);
    await starting;
    expect(f.faults(5100)).toEqual([]);
    expect([f.table("a").routeCount, f.table("b").routeCount]).toEqual([4600, 4600]);
    expect(f.miscounts()).toEqual([]);
  });

  it("keeps what else is known of a route's origin", async () => {
    const f = new PipeNet("ab");
    await f.start("ab");
    const table = f.table("a");
    const learner = table.addSource("kernel4", "inherit");
    const origin = internOrigin({ protocol: 4, recursive: true, connected: false, trail: ["z"] });
    table.update(learner, 1 << 8, 0, 0, 0, 24, f.attrs.intern(draftOf({ flow: 1 })), 10, 0, origin);
    const there = f.table("b");
    const best = there.best(there.fib.find(1 << 8, 0, 0, 0, 24));
    expect(originOf(there.origin(best))).toEqual({
      protocol: 4,
      recursive: true,
      connected: false,
      trail: ["z", "a"],
    });
    const circular = internOrigin({ protocol: 4, recursive: false, connected: false, trail: ["b", "z"] });
    table.update(learner, 1 << 8, 0, 0, 0, 24, f.attrs.intern(draftOf({ flow: 1 })), 10, 0, circular);
    expect(f.shown("b")).toEqual([]);
  });

  it("withdraws everything both ways when it stops, in the middle of a feed too", async () => {
    for (const turns of [0, 1, 2, 50]) {
      const f = new PipeNet("ab");
      for (let net = 0; net < 4000; net++) f.announce(net % 2 === 0 ? "a" : "b", net, 1 + (net % 9));
      const { pipe } = f.pipe("ab");
      const starting = pipe.start();
      for (let i = 0; i < turns; i++) await f.clock.yield();
      const stopping = pipe.stop();
      f.announce("a", 9999, 1);
      await Promise.all([starting, stopping, pipe.stop()]);
      await f.quiet();
      expect([f.table("a").routeCount, f.table("b").routeCount]).toEqual([2001, 2000]);
      expect(pipe.info()).toBe("");
    }
  });

  it("can be stopped by what hears of its routes", async () => {
    const f = new PipeNet("ab");
    const { pipe } = await f.start("ab");
    f.table("b").listen({ bestChanged: () => void pipe.stop() });
    f.announce("a", 1, 7);
    f.announce("a", 2, 7);
    await f.quiet();
    expect([f.shown("a").length, f.shown("b")]).toEqual([2, []]);
  });
});

describe("PipeProtocol filters", () => {
  it("each direction by its own, which may set metric and preference", async () => {
    const f = new PipeNet("ab");
    const raise = filterOf("raise", (route) => {
      route.preference = 300;
      route.metric = 5;
      return ((route.w0 >>> 8) & 1) === 0;
    });
    await f.start("ab", { export: odd, import: raise });
    for (const net of [1, 2]) {
      f.announce("a", net, 7, 100, 9);
      f.announce("b", net, 8, 90, 9);
    }
    expect(f.best("a", 1)).toBe("id 7 preference 100 metric 9");
    expect(f.best("b", 1)).toBe("id 7 preference 100 metric 9");
    expect(f.best("a", 2)).toBe("id 8 preference 300 metric 5");
    expect(f.best("b", 2)).toBe("id 8 preference 90 metric 9");
    expect(f.faults(3)).toEqual([]);
  });

  it("see who announced the route to the table it comes from", async () => {
    const f = new PipeNet("abc");
    const seen: string[] = [];
    const look = (name: string) =>
      filterOf(name, ({ source, sourceType }) => {
        seen.push(`${name}: ${source} ${sourceType}`);
        return true;
      });
    await f.start("ab", { export: look("a→b") });
    await f.start("bc", { export: look("b→c") });
    f.announce("a", 1, 7);
    expect(seen).toEqual(["a→b: static-a static", "b→c: ab pipe"]);
  });

  it("are counted where they stand: rejected by the trail on one side, filtered on the other", async () => {
    const f = new PipeNet("ab");
    const { pipe } = await f.start("ab", { export: odd, import: REJECT_ALL });
    f.announce("a", 1, 7);
    f.announce("a", 2, 7);
    f.announce("b", 3, 7);
    f.withdraw("a", 1);
    const [own, peer] = pipe.channels.map(({ stats }) => stats);
    expect(own?.exportUpdates).toMatchObject({ received: 2, accepted: 2 });
    expect(peer?.importUpdates).toMatchObject({ received: 2, accepted: 1, filtered: 1 });
    expect(peer?.exportUpdates).toMatchObject({ received: 2, filtered: 1, rejected: 1 });
    expect(own?.importUpdates).toMatchObject({ received: 0 });
    expect(peer?.importWithdraws).toMatchObject({ received: 1, accepted: 1 });
    expect([own?.exported, peer?.imported, peer?.exported]).toEqual([1, 0, 0]);
  });
});

describe("PipeProtocol.reconfigure()", () => {
  const setUp = async () => {
    const f = new PipeNet("ab");
    for (const net of [1, 2, 3, 4]) f.announce("a", net, 7);
    for (const net of [11, 12]) f.announce("b", net, 8);
    await f.start("ab");
    f.changes = 0;
    return f;
  };
  const lower = filterOf("lower", (route) => {
    route.preference = 50;
  });
  const steps = [
    [{}, 0, "nothing is new"],
    [{ export: odd }, 2, "two of four go"],
    [{ export: even }, 4, "and come back, and the others go"],
    [{ export: lower }, 4, "two change, two come"],
    [{ export: REJECT_ALL }, 4, "all go"],
    [{ import: odd }, 1, "the other direction alone"],
    [{ export: ACCEPT_ALL, import: ACCEPT_ALL }, 5, "all are back"],
    [{ export: { ...ACCEPT_ALL } }, 0, "a filter that says the same"],
  ] as const;

  it("changes only what another filter says", async () => {
    const f = await setUp();
    for (const [filters, changes, why] of steps) {
      await f.reconfigure("ab", filters);
      expect(f.faults(15), why).toEqual([]);
      expect(f.changes, why).toBe(changes);
      f.changes = 0;
    }
    expect(f.miscounts()).toEqual([]);
    const [own] = f.links.get("ab")!.pipe.channels;
    const received = () => own!.stats.importUpdates.received;
    const before = received();
    await f.reconfigure("ab", { export: odd });
    expect(received(), "the other direction is not even asked").toBe(before);
  });

  it("comes out right when one follows the other before it is done", async () => {
    const f = new PipeNet("ab");
    for (let net = 0; net < 5000; net++) f.announce("a", net, 7);
    await f.start("ab", { export: even });
    const all = [REJECT_ALL, lower, REJECT_ALL, odd, even, REJECT_ALL, ACCEPT_ALL, lower, even].map(
      async (filter, i) => {
        for (let k = 0; k < i; k++) await f.clock.yield();
        await f.reconfigure("ab", { export: filter });
      },
    );
    await Promise.all(all);
    expect(f.faults(5000)).toEqual([]);
    expect(f.table("b").routeCount).toBe(2500);
  });

  it("softly: routes that stand are judged when they change, or at the next reload", async () => {
    const f = await setUp();
    const link = f.links.get("ab")!;
    const soft = { ...link.config, export: odd, import: REJECT_ALL };
    await link.pipe.reconfigure(soft, true);
    expect(f.changes).toBe(0);
    f.announce("a", 2, 9);
    expect([f.best("b", 2), f.best("b", 4)]).toEqual(["none", "id 7 preference 200 metric 0"]);
    f.links.set("ab", { ...link, config: soft });
    await link.pipe.reload();
    expect(f.faults(15)).toEqual([]);
    expect(f.best("b", 4)).toBe("none");
  });

  it("takes back what a softly closed direction left, and gives it by another filter", async () => {
    const f = await setUp();
    const link = f.links.get("ab")!;
    await link.pipe.reconfigure({ ...link.config, export: REJECT_ALL }, true);
    expect(f.best("b", 1)).not.toBe("none");
    await f.reconfigure("ab", { export: lower });
    expect(f.best("b", 1)).toBe("id 7 preference 50 metric 0");
    expect(f.faults(15)).toEqual([]);
  });

  it("does nothing to a pipe that has stopped", async () => {
    const f = await setUp();
    const { pipe, config } = f.links.get("ab")!;
    await f.stop("ab");
    await pipe.reconfigure({ ...config, export: odd });
    await pipe.reload();
    expect(f.table("b").routeCount).toBe(2);
  });
});

describe("PipeProtocol in a ring", () => {
  it("passes a route round, never back, and lets none outlive its source", async () => {
    const f = new PipeNet("abc");
    for (const name of ["ab", "bc", "ca"]) await f.start(name);
    f.announce("a", 1, 7);
    expect(f.shown("a")).toEqual(["1: id 7 preference 200 metric 0 from static-a trail "]);
    expect(f.shown("b")).toEqual(["1: id 7 preference 200 metric 0 from ab trail a"]);
    // Of two equally good ones the tables take that of the pipe that came up first.
    expect(f.shown("c")).toEqual([
      "1: id 7 preference 200 metric 0 from bc trail a,b",
      "1: id 7 preference 200 metric 0 from ca trail a",
    ]);
    f.withdraw("a", 1);
    await f.quiet();
    expect(["a", "b", "c"].flatMap((name) => f.shown(name))).toEqual([]);
    expect([f.attrs.size, f.faults(2)]).toEqual([0, []]);
  });

  it("defers a net whose news comes back to the table that is announcing it", async () => {
    const f = new PipeNet("abc");
    for (const name of ["ab", "bc", "ca"]) await f.start(name);
    f.announce("c", 1, 5, 100);
    expect(f.shown("a")).toHaveLength(2);
    f.announce("a", 1, 7, 200);
    // All have it by now; but what "a" had from the others could not be taken from it while it announced the new one.
    expect([f.best("b", 1), f.best("c", 1)]).toEqual(Array(2).fill("id 7 preference 200 metric 0"));
    expect(f.shown("a")).toHaveLength(3);
    await settle();
    expect(f.shown("a")).toHaveLength(1);
    expect(f.faults(2)).toEqual([]);
    f.withdraw("a", 1);
    await settle();
    expect(f.faults(2)).toEqual([]);
    expect(f.best("a", 1)).toBe("id 5 preference 100 metric 0");
  });

  it("drops what is deferred when it stops meanwhile", async () => {
    const f = new PipeNet("abc");
    for (const name of ["ab", "bc", "ca"]) await f.start(name);
    f.announce("c", 1, 5, 100);
    f.announce("a", 1, 7, 200);
    await Promise.all([f.stop("ab"), f.stop("ca")]);
    await f.quiet();
    expect(f.shown("a")).toEqual(["1: id 7 preference 200 metric 0 from static-a trail "]);
    expect([f.best("b", 1), f.faults(2)]).toEqual(["id 5 preference 100 metric 0", []]);
    await f.stop("bc");
    f.withdraw("a", 1);
    f.withdraw("c", 1);
    expect(f.attrs.size).toBe(0);
  });

  it("does not keep the daemon busy when filters contradict each other, says so, and recovers", async () => {
    // Each of a, b and c prefers the route of o that comes by the next one, but only that which that one has from o.
    const f = new PipeNet("oabc");
    const prefer = (source: string) =>
      filterOf(`prefer-${source}`, (route) => {
        route.preference = 300;
        return route.source === source;
      });
    for (const name of ["oa", "ob", "oc"]) await f.start(name, { import: REJECT_ALL });
    await f.start("ba", { export: prefer("ob"), import: REJECT_ALL });
    await f.start("cb", { export: prefer("oc"), import: REJECT_ALL });
    await f.start("ac", { export: prefer("oa"), import: REJECT_ALL });
    f.announce("o", 1, 7);
    for (let second = 0; second < 4; second++) {
      for (let turn = 0; turn < 20; turn++) await settle();
      const before = f.changes;
      await settle();
      // It rests until the next second begins, and is not forgotten.
      expect(f.changes).toBe(before);
      await f.clock.advance(1000);
      expect(f.changes).toBeGreaterThan(before);
    }
    expect(f.changes).toBeLessThan(3000);
    const complaints = [...f.links.values()].map(({ pipe }) => pipe.info()).filter((info) => info !== "");
    expect(complaints[0]).toContain("contradict each other");
    await f.reconfigure("ac", { export: REJECT_ALL });
    await f.quiet(5);
    expect([...f.links.values()].map(({ pipe }) => pipe.info()).join("")).toBe("");
    expect(f.faults(2)).toEqual([]);
    const before = f.changes;
    await f.quiet();
    expect(f.changes).toBe(before);
    f.withdraw("o", 1);
    await f.quiet();
    expect(f.attrs.size).toBe(0);
  });
});
