import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import { settle } from "../../support/fake-clock.ts";
import { configOf, fixture, ip, link, type RouteText } from "./fixture.ts";

const set = (...routes: RouteText[]) => fixture(configOf(routes));

describe("StaticProtocol", () => {
  it("announces what is configured, and withdraws it when it stops, holding no reference", async () => {
    const { protocol, announced, leftovers } = set(
      ["10.1.0.0/16", "via 10.0.0.2 metric 50 mtu 1400 src 10.0.0.1"],
      ["10.2.0.0/16", "blackhole"],
    );
    expect(protocol.info()).toBe("");
    await protocol.start();
    expect(announced()).toEqual({
      "10.1.0.0/16": "via 10.0.0.2 src 10.0.0.1 mtu 1400 metric 50",
      "10.2.0.0/16": "blackhole",
    });
    expect(protocol.route(1)).toMatchObject({ attrs: { type: "blackhole" }, metric: null, recursive: null });
    expect(protocol.info()).toBe("");
    await protocol.stop();
    expect(await leftovers()).toEqual([0, 0, 0]);
    expect(protocol.route(1).attrs).toBeNull();
    const [gateway, prefsrc] = [ip("10.0.0.2"), ip("10.0.0.1")];
    expect(protocol.route(0).configured).toMatchObject({ nexthops: [{ gateway }], prefsrc });
    expect(protocol.route(1).configured).toMatchObject({ type: "blackhole", nexthops: [] });
  });

  it("follows its device as it comes, gets renamed and goes, and touches no other route", async () => {
    const { protocol, interfaces, changes, announced } = set(
      ["10.1.0.0/16", "dev tun0"],
      ["10.2.0.0/16", "via 10.0.0.2"],
    );
    await protocol.start();
    const { importUpdates } = protocol.channels[0]!.stats;
    expect(importUpdates.received).toBe(2);
    const device = () => Number(announced()["10.1.0.0/16"]!.replace("dev ", ""));
    expect(device()).toBeLessThan(0);
    changes.length = 0;
    interfaces.link(link(7, "tun0"));
    await settle();
    expect(device()).toBe(7);
    interfaces.link(link(7, "tun9"));
    await settle();
    expect(device()).toBeLessThan(0);
    interfaces.link(link(8, "tun0"));
    await settle();
    expect(device()).toBe(8);
    interfaces.linkGone(8);
    await settle();
    expect(device()).toBeLessThan(0);
    expect(changes).toEqual(Array(4).fill("+ 10.1.0.0/16"));
    expect(importUpdates.received).toBe(6);
    await protocol.stop();
  });

  it("makes one change of what happens in one turn", async () => {
    const { protocol, interfaces, changes } = set(["10.1.0.0/16", "dev tun0"]);
    await protocol.start();
    changes.length = 0;
    for (let i = 0; i < 5; i++) {
      interfaces.link(link(7, "tun0"));
      interfaces.linkGone(7);
    }
    interfaces.link(link(8, "tun0"));
    await settle();
    expect(changes).toEqual(["+ 10.1.0.0/16"]);
    await protocol.stop();
  });

  it.each([
    {
      spec: "via 10.0.0.2 weight 7",
      shown: "via 10.0.0.2",
      why: "the kernel keeps no weight of an only nexthop",
    },
    {
      spec: "nexthop via 10.0.0.2 weight 7 nexthop via 10.0.0.3 weight 2",
      shown: "via 10.0.0.2 weight 7 & via 10.0.0.3 weight 2",
      why: "of several, it says how packets are shared out",
    },
    { spec: "via 2001:db8::1", shown: "via 2001:db8::1", why: "IPv4 by an IPv6 gateway (RFC 8950)" },
    {
      spec: "nexthop via 2001:db8::1 nexthop via 10.0.0.2",
      shown: "via 10.0.0.2 & via 2001:db8::1",
      why: "gateways of both families may stand together",
    },
  ])("makes $shown of $spec: $why", async ({ spec, shown }) => {
    const { protocol, announced } = set(["10.1.0.0/16", spec]);
    await protocol.start();
    expect(announced()).toEqual({ "10.1.0.0/16": shown });
    await protocol.stop();
  });

  it("tells the gateway's own family in route()", async () => {
    const { protocol } = set(["10.1.0.0/16", "via 2001:db8::1 src 10.0.0.1"]);
    await protocol.start();
    expect(protocol.route(0).attrs).toMatchObject({
      nexthops: [{ gateway: ip("2001:db8::1") }],
      prefsrc: ip("10.0.0.1"),
    });
    await protocol.stop();
  });

  it("yields to the event loop at least every 1,024 changes", async () => {
    const routes = Array.from(
      { length: 5000 },
      (_, i): RouteText => [`10.${i >> 8}.${i & 255}.0/24`, "blackhole"],
    );
    const { protocol, clock, table } = set(...routes);
    const counts: number[] = [];
    clock.yield = () => {
      counts.push(table.routeCount);
      return systemClock.yield();
    };
    await protocol.start();
    expect(counts).toEqual([1024, 2048, 3072, 4096]);
    await protocol.stop();
  });

  it("announces nothing more once it is to stop", async () => {
    const routes = Array.from(
      { length: 5000 },
      (_, i): RouteText => [`10.${i >> 8}.${i & 255}.0/24`, "blackhole"],
    );
    const { protocol, clock } = set(...routes);
    const started = protocol.start();
    await clock.yield();
    const stopped = protocol.stop();
    await Promise.all([started, stopped]);
    expect(protocol.channels[0]!.stats.importUpdates.received).toBeLessThan(3000);
  });

  it.each([0, 1, 2, 3, 4])(
    "leaves no listener nor timer behind, stopped %i steps after its start",
    async (steps) => {
      const { protocol, interfaces, table, clock, other } = set(["10.1.0.0/16", "recursive 192.0.2.9"]);
      let left = 0;
      const counted = (end: () => unknown): (() => void) => {
        left++;
        return () => {
          left--;
          end();
        };
      };
      for (const each of [interfaces, table]) {
        const listen = each.listen.bind(each) as (listener: never) => () => void;
        each.listen = (listener: never) => counted(listen(listener));
      }
      const after = clock.after.bind(clock);
      clock.after = (ms, fn) => counted(after(ms, fn));
      const started = protocol.start();
      for (let i = 0; i < steps; i++) await Promise.resolve();
      if (steps === 4) {
        await started;
        other("192.0.2.0/24", { nexthops: [{ via: "10.0.0.1" }] });
        await settle();
        expect(left).toBe(3);
      }
      await protocol.stop();
      await started;
      expect(left).toBe(0);
    },
  );

  it("stops following interfaces when frozen, and keeps its routes", async () => {
    const { protocol, interfaces, changes, announced } = set(["10.1.0.0/16", "dev tun0"]);
    await protocol.start();
    changes.length = 0;
    protocol.freeze();
    interfaces.link(link(7, "tun0"));
    await settle();
    expect(changes).toEqual([]);
    expect(Object.keys(announced())).toEqual(["10.1.0.0/16"]);
    await protocol.stop();
  });
});
