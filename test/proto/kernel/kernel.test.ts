import { afterEach, describe, expect, it } from "vitest";
import { REJECT_ALL } from "../../../src/nest/filter.ts";
import { type Fixture, fixture, ip, OWN } from "./fixture.ts";

const VIA = { nexthops: [{ via: "10.0.0.2" }] };
const VIA3 = { nexthops: [{ via: "10.0.0.3" }] };
const FAR = { nexthops: [{ via: "10.99.0.1" }] };
const via = (gateway: string) => [{ gateway: ip(gateway), device: 0 }];

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

describe("KernelProtocol before the first complete scan", () => {
  it("writes nothing, however often the dump is incomplete, and adopts what is right", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    f.want("10.2.0.0/16", VIA);
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: 32, nexthops: via("10.0.0.2") });
    f.foreign({ op: "add", prefix: "10.3.0.0/16", protocol: OWN, metric: 32, nexthops: via("10.0.0.2") });
    f.os.faults.injectIncompleteScan(3);
    await f.device.start();
    await f.protocol.start();
    f.protocol.sourcesFed();
    f.protocol.allFed();
    await f.clock.advance(100);
    expect(f.writes()).toEqual([]);
    expect(f.status("10.1.0.0/16").state).toBe("pending");
    await f.clock.advance(2000);
    expect(f.writes()).toEqual(["add 10.2.0.0/16 metric 32", "delete 10.3.0.0/16 metric 32"]);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
    expect(f.protocol.report().scan.incomplete).toBe(3);
  });

  it("follows changes that fall into the first scan", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    f.os.faults.duringScan(1, () => {
      f.want("10.2.0.0/16", VIA);
      f.unwant("10.1.0.0/16");
    });
    await f.start();
    expect(f.shown()).toHaveLength(1);
    expect(f.status("10.2.0.0/16").state).toBe("synced");
  });

  it.each([
    ["before the dump shows it", 0],
    ["when the dump has shown it", 1],
  ])("adopts what comes to be wanted while the first scan runs, %s", async (_when, at) => {
    f = await fixture();
    for (const net of ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]) {
      f.foreign({ op: "add", prefix: net, protocol: OWN, metric: 32, nexthops: via("10.0.0.2") });
    }
    f.os.faults.duringScan(at, () => {
      for (const net of ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]) f.want(net, VIA);
    });
    await f.start();
    expect(f.writes()).toEqual([]);
    for (const net of ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]) {
      expect(f.status(net).state).toBe("synced");
    }
  });
});

