/** Routes of ours that nobody wants any more, and that the kernel would not let go at once. */

import { afterEach, describe, expect, it } from "vitest";
import { EBUSY, EINVAL, ENODEV } from "../../../src/lib/errno.ts";
import { type Fixture, fixture, ip, OWN } from "./fixture.ts";

const NET = "10.1.0.0/16";
const VIA = { nexthops: [{ via: "10.0.0.2" }] };

let f: Fixture;
afterEach(() => f.protocol.stop({ keep: true }));

describe("a deletion that the kernel refuses", () => {
  it.each([
    ["for what may pass with an event", ENODEV],
    ["for good", EINVAL],
  ])("%s is tried again without any scan timer", async (_why, errno) => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    f.writes();
    f.os.faults.failNextWrite(errno);
    f.unwant(NET);
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([`delete ${NET} metric 32 !${errno}`, `delete ${NET} metric 32`]);
    expect([f.shown(), f.protocol.report().failed]).toEqual([[], 0]);
  });

  it("again and again is tried less and less often", async () => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    for (let i = 0; i < 100; i++) f.os.faults.failNextWrite(EINVAL);
    f.writes();
    f.unwant(NET);
    await f.clock.advance(20_000);
    expect(f.writes().length).toBeLessThan(12);
    await f.clock.advance(60_000);
    expect(f.writes().length).toBeLessThan(10);
  });
});

describe("a stop", () => {
  it("also finds what is left behind a route that ends the kernel's dumps", async () => {
    f = await fixture();
    const behind = "10.70.0.0/16";
    f.want(behind, VIA);
    await f.start();
    const nexthops = Array.from({ length: 2100 }, (_, i) => ({
      gateway: ip(`10.0.0.${2 + (i % 250)}`),
      device: f.kernel.links.byName("v0")!.ifindex,
    }));
    expect(f.foreign({ op: "add", prefix: "10.50.0.0/16", metric: 20, protocol: 12, nexthops })).toBe(0);
    await f.clock.advance(1000);
    f.os.faults.failNextWrite(EBUSY);
    const stopped = f.protocol.stop({ keep: false });
    await f.clock.advance(5000);
    await stopped;
    expect(f.shown().filter((route) => route.includes(`proto ${OWN} `))).toEqual([]);
  });
});
