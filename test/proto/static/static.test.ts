import { describe, expect, it } from "vitest";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { ACCEPT_ALL } from "../../../src/nest/filter.ts";
import { Interfaces, type LinkInfo } from "../../../src/nest/iface.ts";
import { Rtable } from "../../../src/nest/rtable.ts";
import { RouteSet, type RouteSpec } from "../../../src/proto/static/config.ts";
import { StaticProtocol } from "../../../src/proto/static/static.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { ip, prefixOf } from "../kernel/fixture.ts";

const SPEC: RouteSpec = {
  type: "unicast",
  nexthops: [],
  prefsrc: null,
  mtu: null,
  metric: null,
  recursive: null,
};

function link(ifindex: number, name: string): LinkInfo {
  return {
    ifindex,
    name,
    flags: 0x10043,
    mtu: 1500,
    mac: null,
    kind: "veth",
    master: null,
    operstate: 6,
    carrier: true,
  };
}

function setup(routes: readonly (readonly [string, RouteSpec])[]) {
  const set = new RouteSet(4);
  set.from("krt.yaml");
  routes.forEach(([text, spec], i) => {
    const { w0, w1, w2, w3, length } = prefixOf(text);
    set.add(w0, w1, w2, w3, length, set.internSpec(spec), i + 1);
  });
  const clock = new FakeClock();
  const attrs = new AttrsTable();
  const table = new Rtable("master4", 4, attrs, clock);
  const interfaces = new Interfaces({ requireAddress: false });
  const config = {
    name: "s",
    table: "master4",
    preference: 200,
    checkLink: false,
    import: ACCEPT_ALL,
    routes: set,
  };
  const protocol = new StaticProtocol({ config, table, interfaces, clock });
  const changes: string[] = [];
  table.listen({
    bestChanged: (node, best) => changes.push(`${table.fib.formatNode(node)} ${best === 0 ? "-" : "+"}`),
  });
  const device = (text: string): number | undefined => {
    const { w0, w1, w2, w3, length } = prefixOf(text);
    const best = table.best(table.fib.find(w0, w1, w2, w3, length));
    return attrs.describe(table.attrsOf(best)).nexthops[0]?.device;
  };
  return { protocol, table, attrs, interfaces, changes, device };
}

const hop = (via: string | null, dev: string | null, weight = 1) => ({
  via: via === null ? null : ip(via),
  dev,
  weight,
  onlink: false,
});

describe("StaticProtocol", () => {
  it("announces what is configured, and withdraws it when it stops, holding no reference", async () => {
    const { protocol, table, attrs } = setup([
      [
        "10.1.0.0/16",
        { ...SPEC, nexthops: [hop("10.0.0.2", null)], metric: 50, mtu: 1400, prefsrc: ip("10.0.0.1") },
      ],
      ["10.2.0.0/16", { ...SPEC, type: "blackhole" }],
    ]);
    await protocol.start();
    const node = table.fib.find(ip("10.1.0.0").w0, 0, 0, 0, 16);
    const best = table.best(node);
    expect([table.metricOf(best), table.preferenceOf(best)]).toEqual([50, 200]);
    const view = attrs.describe(table.attrsOf(best));
    expect(view.metrics.get(2)).toBe(1400);
    expect(view.prefsrc).toEqual(ip("10.0.0.1"));
    expect(protocol.route(1)).toMatchObject({ attrs: { type: "blackhole" }, metric: null, recursive: null });
    await protocol.stop();
    await protocol.stop();
    expect([table.netCount, table.fib.size, attrs.size]).toEqual([0, 0, 0]);
  });

  it("follows its device as it comes, gets renamed and goes, and touches no other route", async () => {
    const { protocol, interfaces, changes, device } = setup([
      ["10.1.0.0/16", { ...SPEC, nexthops: [hop(null, "tun0")] }],
      ["10.2.0.0/16", { ...SPEC, nexthops: [hop("10.0.0.2", null)] }],
    ]);
    await protocol.start();
    expect(device("10.1.0.0/16")).toBeLessThan(0);
    changes.length = 0;
    interfaces.link(link(7, "tun0"));
    await settle();
    expect(device("10.1.0.0/16")).toBe(7);
    interfaces.link(link(7, "tun9"));
    await settle();
    expect(device("10.1.0.0/16")).toBeLessThan(0);
    interfaces.link(link(8, "tun0"));
    await settle();
    expect(device("10.1.0.0/16")).toBe(8);
    interfaces.linkGone(8);
    await settle();
    expect(device("10.1.0.0/16")).toBeLessThan(0);
    expect(changes).toEqual(Array(4).fill("10.1.0.0/16 +"));
    await protocol.stop();
  });

  it("gives an only nexthop no weight, for the kernel keeps none", async () => {
    const { protocol, table, attrs } = setup([
      ["10.1.0.0/16", { ...SPEC, nexthops: [hop("10.0.0.2", null, 7)] }],
      ["10.2.0.0/16", { ...SPEC, nexthops: [hop("10.0.0.2", null, 7), hop("10.0.0.3", null, 2)] }],
    ]);
    await protocol.start();
    const weights = [1, 2].map((node) =>
      attrs.describe(table.attrsOf(table.best(node))).nexthops.map(({ weight }) => weight),
    );
    expect(weights).toEqual([[1], [7, 2]]);
    await protocol.stop();
  });
});
