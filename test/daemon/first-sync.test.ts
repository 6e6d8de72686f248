/** READY=1 comes once, though protocols restart and namespaces vanish before it. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig, renderProblems } from "../../src/config/load.ts";
import { configReader } from "../../src/config/reader.ts";
import { Daemon } from "../../src/daemon/daemon.ts";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { ProtoManager } from "../../src/nest/proto-manager.ts";
import type { Protocol } from "../../src/nest/protocol.ts";
import { ModelKernel, modelOsProvider } from "../../src/sysdep/model/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { modelIpAll } from "../support/model-ip.ts";
import { startAll } from "../support/start-all.ts";

const UP = ["link add d0 type ifb", "link set d0 up", "addr add 10.0.0.1/24 dev d0"];

async function daemonOf(text: string, spaces: Record<string, ModelKernel>) {
  const directory = await mkdtemp(join(tmpdir(), "krtd-review-"));
  const file = join(directory, "krt.yaml");
  await writeFile(file, text);
  const loaded = await loadConfig(file);
  if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
  const kernel = new ModelKernel();
  modelIpAll(kernel, UP);
  const attrs = new AttrsTable();
  const clock = new FakeClock();
  const provider = modelOsProvider(attrs, [[null, kernel], ...Object.entries(spaces)]);
  const os = provider.create(null);
  await os.open();
  const daemon = new Daemon({
    config: loaded.config,
    reader: configReader(),
    version: "test",
    os,
    provider,
    attrs,
    observe: false,
    clock,
    log: silentLog,
    onConfig: () => {},
    onFatal: () => {},
    onShutdown: () => {},
  });
  const during = async <T>(promise: Promise<T>): Promise<T> => {
    let pending = true;
    promise.then(
      () => {
        pending = false;
      },
      () => {
        pending = false;
      },
    );
    for (let i = 0; pending && i < 300; i++) await clock.advance(i < 5 ? 0 : 100);
    if (pending) throw new Error("It never ends");
    return promise;
  };
  return {
    daemon,
    kernel,
    clock,
    provider,
    os,
    during,
    async stop() {
      await during(daemon.stop({ keep: false }));
      await os.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function settledWithin(clock: FakeClock, promise: Promise<unknown>, ms: number): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  for (let i = 0; i < ms / 100; i++) await clock.advance(100);
  return done;
}

describe("Daemon.firstSync (READY=1 of the service)", () => {
  const TEXT = `
kernel:
  k4: {table: master4, scan-time: 0}
  kn: {table: t, netns: space, scan-time: 0}
tables: {t: {family: ipv4}}
static:
  s: {table: master4, routes: [{prefix: 10.5.0.0/16, via: 10.0.0.2}]}
`;
  it("comes though a namespace vanishes before its first sync", async () => {
    const space = new ModelKernel();
    modelIpAll(space, UP);
    const d = await daemonOf(TEXT, { space });
    try {
      const create = d.provider.create.bind(d.provider);
      d.provider.create = (netns) => {
        const os = create(netns);
        os.faults.injectIncompleteScan(50);
        return os;
      };
      await d.during(d.daemon.start());
      await d.clock.advance(1000);
      d.provider.remove("space");
      expect(await settledWithin(d.clock, d.daemon.firstSync, 120_000)).toBe(true);
    } finally {
      await d.stop();
    }
  });
  it("comes though a kernel protocol is restarted before its first sync", async () => {
    const d = await daemonOf(
      "kernel: {k4: {table: master4, scan-time: 0}}\nstatic: {s: {table: master4, routes: [{prefix: 10.5.0.0/16, via: 10.0.0.2}]}}\n",
      {},
    );
    try {
      d.os.faults.injectIncompleteScan(3);
      await d.during(d.daemon.start());
      await d.during(d.daemon.backend.act("restart", "k4"));
      expect(await settledWithin(d.clock, d.daemon.firstSync, 120_000)).toBe(true);
      expect(d.daemon.backend.status().state).toBe("in-sync");
    } finally {
      await d.stop();
    }
  });
});

describe("ProtoManager", () => {
  it("a protocol that starts 29 s after the others still has its full time to feed", async () => {
    const clock = new FakeClock();
    const manager = new ProtoManager({ clock, log: silentLog });
    const make = (
      name: string,
      type: "kernel" | "static",
      fed?: Promise<void>,
      released: string[] = [],
    ): Protocol => ({
      name,
      type,
      channels: [],
      netns: null,
      info: () => "",
      start: async () => {},
      stop: async () => {},
      ...(fed === undefined ? {} : { fed }),
      allFed: () => void released.push(`${name} at ${clock.now()}`),
    });
    const released: string[] = [];
    manager.add(make("s", "static", Promise.resolve()));
    await startAll(manager);
    await clock.advance(29_500);
    // A reconfiguration: k1 learns, and its first scan takes 5 s; k2 wants what comes from there.
    let feed = (): void => {};
    const fed = new Promise<void>((resolve) => {
      feed = resolve;
    });
    manager.add(make("k1", "kernel", fed));
    manager.add(make("k2", "kernel", Promise.resolve(), released));
    await manager.start(["k1", "k2"]);
    await clock.advance(5_000);
    expect(released).toEqual([]);
    feed();
    await clock.advance(10);
    expect(released).toHaveLength(1);
  });
});
