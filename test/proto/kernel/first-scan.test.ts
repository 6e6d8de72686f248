/** What happens while the first scan runs is not lost. */

import { afterEach, describe, expect, it } from "vitest";
import { ACCEPT_ALL } from "../../../src/nest/filter.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

const VIA = { nexthops: [{ via: "10.0.0.2" }] };

describe("what happens while the first scan runs", () => {
  it("a link that goes down and up silently takes own routes with it: they come back without any scan timer", async () => {
    f = await fixture();
    f.want("10.1.0.0/16", VIA);
    f.want("10.2.0.0/16", VIA);
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    const hop = [{ gateway: { family: 4 as const, w0: 0x0a000002, w1: 0, w2: 0, w3: 0 }, device: v0 }];
    for (const prefix of ["10.1.0.0/16", "10.2.0.0/16"])
      f.foreign({ op: "add", prefix, metric: 32, protocol: 120, nexthops: hop });
    f.os.faults.duringScan(3, () => {
      f.kernel.setDown(v0);
      f.kernel.setUp(v0);
    });
    await f.start();
    await f.clock.advance(60_000);
    expect(f.shown()).toHaveLength(2);
  });

  it("another metric of the protocol is taken over", async () => {
    f = await fixture();
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    const hop = [{ gateway: { family: 4 as const, w0: 0x0a000002, w1: 0, w2: 0, w3: 0 }, device: v0 }];
    f.want("10.1.0.0/16", VIA);
    f.foreign({ op: "add", prefix: "10.1.0.0/16", metric: 32, protocol: 120, nexthops: hop });
    let done: Promise<void> = Promise.resolve();
    f.os.faults.duringScan(2, () => {
      done = f.protocol.reconfigure(
        {
          name: "k",
          table: "t",
          kernelTable: 254,
          kernelTableName: null,
          scanTimeMs: 0,
          metric: 50,
          learn: false,
          persist: false,
          import: ACCEPT_ALL,
          export: ACCEPT_ALL,
          mergePaths: 1,
          netns: null,
        },
        { soft: false },
      );
    });
    await f.start();
    await done;
    await f.clock.advance(60_000);
    await settle();
    expect(f.shown().map((line) => line.replace(/ proto.*/, ""))).toEqual([
      expect.stringContaining("metric 50"),
    ]);
  });
});
