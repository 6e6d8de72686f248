/** Routes of ours that nobody wants any more, and that the kernel would not let go at once. */

import { afterEach, describe, expect, it } from "vitest";
import { EINVAL, ENODEV } from "../../../src/lib/errno.ts";
import { type Fixture, fixture } from "./fixture.ts";

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