describe("KernelProtocol scan and prune", () => {
  it("writes nothing when nothing changed", async () => {
    f = await fixture();
    for (let i = 0; i < 100; i++) f.want(`10.1.${i}.0/24`, VIA);
    await f.start();
    expect(f.writes()).toHaveLength(100);
    await f.scan();
    await f.scan();
    expect(f.writes()).toEqual([]);
  });

  const rows: readonly { why: string; harm: (f: Fixture) => void; repair: readonly string[] }[] = [
    {
      why: "deleted by someone: reinstalled",
      harm: ({ foreign }) => foreign({ op: "delete", prefix: "10.1.0.0/16" }),
      repair: ["add 10.1.0.0/16 metric 32"],
    },
    {
      why: "another gateway, with our number: replaced",
      harm: ({ foreign }) =>
        foreign({
          op: "replace",
          prefix: "10.1.0.0/16",
          protocol: OWN,
          metric: 32,
          nexthops: via("10.0.0.9"),
        }),
      repair: ["replace 10.1.0.0/16 metric 32"],
    },
    {
      why: "turned into a blackhole: replaced",
      harm: ({ foreign }) =>
        foreign({ op: "replace", prefix: "10.1.0.0/16", protocol: OWN, metric: 32, type: 6 }),
      repair: ["replace 10.1.0.0/16 metric 32"],
    },
    {
      why: "a second of ours at the key: one goes, the other is overwritten",
      harm: ({ foreign }) =>
        foreign({
          op: "append",
          prefix: "10.1.0.0/16",
          protocol: OWN,
          metric: 32,
          nexthops: via("10.0.0.9"),
        }),
      repair: ["delete 10.1.0.0/16 metric 32", "replace 10.1.0.0/16 metric 32"],
    },
    {
      why: "ours at another metric: deleted by its exact key",
      harm: ({ foreign }) =>
        foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: 7, nexthops: via("10.0.0.2") }),
      repair: ["delete 10.1.0.0/16 metric 7"],
    },
    {
      why: "ours at a prefix nobody wants: deleted",
      harm: ({ foreign }) =>
        foreign({ op: "add", prefix: "10.7.0.0/16", protocol: OWN, metric: 32, type: 6 }),
      repair: ["delete 10.7.0.0/16 metric 32"],
    },
    {
      why: "a stale device route of ours: deleted too",
      harm: ({ foreign, kernel }) =>
        foreign({
          op: "add",
          prefix: "10.7.0.0/16",
          protocol: OWN,
          metric: 32,
          nexthops: [{ gateway: null, device: kernel.links.byName("v0")!.ifindex }],
        }),
      repair: ["delete 10.7.0.0/16 metric 32"],
    },
    {
      why: "a foreign route at our prefix with another metric: left alone",
      harm: ({ foreign }) => foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 9, type: 6 }),
      repair: [],
    },
    {
      why: "a foreign route appended behind ours at our key: left alone",
      harm: ({ foreign }) =>
        foreign({ op: "append", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.9") }),
      repair: [],
    },
  ];
  it.each(rows)("$why", async ({ harm, repair }) => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    await f.start();
    f.writes();
    harm(f);
    await f.scan();
    expect(f.writes()).toEqual(repair);
    await f.scan();
    expect(f.writes()).toEqual([]);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
  });

  it("deletes just the wrong one of two of ours that share a key with a foreign route", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    await f.start();
    f.foreign({ op: "append", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.8") });
    f.foreign({ op: "append", prefix: "10.1.0.0/16", protocol: OWN, metric: 32, nexthops: via("10.0.0.9") });
    f.writes();
    await f.scan();
    expect(f.writes()).toEqual(["delete 10.1.0.0/16 metric 32"]);
    expect(f.shown()).toHaveLength(2);
    await f.scan();
    expect(f.writes()).toEqual([]);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
    expect(f.shown()[0]).toContain("proto 120");
  });

  it("deletes a wrong one of ours in front, when the right one stands behind a foreign route", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    await f.start();
    const right = f.shown();
    f.foreign({ op: "prepend", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.8") });
    const foreign = f.shown().filter((line) => line.includes("proto 4"));
    f.foreign({ op: "prepend", prefix: "10.1.0.0/16", protocol: OWN, metric: 32, nexthops: via("10.0.0.9") });
    await f.scan();
    await f.scan();
    expect(f.shown()).toEqual([...foreign, ...right]);
    f.writes();
    await f.scan();
    expect(f.writes()).toEqual([]);
  });

  it("deletes nothing after an incomplete dump", async () => {
    f = await fixture();
    f.os.faults.withoutMonitor = true;
    f.want("10.1.0.0/16", VIA);
    await f.start();
    f.foreign({ op: "add", prefix: "10.7.0.0/16", protocol: OWN, metric: 32, type: 6 });
    f.foreign({ op: "delete", prefix: "10.1.0.0/16" });
    f.writes();
    f.os.faults.injectIncompleteScan();
    expect(await f.scan()).toBe(false);
    expect(f.writes()).toEqual([]);
    expect(await f.scan()).toBe(true);
    expect(f.writes()).toEqual(["add 10.1.0.0/16 metric 32", "delete 10.7.0.0/16 metric 32"]);
  });

  it("runs exactly one more scan when asked during one", async () => {
    f = await fixture();
    await f.start();
    const before = f.protocol.report().scan.count;
    await Promise.all([f.scan(), f.scan(), f.scan(), f.scan()]);
    expect(f.protocol.report().scan.count).toBe(before + 2);
  });
});

