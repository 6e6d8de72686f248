/** safety.max-delete-percent at the prune: too many stale routes are withheld until somebody says what is to be. */

import { afterEach, describe, expect, it } from "vitest";
import { REJECT_ALL } from "../../../src/nest/filter.ts";
import { type Fixture, fixture, ip, OWN, safety } from "./fixture.ts";

const FAMILIES = [
  { family: 4, hop: "10.0.0.2", next: "10.0.0.3", net: (i: number) => `10.1.${i}.0/24` },
  {
    family: 6,
    hop: "2001:db8:0:1::2",
    next: "2001:db8:0:1::3",
    net: (i: number) => `2001:db8:a${100 + i}::/48`,
  },
] as const;

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

describe.each(FAMILIES)("a prune in IPv$family", ({ family, hop, next, net }) => {
  const via = { nexthops: [{ via: hop }] };
  const found = (i: number) =>
    f.foreign({
      op: "add",
      prefix: net(i),
      protocol: OWN,
      metric: 32,
      nexthops: [{ gateway: ip(hop), device: 0 }],
    });
  /** `stale` routes of ours stand there that nobody wants, and `wanted` that are. */
  const begin = async (
    stale: number,
    wanted: number,
    more: Parameters<typeof fixture>[0] = {},
  ): Promise<void> => {
    f = await fixture({ family, ...more });
    for (let i = 0; i < stale + wanted; i++) found(i);
    for (let i = stale; i < stale + wanted; i++) f.want(net(i), via);
  };
  const errors = () => f.logged.filter(({ level }) => level === "error");
  const deleted = (): number => f.writes().filter((line) => line.startsWith("delete")).length;

  it.each([
    { stale: 9, wanted: 0, limit: 50, goes: 9 },
    { stale: 10, wanted: 0, limit: 50, goes: 0 },
    { stale: 10, wanted: 10, limit: 50, goes: 10 },
    { stale: 12, wanted: 10, limit: 50, goes: 0 },
    { stale: 12, wanted: 10, limit: 60, goes: 12 },
    { stale: 20, wanted: 0, limit: 100, goes: 20 },
  ])(
    "with $stale stale beside $wanted wanted and $limit % deletes $goes",
    async ({ stale, wanted, limit, goes }) => {
      await begin(stale, wanted, { safety: safety([], limit) });
      await f.start();
      expect(deleted()).toBe(goes);
      expect(f.protocol.report().withheld).toBe(goes === 0 ? stale : 0);
    },
  );

  it("is in sync all the same, says it once, and goes on with all else", async () => {
    await begin(15, 5);
    f.want(net(16), { nexthops: [{ via: next }] });
    f.want(net(100), via);
    await f.start();
    expect(f.protocol.inSync).toBe(true);
    expect(f.shown()).toHaveLength(21);
    f.writes();
    expect(f.status(net(16)).state).toBe("synced");
    expect(f.status(net(100)).state).toBe("synced");
    await f.scan();
    await f.scan();
    await f.clock.advance(60_000);
    expect(errors()).toHaveLength(1);
    expect(errors()[0]?.fields).toMatchObject({
      protocol: "k",
      unwanted: 15,
      routes: 20,
      percent: 75,
      "max-delete-percent": 50,
    });
    expect(f.protocol.info()).toBe(
      "15 of 20 routes (75 %) are not wanted and not deleted, as safety.max-delete-percent is 50: krtctl scan --force k",
    );
    f.want(net(101), via);
    f.unwant(net(17));
    await f.clock.advance(500);
    expect(f.status(net(101)).state).toBe("synced");
    expect(f.writes()).toHaveLength(2);
    found(200);
    await f.scan();
    expect(errors(), "another number is news").toHaveLength(2);
  });

  it("still withholds it when more routes stand beside it than it is", async () => {
    await begin(15, 0);
    for (let i = 0; i < 40; i++) f.want(net(100 + i), via);
    await f.start();
    f.writes();
    await f.scan();
    await f.scan();
    expect(deleted()).toBe(0);
    expect(f.protocol.report().withheld).toBe(15);
    expect(f.protocol.info()).toContain("15 of 15 routes (100 %)");
  });

  it("counts what is wanted and went with its link as standing, once nothing is withheld", async () => {
    await begin(0, 40);
    await f.start();
    const v0 = f.kernel.links.byName("v0")!.ifindex;
    f.kernel.setDown(v0);
    f.kernel.setUp(v0);
    f.kernel.addAddress(v0, ip(family === 4 ? "10.0.0.1" : "2001:db8:0:1::1"), family === 4 ? 24 : 64);
    for (let i = 100; i < 115; i++) found(i);
    f.os.loseEvents();
    await f.clock.advance(5000);
    expect(errors()).toEqual([]);
    expect(f.protocol.report().withheld).toBe(0);
    expect(f.shown()).toHaveLength(40);
  });

  it("does not look again and again at what it withholds", async () => {
    await begin(15, 0);
    await f.start();
    await f.clock.advance(1000);
    const { count } = f.protocol.report().scan;
    await f.clock.advance(60_000);
    expect(f.protocol.report().scan.count).toBe(count);
  });

  it("deletes it when forced, once", async () => {
    await begin(15, 5);
    await f.start();
    f.protocol.rails.force();
    await f.scan();
    expect(deleted()).toBe(15);
    expect(f.protocol.report().withheld).toBe(0);
    expect(f.protocol.info()).toBe("");
    for (let i = 0; i < 15; i++) found(i);
    await f.scan();
    expect(deleted()).toBe(0);
    expect(f.protocol.report().withheld).toBe(15);
  });

  it("keeps what it was forced to for a dump that is complete", async () => {
    await begin(15, 5);
    await f.start();
    f.protocol.rails.force();
    f.os.faults.injectIncompleteScan(1);
    await f.scan();
    expect(deleted()).toBe(0);
    await f.clock.advance(2000);
    expect(deleted()).toBe(15);
  });

  it("deletes it when the limit is raised", async () => {
    await begin(15, 5);
    await f.start();
    await f.protocol.rails.configure(safety([], 75));
    await f.clock.advance(500);
    expect(deleted()).toBe(15);
  });

  it("adopts it without a write when it is wanted again", async () => {
    await begin(15, 5);
    await f.start();
    f.writes();
    for (let i = 0; i < 15; i++) f.want(net(i), via);
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([]);
    expect(f.protocol.report().withheld).toBe(0);
    expect(f.status(net(3)).state).toBe("synced");
  });

  it("does not count what is protected", async () => {
    await begin(15, 0, { safety: safety([`${net(0)}`, net(1), net(2), net(3), net(4), net(5)]) });
    await f.start();
    expect(deleted()).toBe(9);
    expect(f.protocol.report().withheld).toBe(0);
  });

  it("has the first scan of a forced change delete all, though it waited for the sources", async () => {
    await begin(15, 0, { forced: true });
    await f.device.start();
    await f.protocol.start();
    f.protocol.sourcesFed();
    await f.clock.advance(500);
    expect(deleted()).toBe(0);
    f.protocol.allFed();
    await f.clock.advance(500);
    expect(deleted()).toBe(15);
  });

  it.each([
    { what: "observing", more: { observe: true } },
    { what: "exporting nothing", more: { export: REJECT_ALL } },
  ])("withholds nothing while $what", async ({ more }) => {
    await begin(15, 0, more);
    await f.start();
    await f.scan();
    expect(f.writes()).toEqual([]);
    expect(errors()).toEqual([]);
    expect(f.protocol.report().withheld).toBe(0);
    expect(await f.protocol.rails.deletions()).toEqual({ deletions: 0, standing: 0 });
  });
});

