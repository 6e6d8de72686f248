/** Which interface events are a reason to read the kernel's table again, and which only to try what waits. */

import { afterEach, describe, expect, it } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import { type Fixture, fixture, ip } from "./fixture.ts";

const ADDRESS = { 4: ["10.7.0.1", 24], 6: ["2001:db8:0:7::1", 64] } as const;
const NET = { 4: "10.1.0.0/16", 6: "2001:db8:1000::/48" } as const;
const VIA = { 4: "10.0.0.2", 6: "2001:db8:0:1::2" } as const;

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

async function begin(family: Family): Promise<number> {
  f = await fixture({ family });
  f.want(NET[family], { nexthops: [{ via: VIA[family] }] });
  await f.start();
  await f.clock.advance(5000);
  return f.kernel.links.byName("v0")!.ifindex;
}

/** How many scans there are because of it. */
async function scansAfter(work: () => void): Promise<number> {
  const { count } = f.protocol.report().scan;
  work();
  await f.clock.advance(5000);
  return f.protocol.report().scan.count - count;
}

describe("addresses of an interface that is up", () => {
  it.each<[Family, Family, boolean]>([
    [4, 4, true],
    [4, 6, false],
    [6, 6, true],
    [6, 4, false],
  ])("a table of IPv%i, an address of IPv%i: read again %s", async (family, other, again) => {
    const v0 = await begin(family);
    const [address, length] = ADDRESS[other];
    const came = await scansAfter(() => f.kernel.addAddress(v0, ip(address), length));
    const went = await scansAfter(() => f.kernel.removeAddress(v0, ip(address), length));
    expect([came > 0, went > 0]).toEqual([again, again]);
    expect(f.status(NET[family]).state).toBe("synced");
  });

  it.each<[Family]>([[4], [6]])("a link that goes down and up concerns IPv%i", async (family) => {
    const v0 = await begin(family);
    expect(await scansAfter(() => f.kernel.setDown(v0))).toBeGreaterThan(0);
    expect(await scansAfter(() => f.kernel.setUp(v0))).toBeGreaterThan(0);
  });
});
