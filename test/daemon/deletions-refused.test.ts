/** What a configuration that is refused for its deletions leaves behind, and what a forced one does with what was kept. */

import { describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import { attempts, FAMILIES } from "./deletions-fixture.ts";
import { startDaemon } from "./fixture.ts";

describe.each(FAMILIES)("in IPv$family", (of) => {
  const { table, via, net } = of;
  const { routes, config, FULL, attempt, isRefused } = attempts(of);

  it("routes that lose their protection together with their kernel protocol are counted", async () => {
    await using d = await startDaemon({ ...FULL, safety: { protect: ["0.0.0.0/0+", "::/0+"] } });
    const before = d.own();
    d.writes();
    expect(isRefused(await attempt(d, { static: FULL.static! }))).toBe(true);
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
  });

  it.each([{ force: true }, { force: false }])(
    "unwanted routes that lose their protection go with force $force as the change says",
    async ({ force }) => {
      const wanted = force ? 10 : 30;
      await using d = await startDaemon({ ...FULL, safety: { protect: ["0.0.0.0/0+", "::/0+"] } });
      const protecting = config(routes(0, wanted), { safety: { protect: ["0.0.0.0/0+", "::/0+"] } });
      expect((await attempt(d, protecting)).ok).toBe(true);
      expect(d.own()).toHaveLength(40);
      const next = config(routes(0, wanted));
      d.writes();
      expect(isRefused(await attempt(d, next))).toBe(force);
      if (force) expect(d.writes()).toEqual([]);
      await attempt(d, next, { force });
      expect(d.own()).toHaveLength(wanted);
      expect(d.writes()).toHaveLength(40 - wanted);
      expect(d.daemon.backend.status()).toMatchObject({ state: "in-sync", counts: { withheld: 0 } });
    },
  );

  it("routes that are protected by what removes their kernel protocol stay, and are not counted", async () => {
    await using d = await startDaemon(FULL);
    const before = d.own();
    d.writes();
    const next = { static: FULL.static!, safety: { protect: ["0.0.0.0/0+", "::/0+"] } };
    expect((await attempt(d, next)).ok).toBe(true);
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
  });

  it("a larger limit of a refused one does not let a scan delete meanwhile what is withheld", async () => {
    const stale = Array.from(
      { length: 45 },
      (_, i) => `route add ${net(100 + i)} via ${via} metric 32 proto 120`,
    );
    await using d = await startDaemon({}, { before: stale });
    const slow = 1000;
    const { os, clock } = d;
    const scanRoutes = os.scanRoutes.bind(os);
    os.scanRoutes = async (which, sink) => {
      if (which.table === slow) await new Promise<void>((resolve) => void clock.after(500, resolve));
      return scanRoutes(which, sink);
    };
    expect((await attempt(d, FULL)).ok).toBe(true);
    const before = d.own();
    expect(before).toHaveLength(85);
    expect(d.daemon.backend.status()).toMatchObject({ state: "degraded", counts: { withheld: 45 } });
    d.writes();
    const next: KrtInput = {
      ...config([], { safety: { "max-delete-percent": 100 } }),
      tables: { more: { family: table === "master4" ? "ipv4" : "ipv6" } },
    };
    next.kernel!["learns"] = { table: "more", "kernel-table": slow, learn: true, "scan-time": 0 };
    expect(isRefused(await attempt(d, next))).toBe(true);
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
    expect((await attempt(d, next, { force: true })).ok).toBe(true);
    await d.synced();
    expect(d.own()).toEqual([]);
  });

  it("a larger limit of one that is made deletes what is withheld", async () => {
    const stale = Array.from(
      { length: 45 },
      (_, i) => `route add ${net(100 + i)} via ${via} metric 32 proto 120`,
    );
    await using d = await startDaemon({}, { before: stale });
    expect((await attempt(d, FULL)).ok).toBe(true);
    expect(d.own()).toHaveLength(85);
    // It is still all of what the scan found, though by now fewer than 60 % of what stands there.
    const limited = (percent: number) => config(routes(0, 40), { safety: { "max-delete-percent": percent } });
    expect((await attempt(d, limited(60))).ok).toBe(true);
    await d.clock.advance(1000);
    expect(d.own()).toHaveLength(85);
    expect((await attempt(d, limited(100))).ok).toBe(true);
    await d.synced();
    expect(d.own()).toHaveLength(40);
  });

  it.each([
    { what: "all", rejected: 40 },
    { what: "a few", rejected: 3 },
  ])(
    "a refused one after a soft change that turns away $what deletes no more than it may",
    async ({ rejected }) => {
      const prefix = routes(0, rejected).map((route) => String(route.prefix));
      const soft: KrtInput = {
        ...config(routes(0, 40), {}, { export: "f" }),
        filters: { f: [{ match: { prefix }, action: "reject" }, { action: "accept" }] },
      };
      await using d = await startDaemon(FULL);
      expect((await attempt(d, soft, { mode: "soft" })).ok).toBe(true);
      const before = d.own();
      expect(before).toHaveLength(40);
      d.writes();
      const result = await attempt(d, { ...soft, static: {} });
      const message = expect.stringMatching(
        /: the configuration before runs on, but wants fewer .* changed softly/,
      );
      expect(result).toMatchObject({ ok: false, tooMany: { message } });
      if (rejected < 10) {
        expect(d.writes()).toHaveLength(rejected);
        return;
      }
      expect(d.writes()).toEqual([]);
      expect(d.own()).toEqual(before);
      expect(d.daemon.backend.status()).toMatchObject({ state: "degraded", counts: { withheld: 40 } });
      expect((await attempt(d, FULL)).ok).toBe(true);
      await d.synced();
      expect(d.writes()).toEqual([]);
    },
  );

  it("what was switched off by hand, and a refused one removes, stays off", async () => {
    const other = { table, routes: routes(50, 55) };
    const more = { table: "more", "kernel-table": 1000, "scan-time": 0 } as const;
    const all: KrtInput = {
      tables: { more: { family: table === "master4" ? "ipv4" : "ipv6" } },
      kernel: { ...FULL.kernel, k2: more },
      static: { ...FULL.static, off: other, blue: { ...other, table: "more" } },
    };
    await using d = await startDaemon(all);
    for (const name of ["off", "k2"])
      expect(await d.during(d.daemon.backend.act("disable", name))).toBeNull();
    await d.synced();
    const before = d.own();
    expect(before).toHaveLength(40);
    d.writes();
    expect(isRefused(await attempt(d, config([])))).toBe(true);
    await d.synced();
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
    const off = d.daemon.backend.protocols().filter(({ disabled }) => disabled);
    expect(off.map(({ protocol }) => protocol.name).toSorted()).toEqual(["k2", "off"]);
    for (const name of ["off", "k2"]) expect(await d.during(d.daemon.backend.act("enable", name))).toBeNull();
    await d.synced();
    expect(d.own()).toHaveLength(50);
  });

  it("a refused one that stops learning leaves what a pipe made of that", async () => {
    const foreign = Array.from(
      { length: 12 },
      (_, i) => `route add ${net(60 + i)} via ${via} metric 9 proto 11`,
    );
    const learning = (learn: boolean): KrtInput => ({
      tables: { more: { family: table === "master4" ? "ipv4" : "ipv6" } },
      kernel: {
        k: { table, "scan-time": 0, learn },
        k2: { table: "more", "kernel-table": 1000, "scan-time": 0 },
      },
      pipe: { p: { table, "peer-table": "more", import: "none" } },
    });
    await using d = await startDaemon(learning(true), { before: foreign });
    const before = d.own();
    expect(before).toHaveLength(12);
    d.writes();
    const message = expect.stringMatching(/: nothing was changed$/);
    expect(await attempt(d, learning(false))).toMatchObject({ ok: false, tooMany: { message } });
    await d.synced();
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
  });
});
