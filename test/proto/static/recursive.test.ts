import { describe, expect, it } from "vitest";
import type { Filter } from "../../../src/nest/filter.ts";
import type { AttrsText } from "../../support/draft.ts";
import { settle } from "../../support/fake-clock.ts";
import { configOf, fixture, ip, link, RECURSIVE, type RouteText } from "./fixture.ts";

/** 10.8.0.0/16 follows 192.0.2.9. */
const FOLLOWER: RouteText = ["10.8.0.0/16", "recursive 192.0.2.9"];
const set = (...routes: RouteText[]) => fixture(configOf(routes));
const via = (gateway: string): AttrsText => ({ nexthops: [{ via: gateway }] });

interface Other {
  readonly prefix: string;
  readonly route: AttrsText;
  readonly from?: string;
  readonly preference?: number;
  readonly origin?: number;
}

const ROWS: readonly {
  why: string;
  spec?: string;
  others: readonly Other[];
  /** null: withdrawn. */
  shown: string | null;
}[] = [
  { why: "there is no route at all", others: [], shown: null },
  {
    why: "no route covers the address",
    others: [{ prefix: "192.0.3.0/24", route: via("10.0.0.1") }],
    shown: null,
  },
  {
    why: "a gateway stays, with its device",
    others: [{ prefix: "192.0.2.0/24", route: { nexthops: [{ via: "10.0.0.1", device: 3 }] } }],
    shown: "via 10.0.0.1 dev 3",
  },
  {
    why: "a gateway keeps its onlink",
    others: [{ prefix: "192.0.2.0/24", route: { nexthops: [{ via: "10.0.0.1", device: 3, onlink: true }] } }],
    shown: "via 10.0.0.1 dev 3 onlink",
  },
  {
    why: "on a device alone the address is the gateway",
    others: [{ prefix: "192.0.2.0/24", route: { nexthops: [{ device: 3 }] } }],
    shown: "via 192.0.2.9 dev 3",
  },
  {
    why: "an IPv6 gateway stays one",
    others: [{ prefix: "192.0.2.0/24", route: { nexthops: [{ via: "fe80::1", device: 3 }] } }],
    shown: "via fe80::1 dev 3",
  },
  {
    why: "several nexthops keep their weights",
    others: [
      {
        prefix: "192.0.2.0/24",
        route: {
          nexthops: [
            { via: "10.0.0.1", weight: 3 },
            { device: 4, weight: 2 },
          ],
        },
      },
    ],
    shown: "via 10.0.0.1 weight 3 & via 192.0.2.9 dev 4 weight 2",
  },
  {
    why: "two nexthops that become one for this address count together",
    others: [
      {
        prefix: "192.0.2.0/24",
        route: {
          nexthops: [
            { via: "192.0.2.9", device: 4, weight: 3 },
            { device: 4, weight: 2 },
          ],
        },
      },
    ],
    shown: "via 192.0.2.9 dev 4",
  },
  ...(["blackhole", "unreachable", "prohibit", "throw"] as const).map((type) => ({
    why: `packets to the address meet a ${type} route, and so do those that go there`,
    others: [{ prefix: "192.0.2.0/24", route: { type } }],
    shown: type,
  })),
  {
    why: "the longest prefix answers",
    others: [
      { prefix: "0.0.0.0/0", route: via("10.0.0.1") },
      { prefix: "192.0.2.8/30", route: via("10.0.0.2") },
      { prefix: "192.0.2.0/24", route: via("10.0.0.3"), preference: 60000 },
    ],
    shown: "via 10.0.0.2",
  },
  {
    why: "a default route covers every address",
    others: [{ prefix: "0.0.0.0/0", route: via("10.0.0.1") }],
    shown: "via 10.0.0.1",
  },
  {
    why: "a host route is a route too",
    others: [{ prefix: "192.0.2.9/32", route: via("10.0.0.1") }],
    shown: "via 10.0.0.1",
  },
  {
    why: "of several routes of a net the best is followed",
    others: [
      { prefix: "192.0.2.0/24", route: via("10.0.0.1"), preference: 10 },
      { prefix: "192.0.2.0/24", route: via("10.0.0.2"), preference: 20, from: "third" },
    ],
    shown: "via 10.0.0.2",
  },
  {
    why: "recursive routes do not count: alone they are no way",
    others: [{ prefix: "192.0.2.0/24", route: via("10.0.0.1"), origin: RECURSIVE }],
    shown: null,
  },
  {
    why: "recursive routes do not count: a shorter prefix is looked at",
    others: [
      { prefix: "192.0.2.0/24", route: via("10.0.0.1"), origin: RECURSIVE },
      { prefix: "192.0.0.0/16", route: via("10.0.0.2") },
    ],
    shown: "via 10.0.0.2",
  },
  {
    why: "recursive routes do not count: the next best of the net is looked at",
    others: [
      { prefix: "192.0.2.0/24", route: via("10.0.0.1"), origin: RECURSIVE, preference: 20 },
      { prefix: "192.0.2.0/24", route: via("10.0.0.2"), from: "third" },
    ],
    shown: "via 10.0.0.2",
  },
  {
    why: "prefsrc, mtu and metric are the route's own, not those of the route it follows",
    spec: "recursive 192.0.2.9 metric 7 mtu 1400 src 10.0.0.5",
    others: [
      {
        prefix: "192.0.2.0/24",
        route: { ...via("10.0.0.1"), metrics: { 2: 1300, 8: 5 }, prefsrc: "10.0.0.6", scope: 253, flow: 3 },
      },
    ],
    shown: "via 10.0.0.1 src 10.0.0.5 mtu 1400 metric 7",
  },
  {
    why: "an encapsulation that krtd cannot write is no way",
    others: [
      { prefix: "192.0.2.0/24", route: { nexthops: [{ device: 3, encap: 9 }], opaque: 9 } },
      { prefix: "0.0.0.0/0", route: via("10.0.0.1") },
    ],
    shown: null,
  },
  {
    why: "what else krtd does not understand of a route says nothing about where it goes",
    others: [{ prefix: "192.0.2.0/24", route: { ...via("10.0.0.1"), opaque: 9 } }],
    shown: "via 10.0.0.1",
  },
];

