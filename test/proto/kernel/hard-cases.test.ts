/** Orders of events that once went wrong: each was found by trying to break the protocol. */

import { afterEach, describe, expect, it } from "vitest";
import { REJECT_ALL } from "../../../src/nest/filter.ts";
import { ModelKernel, modelOs, type RouteRequest } from "../../../src/sysdep/model/index.ts";
import { ROUTE_DELETE } from "../../../src/sysdep/os.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip, OWN, prefixOf } from "./fixture.ts";

const VIA = { nexthops: [{ via: "10.0.0.2" }] };
const VIA3 = { nexthops: [{ via: "10.0.0.3" }] };
const VIA4 = { nexthops: [{ via: "10.0.0.4" }] };
const NET = "10.1.0.0/16";
const via = (gateway: string) => [{ gateway: ip(gateway), device: 0 }];

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

describe("a foreign route in front of ours", () => {
  const rows: readonly { why: string; next: (f: Fixture) => Promise<void> }[] = [
    {
      why: "and a change of ours before the next scan gets to it",
      async next(f) {
        f.os.faults.duringScan(1, () => f.want(NET, VIA4));
        await f.scan();
      },
    },
    {
      why: "and a change of ours after an incomplete scan",
      async next(f) {
        f.os.faults.injectIncompleteScan(1);
        await f.scan();
        f.want(NET, VIA4);
        await settle();
      },
    },
  ];
  it.each(rows)("stays: $why", async ({ next }) => {
    f = await fixture();
    f.want("10.0.99.0/24", VIA);
    f.want(NET, VIA);
    await f.start();
    f.foreign({ op: "prepend", prefix: NET, metric: 32, protocol: 4, nexthops: via("10.0.0.9") });
    await f.clock.advance(100);
    await f.scan();
    await next(f);
    await f.clock.advance(1000);
    expect(f.shown().filter((line) => line.includes("proto 4"))).toHaveLength(1);
  });

  it("is no reason to fail once it is gone from the key we want, while an older key of ours still stands", async () => {
    f = await fixture();
    f.want(NET, VIA, 50);
    await f.start();
    f.foreign({ op: "add", prefix: NET, metric: 20, protocol: 4, type: 6 });
    f.want(NET, VIA, 20);
    await f.clock.advance(1000);
    expect(f.status(NET).state).toBe("failed");
    f.foreign({ op: "delete", prefix: NET, metric: 20, protocol: 4 });
    await f.clock.advance(1000);
    expect(f.status(NET).state).toBe("synced");
  });
});

describe("a planned restart deletes nothing", () => {
  it("with a change in flight and another queued behind it", async () => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    f.want(NET, VIA3);
    f.want(NET, VIA4);
    f.protocol.freeze();
    f.unwant(NET);
    await f.protocol.stop({ keep: true });
    await settle();
    expect(f.shown()).toHaveLength(1);
  });

  it("with a change that waits for the kernel to have room", async () => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    f.os.faults.failNextWrite(105);
    f.want(NET, VIA3);
    await settle();
    f.protocol.freeze();
    f.unwant(NET);
    await f.protocol.stop({ keep: true });
    await f.clock.advance(1000);
    expect(f.shown()).toHaveLength(1);
  });
});

describe("a stop", () => {
  it("before the first sync does not call itself in sync", async () => {
    f = await fixture();
    for (let i = 0; i < 5000; i++) f.want(`10.${10 + (i >> 8)}.${i & 255}.0/24`, VIA);
    let synced = false;
    void f.protocol.firstSync.then(() => {
      synced = true;
    });
    const write = f.os.writeRoutes.bind(f.os);
    f.os.writeRoutes = (batch) => {
      f.os.writeRoutes = write;
      queueMicrotask(() => f.protocol.freeze());
      return write(batch);
    };
    await f.device.start();
    await f.protocol.start();
    f.protocol.sourcesFed();
    await settle();
    await f.protocol.stop({ keep: false });
    await settle();
    expect([synced, f.shown().length]).toEqual([false, 0]);
  });
});

