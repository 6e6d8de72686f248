/** What ModelOs has beyond the port: faults on demand, the journal, repeatable events. */

import { describe, expect, it } from "vitest";
import { ModelKernel, type ModelOs, modelOs } from "../../../src/sysdep/model/index.ts";
import type { MonitorSink, Os } from "../../../src/sysdep/os.ts";
import { ROUTE_DELETE, UNKNOWN_OUTCOME } from "../../../src/sysdep/os.ts";
import { modelIp, modelIpAll } from "../../support/model-ip.ts";
import { type Change, ComplianceRig } from "../compliance/rig.ts";

interface Rig {
  readonly kernel: ModelKernel;
  readonly os: ModelOs;
  readonly rig: ComplianceRig;
}

async function makeRig(): Promise<Rig> {
  const kernel = new ModelKernel();
  const made: ModelOs[] = [];
  const rig = await ComplianceRig.create(async (attrs) => {
    const os = modelOs(kernel, attrs);
    made.push(os);
    return {
      os,
      hasTexts: true,
      ip: async (commands) => modelIpAll(kernel, commands),
      dispose: () => os.close(),
    };
  });
  return { kernel, os: made[0]!, rig };
}

const nets = (count: number): Change[] =>
  Array.from({ length: count }, (_, i) => ({ prefix: `100.64.${i >> 8}.${i & 255}/32` }));

/** Listens, and says what it heard since the last call. */
async function hear(os: Os): Promise<() => string[]> {
  let heard: string[] = [];
  const sink: MonitorSink = {
    link: (link) => void heard.push(`link ${link.name}`),
    linkGone: (ifindex) => void heard.push(`link gone ${ifindex}`),
    address: () => void heard.push("address"),
    nexthopGone: () => {},
    addressGone: () => void heard.push("address gone"),
    route: (route, change) => void heard.push(`route ${route.protocol}${change === "gone" ? " gone" : ""}`),
    lost: (reason) => void heard.push(`lost: ${reason}`),
  };
  await os.monitor(sink);
  return () => {
    const now = heard;
    heard = [];
    return now;
  };
}

describe("ModelOs.faults", () => {
  it("injectIncompleteScan() shows half of the table that many times", async () => {
    const { os, rig } = await makeRig();
    await rig.write(1000, ...nets(10));
    os.faults.injectIncompleteScan(2, "DUMP_INTR");
    for (const complete of [false, false, true]) {
      const { outcome, routes } = await rig.scan(4, 1000);
      expect(outcome).toEqual({
        complete,
        reason: complete ? null : "DUMP_INTR",
        messages: complete ? 10 : 5,
      });
      expect(routes).toHaveLength(complete ? 10 : 5);
    }
  });

  it("injectIncompleteInterfaceScan() leaves links and addresses out", async () => {
    const { os, rig } = await makeRig();
    os.faults.injectIncompleteInterfaceScan();
    const { outcome, links, addresses } = await rig.interfaces();
    expect([outcome.complete, links.length, addresses.length]).toEqual([false, 1, 0]);
    expect((await rig.interfaces()).outcome.complete).toBe(true);
  });

  it("loseAcknowledgements() applies the changes and keeps quiet", async () => {
    const { os, rig } = await makeRig();
    os.faults.loseAcknowledgements(2);
    expect(await rig.write(1000, ...nets(3))).toEqual([UNKNOWN_OUTCOME, UNKNOWN_OUTCOME, 0]);
    expect(await rig.lines(4, 1000)).toHaveLength(3);
  });

  it("denyPrivilege() refuses every write with EPERM until it is taken back", async () => {
    const { os, rig } = await makeRig();
    os.faults.denyPrivilege();
    expect(await os.mayWrite()).toBe(false);
    expect(await rig.write(1000, ...nets(2))).toEqual([1, 1]);
    expect(await rig.lines(4, 1000)).toEqual([]);
    os.faults.denyPrivilege(false);
    expect([await os.mayWrite(), await rig.write(1000, ...nets(1))]).toEqual([true, [0]]);
  });

  it("failNextWrite() refuses one change each time", async () => {
    const { os, rig } = await makeRig();
    os.faults.failNextWrite(105, "no buffer space");
    const batch = rig.batch(1000, nets(2));
    await os.writeRoutes(batch);
    expect([[...batch.errno], [...batch.errorText]]).toEqual([[105, 0], [[0, "no buffer space"]]]);
    expect(await rig.lines(4, 1000)).toHaveLength(1);
  });

  it("duringScan() acts in the middle: later nets show it, earlier ones do not", async () => {
    const { kernel, os, rig } = await makeRig();
    await rig.write(1000, ...nets(4));
    os.faults.duringScan(2, () => {
      modelIpAll(kernel, [
        "route del blackhole 100.64.0.0/32 table 1000",
        "route del blackhole 100.64.0.3/32 table 1000",
      ]);
    });
    expect((await rig.scan(4, 1000)).routes).toHaveLength(3);
    expect((await rig.scan(4, 1000)).routes).toHaveLength(2);
  });

  it("withoutMonitor takes the notifications away", async () => {
    const { os } = await makeRig();
    os.faults.withoutMonitor = true;
    expect(await os.monitor({} as MonitorSink)).toBeNull();
  });
});

