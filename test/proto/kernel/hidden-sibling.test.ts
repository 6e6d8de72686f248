import { afterEach, describe, expect, it } from "vitest";
import { type Fixture, fixture, ip, OWN } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});
const NET = "2001:db8:10::/48";

describe("IPv6, a foreign nexthop that our route hid is learned when ours goes, without any scan timer", () => {
  const begin = async () => {
    f = await fixture({ family: 6, learn: true });
    f.want(NET, { nexthops: [{ via: "2001:db8:0:1::2" }] });
    await f.start();
    f.foreign({
      op: "append",
      prefix: NET,
      metric: 32,
      protocol: 4,
      nexthops: [{ gateway: ip("2001:db8:0:1::9"), device: 0 }],
    });
    await f.clock.advance(10_000);
  };
  it("withdrawn", async () => {
    await begin();
    f.unwant(NET);
    await f.clock.advance(60_000);
    expect([
      f.kernel.entries(6, 254).filter(({ protocol }) => protocol === 4).length,
      f.protocol.report().learned,
    ]).toEqual([1, 1]);
  });
  it("moved to another metric", async () => {
    await begin();
    f.want(NET, { nexthops: [{ via: "2001:db8:0:1::2" }] }, 50);
    await f.clock.advance(60_000);
    expect([
      f.kernel.entries(6, 254).filter(({ protocol }) => protocol === 4).length,
      f.protocol.report().learned,
    ]).toEqual([1, 1]);
  });
});

describe("IPv6, nexthops that somebody else appends to our route", () => {
  it("are told as drift of which a scan will tell more, and counted as nothing repaired", async () => {
    f = await fixture({ family: 6 });
    f.want(NET, { nexthops: [{ via: "2001:db8:0:1::2" }] });
    await f.start();
    const nexthops = [{ gateway: ip("2001:db8:0:1::9"), device: 0 }];
    f.foreign({ op: "append", prefix: NET, metric: 32, protocol: 11, nexthops });
    await f.clock.advance(60_000);
    expect(f.protocol.drift.map(({ kind, reaction }) => `${kind} ${reaction}`)).toEqual(["changed scan"]);
    expect(f.protocol.report().repaired).toBe(0);
    expect(f.status(NET).state).toBe("failed");
  });
});

describe("IPv6, nexthops with our number that somebody appends to our route", () => {
  const add = (): number =>
    f.foreign({
      op: "append",
      prefix: NET,
      metric: 32,
      protocol: OWN,
      nexthops: [{ gateway: ip("2001:db8:0:1::9"), device: 0 }],
    });
  const shown = (): number => f.kernel.entries(6, 254).filter(({ protocol }) => protocol === OWN).length;
  const begin = async (): Promise<void> => {
    f = await fixture({ family: 6 });
    f.want(NET, { nexthops: [{ via: "2001:db8:0:1::2" }] });
    await f.start();
    f.writes();
    add();
    for (let i = 0; i < 100 && f.writes().length === 0; i++) await f.clock.advance(10);
  };
  const end = async (): Promise<void> => {
    await f.clock.advance(30_000);
    expect([shown(), f.status(NET).state]).toEqual([1, "synced"]);
  };

  it("go again, though the same came back before a scan saw them gone", async () => {
    await begin();
    add();
    await end();
  });
  it("go again, though nobody heard of those that came back", async () => {
    await begin();
    add();
    f.os.loseEvents();
    await end();
  });
});