describe("a scan asked for before the route sources have fed", () => {
  it("waits for them, and so takes nothing for stale", async () => {
    f = await fixture();
    f.foreign({ op: "add", prefix: NET, metric: 32, protocol: OWN, nexthops: via("10.0.0.2") });
    await f.device.start();
    await f.protocol.start();
    const scan = f.protocol.scan();
    await settle();
    f.want(NET, VIA);
    f.protocol.sourcesFed();
    expect(await scan).toBe(true);
    expect(f.writes()).toEqual([]);
  });
});

describe("a waiting route is woken", () => {
  it("by somebody's route that covers its gateway, without any scan timer", async () => {
    f = await fixture();
    f.want(NET, { nexthops: [{ via: "10.77.0.2" }] });
    await f.start();
    expect(f.status(NET).state).toBe("waiting");
    const device = f.kernel.links.byName("v0")!.ifindex;
    f.foreign({
      op: "add",
      prefix: "10.77.0.0/24",
      protocol: 4,
      scope: 253,
      nexthops: [{ gateway: null, device }],
    });
    await f.clock.advance(200);
    expect(f.status(NET).state).toBe("synced");
  });

  it("by its source address on the loopback", async () => {
    f = await fixture();
    f.want(NET, { ...VIA, prefsrc: "192.0.2.1" });
    await f.start();
    expect(f.status(NET).state).toBe("waiting");
    f.kernel.addAddress(f.kernel.links.byName("lo")!.ifindex, ip("192.0.2.1"), 32);
    await f.clock.advance(200);
    expect(f.status(NET).state).toBe("synced");
  });

  it("when the kernel called its request invalid and no longer does", async () => {
    f = await fixture();
    await f.start();
    f.os.faults.failNextWrite(22, "Gateway can not be a local address");
    f.want(NET, VIA);
    await settle();
    expect(f.status(NET)).toMatchObject({ state: "failed", message: "Gateway can not be a local address" });
    await f.scan();
    expect(f.status(NET).state).toBe("synced");
  });

  it("when IPv6 was switched off on its device, and the daemon lives on", async () => {
    f = await fixture();
    await f.start();
    f.os.faults.failNextWrite(13, "IPv6 is disabled on nexthop device");
    f.want(NET, VIA);
    await settle();
    expect([f.fatal, f.status(NET).state]).toEqual([[], "waiting"]);
    await f.scan();
    expect(f.status(NET).state).toBe("synced");
  });
});

describe("many waiting routes", () => {
  it("leave the event loop its turns", async () => {
    f = await fixture();
    await f.start();
    for (let i = 0; i < 30_000; i++) {
      f.want(`11.${i >> 8}.${i & 255}.0/24`, { nexthops: [{ via: "10.99.0.1" }] });
    }
    let turns = 0;
    const count = (): void => {
      turns++;
      if (!f.protocol.inSync) setImmediate(count);
    };
    setImmediate(count);
    await f.protocol.scan();
    expect(f.status("11.0.5.0/24").state).toBe("waiting");
    expect(turns).toBeGreaterThan(5);
    f.writes();
    f.kernel.addAddress(f.kernel.links.byName("v0")!.ifindex, ip("10.99.0.2"), 24);
    await f.scan();
    await f.scan();
    expect(f.shown()).toHaveLength(30_000);
  });
});