describe.each(FAMILIES)("SafetyRails in IPv$family", ({ family, hop, net }) => {
  const via = { nexthops: [{ via: hop }] };

  it("counts what stands and what goes, before anything is written", async () => {
    f = await fixture({ family, safety: safety([net(0)]) });
    for (let i = 0; i < 20; i++) f.want(net(i), via);
    await f.start();
    f.writes();
    f.protocol.hold();
    for (let i = 0; i < 12; i++) f.unwant(net(i));
    f.want(net(50), via);
    expect(await f.protocol.rails.deletions()).toEqual({ deletions: 11, standing: 20 });
    expect(await f.protocol.rails.flush(safety([net(0)]))).toEqual({ deletions: 19, standing: 20 });
    expect(await f.protocol.rails.flush(safety())).toEqual({ deletions: 20, standing: 20 });
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    f.protocol.release();
    await f.clock.advance(500);
    expect(f.writes()).toHaveLength(12);
  });

  it("counts nothing but what goes when that is little", async () => {
    f = await fixture({ family, safety: safety([net(0)]) });
    for (let i = 0; i < 40; i++) f.want(net(i), via);
    await f.start();
    f.protocol.hold();
    for (let i = 0; i < 10; i++) f.unwant(net(i));
    f.want(net(50), via);
    expect(await f.protocol.rails.deletions()).toEqual({ deletions: 9, standing: 9 });
    f.unwant(net(10));
    expect(await f.protocol.rails.deletions()).toEqual({ deletions: 10, standing: 40 });
    f.protocol.release();
  });

  it("leaves what would go to a scan, which withholds it", async () => {
    f = await fixture({ family });
    for (let i = 0; i < 20; i++) f.want(net(i), via);
    await f.start();
    f.writes();
    f.protocol.hold();
    for (let i = 0; i < 15; i++) f.unwant(net(i));
    await f.protocol.rails.leaveToScan();
    f.protocol.release();
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    expect(f.protocol.report().withheld).toBe(15);
    f.protocol.rails.force();
    await f.scan();
    expect(f.writes()).toHaveLength(15);
  });
});
