import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { ProtoManager } from "../../src/nest/proto-manager.ts";
import { nextProtocolState, type ProtocolInput, type ProtocolState } from "../../src/nest/proto-state.ts";
import type { Protocol, ProtocolType } from "../../src/nest/protocol.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { startAll } from "../support/start-all.ts";

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
    await startAll(manager);
    expect(said).toEqual(["start d", "start k", "start s", "fed d", "fed k", "fed s"]);
    expect(manager.all().map(({ state }) => state)).toEqual(["up", "up", "up"]);
  });

  it("freezes all before it stops any, and stops the device last", async () => {
    const { manager, said } = setup();
    await startAll(manager);
    said.length = 0;
    await manager.stopAll({ keep: false });
    expect(said).toEqual(["freeze d", "freeze k", "freeze s", "stop s", "stop k", "stop d"]);
    await manager.stopAll({ keep: false });
    expect(said.filter((line) => line.startsWith("stop"))).toHaveLength(3);
  });

  it("stops the others when one fails to stop", async () => {
    const { manager, said } = setup({ k: "stop" });
    await startAll(manager);
    await manager.stopAll({ keep: false });
    expect(said).toContain("stop d");
    expect(manager.byName("k")?.state).toBe("down");
  });

  it("rejects with what kept a protocol from starting", async () => {
    const { manager } = setup({ k: "start" });
    await expect(startAll(manager)).rejects.toThrow("k cannot start");
    expect(manager.byName("k")).toMatchObject({ state: "down", problem: "k cannot start" });
    expect(manager.all().map(({ state }) => state)).toEqual(["up", "down", "up"]);
    expect(manager.byName("nobody")).toBeUndefined();
  });
});

describe("ProtoManager.replace(), remove() and stop()", () => {
  it("takes another instance only in place of one that is down, and starts that", async () => {
    const { manager, said } = setup();
    await startAll(manager);
    expect(() => manager.replace(fake("s", "static", said))).toThrow("is up");
    expect(() => manager.remove("s")).toThrow("is up");
    await manager.stop("s", { keep: true });
    manager.replace(fake("s", "static", said));
    said.length = 0;
    await manager.start(["s"]);
    expect(said).toEqual(["start s", "fed s"]);
    await manager.stop("s", { keep: true });
    manager.remove("s");
    expect(manager.byName("s")).toBeUndefined();
    expect(() => manager.replace(fake("s", "static", said))).toThrow("no protocol s");
  });

  it("starts nothing that is disabled", async () => {
    const { manager, said } = setup();
    manager.setDisabled("s", true);
    await startAll(manager);
    expect(said).not.toContain("start s");
    expect(manager.byName("s")).toMatchObject({ state: "down", disabled: true });
  });
});