describe("ModelOs.journal", () => {
  it("lists every change that was sent, with what the caller was told", async () => {
    const { os, rig } = await makeRig();
    const [net] = nets(1);
    await rig.write(1000, net!, net!, { ...net!, op: ROUTE_DELETE }, { ...net!, op: ROUTE_DELETE });
    const common = { table: 1000, prefix: "100.64.0.0/32", metric: 32, protocol: 120, message: null };
    expect(os.journal).toEqual([
      { op: "add", errno: 0, ...common },
      { op: "add", errno: 17, ...common },
      { op: "delete", errno: 0, ...common },
      { op: "delete", errno: 0, ...common },
    ]);
    expect(os.counters.routeWrites).toBe(4);
  });
});

describe("ModelOs.monitor()", () => {
  it("reports later, in order, and leaves out what this Os wrote but not what another did", async () => {
    const { kernel, os, rig } = await makeRig();
    const heard = await hear(os);
    await rig.write(1000, ...nets(1));
    await Promise.resolve();
    expect(heard()).toEqual([]);
    modelIp(kernel, "route del blackhole 100.64.0.0/32 table 1000");
    modelIp(kernel, "link add d2 type ifb");
    expect(heard()).toEqual([]);
    await Promise.resolve();
    expect(heard()).toEqual(["route 120 gone", "link d2"]);
    const other = modelOs(kernel, rig.attrs);
    await other.writeRoutes(rig.batch(1000, nets(1)));
    await Promise.resolve();
    expect(heard()).toEqual(["route 120"]);
  });

  it("loseEvents() drops what was not delivered yet, says so and counts it", async () => {
    const { kernel, os } = await makeRig();
    const heard = await hear(os);
    modelIp(kernel, "link add d2 type ifb");
    os.loseEvents("ENOBUFS");
    await Promise.resolve();
    expect(heard()).toEqual(["lost: ENOBUFS"]);
    expect(os.counters.overruns).toBe(1);
    await os.close();
    modelIp(kernel, "link del d2");
    await Promise.resolve();
    expect(heard()).toEqual([]);
  });

  it("tells of a device that goes: its IPv6 routes and addresses, no IPv4 route, then the link", async () => {
    const { kernel, os } = await makeRig();
    modelIpAll(kernel, [
      "route add 192.0.2.0/24 via 10.1.0.2",
      "route add 2001:db8:10::/48 via 2001:db8:1::2",
    ]);
    const heard = await hear(os);
    modelIp(kernel, "link del d1");
    await Promise.resolve();
    const events = heard();
    expect(events.filter((event) => event === "route 3 gone")).toHaveLength(1);
    expect(events.at(-1)).toBe("link gone 11");
    expect(events.filter((event) => event === "address gone")).toHaveLength(3);
  });
});

describe("ModelOs at scale", () => {
  it("takes 5,000 routes through a gateway in one batch, and shows them in order", async () => {
    const { rig } = await makeRig();
    const attrs = { nexthops: [{ via: "2001:db8::2" }] };
    const changes = Array.from({ length: 5_000 }, (_, i) => ({
      prefix: `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64`,
      attrs,
    }));
    expect(new Set(await rig.write(1000, ...changes))).toEqual(new Set([0]));
    const { outcome, routes } = await rig.scan(6, 1000);
    expect(outcome).toEqual({ complete: true, reason: null, messages: 5_000 });
    expect(routes[1]!.text).toContain("2001:db8:0:1::/64");
  });
});
