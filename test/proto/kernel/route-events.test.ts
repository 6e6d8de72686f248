/**
 * What one notification leads to, before any scan: the rows are the lines of the essay in route-events.ts. The clock
 * stands still while an event is handled; a scan that was asked for comes 50 ms later.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatPrefix } from "../../../src/lib/prefix.ts";
import type { DriftRecord, KernelState } from "../../../src/nest/protocol.ts";
import type { RouteOperation } from "../../../src/sysdep/model/index.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip, OWN, prefixOf, safety } from "./fixture.ts";

const STATIC = 4;
const REDIRECT = 1;
const BLACKHOLE = 6;
const FOREIGN_PORT = 4242;

const WORDS = {
  4: { net: "10.1.0.0/16", other: "10.2.0.0/16", gateways: ["10.0.0.2", "10.0.0.3"] },
  6: { net: "2001:db8:10::/48", other: "2001:db8:20::/48", gateways: ["2001:db8:0:1::2", "2001:db8:0:1::3"] },
} as const;

/** Gateway 0 is the one krtd wants. Without one: a blackhole. */
interface Harm {
  readonly op: RouteOperation;
  readonly protocol?: number;
  readonly metric?: number;
  readonly gateway?: 0 | 1;
  readonly mtu?: number;
  readonly net?: "other";
}

interface Row {
  readonly why: string;
  readonly harm: readonly Harm[];
  /** Written at once, without any scan; "FAMILY 4" and "FAMILY 6" where they differ. */
  readonly writes: readonly string[] | Readonly<Record<4 | 6, readonly string[]>>;
  /** Kinds of drift, with what krtd did about it. */
  readonly drift?: readonly string[] | Readonly<Record<4 | 6, readonly string[]>>;
  /** A scan is asked for. */
  readonly scan?: boolean | Readonly<Record<4 | 6, boolean>>;
  /** What the net is in before that scan; "synced" when absent. */
  readonly state?: KernelState;
  /** And after it. */
  readonly after?: KernelState;
}

const ROWS: readonly Row[] = [
  {
    why: "ours, gone, just as we sent it: added at once",
    harm: [{ op: "delete", protocol: OWN, metric: 32 }],
    writes: ["add NET metric 32"],
    drift: ["deleted, repaired"],
  },
  {
    why: "ours, replaced by another gateway: put right at once",
    harm: [{ op: "replace", protocol: OWN, metric: 32, gateway: 1 }],
    writes: { 4: ["replace NET metric 32"], 6: ["delete NET metric 32", "add NET metric 32"] },
    drift: ["changed, repaired"],
    scan: { 4: false, 6: true },
  },
  {
    why: "ours, replaced by one with an mtu: put right at once",
    harm: [{ op: "replace", protocol: OWN, metric: 32, gateway: 0, mtu: 1300 }],
    writes: { 4: ["replace NET metric 32"], 6: ["delete NET metric 32", "add NET metric 32"] },
    drift: ["changed, repaired"],
    scan: { 4: false, 6: true },
  },
  {
    why: "ours, replaced by a blackhole with our number: put right at once",
    harm: [{ op: "replace", protocol: OWN, metric: 32 }],
    writes: { 4: ["replace NET metric 32"], 6: ["delete NET metric 32", "add NET metric 32"] },
    drift: ["changed, repaired"],
    scan: { 4: false, 6: true },
  },
  {
    why: "ours, replaced by a foreign one: never fought over, and failed with that rival",
    harm: [{ op: "replace", protocol: STATIC, metric: 32, gateway: 1 }],
    writes: [],
    drift: ["taken, left"],
    scan: true,
    state: "failed",
    after: "failed",
  },
  {
    why: "ours, replaced by a foreign blackhole: never fought over either",
    harm: [{ op: "replace", protocol: STATIC, metric: 32 }],
    writes: [],
    drift: ["taken, left"],
    scan: true,
    state: "failed",
    after: "failed",
  },
  {
    why: "foreign, gone from our key, which it had taken: added at once",
    harm: [
      { op: "replace", protocol: STATIC, metric: 32, gateway: 1 },
      { op: "delete", protocol: STATIC, metric: 32 },
    ],
    writes: ["add NET metric 32"],
    drift: ["taken, left"],
    scan: true,
  },
  {
    why: "foreign, gone from our key, where ours stands: nothing to do but to look",
    harm: [
      { op: "append", protocol: STATIC, metric: 32 },
      { op: "delete", protocol: STATIC, metric: 32 },
    ],
    writes: [],
    scan: true,
    state: "pending",
  },
  {
    why: "a redirect: deleted",
    harm: [{ op: "add", protocol: REDIRECT, metric: 7, gateway: 1, net: "other" }],
    writes: ["delete OTHER metric 7"],
  },
  {
    why: "a redirect beside ours: deleted",
    harm: [{ op: "add", protocol: REDIRECT, metric: 7, gateway: 1 }],
    writes: ["delete NET metric 7"],
  },
  {
    why: "an alien route elsewhere: nothing",
    harm: [
      { op: "add", protocol: STATIC, metric: 32, gateway: 1, net: "other" },
      { op: "replace", protocol: STATIC, metric: 32, gateway: 0, net: "other" },
      { op: "delete", protocol: STATIC, metric: 32, net: "other" },
    ],
    writes: [],
  },
  {
    why: "an alien route of our net at another metric: nothing",
    harm: [{ op: "add", protocol: STATIC, metric: 7, gateway: 1 }],
    writes: [],
  },
  {
    why: "a route with our number that nobody wants: the scan deletes it",
    harm: [{ op: "add", protocol: OWN, metric: 7, gateway: 0 }],
    writes: [],
    scan: true,
  },
  {
    why: "one that came and went: whoever made it has put it right",
    harm: [
      { op: "add", protocol: OWN, metric: 7, gateway: 0, net: "other" },
      { op: "delete", protocol: OWN, metric: 7, net: "other" },
    ],
    writes: [],
    scan: true,
  },
  {
    why: "a second one of ours at our key: the scan sorts them out",
    harm: [{ op: "append", protocol: OWN, metric: 32, gateway: 1 }],
    writes: [],
    scan: true,
    state: "pending",
  },
  {
    why: "a foreign one at our key beside ours: nothing is replaced there before a scan has looked",
    harm: [{ op: "append", protocol: STATIC, metric: 32 }],
    writes: [],
    scan: true,
    state: "pending",
  },
  {
    why: "ours deleted while a foreign one shares the key: added, behind or before it",
    harm: [
      { op: "append", protocol: STATIC, metric: 32 },
      { op: "delete", protocol: OWN, metric: 32 },
    ],
    writes: ["add NET metric 32 !17"],
    drift: ["deleted, repaired"],
    scan: true,
    state: "failed",
    after: "failed",
  },
];

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

