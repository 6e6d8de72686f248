import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Contest, REPAIRS } from "../../../src/proto/kernel/contest.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip, OWN, prefixOf, TABLE } from "./fixture.ts";

const CAPACITY = 16;
const MINUTE = 60_000;

function contest() {
  const clock = new FakeClock();
  const started: string[] = [];
  const retried: string[] = [];
  const it = new Contest(clock, (node, backoffMs) => started.push(`${node} for ${backoffMs} ms`));
  it.onRetry((nodes) => retried.push(`${nodes.join()} at ${clock.now()}`));
  /** Somebody changes the net's route `times` times: how many were repaired. */
  const change = (node: number, times: number): number => {
    let repaired = 0;
    for (let i = 0; i < times; i++) if (it.mayRepair(node, CAPACITY)) repaired++;
    return repaired;
  };
  return { contest: it, clock, started, retried, change };
}

describe("Contest", () => {
  it("lets a net be repaired so many times in a minute, and says once that it is contested", () => {
    const { contest: it, started, change } = contest();
    expect(change(3, REPAIRS)).toBe(REPAIRS);
    expect([it.has(3), it.size, started]).toEqual([false, 0, []]);
    expect(change(3, 100)).toBe(0);
    expect([it.has(3), it.size, it.waitMs(3), started]).toEqual([true, 1, 10_000, ["3 for 10000 ms"]]);
  });

  it("counts every minute anew", async () => {
    const { clock, started, change } = contest();
    for (let minute = 0; minute < 5; minute++) {
      expect(change(3, REPAIRS)).toBe(REPAIRS);
      await clock.advance(MINUTE);
    }
    expect(started).toEqual([]);
  });

  it("counts every net for itself", () => {
    const { contest: it, change } = contest();
    expect(change(3, REPAIRS + 1)).toBe(REPAIRS);
    expect(change(4, REPAIRS)).toBe(REPAIRS);
    expect([it.has(3), it.has(4), it.has(15)]).toEqual([true, false, false]);
  });

  it("tries again when the back-off has ended, and twice as late each time it is changed again", async () => {
    const { contest: it, clock, started, retried, change } = contest();
    change(3, REPAIRS + 1);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      const wait = it.waitMs(3);
      waits.push(wait / 1000);
      await clock.advance(wait - 1);
      expect(retried).toHaveLength(round);
      expect(it.has(3)).toBe(true);
      await clock.advance(1);
      expect(retried).toHaveLength(round + 1);
      expect(it.has(3)).toBe(false);
      // What was tried is undone again, at once and a few times more.
      expect(change(3, 5)).toBe(0);
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
    expect(started).toHaveLength(1);
  });

  it("waits on, no longer, while it is changed during the back-off", async () => {
    const { clock, retried, change } = contest();
    change(3, REPAIRS + 1);
    for (let second = 0; second < 9; second++) {
      await clock.advance(1000);
      expect(change(3, 1)).toBe(0);
    }
    await clock.advance(1000);
    expect(retried).toEqual(["3 at 10000"]);
  });

  it("is calm again after ten quiet minutes: a later quarrel starts from the beginning", async () => {
    const { contest: it, clock, started, change } = contest();
    change(3, REPAIRS + 1);
    await clock.advance(10_000);
    change(3, 1);
    expect(it.waitMs(3)).toBe(20_000);
    await clock.advance(20_000 + 10 * MINUTE);
    expect(change(3, REPAIRS)).toBe(REPAIRS);
    expect(it.has(3)).toBe(false);
    change(3, 1);
    expect(it.waitMs(3)).toBe(10_000);
    expect(started).toHaveLength(2);
  });

  it("is not calm while it is changed during a long back-off", async () => {
    const { contest: it, clock, change } = contest();
    change(3, REPAIRS + 1);
    for (let round = 0; round < 6; round++) {
      await clock.advance(it.waitMs(3));
      change(3, 1);
    }
    expect(it.waitMs(3)).toBe(5 * MINUTE);
    await clock.advance(4 * MINUTE);
    change(3, 1);
    await clock.advance(9 * MINUTE);
    expect(change(3, 1)).toBe(0);
    expect(it.waitMs(3)).toBe(5 * MINUTE);
  });

  it("tries each of several nets at its own time, and no other with it", async () => {
    const { clock, retried, change } = contest();
    change(3, REPAIRS + 1);
    await clock.advance(4000);
    change(4, REPAIRS + 1);
    change(5, REPAIRS + 1);
    await clock.advance(MINUTE);
    expect(retried.map((line) => line.split(" at ")[1])).toEqual(["10000", "14000"]);
    expect(retried[0]).toBe("3 at 10000");
    expect(retried[1]).toContain("4,5");
  });

  it("is contested until it is tried again, though that may be a little later than it could be", async () => {
    const { contest: it, clock, retried, change } = contest();
    change(3, REPAIRS + 1);
    await clock.advance(200);
    change(4, REPAIRS + 1);
    await clock.advance(10_100);
    expect(retried).toEqual(["3 at 10000"]);
    expect([it.has(3), it.has(4), it.size, it.waitMs(4)]).toEqual([false, true, 1, 0]);
    expect(it.mayRepair(4, CAPACITY)).toBe(false);
    await clock.advance(200);
    expect(retried).toEqual(["3 at 10000", "4 at 10500"]);
    expect([it.has(4), it.size]).toEqual([false, 0]);
  });

  it("does not wait for another look when its timer rings a moment too early", async () => {
    const { contest: it, clock, retried, change } = contest();
    const { after } = clock;
    clock.after = (delayMs, fn) => after.call(clock, delayMs - 0.9, fn);
    change(3, REPAIRS + 1);
    await clock.advance(10_000);
    expect(retried).toEqual(["3 at 9999.1"]);
    expect(it.has(3)).toBe(false);
  });

  it("passes nothing on to the next net with the same id", () => {
    const { contest: it, started, change } = contest();
    change(3, REPAIRS);
    it.forget(3);
    expect(change(3, REPAIRS)).toBe(REPAIRS);
    expect(started).toEqual([]);
    change(3, 1);
    it.forget(3);
    expect([it.has(3), it.size]).toEqual([false, 0]);
    it.forget(15);
  });

  it("tries nothing any more once it is closed", async () => {
    const { contest: it, clock, retried, change } = contest();
    change(3, REPAIRS + 1);
    it.close();
    await clock.advance(MINUTE);
    expect([retried, it.size]).toEqual([[], 0]);
  });

  it("bounds the writes for one net, whenever and however often it is changed", async () => {
    const changes = fc.array(fc.tuple(fc.nat(30_000), fc.integer({ min: 1, max: 30 })), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const { contest: it, clock, retried, change } = contest();
        const writes: number[] = [];
        for (const [pause, times] of list) {
          const before = retried.length;
          await clock.advance(pause);
          for (let i = before; i < retried.length; i++) writes.push(Number(retried[i]!.split(" at ")[1]));
          const contested = it.has(3);
          const repaired = change(3, times);
          if (contested) expect(repaired).toBe(0);
          for (let i = 0; i < repaired; i++) writes.push(clock.now());
        }
        // Two windows may touch: the end of one and the start of the next, with a try in between.
        for (const from of writes) {
          const within = writes.filter((at) => at >= from && at < from + MINUTE).length;
          expect(within).toBeLessThanOrEqual(2 * REPAIRS + 3);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe.each([4, 6] as const)("a kernel protocol of IPv%i with a contested net", (family) => {
  const NET = family === 4 ? "10.1.0.0/16" : "2001:db8:10::/48";
  const OTHER = family === 4 ? "10.2.0.0/16" : "2001:db8:20::/48";
  const gateways = ["2", "3", "4"].map((last) => (family === 4 ? `10.0.0.${last}` : `2001:db8:0:1::${last}`));
  const VIA = { nexthops: [{ via: gateways[0]! }] };
  const nexthops = [{ gateway: ip(gateways[1]!), device: 0 }];
  const STATIC = 4;
  let f: Fixture;
  afterEach(async () => {
    await f.protocol.stop({ keep: true });
  });

  /** What somebody does to the net as fast as events come, for ten minutes of the fake clock. */
  const WARS: readonly { readonly why: string; readonly attack: () => void; readonly only?: 4 }[] = [
    { why: "deleted", attack: () => void f.foreign({ op: "delete", prefix: NET, protocol: OWN }) },
    {
      why: "replaced by one with our number",
      attack: () => void f.foreign({ op: "replace", prefix: NET, protocol: OWN, metric: 32, nexthops }),
    },
    {
      why: "deleted, and added otherwise",
      attack() {
        f.foreign({ op: "delete", prefix: NET, protocol: OWN });
        f.foreign({ op: "add", prefix: NET, protocol: OWN, metric: 32, nexthops });
      },
    },
    {
      why: "doubled",
      // In IPv6 the nexthop too many is deleted by the scans, which do not come faster the more there is to see.
      only: 4,
      attack: () => void f.foreign({ op: "prepend", prefix: NET, protocol: OWN, metric: 32, nexthops }),
    },
    {
      why: "taken, and given back",
      attack() {
        f.foreign({ op: "replace", prefix: NET, protocol: STATIC, metric: 32, nexthops });
        f.foreign({ op: "delete", prefix: NET, protocol: STATIC, metric: 32 });
      },
    },
  ];

  it.each(WARS.filter(({ only = family }) => only === family))(
    "$why: bounds its writes, warns once, and puts it right when it is left alone",
    async ({ attack }) => {
      f = await fixture({ family });
      f.want(NET, VIA);
      f.want(OTHER, VIA);
      await f.start();
      const right = f.shown();
      f.writes();
      let contested = false;
      for (let i = 0; i < 600; i++) {
        attack();
        await f.clock.advance(100);
        contested ||= f.status(NET).state === "contested";
      }
      // Four tries, after 10, 20, 40 and 80 seconds of peace, fit into the minute at most; each repair is two at most.
      expect(f.writes().length).toBeLessThanOrEqual(2 * (REPAIRS + 4));
      expect(contested).toBe(true);
      expect(f.logged.filter(({ message }) => message.startsWith("a route is contested"))).toHaveLength(1);
      expect(f.protocol.report().contested).toBe(1);
      expect(f.status(NET).nextRetryAt).toBeGreaterThan(f.clock.wall());
      expect(f.status(OTHER).state).toBe("synced");

      await f.clock.advance(5 * MINUTE);
      await f.scan();
      expect(f.shown()).toEqual(right);
      expect(f.status(NET).state).toBe("synced");
      expect(f.protocol.report().contested).toBe(0);
    },
  );

  it.each([
    { why: "deleted", attack: () => f.foreign({ op: "delete", prefix: NET, protocol: OWN, metric: 32 }) },
    {
      why: "replaced",
      attack: () => f.foreign({ op: "replace", prefix: NET, protocol: OWN, metric: 32, nexthops }),
    },
  ])("is contested too when its route is $why before its write is answered", async ({ attack }) => {
    f = await fixture({ family });
    f.want(NET, VIA);
    f.want(OTHER, VIA);
    await f.start();
    f.writes();
    let war = true;
    const stop = f.kernel.listen((event) => {
      if (!war || event.kind !== "route" || event.change === "gone" || event.origin !== f.os) return;
      if (event.route.prefix.w0 !== prefixOf(NET).w0 || event.route.prefix.w1 !== prefixOf(NET).w1) return;
      war = false;
      attack();
      war = true;
    });
    attack();
    await f.clock.advance(MINUTE);
    expect(f.writes().length).toBeLessThanOrEqual(2 * (REPAIRS + 4));
    expect(f.status(NET).state).toBe("contested");
    expect(f.logged.filter(({ message }) => message.startsWith("a route is contested"))).toHaveLength(1);
    stop();
    await f.clock.advance(5 * MINUTE);
    await f.scan();
    expect(f.status(NET).state).toBe("synced");
    expect(f.status(OTHER).state).toBe("synced");
  });

  it("is no quarrel with a foreign route that goes with its link, and comes again", async () => {
    f = await fixture({ family });
    f.want(NET, { type: "blackhole" });
    await f.start();
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    for (let flaps = 0; flaps < 3 * REPAIRS; flaps++) {
      f.foreign({ op: "replace", prefix: NET, protocol: STATIC, metric: 32, nexthops });
      await f.clock.advance(100);
      expect(f.status(NET).state).toBe("failed");
      f.kernel.setDown(v0);
      await f.clock.advance(100);
      expect(f.status(NET).state).toBe("synced");
      f.kernel.setUp(v0);
      f.kernel.addAddress(v0, ip("2001:db8:0:1::1"), 64);
      await f.clock.advance(100);
    }
    expect(f.protocol.report().contested).toBe(0);
  });

  it("keeps a contested net's turn while its wish changes, and follows that wish", async () => {
    f = await fixture({ family });
    f.want(NET, VIA);
    await f.start();
    for (let i = 0; i < 20; i++) {
      f.foreign({ op: "delete", prefix: NET, protocol: OWN });
      await settle();
    }
    expect(f.status(NET).state).toBe("contested");
    f.want(NET, { nexthops: [{ via: gateways[2]! }] });
    await f.clock.advance(20_000);
    expect(f.status(NET).state).toBe("synced");
    const [route] = f.kernel.routes(family, TABLE).filter(({ protocol }) => protocol === OWN);
    expect(route?.nexthops).toMatchObject([{ gateway: ip(gateways[2]!) }]);
    f.unwant(NET);
    await settle();
    expect(f.shown()).toEqual([]);
    expect(f.protocol.report().contested).toBe(0);
  });
});
