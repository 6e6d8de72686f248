/** What changes while a write is under way: its refusal is an answer to the world as it was. */

import { afterEach, describe, expect, it } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

const NET = "10.1.0.0/16";
const VIA = { nexthops: [{ via: "10.7.0.2" }] };

describe("a route that is refused while what it waits for comes", () => {
  it.each([
    {
      what: "an address",
      come: () => f.kernel.addAddress(f.kernel.links.byName("v0")!.ifindex, ip("10.7.0.1"), 24),
    },
    {
      what: "a route",
      come: () =>
        f.foreign({
          op: "add",
          prefix: "10.7.0.0/24",
          metric: 9,
          protocol: 4,
          scope: 253,
          nexthops: [{ gateway: null, device: f.kernel.links.byName("v0")!.ifindex }],
        }),
    },
  ])("$what: is tried again soon, without any scan", async ({ come }) => {
    f = await fixture();
    await f.start();
    const write = f.os.writeRoutes.bind(f.os);
    f.os.writeRoutes = async (batch) => {
      await write(batch);
      f.os.writeRoutes = write;
      // The kernel has refused it; its answer is on its way while the news is read.
      come();
      await settle();
    };
    const scans = f.protocol.report().scan.count;
    f.os.scanRoutes = async () => ({ complete: false, reason: "none", messages: 0 });
    f.want(NET, VIA);
    await settle();
    await settle();
    await f.clock.advance(300);
    expect(f.status(NET).state).toBe("synced");
    expect(f.protocol.report().scan.count).toBe(scans + f.protocol.report().scan.incomplete);
  });
});

describe("a write that is refused for want of privilege, though krtd has it", () => {
  it("is tried again by a timer, and whoever can tell is asked", async () => {
    f = await fixture();
    await f.start();
    f.os.faults.failNextWrite(1);
    f.want(NET, { nexthops: [{ via: "10.0.0.2" }] });
    await settle();
    expect(f.fatal).toHaveLength(1);
    await f.clock.advance(1000);
    expect(f.status(NET).state).toBe("synced");
  });
});
