/**
 * Somebody else's route at krtd's exact key (prefix and metric): it is named, and never evicted, overwritten or
 * deleted, neither by a start, a repair, a changed wish nor a stop. When it goes, krtd's route comes.
 */

import { rm } from "node:fs/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { DriftJson } from "../../src/control/json.ts";
import { configOf, FAMILIES, lines, ownLines } from "../support/families.ts";
import { printTimes } from "../support/figures.ts";
import { makeDirectory, type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

/** 50 ms are promised, on a machine that has nothing else to do. */
const BUSY_MACHINE_MS = 2000;

describe.each(FAMILIES)("IPv$family: a foreign route at krtd's key", (it6) => {
  const { flag, gateway, otherGateway, net } = it6;
  const prefix = net(1);
  const config = configOf(it6, [
    { prefix, via: gateway },
    { prefix: net(2), via: gateway },
  ]);
  const timesMs: number[] = [];
  afterAll(() => void printTimes(`IPv${it6.family}, installed after the rival went`, timesMs));
  const neighbour = `unicast ${net(2)} via ${gateway} dev v0 proto 120 scope global metric 32${it6.suffix}`;

  /** Lines of the prefix in table main. */
  const shown = async (ns: Netns): Promise<string[]> =>
    lines(await ns.ip(`-o -d ${flag} route show exact ${prefix} table main`));

  /** Its next hops and protocols, whoever owns them. */
  const foreign = async (ns: Netns): Promise<string[]> =>
    (await shown(ns)).filter((line) => !line.includes(" proto 120 "));

  /** krtd's route comes by the event alone, as the rival goes. */
  const expectAtOnce = async (ns: Netns, krtd: RunningKrtd, go: () => Promise<unknown>): Promise<void> => {
    await using monitor = await monitorRoutes(ns);
    await go();
    await waitFor("krtd's route is installed", async () => (await stateOf(krtd)) === "synced", 10_000);
    const events = (await monitor.timed()).filter(({ line }) => line.includes(` ${prefix} `));
    expect(events).toHaveLength(2);
    timesMs.push(events[1]!.atMs - events[0]!.atMs);
    expect(timesMs.at(-1)).toBeLessThan(BUSY_MACHINE_MS);
  };

  const stateOf = async (krtd: RunningKrtd): Promise<string> => (await krtd.route(prefix)).kernel.state;

  it.each([
    ["static", `${prefix} via ${otherGateway}`, "unicast"],
    ["static", `${prefix} via ${gateway}`, "unicast"],
    ["boot", `${prefix} dev v1`, "unicast"],
    ["zebra", `blackhole ${prefix}`, "blackhole"],
    ["bird", `prohibit ${prefix}`, "prohibit"],
    ["dhcp", `${prefix} via ${gateway} mtu 1400`, "unicast"],
  ])(
    "of protocol %s (%s) is named and stays; krtd's comes when it has gone",
    async (protocol, route, type) => {
      await using ns = await createTopology();
      await ns.ip(`${flag} route add ${route} metric 32 proto ${protocol}`);
      const rival = await shown(ns);
      await using krtd = await startSynced(ns, config);
      for (let scans = 0; scans < 2; scans++) {
        expect(await shown(ns)).toEqual(rival);
        const words = `${type} ${prefix} proto ${protocol} metric 32`;
        expect((await krtd.route(prefix)).kernel).toMatchObject({
          state: "failed",
          errno: 17,
          message: `Key held by ${words}`,
          rival: words,
        });
        await krtd.scan();
      }
      expect(await ownLines(ns, flag)).toEqual([neighbour]);

      await expectAtOnce(ns, krtd, () => ns.ip(`${flag} route del ${prefix} metric 32`));
      expect(await ownLines(ns, flag)).toHaveLength(2);
      expect((await krtd.route(prefix)).kernel).toMatchObject({ message: null, errno: null });
    },
  );

  it.each(["prepend", "append"])("that %s brings survives krtd's repairs and stop", async (verb) => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, config);
    await ns.ip(`${flag} route ${verb} ${prefix} dev v1 metric 32 proto static`);
    const rival = await foreign(ns);
    expect(rival).toHaveLength(1);
    for (let scans = 0; scans < 2; scans++) await krtd.scan();
    expect(await foreign(ns)).toEqual(rival);

    // Ours is changed: the one way back would lead over the rival.
    await ns.ip(`${flag} route del ${prefix} metric 32 proto 120`);
    for (let scans = 0; scans < 2; scans++) await krtd.scan();
    expect(await foreign(ns)).toEqual(rival);
    await waitFor("krtd says so", async () => (await stateOf(krtd)) === "failed");

    expect(await krtd.stop()).toBe(0);
    expect(await shown(ns)).toEqual(rival);
  });

  it.each(["prepend", "append"])("that %s brings survives a replaced gateway of ours", async (verb) => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, config);
    // Meanwhile krtd does not run: told by an event, it would put its own route back in between.
    krtd.signal("SIGSTOP");
    try {
      await ns.batch([
        `route del ${prefix} metric 32`,
        `route add ${prefix} via ${otherGateway} metric 32 proto 120`,
        `route ${verb} ${prefix} dev v1 metric 32 proto static`,
      ]);
    } finally {
      krtd.signal("SIGCONT");
    }
    const rival = await foreign(ns);
    expect(rival).toHaveLength(1);
    for (let scans = 0; scans < 3; scans++) await krtd.scan();
    expect(await foreign(ns)).toEqual(rival);
    expect(await krtd.stop()).toBe(0);
    expect(await shown(ns)).toEqual(rival);
  });

  it.each([
    { took: `${prefix} via ${otherGateway}`, after: { type: "unicast", gateway: otherGateway } },
    { took: `blackhole ${prefix}`, after: { type: "blackhole" } },
  ])(
    "that took krtd's place ($took) keeps it, is told at once, and gives it back",
    async ({ took, after }) => {
      await using ns = await createTopology();
      await using krtd = await startSynced(ns, config);
      const writes = await krtd.writes();
      await ns.ip(`${flag} route replace ${took} metric 32 proto static`);
      const rival = await shown(ns);
      expect(rival.join()).not.toContain("proto 120");
      await waitFor("krtd says so", async () => (await stateOf(krtd)) === "failed");
      const { kernel } = await krtd.route(prefix);
      expect(kernel).toMatchObject({ errno: 17, rival: `${after.type} ${prefix} proto static metric 32` });
      for (let scans = 0; scans < 3; scans++) await krtd.scan();
      expect(await shown(ns)).toEqual(rival);
      expect((await krtd.route(prefix)).kernel).toEqual(kernel);
      expect(await krtd.get<DriftJson[]>("/v1/drift")).toMatchObject([
        { kind: "taken", "seen-by": "event", reaction: "left", before: { gateway }, after },
      ]);
      expect(await krtd.writes()).toBe(writes);

      await expectAtOnce(ns, krtd, () => ns.ip(`${flag} route del ${prefix} metric 32`));
      expect(await krtd.writes()).toBe(writes + 1);

      await ns.ip(`${flag} route replace ${took} metric 32 proto static`);
      await waitFor("krtd says so", async () => (await stateOf(krtd)) === "failed");
      expect(await krtd.stop()).toBe(0);
      expect(await shown(ns)).toEqual(rival);
    },
  );

  it("survives a restart that wants another gateway", async () => {
    await using ns = await createTopology();
    const directory = await makeDirectory();
    try {
      const first = await startSynced(ns, config, { directory });
      await first.shutdown({ keep: true });
      expect(await first.exited).toBe(0);
      await ns.ip(`${flag} route prepend ${prefix} dev v1 metric 32 proto static`);
      const rival = await foreign(ns);
      expect(rival).toHaveLength(1);
      const other = configOf(it6, [{ prefix, via: otherGateway }]);
      await using second = await startSynced(ns, other, { directory });
      await second.scan();
      expect(await foreign(ns)).toEqual(rival);
      expect(await second.stop()).toBe(0);
      expect(await shown(ns)).toEqual(rival);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe("IPv4: two routes with krtd's number beside a foreign one", () => {
  const it4 = FAMILIES[0]!;
  const { gateway, otherGateway, net } = it4;
  const prefix = net(1);

  it.each(["prepend", "append"])("keep the right one when a wrong one was %sed", async (verb) => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it4, [{ prefix, via: gateway }]));
    await ns.ip(`route ${verb} ${prefix} dev v1 metric 32 proto static`);
    await ns.ip(`route ${verb} ${prefix} via ${otherGateway} metric 32 proto 120`);
    const shown = async (): Promise<string[]> =>
      lines(await ns.ip(`-o route show exact ${prefix} table main`));
    for (let scans = 0; scans < 2; scans++) await krtd.scan();
    const left = await shown();
    expect(left).toHaveLength(2);
    expect(left.join("\n")).toContain(`via ${gateway} `);
    expect(left.join("\n")).toContain("proto static");
    expect((await krtd.route(prefix)).kernel.state).toBe("synced");
    await krtd.scan();
    expect(await shown()).toEqual(left);
  });
});

