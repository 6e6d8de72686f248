import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { ProtoManager } from "../../src/nest/proto-manager.ts";
import { nextProtocolState, type ProtocolInput, type ProtocolState } from "../../src/nest/proto-state.ts";
import type { Protocol, ProtocolType } from "../../src/nest/protocol.ts";
import { FakeClock } from "../support/fake-clock.ts";

function fake(
  name: string,
  type: ProtocolType,
  said: string[],
  broken: "start" | "stop" | null = null,
): Protocol {
  return {
    name,
    type,
    channels: [],
    netns: null,
    async start() {
      said.push(`start ${name}`);
      if (broken === "start") throw new Error(`${name} cannot start`);
    },
    sourcesFed: () => void said.push(`fed ${name}`),
    freeze: () => void said.push(`freeze ${name}`),
    async stop() {
      said.push(`stop ${name}`);
      if (broken === "stop") throw new Error(`${name} cannot stop`);
    },
    info: () => "",
  };
}

function setup(broken: Record<string, "start" | "stop"> = {}) {
  const said: string[] = [];
  const manager = new ProtoManager({ clock: new FakeClock(), log: silentLog });
  for (const [name, type] of [
    ["s", "static"],
    ["k", "kernel"],
    ["d", "device"],
  ] as const) {
    manager.add(fake(name, type, said, broken[name] ?? null));
  }
  return { manager, said };
}

describe("nextProtocolState()", () => {
  const rows: readonly [ProtocolState, ProtocolInput, ProtocolState | null][] = [
    ["down", "start", "starting"],
    ["down", "stop", null],
    ["starting", "started", "up"],
    ["starting", "failed", "down"],
    ["starting", "stop", "stopping"],
    ["starting", "start", null],
    ["up", "stop", "stopping"],
    ["up", "start", null],
    ["up", "failed", null],
    ["stopping", "stopped", "down"],
    ["stopping", "start", null],
  ];
  it.each(rows)("%s + %s → %s", (state, input, next) => {
    expect(nextProtocolState(state, input)).toBe(next);
  });
});

describe("ProtoManager", () => {
  it("starts device, kernel, sources, and tells that all have fed only then", async () => {
    const { manager, said } = setup();
    await manager.startAll();
    expect(said).toEqual(["start d", "start k", "start s", "fed d", "fed k", "fed s"]);
    expect(manager.all().map(({ state }) => state)).toEqual(["up", "up", "up"]);
  });

  it("freezes all before it stops any, and stops the device last", async () => {
    const { manager, said } = setup();
    await manager.startAll();
    said.length = 0;
    await manager.stopAll({ keep: false });
    expect(said).toEqual(["freeze d", "freeze k", "freeze s", "stop s", "stop k", "stop d"]);
    await manager.stopAll({ keep: false });
    expect(said.filter((line) => line.startsWith("stop"))).toHaveLength(3);
  });

  it("stops the others when one fails to stop", async () => {
    const { manager, said } = setup({ k: "stop" });
    await manager.startAll();
    await manager.stopAll({ keep: false });
    expect(said).toContain("stop d");
    expect(manager.byName("k")?.state).toBe("down");
  });

  it("rejects with what kept a protocol from starting", async () => {
    const { manager } = setup({ k: "start" });
    await expect(manager.startAll()).rejects.toThrow("k cannot start");
    expect(manager.byName("k")?.state).toBe("down");
    expect(manager.byName("nobody")).toBeUndefined();
  });
});