describe.each([4, 6] as const)("RouteEvents of IPv%i", (family) => {
  const { net, other, gateways } = WORDS[family];
  const wanted = { nexthops: [{ via: gateways[0] }] };

  const harm = ({ gateway, mtu, net: which, ...request }: Harm): void => {
    const hops = gateway === undefined ? [] : [{ gateway: ip(gateways[gateway]), device: 0 }];
    const errno = f.foreign({
      ...request,
      prefix: which === undefined ? net : other,
      ...(gateway === undefined && request.op !== "delete" ? { type: BLACKHOLE } : { nexthops: hops }),
      metrics: new Map(mtu === undefined ? [] : [[2, mtu]]),
    });
    expect(errno).toBe(0);
  };
  const drift = (): string[] => f.protocol.drift.map(({ kind, reaction }) => `${kind}, ${reaction}`);
  const scans = (): number => f.protocol.report().scan.count;
  const of = <T>(value: T | Readonly<Record<4 | 6, T>>): T =>
    (typeof value === "object" && value !== null && 4 in value ? value[family] : value) as T;

  beforeEach(async () => {
    f = await fixture({ family });
    f.want(net, wanted);
    await f.start();
    f.writes();
  });

  it.each(ROWS)("$why", async (row) => {
    const shownBefore = f.shown();
    const before = scans();
    for (const one of row.harm) {
      harm(one);
      await settle();
    }
    expect(f.writes()).toEqual(
      of(row.writes).map((line) => line.replace("NET", net).replace("OTHER", other)),
    );
    expect(drift()).toEqual(of(row.drift ?? []));
    expect(f.status(net).state).toBe(row.state ?? "synced");
    expect(scans()).toBe(before);
    await f.clock.advance(50);
    expect(scans() > before).toBe(of(row.scan ?? false));
    await f.clock.advance(5000);
    expect(f.status(net).state).toBe(row.after ?? "synced");
    if ((row.after ?? "synced") === "synced") expect(f.shown()).toEqual(expect.arrayContaining(shownBefore));
    const foreign = f.kernel.routes(family, 254).filter(({ protocol }) => protocol === STATIC);
    f.writes();
    await f.scan();
    expect(f.writes()).toEqual([]);
    // Nothing of the others' is ever touched.
    expect(f.kernel.routes(family, 254).filter(({ protocol }) => protocol === STATIC)).toEqual(foreign);
  });

  it("tells of a drift what, whose, from what to what, and in one line of the log", async () => {
    harm({ op: "replace", protocol: OWN, metric: 32, gateway: 1 });
    await settle();
    const [record, ...more] = f.protocol.drift;
    expect(more).toEqual([]);
    const before = { nexthops: [{ gateway: ip(gateways[0]) }] };
    const after = { nexthops: [{ gateway: ip(gateways[1]) }] };
    expect(record).toMatchObject({
      at: f.clock.wall(),
      protocol: "k",
      prefix: prefixOf(net),
      metric: 32,
      kind: "changed",
      seenBy: "event",
      port: FOREIGN_PORT,
      before,
      after,
      reaction: "repaired",
    } satisfies { [key in keyof DriftRecord]: unknown });
    expect(f.logged.filter(({ level }) => level === "warn")).toEqual([
      {
        level: "warn",
        message: "a route of ours was changed by somebody else",
        fields: { protocol: "k", prefix: net, metric: 32, port: FOREIGN_PORT, reaction: "repaired" },
      },
    ]);
  });

  it("names the rival that has taken a key, and counts nothing as repaired", async () => {
    harm({ op: "replace", protocol: STATIC, metric: 32, gateway: 1 });
    await settle();
    expect(f.status(net)).toMatchObject({ state: "failed", errno: 17 });
    expect(f.status(net).message).toContain("proto static");
    expect(f.protocol.report()).toMatchObject({ failed: 1, repaired: 0 });
    expect(f.protocol.drift[0]).toMatchObject({ kind: "taken", seenBy: "event", port: FOREIGN_PORT });
  });

  it("counts what it repaired", async () => {
    for (const gateway of [1, 1] as const) {
      harm({ op: "replace", protocol: OWN, metric: 32, gateway });
      await f.clock.advance(1000);
    }
    harm({ op: "delete", protocol: OWN, metric: 32 });
    await f.clock.advance(1000);
    expect(f.protocol.report().repaired).toBe(3);
  });

  it("writes nothing for a net that nobody wants any more", async () => {
    f.unwant(net);
    await settle();
    f.writes();
    harm({ op: "add", protocol: OWN, metric: 32, gateway: 0 });
    await settle();
    expect(f.writes()).toEqual([]);
    await f.clock.advance(50);
    expect(f.writes()).toEqual([`delete ${net} metric 32`]);
    expect(f.protocol.drift).toEqual([]);
  });

  it("repairs on, contests, and leaves the other nets their speed", async () => {
    f.want(other, wanted);
    await settle();
    f.writes();
    for (let i = 0; i < 30; i++) {
      harm({ op: "delete", protocol: OWN, metric: 32, gateway: 0 });
      await settle();
      if (f.writes().length === 0) break;
    }
    expect(f.status(net).state).toBe("contested");
    expect(drift().at(-1)).toBe("deleted, left");
    harm({ op: "delete", protocol: OWN, metric: 32, net: "other" });
    await settle();
    expect(f.writes()).toEqual([`add ${other} metric 32`]);
  });
});