describe("KernelProtocol after a restart with another metric", () => {
  it("adds at the new key and then deletes the old one, whatever their order in the dump", async () => {
    for (const [old, now] of [
      [50, 20],
      [20, 50],
    ] as const) {
      f = await fixture({ metric: now });
      f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: old, nexthops: via("10.0.0.2") });
      f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: 99, nexthops: via("10.0.0.2") });
      f.want("10.1.0.0/16", VIA);
      await f.start();
      await f.scan();
      const writes = f.writes();
      expect(writes.indexOf(`add 10.1.0.0/16 metric ${now}`)).toBe(0);
      expect(writes).toContain(`delete 10.1.0.0/16 metric ${old}`);
      expect(writes).toContain("delete 10.1.0.0/16 metric 99");
      expect(f.shown()).toHaveLength(1);
      await f.protocol.stop({ keep: true });
    }
  });

  it("keeps the old key while the new one cannot be installed", async () => {
    f = await fixture({ metric: 20 });
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: 50, nexthops: via("10.0.0.2") });
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 20, type: 6 });
    f.want("10.1.0.0/16", VIA);
    await f.start();
    await f.scan();
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toHaveLength(2);
    f.foreign({ op: "delete", prefix: "10.1.0.0/16", protocol: 4 });
    await f.scan();
    expect(f.writes()).toEqual(["add 10.1.0.0/16 metric 20", "delete 10.1.0.0/16 metric 50"]);
  });

  it("retires an old key when the wanted one turns out to be there", async () => {
    for (const old of [10, 50]) {
      f = await fixture({ metric: 32 });
      f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: old, nexthops: via("10.0.0.2") });
      f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: 32, nexthops: via("10.0.0.2") });
      f.want("10.1.0.0/16", VIA);
      await f.start();
      expect(f.writes()).toEqual([`delete 10.1.0.0/16 metric ${old}`]);
      await f.scan();
      expect(f.writes()).toEqual([]);
      await f.protocol.stop({ keep: true });
    }
  });
});

describe("KernelProtocol export", () => {
  it("replaces in place, collapses changes of one prefix, and deletes", async () => {
    f = await fixture();
    await f.start();
    f.want("10.1.0.0/16", VIA);
    await f.clock.advance(0);
    expect(f.writes()).toEqual(["add 10.1.0.0/16 metric 32"]);
    f.want("10.1.0.0/16", VIA3);
    f.want("10.1.0.0/16", VIA);
    f.want("10.1.0.0/16", VIA3);
    await f.clock.advance(0);
    const replaced = f.writes();
    expect(replaced.length).toBeLessThanOrEqual(2);
    expect(replaced.every((line) => line === "replace 10.1.0.0/16 metric 32")).toBe(true);
    f.unwant("10.1.0.0/16");
    await f.clock.advance(0);
    expect(f.writes()).toEqual(["delete 10.1.0.0/16 metric 32"]);
    expect(f.shown()).toEqual([]);
    expect(f.table.fib.size).toBe(0);
  });

  it("adds with the new metric before it deletes the old", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA, 50);
    await f.start();
    f.writes();
    f.want("10.1.0.0/16", VIA, 20);
    await f.clock.advance(0);
    expect(f.writes()).toEqual(["add 10.1.0.0/16 metric 20", "delete 10.1.0.0/16 metric 50"]);
  });

  it("keeps the old metric's route when the new one is refused", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA, 50);
    await f.start();
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 20, type: 6 });
    f.writes();
    f.want("10.1.0.0/16", VIA, 20);
    await f.clock.advance(1000);
    expect(f.writes()).not.toContain("delete 10.1.0.0/16 metric 50");
    expect(f.status("10.1.0.0/16")).toMatchObject({ state: "failed", errno: 17 });
  });

  it("holds the table's references to attributes, and no more, when all is withdrawn", async () => {
    f = await fixture();
    await f.start();
    for (let i = 0; i < 50; i++) f.want(`10.1.${i}.0/24`, i % 2 === 0 ? VIA : FAR);
    await f.clock.advance(10);
    for (let i = 0; i < 50; i++) f.unwant(`10.1.${i}.0/24`);
    await f.clock.advance(10);
    await f.scan();
    expect(f.shown()).toEqual([]);
    expect(f.table.fib.size).toBe(0);
    expect(f.attrs.size).toBe(0);
  });
});

