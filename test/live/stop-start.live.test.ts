/**
 * The end of krtd and its next beginning: an orderly stop takes out what it put in, `persist` and a planned
 * restart leave it, and a start over what is already right writes nothing, even after kill -9.
 */

import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { makeDirectory, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const [V4, V6] = [FAMILIES[0]!, FAMILIES[1]!];

const routesOf = ({ gateway, otherGateway, net }: (typeof FAMILIES)[number]) => [
  { prefix: net(1), via: gateway },
  { prefix: net(2), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
  { prefix: net(3), dev: "v0", mtu: 1400 },
  { prefix: net(4), type: "prohibit" as const },
  { prefix: net(5), via: gateway, metric: 77 },
];
const CONFIG = configText({ 4: routesOf(V4), 6: routesOf(V6) });
const ROUTES = 10;

let ns: Netns;
let directory: string;

beforeEach(async () => {
  ns = await createTopology();
  directory = await makeDirectory();
});

afterEach(async () => {
  await ns?.dispose();
  await rm(directory, { recursive: true });
});

const own = async (): Promise<string[]> => [await ownLines(ns, "-4"), await ownLines(ns, "-6")].flat();

describe("an orderly stop", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "(%s) deletes what krtd put in and nothing else",
    async (signal) => {
      await settled(ns);
      for (const { flag, net, gateway } of FAMILIES) {
        await ns.ip(`${flag} route add ${net(1)} via ${gateway} metric 33 proto static`);
      }
      const before = await foreignLines(ns);
      await using krtd = await startSynced(ns, CONFIG, { directory });
      expect(await own()).toHaveLength(ROUTES);
      await using monitor = await monitorRoutes(ns);
      krtd.signal(signal);
      expect(await krtd.exited).toBe(0);
      expect(await own()).toEqual([]);
      expect(await foreignLines(ns)).toEqual(before);
      const events = await monitor.events();
      expect(events.every((line) => line.startsWith("Deleted ") && line.includes(" proto 120 "))).toBe(true);
    },
  );

  it("deletes also what drifted, and what the last scan did not know of", async () => {
    await using krtd = await startSynced(ns, CONFIG, { directory });
    for (const { flag, net, gateway, otherGateway } of FAMILIES) {
      await ns.ip(`${flag} route del ${net(1)}`);
      await ns.ip(`${flag} route replace ${net(2)} via ${otherGateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(8)} via ${gateway} metric 5 proto 120`);
    }
    krtd.signal("SIGTERM");
    expect(await krtd.exited).toBe(0);
    expect(await own()).toEqual([]);
  });

  it("deletes routes of a link that is down meanwhile without complaint", async () => {
    await using krtd = await startSynced(ns, CONFIG, { directory });
    await ns.ip("link set v0 down");
    expect(await krtd.stop()).toBe(0);
    expect(await own()).toEqual([]);
    // That routes wait for the link is told, if the event came before the end.
    const complaints = krtd.log().match(/^.*"level":"(error|warn)".*$/gm) ?? [];
    expect(complaints.filter((line) => !line.includes('"state":"waiting"'))).toEqual([]);
  });

  it("stops kernel protocols before the device protocol", async () => {
    await using krtd = await startSynced(ns, CONFIG, { directory, args: ["--log-level", "debug"] });
    expect(await krtd.stop()).toBe(0);
    const order = krtd
      .records("protocol state")
      .flatMap(({ protocol, state }) => (state === "down" ? [protocol] : []));
    expect(order.at(-1)).toBe("device");
    expect(order.slice(-3, -1).sort()).toEqual(["kernel4", "kernel6"]);
  });

  it("asked for twice is one stop", async () => {
    await using krtd = await startSynced(ns, CONFIG, { directory });
    krtd.signal("SIGTERM");
    krtd.signal("SIGTERM");
    krtd.signal("SIGINT");
    expect(await krtd.exited).toBe(0);
    expect(await own()).toEqual([]);
    expect(krtd.records("stopping")).toHaveLength(1);
  });
});

describe("routes that are to stay", () => {
  it("stay with persist, and a start adopts them without a write", async () => {
    const config = configText({ 4: routesOf(V4), 6: routesOf(V6) }, { kernel: { persist: true } });
    const first = await startSynced(ns, config, { directory });
    const installed = await own();
    expect(installed).toHaveLength(ROUTES);
    await using monitor = await monitorRoutes(ns);
    expect(await first.stop()).toBe(0);
    await using second = await startSynced(ns, config, { directory });
    await second.scan();
    expect(second.logged("in sync")).toMatchObject({ writes: 0 });
    expect(await second.writes()).toBe(0);
    expect(await monitor.events()).toEqual([]);
    expect(await own()).toEqual(installed);
  });

  it("stay with persist on one kernel protocol only", async () => {
    const kernel = { kernel4: { table: "master4", persist: true }, kernel6: { table: "master6" } };
    const config = configText({ 4: routesOf(V4), 6: routesOf(V6) }, { root: { kernel } });
    const krtd = await startSynced(ns, config, { directory });
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, "-4")).toHaveLength(ROUTES / 2);
    expect(await ownLines(ns, "-6")).toEqual([]);
  });

  it("stay with krtctl shutdown --keep", async () => {
    const krtd = await startSynced(ns, CONFIG, { directory });
    const installed = await own();
    expect(await krtd.ctl("shutdown", "--keep")).toMatchObject({ code: 0 });
    expect(await krtd.exited).toBe(0);
    expect(await own()).toEqual(installed);
  });

  it("go with krtctl shutdown", async () => {
    const krtd = await startSynced(ns, CONFIG, { directory });
    expect(await krtd.ctl("shutdown")).toMatchObject({ code: 0 });
    expect(await krtd.exited).toBe(0);
    expect(await own()).toEqual([]);
  });
});

describe("after kill -9", () => {
  it("a start with nothing changed adopts all and writes nothing", async () => {
    const first = await startSynced(ns, CONFIG, { directory });
    const installed = await own();
    await using monitor = await monitorRoutes(ns);
    await first.kill();
    expect(await own()).toEqual(installed);
    await using second = await startSynced(ns, CONFIG, { directory });
    await second.scan();
    expect(second.logged("in sync")).toMatchObject({ writes: 0 });
    expect(await second.writes()).toBe(0);
    expect(await monitor.events()).toEqual([]);
    expect((await second.routes()).every(({ kernel }) => kernel.state === "synced")).toBe(true);
  });

  it("a start with another configuration changes just the difference", async () => {
    const first = await startSynced(ns, CONFIG, { directory });
    await first.kill();
    const [, ...kept] = routesOf(V4);
    const changed = configText({ 4: [...kept, { prefix: V4.net(6), via: V4.gateway }], 6: routesOf(V6) });
    await using second = await startSynced(ns, changed, { directory });
    expect(second.logged("in sync")).toMatchObject({ writes: 2 });
    expect(await own()).toHaveLength(ROUTES);
  });
});
