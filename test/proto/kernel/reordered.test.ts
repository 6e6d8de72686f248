import { afterEach, describe, expect, it } from "vitest";
import { type Fixture, fixture, ip } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

const NET = "10.1.0.0/16";
const WANTED = { nexthops: [{ via: "10.0.0.2" }, { via: "10.0.0.3" }] };
/** As wanted, in another order: krtd takes it for the same, the kernel when it deletes does not. */
const hops = ["10.0.0.3", "10.0.0.2"].map((gateway) => ({ gateway: ip(gateway), device: 0 }));
const REORDERED = { prefix: NET, metric: 32, protocol: 120, nexthops: hops };

describe("IPv4 nexthops in another order", () => {
  it("in a route that stood there before krtd came: it is adopted, and deleted when it is not wanted", async () => {
    f = await fixture();
    expect(f.foreign({ op: "add", ...REORDERED })).toBe(0);
    f.want(NET, WANTED);
    await f.start();
    expect(f.writes()).toEqual([]);
    f.unwant(NET);
    await f.clock.advance(1000);
    expect(f.shown()).toEqual([]);
  });

  it.each(["prepend", "append"] as const)(
    "in a second one of ours (%s): none is left when the route is withdrawn",
    async (op) => {
      f = await fixture();
      f.want(NET, WANTED);
      await f.start();
      expect(f.foreign({ op, ...REORDERED })).toBe(0);
      await f.clock.advance(10_000);
      expect(f.shown()).toHaveLength(1);
      f.unwant(NET);
      await f.clock.advance(60_000);
      expect(f.shown()).toEqual([]);
    },
  );
});