describe("KernelProtocol and a rival", () => {
  it("never evicts a foreign route at its key, names it, and installs when it is gone", async () => {
    f = await fixture();
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.9") });
    f.want("10.1.0.0/16", VIA);
    await f.start();
    await f.scan();
    expect(f.writes()).toEqual([]);
    expect(f.status("10.1.0.0/16")).toMatchObject({ state: "failed", errno: 17 });
    expect(f.status("10.1.0.0/16").rival).toBe("unicast 10.1.0.0/16 proto static metric 32");
    f.foreign({ op: "delete", prefix: "10.1.0.0/16", protocol: 4 });
    await f.scan();
    expect(f.writes()).toEqual(["add 10.1.0.0/16 metric 32"]);
    expect(f.status("10.1.0.0/16")).toMatchObject({ state: "synced", rival: null });
  });

  it("sees the rival before its own also after an older key of its own", async () => {
    f = await fixture();
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: OWN, metric: 7, nexthops: via("10.0.0.2") });
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.2") });
    f.foreign({ op: "append", prefix: "10.1.0.0/16", protocol: OWN, metric: 32, nexthops: via("10.0.0.9") });
    f.want("10.1.0.0/16", VIA3);
    await f.start();
    await f.scan();
    expect(f.shown().filter((line) => line.includes("proto 4"))).toHaveLength(1);
    expect(f.writes().some((line) => line.startsWith("replace"))).toBe(false);
    expect(f.status("10.1.0.0/16").state).toBe("failed");
  });

  it("does not replace behind a foreign route that was put before its own", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    await f.start();
    f.foreign({ op: "prepend", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.9") });
    await f.scan();
    f.writes();
    const foreign = f.shown().filter((line) => line.includes("proto 4"));
    f.want("10.1.0.0/16", VIA3);
    await f.clock.advance(500);
    expect(f.writes().some((line) => line.startsWith("replace"))).toBe(false);
    expect(f.shown().filter((line) => line.includes("proto 4"))).toEqual(foreign);
    expect(f.status("10.1.0.0/16").state).toBe("failed");
  });
});

describe("KernelProtocol and an unknown outcome", () => {
  it("does not replace what may be a foreign route", async () => {
    f = await fixture();
    await f.start();
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 32, nexthops: via("10.0.0.9") });
    f.os.faults.loseAcknowledgements(1);
    f.want("10.1.0.0/16", VIA);
    f.want("10.1.0.0/16", VIA3);
    await f.clock.advance(500);
    expect(f.writes().some((line) => line.startsWith("replace"))).toBe(false);
    expect(f.shown()).toHaveLength(1);
    expect(f.status("10.1.0.0/16").state).toBe("failed");
  });
});