describe("IPv6", () => {
  const NET6 = "2001:db8:1::/48";

  it("takes the old route away when what is wanted instead cannot be", async () => {
    f = await fixture({ family: 6 });
    f.want(NET6, { nexthops: [{ via: "2001:db8:0:1::2" }] });
    await f.start();
    f.want(NET6, { nexthops: [{ via: "2001:db8:77::2" }] });
    await settle();
    for (let i = 0; i < 3; i++) await f.scan();
    expect(f.shown()).toEqual([]);
    expect(f.status(NET6).state).toBe("waiting");
  });

  it("spares a foreign nexthop in its route when it wants another gateway", async () => {
    f = await fixture({ family: 6 });
    f.want(NET6, { nexthops: [{ via: "2001:db8:0:1::2" }] });
    await f.start();
    f.foreign({ op: "append", prefix: NET6, metric: 32, protocol: 4, nexthops: via("2001:db8:0:1::9") });
    for (let i = 0; i < 3; i++) await f.scan();
    f.want(NET6, { nexthops: [{ via: "2001:db8:77::2" }] });
    for (let i = 0; i < 3; i++) await f.scan();
    f.want(NET6, { nexthops: [{ via: "2001:db8:0:1::3" }] });
    for (let i = 0; i < 3; i++) await f.scan();
    expect(f.kernel.entries(6, 254).filter(({ protocol }) => protocol === 4)).toHaveLength(1);
  });

  it("withdraws no learned route without proof, however many dumps others disturb", async () => {
    f = await fixture({ family: 6, learn: true, export: REJECT_ALL });
    f.foreign({ op: "add", prefix: NET6, metric: 32, protocol: 4, nexthops: via("2001:db8:0:1::2") });
    await f.start();
    const whole = f.os.scanRoutes.bind(f.os);
    f.os.scanRoutes = async (query, sink) => {
      f.foreign({ op: "add", prefix: "2001:db8:5::/48", metric: 1, protocol: 4, type: 6 });
      f.foreign({ op: "delete", prefix: "2001:db8:5::/48", metric: 1, protocol: 4 });
      await settle();
      return whole(query, {
        route(route) {
          if (route.w1 !== 0x00010000) sink.route(route);
        },
      });
    };
    for (let i = 0; i < 6; i++) await f.scan();
    expect(f.protocol.report().learned).toBe(1);
    f.os.scanRoutes = whole;
  });
});

describe("the count of repaired routes", () => {
  it("leaves out routes that went with their link and cannot come back", async () => {
    f = await fixture();
    for (let i = 1; i < 6; i++) f.want(`10.${i}.0.0/16`, VIA);
    await f.start();
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    f.kernel.setDown(v0);
    await f.scan();
    expect([f.shown().length, f.protocol.report().repaired]).toEqual([0, 0]);
    f.kernel.setUp(v0);
    await f.scan();
    await f.scan();
    expect([f.shown().length, f.protocol.report().repaired]).toEqual([5, 5]);
  });
});

describe("status()", () => {
  it("calls a route synced only when what stands in the kernel is what is wanted", async () => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    f.want(NET, VIA3);
    expect(f.status(NET).state).toBe("pending");
    await settle();
    expect(f.status(NET).state).toBe("synced");
  });
});

describe("a table nothing is exported to", () => {
  it("is never written to, whatever carries our number there", async () => {
    f = await fixture({ export: REJECT_ALL });
    f.foreign({ op: "add", prefix: NET, metric: 32, protocol: OWN, type: 6 });
    f.want("10.2.0.0/16", VIA);
    await f.start();
    await f.scan();
    await f.protocol.stop({ keep: false });
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toHaveLength(1);
  });
});

