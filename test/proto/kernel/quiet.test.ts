/** krtd rests when there is nothing to do, whatever others do meanwhile. */

import { afterEach, describe, expect, it } from "vitest";
import { REJECT_ALL } from "../../../src/nest/filter.ts";
import { Contest, REPAIRS } from "../../../src/proto/kernel/contest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip } from "./fixture.ts";

let f: Fixture | null = null;
afterEach(async () => {
  await f?.protocol.stop({ keep: true });
  f = null;
});

const hop = (gateway: string, device = 0) => ({ gateway: ip(gateway), device });
const VIA = { nexthops: [{ via: "10.0.0.2" }] };

describe("nobody changes anything: krtd does not scan all the time", () => {
  it("observe mode, a duplicate of ours at one key (IPv4)", async () => {
    f = await fixture({ observe: true });
    f.want("10.1.0.0/16", VIA);
    f.foreign({ op: "add", prefix: "10.1.0.0/16", metric: 32, protocol: 120, nexthops: [hop("10.0.0.2")] });
    f.foreign({
      op: "append",
      prefix: "10.1.0.0/16",
      metric: 32,
      protocol: 120,
      nexthops: [hop("10.0.0.3")],
    });
    await f.start();
    const before = f.protocol.report().scan.count;
    await f.clock.advance(10_000);
    expect(f.protocol.report().scan.count - before).toBeLessThan(5);
  });

  it("observe mode, a stale multipath route of ours (IPv6)", async () => {
    f = await fixture({ observe: true, family: 6 });
    f.foreign({
      op: "add",
      prefix: "2001:db8:10::/48",
      metric: 32,
      protocol: 120,
      nexthops: [hop("2001:db8:0:1::2"), hop("2001:db8:0:1::3")],
    });
    await f.start();
    const before = f.protocol.report().scan.count;
    await f.clock.advance(10_000);
    expect(f.protocol.report().scan.count - before).toBeLessThan(5);
  });
  it("export none, a stale multipath route of ours (IPv6)", async () => {
    f = await fixture({ family: 6, export: REJECT_ALL });
    f.foreign({
      op: "add",
      prefix: "2001:db8:10::/48",
      metric: 32,
      protocol: 120,
      nexthops: [hop("2001:db8:0:1::2"), hop("2001:db8:0:1::3")],
    });
    await f.start();
    const before = f.protocol.report().scan.count;
    await f.clock.advance(10_000);
    expect(f.protocol.report().scan.count - before).toBeLessThan(5);
  });
});

describe("nets that came and went", () => {
  it.each([true, false])("leave no node behind (observe mode: %s)", async (observe) => {
    f = await fixture({ observe });
    await f.start();
    const before = f.table.fib.size;
    for (let i = 0; i < 100; i++) {
      f.want(`20.${i}.0.0/16`, VIA);
      await f.clock.advance(0);
      f.unwant(`20.${i}.0.0/16`);
      if (i % 50 === 0) await f.scan();
    }
    await f.scan();
    await f.clock.advance(1000);
    await f.scan();
    expect(f.table.fib.size).toBe(before);
  });
});

describe("somebody changes routes that are nothing to krtd", () => {
  it("IPv6: one event in every dump does not make krtd scan without rest", async () => {
    f = await fixture({ family: 6 });
    await f.start();
    const g = f;
    const scan = f.os.scanRoutes.bind(f.os);
    f.os.scanRoutes = async (query, sink) => {
      const result = await scan(query, sink);
      g.foreign({ op: "add", prefix: "2001:db8:5::/48", metric: 1, protocol: 4, type: 6, table: 77 });
      g.foreign({ op: "delete", prefix: "2001:db8:5::/48", metric: 1, protocol: 4, table: 77 });
      await Promise.resolve();
      await Promise.resolve();
      return result;
    };
    const before = f.protocol.report().scan.count;
    await f.scan();
    await f.clock.advance(60_000);
    const scans = f.protocol.report().scan.count - before;
    f.os.scanRoutes = scan;
    await f.clock.advance(1000);
    expect(scans).toBeLessThan(100);
  });

  it("IPv4: routes that wait do not cost a write each, twenty times a second", async () => {
    f = await fixture();
    const GROUPS = 500;
    for (let i = 0; i < GROUPS; i++)
      f.want(`10.${(i >> 8) + 1}.${i & 255}.0/24`, {
        nexthops: [{ via: `172.16.${i >> 7}.${(i & 127) + 1}` }],
      });
    await f.start();
    await f.clock.advance(1000);
    f.writes();
    for (let ms = 0; ms < 10_000; ms += 50) {
      f.foreign({ op: "add", prefix: "192.168.77.0/24", protocol: 4, type: 6, table: 77 });
      f.foreign({ op: "delete", prefix: "192.168.77.0/24", table: 77 });
      await f.clock.advance(50);
    }
    const writes = f.writes().length;
    expect(writes).toBeLessThan(20 * GROUPS);
  });
});

describe("Contest with many fights", () => {
  it("does not hand the same nets to the queue again and again", async () => {
    const clock = new FakeClock();
    let retried = 0;
    let looks = 0;
    const contest = new Contest(clock, () => {});
    contest.onRetry((nodes) => {
      retried += nodes.length;
      looks++;
    });
    const NETS = 2000;
    for (let node = 1; node <= NETS; node++) {
      for (let i = 0; i <= REPAIRS; i++) contest.mayRepair(node, 8192);
      if (node % 10 === 0) await clock.advance(1);
    }
    await clock.advance(30_000);
    expect(retried).toBeLessThan(3 * NETS);
    expect(retried).toBeGreaterThanOrEqual(NETS);
    // Each ends at a moment of its own: that must not make it a look at all of them each time.
    expect(looks).toBeLessThan(10);
  });
});
