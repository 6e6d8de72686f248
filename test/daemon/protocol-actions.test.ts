/** enable, disable, restart and reload of single protocols: what becomes of their routes in the kernel. */

import { describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import type { ProtocolAction } from "../../src/control/backend.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const A = "10.5.0.0/16";
const B = "10.6.0.0/16";
const CONNECTED = ["10.0.0.0/24", "10.1.0.0/24"];

/** A static protocol whose routes go to kernel tables main and, over a pipe, 1000; there the networks of links, too. */
const CONFIG: KrtInput = {
  tables: { blue: { family: "ipv4" } },
  kernel: {
    k4: { table: "master4", "scan-time": 0 },
    b4: { table: "blue", "kernel-table": 1000, "scan-time": 0 },
  },
  static: {
    s: { table: "master4", routes: [{ prefix: A, via: "10.0.0.2" }] },
    r: { table: "master4", routes: [{ prefix: B, recursive: "10.5.0.1" }] },
  },
  direct: { d: { table: "blue" } },
  pipe: { p: { table: "master4", "peer-table": "blue", import: "none" } },
};

const keys = (d: ModelDaemon): string[] => d.own().map((line) => line.split(" ").slice(0, 2).join(" "));
const MAIN = [`254 ${A}`, `254 ${B}`];
const PIPED = [`1000 ${A}`, `1000 ${B}`];
const DIRECT = CONNECTED.map((net) => `1000 ${net}`);
const ALL = [...MAIN, ...PIPED, ...DIRECT].toSorted();

async function act(d: ModelDaemon, action: ProtocolAction, name: string): Promise<string | null> {
  const answer = await d.during(d.daemon.backend.act(action, name));
  await d.synced();
  return answer?.reason ?? null;
}

const stateOf = (d: ModelDaemon, name: string) =>
  d.daemon.backend.protocols().find(({ protocol }) => protocol.name === name);

describe.each([
  { name: "s", type: "static", keeps: DIRECT },
  { name: "r", type: "static", keeps: [`254 ${A}`, `1000 ${A}`, ...DIRECT] },
  { name: "k4", type: "kernel", keeps: [...PIPED, ...DIRECT] },
  { name: "b4", type: "kernel", keeps: MAIN },
  { name: "p", type: "pipe", keeps: [...MAIN, ...DIRECT] },
  { name: "d", type: "direct", keeps: [...MAIN, ...PIPED] },
])("$type protocol $name", ({ name, keeps }) => {
  it("takes its routes away when it is disabled, and brings them back when it is enabled", async () => {
    await using d = await startDaemon(CONFIG);
    expect(keys(d)).toEqual(ALL);
    expect(await act(d, "disable", name)).toBeNull();
    expect(keys(d)).toEqual(keeps.toSorted());
    expect(stateOf(d, name)).toMatchObject({ disabled: true, state: "down" });
    expect(await act(d, "disable", name)).toBe(`${name} is disabled already`);
    expect(await act(d, "restart", name)).toBe(`${name} is disabled: enable it`);
    expect(await act(d, "reload", name)).toBe(`${name} is disabled`);
    expect(await act(d, "enable", name)).toBeNull();
    expect(keys(d)).toEqual(ALL);
    expect(stateOf(d, name)).toMatchObject({ disabled: false, state: "up" });
    expect(await act(d, "enable", name)).toBe(`${name} is enabled already`);
    await d.stop();
    expect(d.attrs.size).toBe(0);
  });

  it.each(["restart", "reload"] as const)("does not flicker at a %s", async (action) => {
    await using d = await startDaemon(CONFIG);
    const before = stateOf(d, name)!.protocol;
    d.writes();
    expect(await act(d, action, name)).toBeNull();
    expect(d.writes()).toEqual([]);
    expect(keys(d)).toEqual(ALL);
    expect(stateOf(d, name)!.protocol === before).toBe(action === "reload");
    await d.stop();
    expect(d.own()).toEqual([]);
    expect(d.attrs.size).toBe(0);
  });
});

describe("a kernel protocol", () => {
  it("with persist leaves its routes when it is disabled, and adopts them when it is enabled", async () => {
    const kernel = { ...CONFIG.kernel, k4: { table: "master4", persist: true } };
    await using d = await startDaemon({ ...CONFIG, kernel });
    d.writes();
    await act(d, "disable", "k4");
    expect(keys(d)).toEqual(ALL);
    await act(d, "enable", "k4");
    expect(d.writes()).toEqual([]);
  });

  it.each(["disable", "stop"] as const)(
    "that was restarted and has not scanned yet answers for the routes of the one before: %s",
    async (how) => {
      await using d = await startDaemon(CONFIG);
      d.os.faults.injectIncompleteScan(1_000_000);
      await d.during(d.daemon.backend.act("restart", "k4"));
      await d.during(d.daemon.backend.act("restart", "k4"));
      expect(keys(d)).toEqual(ALL);
      expect(stateOf(d, "k4")!.protocol.kernel!.report().scan.lastProblem).not.toBeNull();
      d.os.faults.injectIncompleteScan(0);
      if (how === "stop") {
        await d.stop();
        expect(keys(d)).toEqual([]);
      } else {
        await d.during(d.daemon.backend.act("disable", "k4"));
        expect(keys(d).filter((key) => key.startsWith("254"))).toEqual([]);
      }
    },
  );

  it("that has not scanned since the start of krtd leaves what it found", async () => {
    const before = [`route add ${B} via 10.0.0.2 metric 32 proto 120`];
    await using d = await startDaemon({ kernel: { k4: { table: "master4" } } }, { before });
    expect(keys(d)).toEqual([]);
    await using other = await startDaemon({}, { before });
    await other.write({ kernel: { k4: { table: "master4" } } });
    other.os.faults.injectIncompleteScan(1_000_000);
    const request = { file: other.file, mode: "apply", undoAfterMs: null } as const;
    await other.during(other.daemon.configuration.configure(request));
    await other.stop();
    expect(keys(other)).toEqual([`254 ${B}`]);
  });
});

describe("what cannot be done", () => {
  it.each([
    ["a protocol that does not exist", "nosuch", 'There is no protocol "nosuch"'],
    ["a device protocol", "device", /device protocol/],
  ] as const)("is told: %s", async (_what, name, told) => {
    await using d = await startDaemon(CONFIG);
    for (const action of ["enable", "disable", "restart", "reload"] as const) {
      expect(await act(d, action, name)).toMatch(told);
    }
    expect(keys(d)).toEqual(ALL);
  });

  it("is told when krtd stops", async () => {
    await using d = await startDaemon(CONFIG);
    const stopped = d.stop();
    const answer = await d.during(d.daemon.backend.act("restart", "s"));
    expect(answer).toEqual({ code: "refused", reason: "krtd is stopping" });
    await stopped;
  });
});
