/** safety.max-delete-percent at a configuration or a reload: too much is not done, and nothing of it is written. */

import { describe, expect, it } from "vitest";
import type { KrtInput, StaticInput } from "../../src/config/input.ts";
import type { ConfigureRequest } from "../../src/control/backend.ts";
import { attempts, FAMILIES } from "./deletions-fixture.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

describe.each(FAMILIES)("in IPv$family", (of) => {
  const { table, via, net } = of;
  const { routes, config, FULL, attempt, isRefused } = attempts(of);

  const filters: NonNullable<KrtInput["filters"]> = {
    none4: [{ action: "reject" }],
    some: [{ match: { source: "s" }, action: "reject" }, { action: "accept" }],
  };
  const fixed = (name: string, more: StaticInput = {}): KrtInput["static"] => ({
    [name]: { table, routes: routes(0, 40), ...more },
  });

  it.each<{ what: string; next: KrtInput; writes: number }>([
    { what: "with just half of its routes", next: config(routes(0, 20)), writes: 20 },
    {
      what: "with the routes under another name",
      next: { kernel: FULL.kernel!, static: fixed("other")! },
      writes: 0,
    },
    { what: "with another metric", next: config(routes(0, 40), {}, { metric: 50 }), writes: 80 },
  ])("$what it is not refused", async ({ next, writes }) => {
    await using d = await startDaemon(FULL);
    d.writes();
    expect((await attempt(d, next)).ok).toBe(true);
    expect(d.writes()).toHaveLength(writes);
  });

  /** `forced`: routes in the kernel when it is made all the same. */
  it.each<{ what: string; next: KrtInput; forced: number }>([
    { what: "without its routes", next: config([]), forced: 0 },
    { what: "with less than half of them", next: config(routes(0, 19)), forced: 19 },
    { what: "with others, fewer of the old", next: config(routes(30, 90)), forced: 60 },
    {
      what: "that exports nothing",
      next: config(routes(0, 40), { filters }, { export: "none4" }),
      forced: 0,
    },
    {
      what: "that exports no more of them",
      next: config(routes(0, 40), { filters }, { export: "some" }),
      forced: 0,
    },
    {
      what: "that imports none of them",
      next: { ...FULL, static: fixed("s", { import: "none4" })!, filters },
      forced: 0,
    },
    { what: "without the kernel protocol", next: { static: FULL.static! }, forced: 0 },
    { what: "without anything", next: {}, forced: 0 },
    {
      what: "with the kernel protocol on another kernel table",
      next: config(routes(0, 40), {}, { "kernel-table": 1000 }),
      forced: 40,
    },
    {
      what: "with another limit, which counts from then on",
      next: config([], { safety: { "max-delete-percent": 100 } }),
      forced: 0,
    },
  ])("$what it is refused, and nothing written", async ({ next, forced }) => {
    await using d = await startDaemon(FULL);
    d.writes();
    const before = d.own();
    const running = d.daemon.configuration.current;
    expect(isRefused(await attempt(d, next))).toBe(true);
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
    expect(d.daemon.configuration.current).toBe(running);
    const { config: status, state } = d.daemon.backend.status();
    expect(status).toMatchObject({ ok: false, error: expect.stringMatching(/: Too much would be deleted/) });
    expect(state).toBe("in-sync");
    expect(d.logged.filter(({ level }) => level === "error")).toMatchObject([
      {
        message: expect.stringContaining("refused"),
        fields: { deletions: [{ protocol: "k", standing: 40 }] },
      },
    ]);
    expect(await d.during(d.daemon.configuration.undo()), "there is nothing to go back to").toBeNull();
    d.writes();
    expect(isRefused(await attempt(d, next, { force: true }))).toBe(false);
    await d.synced();
    expect(d.own()).toHaveLength(forced);
  });

  it("says what, how much, and the way out", async () => {
    await using d = await startDaemon(FULL);
    expect(await attempt(d, config(routes(0, 2)))).toMatchObject({
      ok: false,
      tooMany: {
        message:
          "Too much would be deleted from the kernel (k: 38 of 40 routes (95 %)), as safety.max-delete-percent is 50: " +
          "nothing was changed",
        hint: '"krtctl configure --force" makes the change all the same',
      },
    });
  });

  it.each<ConfigureRequest["mode"]>(["check", "plan"])("%s says nothing of it", async (mode) => {
    await using d = await startDaemon(FULL);
    expect(await attempt(d, config([]), { mode })).toMatchObject({ ok: true, applied: false });
  });

  it("fewer than ten are never asked about", async () => {
    await using d = await startDaemon(config(routes(0, 9)));
    expect((await attempt(d, config([]))).ok).toBe(true);
    expect(d.own()).toEqual([]);
  });

  it("does not count what went before, and is on its way", async () => {
    await using d = await startDaemon(FULL);
    await d.write(config(routes(0, 1)));
    const request = { file: d.file, mode: "apply", undoAfterMs: null } as const;
    const forced = d.daemon.configuration.configure({ ...request, force: true });
    const again = d.daemon.configuration.configure(request);
    expect((await d.during(forced)).ok).toBe(true);
    expect((await d.during(again)).ok).toBe(true);
  });

  it("does not ask when what was applied is undone, by hand or by itself", async () => {
    await using d = await startDaemon(config(routes(0, 2)));
    expect((await attempt(d, FULL)).ok).toBe(true);
    expect(await d.during(d.daemon.configuration.undo())).toMatchObject({ ok: true });
    await d.synced();
    expect(d.own()).toHaveLength(2);
    expect((await attempt(d, FULL, { undoAfterMs: 5000 })).ok).toBe(true);
    expect(d.own()).toHaveLength(40);
    await d.clock.advance(6000);
    await d.synced();
    expect(d.own()).toHaveLength(2);
  });

  it("a refused one leaves what waits to be confirmed waiting", async () => {
    await using d = await startDaemon(config(routes(0, 30)));
    expect((await attempt(d, FULL, { undoAfterMs: 60_000 })).ok).toBe(true);
    const { "undo-in-seconds": left } = d.daemon.backend.status().config;
    expect(left).toBeGreaterThan(50);
    expect(isRefused(await attempt(d, config([])))).toBe(true);
    expect(d.daemon.backend.status().config["undo-in-seconds"]).toBeGreaterThan(left! - 5);
    await d.clock.advance(60_000);
    await d.synced();
    expect(d.own()).toHaveLength(30);
  });

  it("a refused one changes no setting, and the same protocols run on", async () => {
    await using d = await startDaemon(config(routes(0, 40), { safety: { protect: [net(0)] } }));
    const kernel = d.daemon.backend.protocols().find(({ protocol }) => protocol.name === "k")!.protocol;
    expect(isRefused(await attempt(d, { ...config([], {}, { metric: 50 }), safety: {} }))).toBe(true);
    expect(d.daemon.backend.protocols().find(({ protocol }) => protocol.name === "k")!.protocol).toBe(kernel);
    await d.during(d.daemon.backend.act("disable", "s"));
    await d.synced();
    expect(d.own(), "the protected one stays").toHaveLength(1);
  });

  it("a new kernel protocol of a refused one leaves what it found in the kernel", async () => {
    const found = Array.from(
      { length: 5 },
      (_, i) => `route add ${net(i)} via ${via} metric 32 proto 120 table 1000`,
    );
    await using d = await startDaemon(FULL, { before: found });
    const before = d.own();
    d.writes();
    const next: KrtInput = {
      tables: { more: { family: table === "master4" ? "ipv4" : "ipv6" } },
      kernel: { ...FULL.kernel, k2: { table: "more", "kernel-table": 1000, "scan-time": 0 } },
    };
    expect(isRefused(await attempt(d, next))).toBe(true);
    expect(d.writes()).toEqual([]);
    expect(d.own()).toEqual(before);
    expect(d.daemon.backend.protocols().map(({ protocol }) => protocol.name)).not.toContain("k2");
    expect(d.daemon.backend.tables().map(({ name }) => name)).not.toContain("more");
  });

  it("a kernel protocol that restarts and takes its routes over is asked by its first scan, unless forced", async () => {
    await using d = await startDaemon(FULL);
    const next = { ...config([]), "former-protocol-ids": [99] };
    d.writes();
    expect((await attempt(d, next)).ok).toBe(true);
    expect(d.writes()).toEqual([]);
    expect(d.daemon.backend.status()).toMatchObject({ state: "degraded", counts: { withheld: 40 } });
    await d.during(d.daemon.configuration.undo());
    await d.synced();
    expect(d.writes()).toEqual([]);
    expect(d.daemon.backend.status()).toMatchObject({ state: "in-sync", counts: { withheld: 0 } });
    expect((await attempt(d, next, { force: true })).ok).toBe(true);
    await d.synced();
    expect(d.own()).toEqual([]);
  });

  describe("reload", () => {
    const act = async (d: ModelDaemon, name: string, force = false): Promise<string | null> => {
      const refusal = await d.during(d.daemon.backend.act("reload", name, force));
      for (let i = 0; i < 5; i++) await d.clock.advance(100);
      if (refusal !== null)
        expect(refusal).toMatchObject({
          code: "too-many-deletions",
          hint: expect.stringContaining("--force"),
        });
      return refusal?.reason ?? null;
    };

    it("of a static protocol whose routes are gone is refused, and can be forced", async () => {
      await using d = await startDaemon(FULL);
      await d.write(config([]));
      d.writes();
      expect(await act(d, "s")).toMatch(
        /^Too much would be deleted .*k: 40 of 40 routes.*: nothing was changed$/,
      );
      expect(d.writes()).toEqual([]);
      expect(d.own()).toHaveLength(40);
      expect(d.daemon.backend.status().state).toBe("in-sync");
      expect(await act(d, "s", true)).toBeNull();
      expect(d.own()).toEqual([]);
    });

    it("that lets a softly changed filter count leaves the routes to a scan", async () => {
      await using d = await startDaemon(FULL);
      const filters: NonNullable<KrtInput["filters"]> = {
        f: [{ match: { source: "s" }, action: "reject" }, { action: "accept" }],
      };
      const next = config(routes(0, 40), { filters }, { export: "f" });
      expect((await attempt(d, next, { mode: "soft" })).ok).toBe(true);
      d.writes();
      expect(await act(d, "k")).toMatch(/40 of 40 routes.*they stay in the kernel$/);
      expect(d.writes()).toEqual([]);
      expect(d.own()).toHaveLength(40);
      expect(d.daemon.backend.status()).toMatchObject({ state: "degraded", counts: { withheld: 40 } });
      await d.during(
        d.daemon.backend.protocols().find(({ protocol }) => protocol.name === "k")!.protocol.scan!({
          force: true,
        }),
      );
      await d.synced();
      expect(d.own()).toEqual([]);
    });
  });

  it("disable, enable, restart and the stop never ask", async () => {
    const d = await startDaemon(FULL);
    for (const [action, left] of [
      ["disable", 0],
      ["enable", 40],
      ["restart", 40],
    ] as const) {
      expect(await d.during(d.daemon.backend.act(action, "s"))).toBeNull();
      await d.synced();
      expect(d.own()).toHaveLength(left);
    }
    expect(await d.during(d.daemon.backend.act("disable", "k"))).toBeNull();
    expect(d.own()).toEqual([]);
    expect(await d.during(d.daemon.backend.act("enable", "k"))).toBeNull();
    await d.synced();
    await d.stop();
    expect(d.own()).toEqual([]);
  });
});
