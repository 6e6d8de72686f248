/** How a running daemon comes to another configuration, or stays with the one it has. */

import { describe, expect, it } from "vitest";
import type { KrtInput, RouteInput } from "../../src/config/input.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const NETS = ["10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16"] as const;

function config(routes: readonly RouteInput[], more: KrtInput = {}): KrtInput {
  return {
    kernel: { k4: { table: "master4", "scan-time": 0, ...more.kernel?.["k4"] } },
    static: { s: { table: "master4", routes: [...routes] } },
    ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== "kernel")),
  };
}

const to = (prefix: string, via = "10.0.0.2"): RouteInput => ({ prefix, via });
const ONE = config([to(NETS[0])]);
const TWO = config([to(NETS[0]), to(NETS[1])]);
const THREE = config([to(NETS[0]), to(NETS[1]), to(NETS[2])]);

const prefixes = (d: ModelDaemon): string[] => d.own().map((line) => line.split(" ")[1]!);
const statusOf = (d: ModelDaemon) => d.daemon.backend.status().config;
const applied = (d: ModelDaemon, input: KrtInput, undoAfterMs: number): Promise<unknown> =>
  d.configure(input, { undoAfterMs });

describe("configure", () => {
  it.each(["check", "plan"] as const)("%s changes nothing, and says what would change", async (mode) => {
    await using d = await startDaemon(ONE);
    d.writes();
    const before = d.daemon.configuration.current;
    expect(await d.configure(TWO, { mode })).toMatchObject({
      ok: true,
      applied: false,
      plan: { empty: false, protocols: [{ name: "s", action: "reconfigure", reasons: ["routes: 1 added"] }] },
    });
    expect(d.daemon.configuration.current).toBe(before);
    expect(d.writes()).toEqual([]);
    expect(await d.during(d.daemon.configuration.undo())).toBeNull();
  });

  it.each(["apply", "soft", "check", "plan"] as const)(
    "%s of a bad file changes nothing, and names the place",
    async (mode) => {
      await using d = await startDaemon(ONE);
      d.writes();
      await d.write("kernel:\n  k4: {table: master4}\nstatic:\n  s: {table: nosuch}\n");
      const request = { file: d.file, mode, undoAfterMs: 1000 };
      const result = await d.during(d.daemon.configuration.configure(request));
      expect(result).toMatchObject({ ok: false, problems: expect.stringContaining("krt.yaml:4:14: ") });
      await d.synced();
      expect(d.writes()).toEqual([]);
      const refused = mode === "apply" || mode === "soft";
      expect(statusOf(d).ok).toBe(!refused);
      if (!refused) return;
      expect(statusOf(d).error).toContain("krt.yaml:4:14: ");
      expect(statusOf(d)["undo-in-seconds"]).toBeNull();
      await d.configure(TWO);
      expect(statusOf(d)).toMatchObject({ ok: true, error: null });
      expect(prefixes(d)).toEqual([NETS[0], NETS[1]]);
    },
  );

  it("does nothing any more once the daemon stops", async () => {
    await using d = await startDaemon(ONE);
    await d.write(TWO);
    const stopped = d.stop();
    const request = { file: d.file, mode: "apply", undoAfterMs: null } as const;
    expect(await d.during(d.daemon.configuration.configure(request))).toMatchObject({ applied: false });
    await stopped;
    expect(d.own()).toEqual([]);
  });

  it("soft uses a changed filter for routes that change from now on; reload brings the others", async () => {
    const filtered = {
      filters: {
        f: [{ match: { prefix: NETS[0] }, action: "reject" as const }, { action: "accept" as const }],
      },
    };
    const kernel = { k4: { export: "f" } };
    await using d = await startDaemon(TWO);
    d.writes();
    await d.configure(config([to(NETS[0]), to(NETS[1])], { kernel, ...filtered }), { mode: "soft" });
    expect(d.writes()).toEqual([]);
    await d.configure(config([to(NETS[0], "10.0.0.3"), to(NETS[1])], { kernel, ...filtered }), {
      mode: "soft",
    });
    expect(d.writes()).toEqual(["delete 254 10.5.0.0/16 metric 32"]);
    expect(prefixes(d)).toEqual([NETS[1]]);
  });
});