describe("IPv6: a foreign nexthop in the multipath route that the kernel makes of both", () => {
  const it6 = FAMILIES[1]!;
  const { flag, gateway, otherGateway, net } = it6;
  const prefix = net(1);
  const theirs = `unicast ${prefix} via ${otherGateway} dev v0 proto static scope global metric 32 pref medium`;
  const both = `unicast ${prefix} proto 120 scope global metric 32 pref medium`;

  it("stays while krtd scans, is told, and stays alone when krtd has gone", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix, via: gateway }]));
    await ns.ip(`${flag} route append ${prefix} via ${otherGateway} metric 32 proto static`);
    const shown = async (): Promise<string[]> =>
      lines(await ns.ip(`-o -d ${flag} route show exact ${prefix} table main`));
    for (let scans = 0; scans < 3; scans++) {
      await krtd.scan();
      const [line, ...rest] = await shown();
      expect(rest).toEqual([]);
      expect(line).toContain(both);
      expect(line).toContain(`nexthop via ${gateway} dev v0`);
      expect(line).toContain(`nexthop via ${otherGateway} dev v0`);
    }
    expect((await krtd.route(prefix)).kernel).toMatchObject({
      state: "failed",
      message: "Somebody added nexthops to this route",
    });
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    expect(await krtd.stop()).toBe(0);
    expect(await shown()).toEqual([theirs]);
  });

  it("is left when krtd's own is taken away, and krtd's route comes back when it goes", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix, via: gateway }]));
    await ns.ip(`${flag} route append ${prefix} via ${otherGateway} metric 32 proto static`);
    await ns.ip(`${flag} route del ${prefix} via ${gateway} metric 32 proto 120`);
    const shown = async (): Promise<string[]> =>
      lines(await ns.ip(`-o -d ${flag} route show exact ${prefix} table main`));
    await krtd.scan();
    await krtd.scan();
    expect(await shown()).toEqual([theirs]);
    await ns.ip(`${flag} route del ${prefix} via ${otherGateway} metric 32`);
    const back = async (): Promise<boolean> =>
      (await shown()).join().includes(`via ${gateway} dev v0 proto 120`);
    await waitFor("krtd's route is back", back, 3000);
  });
});