describe("a recursive route", () => {
  it.each(ROWS)("is $shown: $why", async ({ spec = FOLLOWER[1], others, shown }) => {
    const expected = shown === null ? {} : { "10.8.0.0/16": `${shown} recursive` };
    for (const order of ["before", "after"]) {
      const f = set(["10.8.0.0/16", spec]);
      const announceOthers = (): void => {
        for (const { prefix, route, ...more } of others) f.other(prefix, route, more);
      };
      if (order === "before") announceOthers();
      await f.protocol.start();
      if (order === "after") {
        announceOthers();
        await f.clock.advance(1000);
      }
      expect(f.announced(), order).toEqual(expected);
      expect(f.protocol.info()).toBe(shown === null ? "1 recursive route unresolved" : "");
      expect(f.protocol.channels[0]!.stats.importWithdraws.received).toBe(0);
      expect(f.protocol.route(0).recursive).toEqual(ip("192.0.2.9"));
      expect(f.protocol.route(0).attrs === null).toBe(shown === null);
      expect(await f.leftovers()).toEqual([0, 0, 0]);
    }
  });

  it("follows a plain route of its own protocol, wherever it stands in the configuration", async () => {
    const f = set(FOLLOWER, ["192.0.2.0/24", "via 10.0.0.1 dev eth0 onlink"]);
    await f.protocol.start();
    expect(f.announced()["10.8.0.0/16"]).toMatch(/^via 10.0.0.1 dev -\d onlink recursive$/);
    f.interfaces.link(link(3, "eth0"));
    await f.clock.advance(100);
    expect(f.announced()).toEqual({
      "10.8.0.0/16": "via 10.0.0.1 dev 3 onlink recursive",
      "192.0.2.0/24": "via 10.0.0.1 dev 3 onlink",
    });
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("never follows another one, not in a circle either", async () => {
    const f = set(
      ["10.1.0.0/16", "recursive 10.2.0.1"],
      ["10.2.0.0/16", "recursive 10.1.0.1"],
      ["10.3.0.0/16", "recursive 10.3.0.1"],
    );
    await f.protocol.start();
    expect([f.announced(), f.protocol.info()]).toEqual([{}, "3 recursive routes unresolved"]);
    f.other("10.0.0.0/8", via("10.0.0.1"));
    await f.clock.advance(1000);
    const all = "via 10.0.0.1 recursive";
    expect(f.announced()).toEqual({ "10.1.0.0/16": all, "10.2.0.0/16": all, "10.3.0.0/16": all });
    f.unother("10.0.0.0/8");
    await f.clock.advance(1000);
    expect(f.announced()).toEqual({});
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("stays when it is better than the route of its own net that it follows", async () => {
    const f = set(["192.0.2.0/24", "recursive 192.0.2.9"]);
    f.other("192.0.2.0/24", via("10.0.0.1"));
    await f.protocol.start();
    await f.clock.advance(1000);
    expect(f.changes).toEqual(["+ 192.0.2.0/24", "+ 192.0.2.0/24"]);
    f.other("192.0.2.0/24", via("10.0.0.2"));
    await f.clock.advance(1000);
    expect(f.announced()).toEqual({ "192.0.2.0/24": "via 10.0.0.2 recursive" });
    f.unother("192.0.2.0/24");
    await f.clock.advance(1000);
    expect(f.announced()).toEqual({});
    await f.protocol.stop();
  });

  it("follows IPv6 addresses by all their bits", async () => {
    const f = fixture(
      configOf(
        [
          ["2001:db8:a::/48", "recursive 2001:db8::1:0:0:1"],
          ["2001:db8:b::/48", "recursive 2001:db8::1:0:0:2"],
          ["2001:db8:c::/48", "recursive ffff::1"],
        ],
        { family: 6 },
      ),
    );
    await f.protocol.start();
    f.other("2001:db8::1:0:0:2/128", via("fe80::2"));
    await f.clock.advance(100);
    expect(f.announced()).toEqual({ "2001:db8:b::/48": "via fe80::2 recursive" });
    f.other("2001:db8:0:0:1::/80", { nexthops: [{ device: 3 }] });
    await f.clock.advance(100);
    expect(f.announced()).toEqual({
      "2001:db8:a::/48": "via 2001:db8::1:0:0:1 dev 3 recursive",
      "2001:db8:b::/48": "via fe80::2 recursive",
    });
    expect(f.protocol.info()).toBe("1 recursive route unresolved");
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });
});

describe("looking up recursive routes", () => {
  it("happens at once, in another turn than the change", async () => {
    const f = set(FOLLOWER);
    await f.protocol.start();
    await f.clock.advance(1000);
    f.other("192.0.2.0/24", via("10.0.0.1"));
    expect(f.announced()).toEqual({});
    await settle();
    expect(f.announced()).toEqual({ "10.8.0.0/16": "via 10.0.0.1 recursive" });
    await f.protocol.stop();
  });

  it("makes a few changes of a route that flaps", async () => {
    const f = set(FOLLOWER);
    await f.protocol.start();
    await f.clock.advance(1000);
    f.changes.length = 0;
    for (let i = 0; i < 100; i++) {
      f.other("192.0.2.0/24", via("10.0.0.1"));
      await f.clock.advance(1);
      f.unother("192.0.2.0/24");
      await f.clock.advance(1);
    }
    f.other("192.0.2.0/24", via("10.0.0.2"));
    await f.clock.advance(1000);
    const own = f.changes.filter((change) => change.endsWith("10.8.0.0/16"));
    // 200 ms at one look in 50 ms, the first at once.
    expect(own.length).toBeLessThanOrEqual(6);
    expect(f.announced()).toEqual({ "10.8.0.0/16": "via 10.0.0.2 recursive" });
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("is silent when the route goes where it went", async () => {
    const f = set(FOLLOWER);
    f.other("192.0.2.0/24", { ...via("10.0.0.1"), metrics: { 2: 1300 } });
    await f.protocol.start();
    f.changes.length = 0;
    f.other("192.0.2.0/24", { ...via("10.0.0.1"), metrics: { 2: 1400 } });
    await f.clock.advance(1000);
    f.other("192.0.2.9/32", via("10.0.0.1"));
    await f.clock.advance(1000);
    f.unother("192.0.2.9/32");
    await f.clock.advance(1000);
    expect(f.changes.filter((change) => change.endsWith("10.8.0.0/16"))).toEqual([]);
    await f.protocol.stop();
  });

  it("does not wait in sourcesFed(), nor in fed, though it was looked up just now", async () => {
    const f = set(FOLLOWER);
    await f.protocol.start();
    f.other("192.0.2.0/24", via("10.0.0.1"));
    f.protocol.sourcesFed();
    await Promise.resolve();
    await settle();
    expect(f.announced()).toEqual({ "10.8.0.0/16": "via 10.0.0.1 recursive" });
    f.other("192.0.2.0/24", via("10.0.0.2"));
    await f.protocol.fed;
    expect(f.announced()).toEqual({ "10.8.0.0/16": "via 10.0.0.2 recursive" });
    await f.protocol.stop();
  });

  it("goes on while a net that covers flaps between two looks", async () => {
    const f = set(FOLLOWER, ["10.9.0.0/16", "recursive 192.0.2.10"]);
    f.other("0.0.0.0/0", via("10.0.0.1"));
    await f.protocol.start();
    for (const gateway of ["10.0.0.2", "10.0.0.3", "10.0.0.4"]) {
      f.unother("0.0.0.0/0");
      f.other("0.0.0.0/0", via(gateway));
      f.unother("0.0.0.0/0");
      f.other("0.0.0.0/0", via(gateway));
      await f.clock.advance(60);
      const shown = `via ${gateway} recursive`;
      expect(f.announced()).toEqual({ "10.8.0.0/16": shown, "10.9.0.0/16": shown });
    }
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("ends with the protocol, a wait for it too", async () => {
    const f = set(FOLLOWER);
    await f.protocol.start();
    f.other("192.0.2.0/24", via("10.0.0.1"));
    await settle();
    f.other("192.0.2.0/24", via("10.0.0.2"));
    await settle();
    await f.protocol.stop();
    f.other("192.0.2.0/24", via("10.0.0.3"));
    await f.clock.advance(1000);
    expect(f.announced()).toEqual({});
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("asks an import filter again that asks for names of devices", async () => {
    const noUplink: Filter = {
      name: "no-uplink",
      key: "no-uplink",
      asksDevices: true,
      rejectsAll: false,
      apply: ({ attrs }, context) =>
        context.attrs.describe(attrs).nexthops.every(({ device }) => context.deviceName(device) !== "uplink"),
    };
    const f = fixture(configOf([FOLLOWER], { import: noUplink }));
    f.other("192.0.2.0/24", { nexthops: [{ device: 3 }] });
    f.interfaces.link(link(3, "uplink"));
    await f.protocol.start();
    expect(f.announced()).toEqual({});
    f.interfaces.link(link(3, "eth0"));
    await f.clock.advance(100);
    expect(f.announced()).toEqual({ "10.8.0.0/16": "via 192.0.2.9 dev 3 recursive" });
    f.interfaces.link(link(3, "uplink"));
    await f.clock.advance(100);
    expect(f.announced()).toEqual({});
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });
});

describe("a route that becomes recursive and the best in one change", () => {
  it("is followed no more, though a recursive one of another source stood before it", async () => {
    const f = fixture(configOf([["10.99.0.0/16", "recursive 10.1.2.3"]]));
    f.other(
      "10.1.0.0/16",
      { nexthops: [{ via: "192.0.2.9" }] },
      { from: "r", preference: 300, origin: RECURSIVE },
    );
    f.other("10.1.0.0/16", { nexthops: [{ via: "192.0.2.1" }] }, { from: "p", preference: 100 });
    await f.protocol.start();
    const before = f.announced();
    expect(Object.keys(before)).toEqual(["10.99.0.0/16"]);
    // p's route becomes recursive and the best, in one change.
    f.other(
      "10.1.0.0/16",
      { nexthops: [{ via: "192.0.2.1" }] },
      { from: "p", preference: 400, origin: RECURSIVE },
    );
    await f.clock.advance(1000);
    expect(f.announced()).toEqual({});
  });
});