describe("RouteEvents", () => {
  it.each([4, 6] as const)("are not needed: without them a scan of IPv%i tells the same", async (family) => {
    const { net, other, gateways } = WORDS[family];
    f = await fixture({ family });
    f.os.faults.withoutMonitor = true;
    const nets = [net, other, family === 4 ? "10.3.0.0/16" : "2001:db8:30::/48"];
    for (const each of nets) f.want(each, { nexthops: [{ via: gateways[0] }] });
    await f.start();
    f.writes();
    const nexthops = [{ gateway: ip(gateways[1]), device: 0 }];
    f.foreign({ op: "replace", prefix: nets[0]!, protocol: STATIC, metric: 32, nexthops });
    f.foreign({ op: "replace", prefix: nets[1]!, protocol: OWN, metric: 32, nexthops });
    f.foreign({ op: "delete", prefix: nets[2]!, protocol: OWN, metric: 32 });
    await f.clock.advance(5000);
    expect(f.protocol.drift).toEqual([]);
    await f.scan();
    const told = f.protocol.drift.map(({ prefix, kind, seenBy, reaction, port }) => {
      const { w0, w1, w2, w3, length } = prefix;
      return `${formatPrefix(family, w0, w1, w2, w3, length)} ${kind}, ${reaction}, by ${seenBy} ${port}`;
    });
    expect(told.sort()).toEqual([
      `${nets[0]} taken, left, by scan null`,
      `${nets[1]} changed, repaired, by scan null`,
      `${nets[2]} deleted, repaired, by scan null`,
    ]);
    expect(f.status(nets[0]!).state).toBe("failed");
    for (const each of nets.slice(1)) expect(f.status(each).state).toBe("synced");
  });

  const { net, gateways } = WORDS[4];
  const wanted = { nexthops: [{ via: gateways[0] }] };
  const remove = (): number => f.foreign({ op: "delete", prefix: net, protocol: OWN, metric: 32 });

  it("writes nothing while observing, and tells all the same", async () => {
    f = await fixture({ observe: true });
    f.want(net, wanted);
    const nexthops = [{ gateway: ip(gateways[0]), device: 0 }];
    f.foreign({ op: "add", prefix: net, protocol: OWN, metric: 32, nexthops });
    await f.start();
    expect(f.status(net).state).toBe("synced");
    remove();
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([]);
    expect(f.protocol.drift).toMatchObject([{ kind: "deleted", reaction: "left", port: FOREIGN_PORT }]);
  });

  it("takes for no drift, and no quarrel, what the kernel did by itself, however often", async () => {
    f = await fixture({ family: 6 });
    f.want(WORDS[6].net, { nexthops: [{ via: WORDS[6].gateways[0] }] });
    f.want(WORDS[6].other, { nexthops: [{ device: f.kernel.links.byName("v0")!.ifindex }] });
    await f.start();
    f.writes();
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    for (let flaps = 0; flaps < 30; flaps++) {
      f.kernel.setDown(v0);
      await f.clock.advance(100);
      expect(f.shown()).toEqual([]);
      f.kernel.setUp(v0);
      f.kernel.addAddress(v0, ip("2001:db8:0:1::1"), 64);
      await f.clock.advance(300);
    }
    expect(f.status(WORDS[6].net).state).toBe("synced");
    expect(f.status(WORDS[6].other).state).toBe("synced");
    expect(f.protocol.drift).toEqual([]);
    expect(f.protocol.report().contested).toBe(0);
  });

  it("writes nothing before a scan was complete", async () => {
    f = await fixture();
    f.want(net, wanted);
    f.foreign({ op: "add", prefix: net, protocol: STATIC, metric: 32, type: BLACKHOLE });
    f.os.faults.injectIncompleteScan(5);
    void f.start();
    await settle();
    f.foreign({ op: "delete", prefix: net, protocol: STATIC, metric: 32 });
    f.foreign({ op: "add", prefix: WORDS[4].other, protocol: REDIRECT, metric: 7, type: BLACKHOLE });
    await settle();
    expect(f.writes()).toEqual([]);
    await f.clock.advance(60_000);
    expect(f.writes()).toEqual([`add ${net} metric 32`]);
  });

  it("takes no replacement in front of ours for a change of ours", async () => {
    f = await fixture();
    f.want(net, wanted);
    await f.start();
    f.writes();
    const nexthops = [{ gateway: ip(gateways[1]), device: 0 }];
    f.foreign({ op: "prepend", prefix: net, protocol: STATIC, metric: 32, nexthops });
    f.foreign({ op: "replace", prefix: net, protocol: OWN, metric: 32, type: BLACKHOLE });
    await settle();
    expect([f.writes(), f.protocol.drift]).toEqual([[], []]);
    await f.clock.advance(1000);
    expect(f.shown()).toHaveLength(1);
    expect(f.status(net).state).toBe("synced");
  });

  it("takes no replacement within another class of IPv6 for one of ours", async () => {
    f = await fixture({ family: 6 });
    const prefix = WORDS[6].net;
    f.want(prefix, { nexthops: [{ via: WORDS[6].gateways[0] }] });
    await f.start();
    f.foreign({ op: "append", prefix, protocol: STATIC, metric: 32, type: BLACKHOLE });
    await f.clock.advance(1000);
    await f.scan();
    f.writes();
    expect(f.status(prefix).state).toBe("synced");
    f.foreign({ op: "replace", prefix, protocol: 16, metric: 32, type: BLACKHOLE });
    await f.clock.advance(1000);
    expect(f.protocol.drift).toEqual([]);
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toHaveLength(2);
    expect(f.status(prefix).state).toBe("synced");
  });

  it("believes no REPLACE behind a foreign route", async () => {
    f = await fixture();
    f.want(net, wanted);
    await f.start();
    f.writes();
    const nexthops = [{ gateway: ip(gateways[1]), device: 0 }];
    f.foreign({ op: "prepend", prefix: net, protocol: STATIC, metric: 32, nexthops });
    // Overwrites the foreign one: with ours behind it, that is no change of ours.
    f.foreign({ op: "replace", prefix: net, protocol: STATIC, metric: 32, type: BLACKHOLE });
    await f.clock.advance(5000);
    expect(f.writes()).toEqual([]);
    expect(f.protocol.drift).toEqual([]);
    expect(f.shown()).toHaveLength(2);
  });

  it("asks for one scan after many events it cannot explain", async () => {
    f = await fixture({ safety: safety([], 100) });
    f.want(net, wanted);
    await f.start();
    const before = f.protocol.report().scan.count;
    for (let metric = 100; metric < 200; metric++) {
      f.foreign({ op: "add", prefix: net, protocol: OWN, metric, type: BLACKHOLE });
    }
    await f.clock.advance(50);
    expect(f.protocol.report().scan.count).toBe(before + 1);
    expect(f.shown()).toHaveLength(1);
  });
});