describe.each([4, 6] as const)(
  "an IPv%i dump that shows routes twice, as it may while others change them",
  (family) => {
    const [net, other] = family === 4 ? [NET, "10.2.0.0/16"] : ["2001:db8:10::/48", "2001:db8:20::/48"];
    const [first, second] = family === 4 ? ["10.0.0.2", "10.0.0.3"] : ["2001:db8:0:1::2", "2001:db8:0:1::3"];
    const hop = (gateway: string) => ({ gateway: ip(gateway), device: 0 });

    it.each([
      { why: "one gateway", attrs: { nexthops: [{ via: first }] } },
      { why: "two gateways", attrs: { nexthops: [{ via: first }, { via: second }] } },
      { why: "none", attrs: { type: "unreachable" as const } },
    ])("is no reason to write: $why", async ({ attrs }) => {
      f = await fixture({ family, learn: true });
      f.foreign({ op: "add", prefix: net, metric: 20, protocol: 4, nexthops: [hop(first)] });
      f.foreign({ op: "add", prefix: other, metric: 32, protocol: 4, nexthops: [hop(first)] });
      f.want(net, attrs);
      await f.start();
      f.writes();
      const { os, foreign } = f;
      const scan = os.scanRoutes.bind(os);
      os.scanRoutes = (query, sink) => {
        foreign({ op: "replace", prefix: other, metric: 99, protocol: 4, type: 6, table: 77 });
        foreign({ op: "delete", prefix: other, metric: 99, protocol: 4, table: 77 });
        return scan(query, {
          route(route) {
            sink.route(route);
            sink.route(route);
          },
        });
      };
      await f.scan();
      await f.clock.advance(1000);
      expect(f.writes()).toEqual([]);
      expect(f.protocol.report().learned).toBe(2);
      f.foreign({ op: "delete", prefix: other, metric: 32, protocol: 4 });
      await settle();
      expect(f.protocol.report().learned).toBe(1);
      f.foreign({ op: "replace", prefix: net, metric: 32, protocol: OWN, nexthops: [hop(second)] });
      await f.scan();
      await f.clock.advance(1000);
      expect(f.status(net).state).toBe("synced");
      f.foreign({ op: "add", prefix: net, metric: 50, protocol: OWN, nexthops: [hop(first)] });
      await f.scan();
      await f.clock.advance(1000);
      expect(f.shown()).toHaveLength(2);
    });
  },
);

describe("a scan that is asked for while an old key is about to be deleted", () => {
  it("does not ask for the deletion once more", async () => {
    f = await fixture();
    f.want(NET, VIA, 50);
    await f.start();
    f.writes();
    const write = f.os.writeRoutes.bind(f.os);
    f.os.writeRoutes = async (batch) => {
      if (batch.op[0] === ROUTE_DELETE) {
        void f.protocol.scan();
        await new Promise<void>((resolve) => void f.clock.after(500, resolve));
      }
      await write(batch);
    };
    f.want(NET, VIA, 60);
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([`add ${NET} metric 60`, `delete ${NET} metric 50`]);
    expect(f.protocol.report().scan.count).toBe(2);
  });

  it("does not wait for ever", async () => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    const write = f.os.writeRoutes.bind(f.os);
    let answer = (): void => {};
    f.os.writeRoutes = async (batch) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      await write(batch);
    };
    f.want(NET, VIA3);
    void f.protocol.scan();
    await f.clock.advance(900);
    expect(f.protocol.report().scan.count).toBe(1);
    await f.clock.advance(200);
    expect(f.protocol.report().scan.count).toBe(2);
    answer();
    await f.clock.advance(100);
    expect(f.status(NET).state).toBe("synced");
  });
});

describe("a dump that still shows what was deleted since it was asked for", () => {
  it("does not have it deleted once more, and the net is forgotten when the scan is over", async () => {
    f = await fixture();
    const old = new ModelKernel();
    for (const gateway of [f.kernel, old]) gateway.route(reject(NET));
    f.want(NET, { type: "unreachable" });
    await f.start();
    expect(f.writes()).toEqual([]);
    f.os.scanRoutes = async (query, sink) => {
      f.unwant(NET);
      await settle();
      return modelOs(old, f.attrs).scanRoutes(query, sink);
    };
    await f.scan();
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([`delete ${NET} metric 32`]);
    expect(f.table.fib.size).toBe(0);
  });

  const reject = (prefix: string): RouteRequest => ({
    op: "add",
    prefix: prefixOf(prefix),
    table: 254,
    metric: 32,
    protocol: OWN,
    type: 7,
  });
});