describe("undo", () => {
  it("goes back to the configuration before, and from there to the one after", async () => {
    await using d = await startDaemon(ONE);
    expect(await d.during(d.daemon.configuration.undo())).toBeNull();
    await d.configure(TWO);
    await d.configure(THREE);
    for (const expected of [2, 3, 2]) {
      expect(await d.during(d.daemon.configuration.undo())).toMatchObject({ ok: true, applied: true });
      await d.synced();
      expect(d.own()).toHaveLength(expected);
    }
  });

  it("happens by itself when the time is over", async () => {
    await using d = await startDaemon(ONE);
    await applied(d, TWO, 60_000);
    expect(statusOf(d)["undo-in-seconds"]).toBe(60);
    await d.clock.advance(59_000);
    expect(prefixes(d)).toHaveLength(2);
    expect(statusOf(d)["undo-in-seconds"]).toBe(1);
    await d.clock.advance(2000);
    await d.synced();
    expect(prefixes(d)).toEqual([NETS[0]]);
    expect(statusOf(d)["undo-in-seconds"]).toBeNull();
    await d.clock.advance(300_000);
    expect(prefixes(d)).toEqual([NETS[0]]);
  });

  const KEEPS: readonly {
    readonly why: string;
    readonly act: (d: ModelDaemon) => Promise<unknown>;
    left: number;
  }[] = [
    {
      why: "confirm",
      act: async (d) => {
        expect(d.daemon.configuration.confirm()).toBe(true);
        expect(d.daemon.configuration.confirm()).toBe(false);
      },
      left: 2,
    },
    { why: "another configuration", act: (d) => d.configure(THREE), left: 3 },
    { why: "going back by hand", act: (d) => d.during(d.daemon.configuration.undo()), left: 1 },
  ];
  it.each(KEEPS)("does not happen by itself after $why", async ({ act, left }) => {
    await using d = await startDaemon(ONE);
    await applied(d, TWO, 60_000);
    await act(d);
    await d.clock.advance(300_000);
    await d.synced();
    expect(d.own()).toHaveLength(left);
  });

  it("happens by itself though a check, a plan and a refused file came after", async () => {
    await using d = await startDaemon(ONE);
    await applied(d, TWO, 60_000);
    await d.configure(THREE, { mode: "check" });
    await d.configure(THREE, { mode: "plan" });
    await d.write("kernel: nonsense");
    await d.during(d.daemon.configuration.configure({ file: d.file, mode: "apply", undoAfterMs: null }));
    await d.clock.advance(60_000);
    await d.synced();
    expect(d.own()).toHaveLength(1);
  });

  it("does not undo a configuration that was being applied when the time ended", async () => {
    await using d = await startDaemon(ONE);
    await applied(d, TWO, 60_000);
    await d.write(THREE);
    await d.clock.advance(50_000);
    d.readingTakes(20_000);
    const next = d.daemon.configuration.configure({ file: d.file, mode: "apply", undoAfterMs: null });
    await d.clock.advance(10_000);
    await d.during(next);
    await d.clock.advance(60_000);
    await d.synced();
    expect(d.own()).toHaveLength(3);
  });

  it("is given up at a stop", async () => {
    await using d = await startDaemon(ONE);
    await applied(d, TWO, 60_000);
    await d.stop();
    await d.clock.advance(300_000);
    expect(d.logged.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

describe("reload of a static protocol", () => {
  const reload = async (d: ModelDaemon, name = "s"): Promise<string | null> =>
    (await d.during(d.daemon.backend.act("reload", name)))?.reason ?? null;

  it("reads its section again, and nothing else of the file", async () => {
    const more = (preference: number): KrtInput => ({
      static: {
        s: { table: "master4", routes: [to(NETS[0])] },
        other: { table: "master4", preference, routes: [to(NETS[2])] },
      },
    });
    await using d = await startDaemon({ ...ONE, ...more(200) });
    d.writes();
    await d.write({
      kernel: { k4: { table: "master4", metric: 99 } },
      "protocol-id": 121,
      static: {
        s: { table: "master4", preference: 150, routes: [to(NETS[1])] },
        other: { table: "master4", routes: [] },
        new: { table: "master4", routes: [to("10.9.0.0/16", "10.0.0.9")] },
      },
    });
    expect(await reload(d)).toBeNull();
    await d.synced();
    expect(d.writes().sort()).toEqual(["add 254 10.6.0.0/16 metric 32", "delete 254 10.5.0.0/16 metric 32"]);
    expect(d.daemon.configuration.current.statics.map(({ name, preference }) => [name, preference])).toEqual([
      ["s", 150],
      ["other", 200],
    ]);
    expect(await reload(d)).toBeNull();
    await d.synced();
    expect(d.writes()).toEqual([]);
    await d.configure(THREE);
    expect(prefixes(d)).toEqual([...NETS]);
  });

  it("leaves alone what undo goes back to", async () => {
    await using d = await startDaemon(ONE);
    await applied(d, TWO, 60_000);
    await d.write(THREE);
    expect(await reload(d)).toBeNull();
    await d.synced();
    expect(d.own()).toHaveLength(3);
    await d.clock.advance(60_000);
    await d.synced();
    expect(d.own()).toHaveLength(1);
  });

  it("keeps the rules of a filter, which stand in a section of their own", async () => {
    const filters = (prefix: string): KrtInput => ({
      filters: { f: [{ match: { prefix }, action: "reject" }, { action: "accept" }] },
    });
    const statics = (nets: readonly string[]): KrtInput => ({
      static: { s: { table: "master4", import: "f", routes: nets.map((net) => to(net)) } },
    });
    await using d = await startDaemon({ ...ONE, ...statics([NETS[0], NETS[1]]), ...filters(NETS[0]) });
    await d.write({ ...ONE, ...statics([...NETS]), ...filters(NETS[1]) });
    expect(await reload(d)).toBeNull();
    await d.synced();
    expect(prefixes(d)).toEqual([NETS[1], NETS[2]]);
    expect(
      await d.during(d.daemon.configuration.configure({ file: null, mode: "plan", undoAfterMs: null })),
    ).toMatchObject({
      plan: { protocols: [{ name: "s", action: "reconfigure", reasons: ["filter f"] }] },
    });
  });

  const REFUSED: readonly {
    readonly why: string;
    readonly file: string | KrtInput;
    readonly told: RegExp;
  }[] = [
    {
      why: "the file cannot be used",
      file: '{"static": {"s": {"table": "master4", "routes": [{"prefix": "10.5.0.1/16", "via": "10.0.0.2"}]}}}',
      told: /^.*krt\.yaml:1:61: /,
    },
    {
      why: "another part of the file cannot be used",
      file: { ...TWO, kernel: { k4: { table: "nosuch" } } },
      told: /nosuch/,
    },
    { why: "it is not there any more", file: { kernel: ONE.kernel }, told: /not in .*krt\.yaml any more/ },
    {
      why: "it is on another table",
      file: { ...TWO, tables: { blue: { family: "ipv4" } }, static: { s: { table: "blue", routes: [] } } },
      told: /another table/,
    },
  ];
  it.each(REFUSED)("changes nothing when $why, and says so", async ({ file, told }) => {
    await using d = await startDaemon(ONE);
    d.writes();
    const before = d.daemon.configuration.current;
    await d.write(file);
    expect(await reload(d)).toMatch(told);
    await d.synced();
    expect(d.writes()).toEqual([]);
    expect(d.daemon.configuration.current).toBe(before);
    expect(statusOf(d).ok).toBe(true);
    expect(await reload(d, "k4")).toBeNull();
  });

  it("is refused while it is disabled, and then comes back as it was", async () => {
    await using d = await startDaemon(ONE);
    await d.during(d.daemon.backend.act("disable", "s"));
    await d.write(TWO);
    expect(await reload(d)).toBe("s is disabled");
    expect(await d.during(d.daemon.backend.act("enable", "s"))).toBeNull();
    await d.synced();
    expect(prefixes(d)).toEqual([NETS[0]]);
  });
});
