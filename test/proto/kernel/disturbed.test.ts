/** What the kernel does to routes of ours because of an interface is nobody's doing: it is mended, and not told as drift. */

import { afterEach, describe, expect, it } from "vitest";
import { REPAIRS } from "../../../src/proto/kernel/contest.ts";
import { type Fixture, fixture, ip } from "./fixture.ts";

const NET = "2001:db8:1000::/48";
const VIA = "2001:db8:0:1::2";
const OTHER = "2001:db8:0:2::2";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

function addSecondLink(): number {
  const w0 = f.kernel.addVeth("w0", "w1");
  f.kernel.setUp(w0);
  f.kernel.setUp(f.kernel.links.byName("w1")!.ifindex);
  f.kernel.addAddress(w0, ip("2001:db8:0:2::1"), 64);
  return w0;
}

describe("a link of one nexthop that comes and goes more often than a route is repaired", () => {
  it("leaves the route uncontested, and no drift", async () => {
    f = await fixture({ family: 6 });
    let w0 = addSecondLink();
    f.want(NET, { nexthops: [{ via: VIA }, { via: OTHER }] });
    await f.start();
    const before = f.shown();
    expect(before).toHaveLength(1);
    for (let flaps = 0; flaps < 3 * REPAIRS; flaps++) {
      f.kernel.removeLink(w0);
      await f.clock.advance(200);
      w0 = addSecondLink();
      await f.clock.advance(200);
      expect(f.status(NET).state, `after flap ${flaps}`).toBe("synced");
    }
    expect(f.shown()).toHaveLength(1);
    expect(f.protocol.drift).toEqual([]);
    expect(f.protocol.report()).toMatchObject({ contested: 0 });
  });
});
