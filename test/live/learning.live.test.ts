/**
 * Routes of other programs, learned from the real kernel: by events while it runs, by the first scan when they stood
 * there before. The lowest metric is announced, and nothing that changes nothing. (Every order of changes, events and
 * scans: test/proto/kernel/learn.test.ts, on the model.)
 */

import { afterAll, describe, expect, it } from "vitest";
import type { RouteJson } from "../../src/control/json.ts";
import { configOf, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { printTimes } from "../support/figures.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;
const BUSY_MACHINE_MS = 2000;
const STATIC = "proto static";

describe.each(FAMILIES)("IPv$family: learn", (it6) => {
  const { family, flag, gateway, otherGateway, net } = it6;
  const prefix = net(1);
  const timesMs: number[] = [];
  afterAll(() => void printTimes(`IPv${family}, learned after the event`, timesMs));

  /** "100 via 10.0.0.2", "10 blackhole", with " (dhcp)" unless static; null: not learned. */
  const learned = async (krtd: RunningKrtd, dst = prefix): Promise<string | null> => {
    const routes = await krtd.routes();
    const inherited = routes.find((route) => route.dst === dst && route["source-type"] === "inherit");
    return inherited === undefined ? null : words(inherited);
  };
  const words = (route: RouteJson & { readonly protocol?: string }): string => {
    const hops = route.nexthops?.map((hop) => hop.gateway ?? hop.dev) ?? [route.gateway ?? route.dev];
    const what = route.type === "unicast" ? `via ${[...hops].sort().join(" ")}` : route.type;
    return `${route.metric} ${what}${route.protocol === "static" ? "" : ` (${route.protocol})`}`;
  };

  let markers = 0;
  /** Waits until krtd has heard of all that happened: of two events the kernel tells the first first. */
  const heard = async (ns: Netns, krtd: RunningKrtd): Promise<void> => {
    const marker = net(1000 + markers++);
    await ns.ip(`${flag} route add blackhole ${marker} metric 1 proto 99`);
    await waitFor(`${marker} is learned`, async () => (await learned(krtd, marker)) !== null, DEADLINE_MS);
  };
  /** How often something about other prefixes than the markers was announced. */
  const announcements = async (krtd: RunningKrtd): Promise<number> => {
    const { changes } = await krtd.protocol(`kernel${family}`);
    return changes!["import-updates"].received + changes!["import-withdraws"].received - markers;
  };

  const via = `via ${gateway}`;
  const other = `via ${otherGateway}`;
  const rows: readonly {
    readonly why: string;
    readonly steps: readonly (readonly [command: string, best: string | null, announced: 0 | 1])[];
  }[] = [
    {
      why: "metrics 100, then 10; the gateway of the best changes; 10 goes; the last goes",
      steps: [
        [`add ${prefix} ${via} metric 100 ${STATIC}`, `100 ${via}`, 1],
        [`add ${prefix} ${via} metric 10 ${STATIC}`, `10 ${via}`, 1],
        [`replace ${prefix} ${other} metric 10 ${STATIC}`, `10 ${other}`, 1],
        [`del ${prefix} metric 10`, `100 ${via}`, 1],
        [`del ${prefix} metric 100`, null, 1],
      ],
    },
    {
      why: "worse ones come, change and go: silence",
      steps: [
        [`add ${prefix} ${via} metric 10 ${STATIC}`, `10 ${via}`, 1],
        [`add ${prefix} ${other} metric 100 ${STATIC}`, `10 ${via}`, 0],
        [`replace ${prefix} ${via} metric 100 proto dhcp`, `10 ${via}`, 0],
        [`add blackhole ${prefix} metric 4000 ${STATIC}`, `10 ${via}`, 0],
        [`del ${prefix} metric 100`, `10 ${via}`, 0],
      ],
    },
    {
      why: "the best changes its program, its type, its mtu, and becomes one that is not learned",
      steps: [
        [`add ${prefix} ${via} metric 10 ${STATIC}`, `10 ${via}`, 1],
        [`replace ${prefix} ${via} metric 10 proto dhcp`, `10 ${via} (dhcp)`, 1],
        [`replace blackhole ${prefix} metric 10 proto dhcp`, "10 blackhole (dhcp)", 1],
        [`replace ${prefix} ${via} mtu 1400 metric 10 ${STATIC}`, `10 ${via}`, 1],
        [`replace ${prefix} ${via} metric 10 proto kernel`, null, 1],
      ],
    },
    {
      why: "neither ours, nor what was ours, nor a redirect, nor the kernel's",
      steps: [
        [`add ${prefix} ${via} metric 10 proto 121`, null, 0],
        [`add ${prefix} ${via} metric 20 proto redirect`, null, 0],
        [`add ${prefix} ${via} metric 30 proto kernel`, null, 0],
        [`add ${prefix} ${via} metric 40 ${STATIC}`, `40 ${via}`, 1],
      ],
    },
  ];

  it.each(rows)("by events: $why", async ({ steps }) => {
    await using ns = await createTopology();
    const config = configOf(it6, [], { kernel: { learn: true }, root: { "former-protocol-ids": [121] } });
    await using krtd = await startSynced(ns, config);
    markers = 0;
    for (const [command, best, announced] of steps) {
      const before = await announcements(krtd);
      await using monitor = await monitorRoutes(ns);
      await ns.ip(`${flag} route ${command}`);
      await heard(ns, krtd);
      // What only a scan can tell, the scan that was asked for does.
      await waitFor(`${command}: ${best}`, async () => (await learned(krtd)) === best, DEADLINE_MS);
      expect([command, (await announcements(krtd)) - before]).toEqual([command, announced]);
      if (announced === 1 && best !== null) {
        const event = (await monitor.timed()).find(({ line }) => line.includes(` ${prefix} `));
        const route = await krtd.route(prefix);
        const tookMs = Date.parse(route.since) - event!.atMs;
        expect(tookMs).toBeLessThan(BUSY_MACHINE_MS);
        timesMs.push(Math.max(0, tookMs));
      }
    }
    const before = await announcements(krtd);
    for (let scans = 0; scans < 2; scans++) await krtd.scan();
    expect(await announcements(krtd)).toBe(before);
    expect(await learned(krtd)).toBe(steps.at(-1)![1]);
  });

  it("by the first scan, what stood there before; learned anew after a restart that keeps", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${prefix} ${via} metric 100 ${STATIC}`);
    await ns.ip(`${flag} route add ${prefix} ${other} metric 10 proto dhcp`);
    await ns.ip(`${flag} route add ${net(2)} ${via} metric 10 proto 120`);
    await ns.ip(`${flag} route add ${net(3)} ${via} metric 10 proto kernel`);
    const config = configOf(it6, [{ prefix: net(4), via: gateway }], { kernel: { learn: true } });
    for (let runs = 0; runs < 2; runs++) {
      await using krtd = await startSynced(ns, config);
      expect(await learned(krtd)).toBe(`10 ${other} (dhcp)`);
      for (const none of [2, 3, 4]) expect(await learned(krtd, net(none))).toBeNull();
      expect((await ownLines(ns, flag)).map((line) => line.split(" ")[1])).toEqual([net(4)]);
      await krtd.shutdown({ keep: true });
      expect(await krtd.exited).toBe(0);
    }
  });

  it("all: the kernel's own too, but no table local and nothing of ours", async () => {
    await using ns = await createTopology();
    await settled(ns);
    const config = configOf(it6, [{ prefix, via: gateway }], { kernel: { learn: "all" } });
    await using krtd = await startSynced(ns, config);
    const connected = family === 4 ? "10.0.0.0/24" : "2001:db8:0:1::/64";
    expect(await learned(krtd, connected)).toMatch(/via v0 \(kernel\)$/);
    const [address, length] = (family === 4 ? "10.7.0.1/24" : "2001:db8:0:7::1/64").split("/");
    const added = family === 4 ? `10.7.0.0/${length}` : `2001:db8:0:7::/${length}`;
    await ns.ip(`addr add ${address}/${length} dev v1${family === 4 ? "" : " nodad"}`);
    await waitFor(
      "the new link route is learned",
      async () => (await learned(krtd, added)) !== null,
      DEADLINE_MS,
    );
    await ns.ip(`addr del ${address}/${length} dev v1`);
    await waitFor("and withdrawn", async () => (await learned(krtd, added)) === null, DEADLINE_MS);
    const shown = await krtd.routes();
    const host = family === 4 ? "10.0.0.1/32" : "2001:db8:0:1::1/128";
    expect(shown.filter(({ dst, source }) => dst === host && source === `kernel${family}`)).toEqual([]);
    expect(await ownLines(ns, flag)).toHaveLength(1);
  });

  it("is never written back, and never stands in the way of what is configured", async () => {
    await using ns = await createTopology();
    await settled(ns);
    await ns.ip(`${flag} route add ${prefix} ${other} metric 10 ${STATIC}`);
    await using krtd = await startSynced(ns, configOf(it6, [], { kernel: { learn: true } }));
    const foreign = await foreignLines(ns);
    expect(await ownLines(ns, flag)).toEqual([]);
    await krtd.configure(configOf(it6, [{ prefix, via: gateway }], { kernel: { learn: true } }));
    await waitFor(
      "the static one is installed",
      async () => (await ownLines(ns, flag)).length === 1,
      DEADLINE_MS,
    );
    const routes = await krtd.routes(`prefix=${encodeURIComponent(prefix)}&all=true`);
    expect(routes.map((route) => [route["source-type"], route.best])).toEqual([
      ["static", true],
      ["inherit", false],
    ]);
    await krtd.configure(configOf(it6, [], { kernel: { learn: true } }));
    await waitFor("it is gone", async () => (await ownLines(ns, flag)).length === 0, DEADLINE_MS);
    expect(await learned(krtd)).toBe(`10 ${other}`);
    expect(await foreignLines(ns)).toEqual(foreign);
  });

  it("follows routes that go with their link, of which IPv4 tells nothing", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${prefix} ${via} metric 10 ${STATIC}`);
    await ns.ip(`${flag} route add ${prefix} dev v1 metric 100 proto dhcp`);
    await using krtd = await startSynced(ns, configOf(it6, [], { kernel: { learn: true } }));
    expect(await learned(krtd)).toBe(`10 ${via}`);
    await ns.ip("link set v0 down");
    await waitFor("v1's is left", async () => (await learned(krtd)) === "100 via v1 (dhcp)", DEADLINE_MS);
    await ns.ip("link set v1 down");
    await waitFor("none is left", async () => (await learned(krtd)) === null, DEADLINE_MS);
  });

  it("follows nexthop objects, of which the kernel tells no routes", async () => {
    await using ns = await createTopology();
    await settled(ns);
    await using krtd = await startSynced(ns, configOf(it6, [], { kernel: { learn: true, "scan-time": 0 } }));
    for (const [id, hop] of [
      [7, via],
      [8, other],
    ] as const) {
      await ns.ip(`${flag} nexthop add id ${id} ${hop} dev v0`);
    }
    await ns.ip("nexthop add id 9 group 7/8");
    await ns.ip(`${flag} route add ${prefix} nhid 9 metric 10 ${STATIC}`);
    await ns.ip(`${flag} route add ${net(2)} nhid 7 metric 10 ${STATIC}`);
    const both = async (): Promise<unknown> => [await learned(krtd), await learned(krtd, net(2))];
    const becomes = (expected: readonly (string | null)[]): Promise<void> =>
      waitFor(`learned is ${expected}`, async () => String(await both()) === String(expected), DEADLINE_MS);
    await becomes([`10 ${via} ${otherGateway}`, `10 ${via}`]);
    await ns.ip("nexthop del id 7");
    await becomes([`10 ${other}`, null]);
    await ns.ip("nexthop del id 9");
    await becomes([null, null]);
  });
});