describe("an IPv4 dump that leaves out routes, as it may while others change them", () => {
  const FOREIGN = "10.2.0.0/16";
  const NOISE = "10.3.0.0/16";
  const learned = () => f.protocol.report().learned;

  /** The next `times` dumps show nothing but what changes meanwhile, if it does; nor do those that look again. */
  function blind(times: number, noisy: boolean): void {
    const scan = f.os.scanRoutes.bind(f.os);
    let left = times;
    let blinded = false;
    f.os.scanRoutes = async (query, sink) => {
      if (query.protocol !== undefined) return scan(query, blinded ? { route: () => {} } : sink);
      blinded = left > 0;
      if (!blinded) return scan(query, sink);
      left--;
      if (noisy) f.foreign({ op: "add", prefix: NOISE, metric: 500 + left, protocol: 4, type: 6 });
      await settle();
      return scan(query, { route: () => {} });
    };
  }

  async function given(): Promise<void> {
    f = await fixture({ learn: true });
    f.foreign({ op: "add", prefix: FOREIGN, metric: 20, protocol: 4, nexthops: via("10.0.0.2") });
    f.want(NET, VIA);
    await f.start();
    f.writes();
    expect(learned()).toBe(1);
  }

  it("is believed when nothing changed", async () => {
    await given();
    blind(1, false);
    await f.scan();
    expect(f.writes()).toEqual([`add ${NET} metric 32 !17`]);
    expect(learned()).toBe(0);
  });

  it("is not believed once, and asks for another", async () => {
    await given();
    blind(1, true);
    await f.scan();
    expect(learned()).toBe(2);
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([]);
    expect(learned()).toBe(2);
    expect(f.protocol.report().scan.count).toBe(3);
    expect(f.status(NET).state).toBe("synced");
    expect(f.protocol.drift).toEqual([]);
  });

  it("is believed the second time", async () => {
    await given();
    blind(2, true);
    await f.scan();
    expect([f.writes(), learned()]).toEqual([[], 2]);
    await f.scan();
    expect(f.writes()).toEqual([`add ${NET} metric 32 !17`]);
    await f.clock.advance(1000);
    expect(f.status(NET).state).toBe("synced");
    expect(learned()).toBe(2);
  });

  it("keeps nobody from being added who was never there", async () => {
    await given();
    blind(1, true);
    f.os.faults.failNextWrite(105);
    f.want("10.4.0.0/16", VIA);
    await f.scan();
    await f.clock.advance(1000);
    expect(f.writes().at(-1)).toBe("add 10.4.0.0/16 metric 32");
  });
});

describe("an IPv6 route with a former number of ours", () => {
  const NET6 = "2001:db8:10::/48";
  const [first, second] = ["2001:db8:0:1::2", "2001:db8:0:1::3"];
  const hops = (gateways: readonly string[]) => gateways.map((gateway) => via(gateway)[0]!);

  it.each([
    { why: "the same nexthops", had: [first], wanted: [first] },
    { why: "more nexthops than are wanted now", had: [first, second], wanted: [first] },
    { why: "fewer nexthops", had: [first], wanted: [first, second] },
  ])("becomes what is wanted, under the number of today: $why", async ({ had, wanted }) => {
    f = await fixture({ family: 6, former: [119] });
    f.foreign({ op: "add", prefix: NET6, metric: 32, protocol: 119, nexthops: hops(had) });
    f.want(NET6, { nexthops: wanted.map((gateway) => ({ via: gateway })) });
    await f.start();
    await f.clock.advance(1000);
    expect(f.status(NET6).state).toBe("synced");
    const [entry, ...more] = f.kernel.routes(6, 254).filter(({ protocol }) => protocol !== 2);
    expect(more).toEqual([]);
    expect(entry).toMatchObject({ protocol: OWN, metric: 32 });
    expect(entry!.nexthops).toHaveLength(wanted.length);
  });
});

describe("a deletion whose acknowledgement was lost", () => {
  it("leaves no belief that the route is there, should it be wanted again at once", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", { type: "unreachable" });
    await f.start();
    f.os.faults.loseAcknowledgements(1);
    f.unwant("10.1.0.0/16");
    await settle();
    f.want("10.1.0.0/16", { type: "unreachable" });
    await settle();
    await f.clock.advance(1000);
    expect(f.shown()).toHaveLength(1);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
  });
});