describe("KernelProtocol and refused writes", () => {
  it("waits for a gateway with one try per scan, and installs all when it comes", async () => {
    f = await fixture();
    for (let i = 0; i < 200; i++) f.want(`10.1.${i}.0/24`, FAR);
    await f.start();
    expect(f.status("10.1.7.0/24")).toMatchObject({
      state: "waiting",
      errno: 101,
      message: "Nexthop has invalid gateway",
    });
    f.writes();
    expect(f.protocol.report()).toMatchObject({ waiting: 200, failed: 0 });
    await f.scan();
    expect(f.writes()).toHaveLength(1);
    f.kernel.addAddress(f.kernel.links.byName("v0")!.ifindex, ip("10.99.0.2"), 24);
    await f.scan();
    expect(f.shown()).toHaveLength(200);
    expect(f.protocol.report()).toMatchObject({ waiting: 0, failed: 0 });
    expect(f.status("10.1.7.0/24")).toMatchObject({
      state: "synced",
      errno: null,
      message: null,
      attempts: 0,
    });
  });

  it("installs a route whose gateway a route of its own makes reachable", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", FAR);
    f.want("10.99.0.0/24", { nexthops: [{ device: f.kernel.links.byName("v0")!.ifindex }] });
    await f.start();
    await f.clock.advance(10);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
  });

  it("names a device that does not exist, and installs when it does", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", { nexthops: [{ device: f.interfaces.resolveDevice("tun0") }] });
    await f.start();
    expect(f.writes()).toEqual([]);
    expect(f.status("10.1.0.0/16")).toMatchObject({
      state: "waiting",
      errno: 19,
      message: 'Device "tun0" does not exist',
    });
  });

  it("takes a lost acknowledgement for unknown and looks at the kernel", async () => {
    f = await fixture();
    await f.start();
    f.os.faults.loseAcknowledgements(1);
    f.want("10.1.0.0/16", VIA);
    await f.clock.advance(0);
    expect(f.status("10.1.0.0/16").state).toBe("pending");
    await f.clock.advance(200);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
    expect(f.writes()).toEqual(["add 10.1.0.0/16 metric 32"]);
  });

  it("tries again when the kernel was busy, later and later", async () => {
    f = await fixture();
    await f.start();
    for (let i = 0; i < 3; i++) f.os.faults.failNextWrite(105);
    f.want("10.1.0.0/16", VIA);
    await f.clock.advance(50);
    expect(f.status("10.1.0.0/16")).toMatchObject({ state: "pending", errno: 105, attempts: 1 });
    expect(f.status("10.1.0.0/16").nextRetryAt).toBeGreaterThan(0);
    await f.clock.advance(5000);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
    expect(f.writes()).toHaveLength(4);
  });

  it("deletes again what the kernel was too busy to delete", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    await f.start();
    f.os.faults.failNextWrite(105);
    f.unwant("10.1.0.0/16");
    await f.clock.advance(0);
    expect(f.shown()).toHaveLength(1);
    await f.clock.advance(1000);
    expect(f.shown()).toEqual([]);
    expect(f.table.fib.size).toBe(0);
  });

  it("does not spin on a request the kernel will never take", async () => {
    f = await fixture();
    await f.start();
    f.os.faults.failNextWrite(22, "Invalid something");
    f.want("10.1.0.0/16", { type: "blackhole" });
    await f.clock.advance(0);
    f.writes();
    await f.scan();
    await f.clock.advance(60_000);
    expect(f.writes()).toEqual([]);
    expect(f.status("10.1.0.0/16")).toMatchObject({ state: "failed", message: "Invalid something" });
    f.want("10.1.0.0/16", VIA3);
    await f.clock.advance(0);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
  });

  it("reports the loss of its privilege once it meets it", async () => {
    f = await fixture();
    await f.start();
    f.os.faults.denyPrivilege();
    f.want("10.1.0.0/16", VIA);
    await f.clock.advance(0);
    expect(f.fatal).toHaveLength(1);
  });
});

describe("KernelProtocol.stop()", () => {
  const rows = [
    { why: "flushes by the record of what was sent", persist: false, keep: false, left: 0 },
    { why: "leaves everything with persist", persist: true, keep: false, left: 3 },
    { why: "leaves everything at a planned restart", persist: false, keep: true, left: 3 },
  ] as const;
  it.each(rows)("$why", async ({ persist, keep, left }) => {
    f = await fixture({ persist });
    for (let i = 0; i < 3; i++) f.want(`10.1.${i}.0/24`, VIA);
    f.foreign({ op: "add", prefix: "10.9.0.0/16", protocol: 4, metric: 5, type: 6 });
    await f.start();
    f.protocol.freeze();
    for (let i = 0; i < 3; i++) f.unwant(`10.1.${i}.0/24`);
    await f.protocol.stop({ keep });
    expect(f.shown().filter((line) => line.includes(`proto ${OWN}`))).toHaveLength(left);
    expect(f.shown().filter((line) => line.includes("proto 4"))).toHaveLength(1);
  });
});

