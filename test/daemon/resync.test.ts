/**
 * Losses of notifications, as the whole daemon sees them on a model kernel: what is stale is not acted on, what comes
 * while everything is read is told afterwards, and no dump that a loss fell into is believed.
 */

import { describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import type { StatusReport } from "../../src/control/backend.ts";
import { Resync } from "../../src/daemon/resync.ts";
import { silentLog } from "../../src/lib/log.ts";
import type { Drained, KernelRoute, Monitor } from "../../src/sysdep/os.ts";
import { draftOf } from "../support/draft.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { modelIp, modelIpAll } from "../support/model-ip.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const A = "10.5.0.0/16";
const CONFIG: KrtInput = {
  kernel: { k4: { table: "master4", "scan-time": 0, learn: true } },
  static: { s: { table: "master4", routes: [{ prefix: A, via: "10.0.0.2" }] } },
};
/** More than one turn of a dump. */
const MANY = Array.from({ length: 200 }, (_, i) => `route add 172.16.${i}.0/24 via 10.1.0.9 proto 12`);

const netlink = (d: ModelDaemon): StatusReport["netlink"] => d.daemon.backend.status().netlink;
const stateOf = (d: ModelDaemon): string => d.daemon.backend.status().state;
const learned = (d: ModelDaemon): number =>
  d.daemon.backend
    .protocols()
    .find(({ protocol }) => protocol.name === "k4")!
    .protocol.kernel!.report().learned;
/** Prefixes of nets that were learned. */
const knows = (d: ModelDaemon, prefix: string): boolean => learnedPrefixes(d).includes(prefix);
function learnedPrefixes(d: ModelDaemon): string[] {
  const table = d.daemon.backend.tables().find(({ name }) => name === "master4")!;
  const nets: string[] = [];
  for (let node = table.fib.next(0); node !== 0; node = table.fib.next(node)) {
    if (table.fib.head[node] !== 0) nets.push(table.fib.formatNode(node));
  }
  return nets;
}

describe("when notifications are lost", () => {
  it("everything is read once, and status says why, when and how long", async () => {
    await using d = await startDaemon(CONFIG);
    modelIp(d.kernel, "route add 192.0.2.0/24 via 10.0.0.9 proto 12");
    d.os.loseEvents("the receive buffer overflowed");
    expect(netlink(d)).toMatchObject({ resync: { state: "lost" } });
    expect(stateOf(d)).toBe("syncing");
    await d.synced();
    expect(knows(d, "192.0.2.0/24")).toBe(true);
    expect(netlink(d)).toMatchObject({
      overruns: 1,
      resyncs: 1,
      resync: {
        state: "live",
        "last-reason": "the receive buffer overflowed",
        "last-ms": expect.any(Number),
      },
    });
    expect(netlink(d).resync["last-at"]).toMatch(/^20/);
    const told = d.logged.filter(({ message }) => message.includes("read"));
    expect(told.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "warn notifications lost, reading everything again",
      "info everything was read again",
    ]);
    expect(d.writes().filter((write) => !write.includes(A))).toEqual([]);
  });

  it("what waited in the socket is older than the loss, and is not acted on", async () => {
    await using d = await startDaemon(CONFIG);
    d.writes();
    const before = d.own();
    d.os.loseEvents();
    // A replacement of ours, as seen by an event alone, would be answered by another one.
    modelIpAll(d.kernel, [
      "route del 10.5.0.0/16 metric 32 proto 120",
      "route add 10.5.0.0/16 via 10.0.0.2 metric 32 proto 120",
      "link add d7 type ifb",
      "link del d7",
    ]);
    await d.synced();
    expect(d.own()).toEqual(before);
    expect(d.writes()).toEqual([]);
    expect(d.daemon.backend.interfaces.byName("d7")).toBeUndefined();
  });

  it("what comes while everything is read is told afterwards, in order", async () => {
    await using d = await startDaemon(CONFIG, { before: MANY });
    d.os.loseEvents();
    // Of what the dump has shown already, and of what it has not.
    d.os.faults.duringScan(100, () =>
      modelIpAll(d.kernel, [
        "route add 172.16.0.0/24 via 10.1.0.8 metric 7 proto 13",
        "route del 172.16.0.0/24 via 10.1.0.9 proto 12",
        "route add 192.0.2.0/24 via 10.0.0.9 proto 12",
        "route del 172.16.199.0/24 via 10.1.0.9 proto 12",
        "link add d7 type ifb",
      ]),
    );
    await d.synced();
    expect(netlink(d).resyncs).toBe(1);
    expect(learned(d)).toBe(200);
    expect([knows(d, "172.16.0.0/24"), knows(d, "192.0.2.0/24"), knows(d, "172.16.199.0/24")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(d.daemon.backend.interfaces.byName("d7")).toBeDefined();
  });

  it("a prefix that changes while it is read does not hide what was lost of it", async () => {
    await using d = await startDaemon(CONFIG, { before: MANY });
    modelIp(d.kernel, "route add 172.16.199.0/24 via 10.1.0.7 metric 3 proto 13");
    d.os.loseEvents();
    d.os.faults.duringScan(100, () => {
      modelIp(d.kernel, "route add 172.16.199.0/24 via 10.1.0.8 metric 20 proto 14");
    });
    await d.synced();
    modelIp(d.kernel, "route del 172.16.199.0/24 via 10.1.0.8 metric 20 proto 14");
    modelIp(d.kernel, "route del 172.16.199.0/24 via 10.1.0.9 proto 12");
    await d.clock.advance(0);
    expect(knows(d, "172.16.199.0/24")).toBe(true);
  });

  it("no dump with a loss in it deletes or withdraws anything: it is made again, later each time", async () => {
    await using d = await startDaemon(CONFIG, { before: MANY });
    d.writes();
    const incomplete = (): number =>
      d.daemon.backend
        .protocols()
        .find(({ protocol }) => protocol.name === "k4")!
        .protocol.kernel!.report().scan.incomplete;
    const begun = incomplete();
    d.os.loseEvents();
    for (let losses = 1; losses <= 3; losses++) {
      d.os.faults.duringScan(50, () => d.os.loseEvents(`loss ${losses}`));
      for (let i = 0; incomplete() < begun + losses && i < 100; i++) await d.clock.advance(10);
    }
    expect(incomplete()).toBe(begun + 3);
    expect([learned(d), d.writes()]).toEqual([200, []]);
    await d.synced();
    expect(netlink(d)).toMatchObject({ resyncs: 4, resync: { state: "live", "last-reason": "loss 3" } });
    expect(netlink(d).resync["last-ms"]).toBeGreaterThanOrEqual(700);
    expect([learned(d), d.writes()]).toEqual([200, []]);
  });

  it("a prune that is under way stops", async () => {
    const gone = Array.from({ length: 3000 }, (_, i) => `10.128.${i >> 8}.${i & 255}/32`);
    await using d = await startDaemon(CONFIG, {
      before: gone.map((net) => `route add ${net} via 10.1.0.9 proto 12`),
    });
    expect(learned(d)).toBe(3000);
    // All vanish silently; the walk that withdraws them takes several turns.
    modelIpAll(d.kernel, ["link set d1 down", "link set d1 up"]);
    d.os.loseEvents();
    let lost = false;
    for (let i = 0; !lost && i < 10_000; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (i % 20 === 0) await d.clock.advance(0);
      if (learned(d) < 3000) {
        lost = true;
        d.os.loseEvents("in the prune");
      }
    }
    await d.synced();
    expect(netlink(d).resync["last-reason"]).toBe("in the prune");
    expect(learned(d)).toBe(0);
  });

  it("a table that cannot be read keeps the news from nobody for ever", async () => {
    await using d = await startDaemon(CONFIG);
    d.os.faults.injectIncompleteScan(1000);
    d.os.loseEvents();
    for (let i = 0; netlink(d).resync.state !== "live" && i < 1000; i++) await d.clock.advance(100);
    expect(netlink(d)).toMatchObject({ resyncs: 5, resync: { state: "live" } });
    expect(stateOf(d)).toBe("degraded");
    modelIp(d.kernel, "route add 192.0.2.0/24 via 10.0.0.9 proto 12");
    await d.clock.advance(0);
    expect(knows(d, "192.0.2.0/24")).toBe(true);
    d.os.faults.injectIncompleteScan(0);
    await d.synced();
  });

  it("a storm is waited out, and while no notifications can be had everything is read every few seconds", async () => {
    await using d = await startDaemon(CONFIG);
    d.os.faults.injectDrained("storm", "deaf", "deaf");
    d.os.loseEvents();
    for (let i = 0; netlink(d).resyncs < 2 && i < 1000; i++) await d.clock.advance(100);
    modelIp(d.kernel, "route del 10.5.0.0/16 metric 32 proto 120");
    expect(stateOf(d)).toBe("syncing");
    await d.synced();
    expect(d.own()).toHaveLength(1);
    expect(netlink(d)).toMatchObject({ resyncs: 3, resync: { state: "live" } });
    const told = d.logged.filter(({ message }) => message.includes("can be had"));
    expect(told.map(({ level }) => level)).toEqual(["error", "info"]);
  });

  it("the end comes at once, in whatever state", async () => {
    for (const results of [[], ["storm", "storm"], ["deaf"]] as Drained[][]) {
      const d = await startDaemon(CONFIG, { before: MANY });
      d.os.faults.injectDrained(...results);
      d.os.loseEvents();
      d.os.faults.duringScan(10, () => d.os.loseEvents());
      await d.clock.advance(50);
      await d.stop();
      expect([d.own(), d.attrs.size]).toEqual([[], 0]);
    }
  });
});

/** The driver alone, its dump ended by hand. */
function driver(queueWords: number) {
  const clock = new FakeClock();
  const heard: string[] = [];
  let end: (complete: boolean) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const monitor: Monitor = {
    pause: () => void heard.push("pause"),
    drain: async () => "empty",
    resume: () => void heard.push("resume"),
    close: async () => void heard.push("close"),
  };
  const resync = new Resync({
    netns: null,
    clock,
    log: silentLog,
    sink: {
      link: ({ name }) => void heard.push(`link ${name}`),
      linkGone: () => {},
      address: () => {},
      nexthopGone: () => {},
      addressGone: () => {},
      route: ({ w0 }) => void heard.push(`route ${w0}`),
    },
    routeHeld: ({ w0 }) => void heard.push(`held ${w0}`),
    lost: () => void heard.push("lost"),
    dump: () =>
      new Promise((resolve, reject) => {
        heard.push("dump");
        end = resolve;
        fail = reject;
      }),
    heard: () => void heard.push("heard"),
    settle: () => void heard.push("settle"),
    queueWords,
  });
  resync.listenTo(monitor);
  const attrs = draftOf({ nexthops: [{ via: "10.0.0.1", device: 2 }] });
  const rest = {
    w1: 0,
    w2: 0,
    w3: 0,
    length: 24,
    table: 254,
    protocol: 12,
    type: 1,
    scope: 0,
    tos: 0,
    metric: 0,
  };
  const route = (w0: number): void => {
    const shown: KernelRoute = { family: 4, w0, ...rest, rtmFlags: 0, attrs };
    resync.route(shown, "new", 0);
  };
  const ends = { end: (complete: boolean) => end(complete), fail: () => fail(new Error("a bug")) };
  return { clock, heard, resync, route, ...ends };
}

describe("Resync", () => {
  it("passes on at once as long as nothing is lost", () => {
    const { heard, route } = driver(1 << 13);
    route(1);
    expect(heard).toEqual(["route 1"]);
  });

  it("queues while everything is read, says at once that a route event waits, and tells in order", async () => {
    const { clock, heard, resync, route, end } = driver(1 << 13);
    resync.lost("x");
    route(1);
    expect(resync.isLive).toBe(false);
    await clock.advance(0);
    route(2);
    resync.link({ name: "eth0" } as Parameters<Resync["link"]>[0]);
    route(3);
    end(true);
    await settle();
    route(4);
    expect(heard).toEqual([
      ...["pause", "lost", "resume", "dump", "held 2", "held 3"],
      ...["route 2", "link eth0", "route 3", "heard", "settle", "route 4"],
    ]);
    expect(resync.report()).toMatchObject({ state: "live", count: 1, lastReason: "x", lastDurationMs: 0 });
  });

  it("takes a queue that is full for a loss, and does not believe the dump", async () => {
    const { clock, heard, resync, route, end } = driver(1 << 12);
    resync.lost("x");
    await clock.advance(0);
    for (let i = 0; resync.report().state === "dump"; i++) route(i);
    const first = end;
    expect(resync.report()).toMatchObject({
      state: "lost",
      lastReason: expect.stringContaining("more notifications"),
    });
    first(true);
    await settle();
    expect(resync.report().state).toBe("lost");
    await clock.advance(100);
    expect(resync.report()).toMatchObject({ state: "dump", count: 2 });
    heard.length = 0;
    end(true);
    await settle();
    expect([resync.isLive, heard]).toEqual([true, ["heard"]]);
  });

  it("takes a dump that throws for an incomplete one, and reads everything again", async () => {
    const { clock, resync, end, fail } = driver(1 << 13);
    resync.lost("x");
    await clock.advance(0);
    fail();
    await settle();
    expect(resync.report().state).toBe("lost");
    await clock.advance(100);
    end(true);
    await settle();
    expect(resync.isLive).toBe(true);
  });

  it("tells nothing after its end, and begins nothing", async () => {
    const { clock, heard, resync, route } = driver(1 << 13);
    resync.lost("x");
    await resync.close();
    await resync.close();
    heard.length = 0;
    resync.lost("y");
    route(1);
    await clock.advance(10_000);
    expect([heard, resync.report()]).toEqual([
      [],
      expect.objectContaining({ state: "closed", lastReason: "x" }),
    ]);
  });
});
