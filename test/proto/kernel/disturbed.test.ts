/** What the kernel does to routes of ours because of an interface is nobody's doing: it is mended, and not told as drift. */

import { afterEach, describe, expect, it } from "vitest";
import { Channel } from "../../../src/nest/channel.ts";
import { ACCEPT_ALL, REJECT_ALL } from "../../../src/nest/filter.ts";
import { REPAIRS } from "../../../src/proto/kernel/contest.ts";
import { draftOf } from "../../support/draft.ts";
import { type Fixture, fixture, ip, prefixOf } from "./fixture.ts";

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

describe("a link that goes while others change routes in the dump", () => {
  it("leaves no drift, also when it takes a second dump to believe that a route is gone (IPv4)", async () => {
    f = await fixture();
    const net = "10.1.0.0/16";
    f.want(net, { nexthops: [{ via: "10.0.0.2" }] });
    await f.start();
    const { os, foreign } = f;
    const scan = os.scanRoutes.bind(os);
    let dumps = 0;
    os.scanRoutes = async (query, sink) => {
      const other = { prefix: "10.9.0.0/16", metric: 1, protocol: 4, table: 77 };
      if (++dumps === 1) {
        foreign({ op: "add", type: 6, ...other });
        foreign({ op: "delete", ...other });
      }
      return scan(query, sink);
    };
    // Down and up: the kernel takes the route silently, and it can come back.
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    f.kernel.setDown(v0);
    f.kernel.setUp(v0);
    await f.clock.advance(10_000);
    expect(dumps).toBeGreaterThan(1);
    expect(f.status(net).state).toBe("synced");
    expect(f.shown()).toHaveLength(1);
    expect(f.protocol.drift).toEqual([]);
  });
});

describe("a link that goes down while another source takes the route over as it is", () => {
  it("leaves nothing that is believed to stand: what a scan could not judge the next one does", async () => {
    f = await fixture();
    const other = new Channel({
      name: "other",
      table: f.table,
      sourceType: "static",
      preference: 300,
      import: ACCEPT_ALL,
      export: REJECT_ALL,
      deviceName: () => "",
      clock: f.clock,
    });
    await other.up();
    const via = { nexthops: [{ via: "10.0.0.2" }] };
    f.want("10.1.0.0/16", via);
    await f.start();
    f.foreign({ op: "add", prefix: "10.9.0.0/16", metric: 1, protocol: 4, type: 6 });
    // IPv4 says nothing of the routes that go with it.
    f.kernel.setDown(f.kernel.links.byName("v0")!.ifindex);
    const { w0, w1, w2, w3, length } = prefixOf("10.1.0.0/16");
    f.os.faults.duringScan(1, () => {
      other.importRoute(w0, w1, w2, w3, length, f.attrs.intern(draftOf(via)), 0);
    });
    await f.clock.advance(1000);
    expect(f.shown()).toHaveLength(1);
    const best = f.table.best(f.table.fib.find(w0, w1, w2, w3, length));
    expect(f.table.source(f.table.sourceOf(best)).name).toBe("other");
    expect(f.status("10.1.0.0/16").state).toBe("waiting");
  });
});