describe("KernelProtocol.freeze()", () => {
  it("makes a running scan judge nothing more, and drops what was not sent", async () => {
    f = await fixture();
    for (let i = 0; i < 200; i++) f.want(`10.1.${i}.0/24`, VIA);
    await f.start();
    f.writes();
    for (let i = 0; i < 200; i++) f.want(`10.2.${i}.0/24`, VIA);
    f.os.faults.duringScan(20, () => {
      f.protocol.freeze();
      for (let i = 0; i < 200; i++) f.unwant(`10.1.${i}.0/24`);
      for (let i = 0; i < 200; i++) f.unwant(`10.2.${i}.0/24`);
    });
    expect(await f.scan()).toBe(false);
    expect(f.protocol.report().scan.lastProblem).toBeNull();
    await f.protocol.stop({ keep: false });
    expect(f.shown()).toEqual([]);
  });

  it("ends a push in the middle and takes back what was sent", async () => {
    f = await fixture();
    await f.start();
    for (let i = 0; i < 5000; i++) f.want(`10.${10 + (i >> 8)}.${i & 255}.0/24`, VIA);
    await Promise.resolve();
    f.protocol.freeze();
    for (let i = 0; i < 5000; i++) f.unwant(`10.${10 + (i >> 8)}.${i & 255}.0/24`);
    await f.protocol.stop({ keep: false });
    expect(f.shown()).toEqual([]);
    expect(f.writes().filter((line) => line.startsWith("add")).length).toBeLessThan(5000);
  });
});

describe("KernelProtocol learn", () => {
  const best = (prefix: string): number | null => {
    const [a, b] = prefix.split("/");
    const { w0, w1, w2, w3 } = ip(a!);
    const node = f.table.fib.find(w0, w1, w2, w3, Number(b));
    if (node === 0 || f.table.best(node) === 0) return null;
    return f.table.metricOf(f.table.best(node));
  };

  it("announces the lowest metric, and changes of it, and withdraws the last", async () => {
    f = await fixture({ learn: true, export: REJECT_ALL });
    const announced: string[] = [];
    f.table.listen({
      bestChanged: (_node, route) => announced.push(route === 0 ? "-" : String(f.table.metricOf(route))),
    });
    const step = async (act: () => void): Promise<string[]> => {
      announced.length = 0;
      act();
      await f.scan();
      return [...announced];
    };
    await f.start();
    const add = (metric: number, gateway: string) => () => {
      f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric, nexthops: via(gateway) });
    };
    expect(await step(add(100, "10.0.0.2"))).toEqual(["100"]);
    expect(await step(add(10, "10.0.0.2"))).toEqual(["10"]);
    expect(await step(add(200, "10.0.0.2"))).toEqual([]);
    const change = (): void => {
      f.foreign({ op: "replace", prefix: "10.1.0.0/16", protocol: 4, metric: 10, nexthops: via("10.0.0.7") });
    };
    expect(await step(change)).toEqual(["10"]);
    const remove = (metric: number) => () => {
      f.foreign({ op: "delete", prefix: "10.1.0.0/16", metric });
    };
    expect(await step(remove(10))).toEqual(["100"]);
    expect(await step(remove(200))).toEqual([]);
    expect(await step(remove(100))).toEqual(["-"]);
    expect(f.table.netCount).toBe(0);
    expect(f.protocol.report().learned).toBe(0);
  });

  it("withdraws nothing after an incomplete dump", async () => {
    f = await fixture({ learn: true, export: REJECT_ALL });
    f.os.faults.withoutMonitor = true;
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 5, type: 6 });
    await f.start();
    f.foreign({ op: "delete", prefix: "10.1.0.0/16" });
    f.os.faults.injectIncompleteScan();
    await f.scan();
    expect(best("10.1.0.0/16")).toBe(5);
    await f.scan();
    expect(best("10.1.0.0/16")).toBeNull();
  });

  it("learns neither its own routes nor, unless told, those of the kernel", async () => {
    f = await fixture({ learn: true, export: REJECT_ALL });
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 1, metric: 5, type: 6 });
    await f.start();
    expect(f.table.netCount).toBe(0);
    await f.protocol.stop({ keep: true });
    f = await fixture({ learn: "all", export: REJECT_ALL });
    await f.start();
    expect(best("10.0.0.0/24")).toBe(0);
  });

  it("says learned for its own, and filtered for what it may not export", async () => {
    f = await fixture({ learn: true, export: REJECT_ALL });
    f.foreign({ op: "add", prefix: "10.1.0.0/16", protocol: 4, metric: 5, type: 6 });
    f.want("10.2.0.0/16", VIA);
    await f.start();
    expect(f.status("10.1.0.0/16").state).toBe("learned");
    expect(f.status("10.2.0.0/16").state).toBe("filtered");
    expect(f.writes()).toEqual([]);
  });
});
