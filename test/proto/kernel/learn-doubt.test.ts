/** What is learned where an event, or a dump that routes changed under, leaves a doubt. */

import { afterEach, describe, expect, it } from "vitest";
import { type Fixture, fixture, ip } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

const NET = "10.1.0.0/16";
const hop = (gateway: string, device = 0) => ({ gateway: ip(gateway), device });

/** From now on a route of another table comes and goes in every dump: none proves that anything is absent. */
function disturbEveryDump({ os, foreign }: Fixture): void {
  const scan = os.scanRoutes.bind(os);
  const nothing = { prefix: "2001:db8:5::/48", metric: 1, protocol: 4, table: 77 };
  os.scanRoutes = async (query, sink) => {
    const result = await scan(query, sink);
    foreign({ op: "add", type: 6, ...nothing });
    foreign({ op: "delete", ...nothing });
    await Promise.resolve();
    await Promise.resolve();
    return result;
  };
}

describe("an alias", () => {
  it("behind the kernel's own route stays when that is replaced", async () => {
    f = await fixture({ learn: true });
    await f.start();
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    f.foreign({ op: "add", prefix: NET, metric: 5, protocol: 2, nexthops: [{ gateway: null, device: v0 }] });
    f.foreign({ op: "append", prefix: NET, metric: 5, protocol: 4, nexthops: [hop("10.0.0.9")] });
    await f.clock.advance(1000);
    f.foreign({ op: "replace", prefix: NET, metric: 5, protocol: 4, nexthops: [hop("10.0.0.8")] });
    await f.clock.advance(1000);
    f.foreign({ op: "delete", prefix: NET, metric: 5, protocol: 4, nexthops: [hop("10.0.0.8")] });
    await f.clock.advance(60_000);
    expect(f.shown()).toHaveLength(1);
    expect(f.protocol.report().learned).toBe(1);
  });

  it("that differs in its scope alone stays when the other one goes", async () => {
    f = await fixture({ learn: true });
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    await f.start();
    for (const [op, scope] of [
      ["add", 253],
      ["append", 0],
    ] as const) {
      f.foreign({
        op,
        prefix: NET,
        metric: 5,
        protocol: 4,
        scope,
        nexthops: [{ gateway: null, device: v0 }],
      });
      await f.clock.advance(1000);
    }
    expect(f.shown()).toHaveLength(2);
    f.foreign({ op: "delete", prefix: NET, metric: 5, protocol: 4, scope: 0 });
    await f.clock.advance(60_000);
    expect(f.shown()).toHaveLength(1);
    expect(f.protocol.report().learned).toBe(1);
  });
});

describe("IPv6, while others change routes in every dump", () => {
  it("what stood there before is learned all the same", async () => {
    f = await fixture({ family: 6, learn: true });
    const stands = { prefix: "2001:db8:10::/48", metric: 5, protocol: 4, nexthops: [hop("2001:db8:0:1::2")] };
    expect(f.foreign({ op: "add", ...stands })).toBe(0);
    disturbEveryDump(f);
    await f.protocol.start();
    f.protocol.sourcesFed();
    f.protocol.allFed();
    await f.clock.advance(60_000);
    expect(f.protocol.report().learned).toBe(1);
  });

  it("nothing is left of routes that came and went", async () => {
    f = await fixture({ family: 6, learn: true });
    await f.start();
    const nets = f.table.fib.size;
    disturbEveryDump(f);
    const scan = f.os.scanRoutes.bind(f.os);
    let made = 0;
    f.os.scanRoutes = async (query, sink) => {
      const one = { prefix: `2001:db8:${(++made).toString(16)}::/48`, metric: 5, protocol: 4 };
      expect(f.foreign({ op: "add", ...one, nexthops: [hop("2001:db8:0:1::2")] })).toBe(0);
      const result = await scan(query, sink);
      f.foreign({ op: "delete", ...one });
      await Promise.resolve();
      return result;
    };
    for (let i = 0; i < 20; i++) await f.scan();
    expect(made).toBeGreaterThanOrEqual(20);
    await f.clock.advance(60_000);
    expect([f.protocol.report().learned, f.table.fib.size]).toEqual([0, nets]);
  });
});