describe("ProtoManager tells a protocol that all others have fed", () => {
  /** Protocols that feed when told to; `released` are those that were told allFed. */
  function sources(...kinds: readonly (readonly [name: string, type: ProtocolType])[]) {
    const clock = new FakeClock();
    const manager = new ProtoManager({ clock, log: silentLog });
    const released: string[] = [];
    const feed = new Map<string, () => void>();
    for (const [name, type] of kinds) {
      const fed = new Promise<void>((resolve) => feed.set(name, resolve));
      manager.add({ ...fake(name, type, []), fed, allFed: () => void released.push(name) });
    }
    const feeds = async (name: string): Promise<string[]> => {
      feed.get(name)?.();
      await settle();
      return released;
    };
    return { clock, manager, released, feeds };
  }

  it("and not whether it has itself: what it learns it does not install", async () => {
    const { manager, released, feeds } = sources(["k1", "kernel"], ["k2", "kernel"]);
    await startAll(manager);
    expect(released).toEqual([]);
    expect(await feeds("k1")).toEqual(["k2"]);
    expect(await feeds("k2")).toEqual(["k2", "k1"]);
  });

  it("at once when it is alone", async () => {
    const { manager, released } = sources(["k", "kernel"]);
    await startAll(manager);
    expect(released).toEqual(["k"]);
  });

  it("pipes and statics only after what is learned has come to them", async () => {
    const { manager, feeds } = sources(["learner", "kernel"], ["k", "kernel"], ["p", "pipe"]);
    await startAll(manager);
    await feeds("p");
    expect(await feeds("k")).toEqual([]);
    expect(await feeds("learner")).toEqual(expect.arrayContaining(["k", "learner"]));
  });

  it("when the one that was waited for stops", async () => {
    const { manager, released, feeds } = sources(["k1", "kernel"], ["k2", "kernel"]);
    await startAll(manager);
    await feeds("k1");
    await manager.stop("k2", { keep: true });
    expect(released).toEqual(["k2", "k1"]);
  });

  it("when the wait is over, once", async () => {
    const { clock, manager, released, feeds } = sources(["k1", "kernel"], ["k2", "kernel"]);
    await startAll(manager);
    await clock.advance(29_000);
    expect(released).toEqual([]);
    await clock.advance(2000);
    expect(released).toEqual(["k1", "k2"]);
    await feeds("k1");
    expect(await feeds("k2")).toEqual(["k1", "k2"]);
  });

  it("with graceful restart also when some cannot start, and after its own wait", async () => {
    const { clock, manager, released, feeds } = sources(["k1", "kernel"], ["k2", "kernel"]);
    manager.waitForSources(240_000);
    await manager.start(["k1"]);
    await feeds("k1");
    await clock.advance(200_000);
    expect(released).toEqual([]);
    await clock.advance(41_000);
    expect(released).toEqual(["k1"]);
  });

  it("and those that lean on what is learned, again, when it starts alone", async () => {
    const clock = new FakeClock();
    const manager = new ProtoManager({ clock, log: silentLog });
    const said: string[] = [];
    let learned = (): void => {};
    let announced = (): void => {};
    let announcing = Promise.resolve();
    const s = {
      ...fake("s", "static", []),
      get fed() {
        return announcing;
      },
    };
    const allFed = (name: string) => () => void said.push(name);
    manager.add(s);
    manager.add({ ...fake("other", "kernel", []), fed: Promise.resolve(), allFed: allFed("other") });
    await startAll(manager);
    await settle();
    expect(said).toEqual(["other"]);
    // From now on it takes its time, as a route does that follows what k learns.
    announcing = new Promise((resolve) => {
      announced = resolve;
    });
    const fed = new Promise<void>((resolve) => {
      learned = resolve;
    });
    manager.add({ ...fake("k", "kernel", []), fed, allFed: allFed("k") });
    await manager.start(["k"]);
    await settle();
    expect(said).toEqual(["other"]);
    learned();
    await settle();
    expect(said).toEqual(["other"]);
    announced();
    await settle();
    expect(said).toEqual(["other", "k"]);
  });

  it("with graceful restart not for a device protocol that cannot start: it feeds nobody", async () => {
    const { manager, feeds } = sources(["k1", "kernel"], ["device@red", "device"]);
    manager.waitForSources(240_000);
    await manager.start(["k1"]);
    expect(await feeds("k1")).toEqual(["k1"]);
  });
});

describe("graceful restart", () => {
  it("is about the start: a kernel protocol that restarts later does not wait for one whose namespace is not there", async () => {
    const clock = new FakeClock();
    const manager = new ProtoManager({ clock, log: silentLog });
    const released: string[] = [];
    const made = (name: string, fails = false) => ({
      name,
      type: "kernel" as const,
      channels: [],
      netns: null,
      async start() {
        if (fails) throw new Error("absent");
      },
      async stop() {},
      allFed: () => void released.push(name),
      info: () => "",
    });
    manager.waitForSources(240_000);
    manager.add(made("k1"));
    manager.add(made("k2", true));
    await manager.start(["k1"]);
    await clock.advance(241_000);
    await settle();
    expect(released).toEqual(["k1"]);
    await manager.stop("k1", { keep: true });
    manager.replace(made("k1"));
    await manager.start(["k1"]);
    await clock.advance(31_000);
    expect(released).toEqual(["k1", "k1"]);
  });
});
