/**
 * Another metric is another key for the kernel: krtd adds the new route before it deletes the old one. The
 * witness is `ip monitor route`, which tells every change in the order the kernel made it.
 */

import { rm } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { RouteInput } from "../../src/config/input.ts";
import { configOf, FAMILIES, ownLines } from "../support/families.ts";
import { makeDirectory, startSynced } from "../support/krtd.ts";
import { createTopology, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const ROUTES = 200;

describe.each(FAMILIES)("IPv$family: a planned restart", (it6) => {
  const { flag, gateway, otherGateway, net } = it6;
  // Every shape whose swap could be done differently: gateway, ECMP, device, discard.
  const shapes: readonly Omit<RouteInput, "prefix">[] = [
    { via: gateway },
    { nexthops: [{ via: gateway }, { via: otherGateway, weight: 2 }] },
    { dev: "v0" },
    { type: "unreachable" },
  ];
  const routes = Array.from({ length: ROUTES }, (_, i) => ({ prefix: net(i), ...shapes[i % shapes.length] }));

  it.each([
    [32, 20],
    [32, 2000],
  ])("from metric %i to %i never leaves a prefix without a route", async (from, to) => {
    await using ns = await createTopology();
    const directory = await makeDirectory();
    try {
      const before = await startSynced(ns, configOf(it6, routes, { kernel: { metric: from } }), {
        directory,
      });
      const installed = await ownLines(ns, flag);
      expect(installed).toHaveLength(ROUTES);
      await using monitor = await monitorRoutes(ns);
      await before.shutdown({ keep: true });
      expect(await before.exited).toBe(0);
      expect(await monitor.events()).toEqual([]);
      expect(await ownLines(ns, flag)).toEqual(installed);

      const config = configOf(it6, routes, { kernel: { metric: to } });
      await using after = await startSynced(ns, config, { directory });
      const moved = async (): Promise<boolean> =>
        (await ownLines(ns, flag)).join() === installed.map((line) => withMetric(line, from, to)).join();
      await waitFor("all stand at the new metric alone", moved);
      const events = await monitor.events();
      for (const { prefix } of routes) {
        const [first, ...rest] = events.filter((line) => line.includes(` ${prefix} `)).map(summary);
        expect(first).toBe(`add metric ${to}`);
        // IPv6 tells the end of a multipath route once for each nexthop.
        expect([...new Set(rest)]).toEqual([`delete metric ${from}`]);
      }
      expect((await after.routes()).every(({ kernel }) => kernel.state === "synced")).toBe(true);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe.each(FAMILIES)("IPv$family: while krtd runs", (it6) => {
  const { flag, gateway, otherGateway, net } = it6;
  const routes: RouteInput[] = Array.from({ length: ROUTES }, (_, i) =>
    i % 2 === 0
      ? { prefix: net(i), via: gateway }
      : { prefix: net(i), nexthops: [{ via: gateway }, { via: otherGateway, weight: 2 }] },
  );
  const byKernel = (metric: number): string => configOf(it6, routes, { kernel: { metric } });
  const byFilter = (metric: number): string =>
    configOf(it6, routes, {
      kernel: { export: "out" },
      root: { filters: { out: [{ set: { metric }, action: "accept" }] } },
    });
  const byRoute = (metric: number): string =>
    configOf(
      it6,
      routes.map((route) => ({ ...route, metric })),
    );

  it.each([
    ["of the kernel protocol", byKernel],
    ["that a filter sets", byFilter],
    ["of the routes themselves", byRoute],
  ])("another metric %s is applied without a moment without a route", async (_what, config) => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, config(32));
    const installed = await ownLines(ns, flag);
    for (const [from, to] of [
      [32, 20],
      [20, 2000],
    ] as const) {
      await using monitor = await monitorRoutes(ns);
      await krtd.configure(config(to));
      const moved = installed.map((line) => withMetric(line, 32, to)).join();
      await waitFor(
        "all stand at the new metric alone",
        async () => (await ownLines(ns, flag)).join() === moved,
      );
      const events = await monitor.events();
      for (const { prefix } of routes) {
        const [first, ...rest] = events.filter((line) => line.includes(` ${prefix} `)).map(summary);
        expect(first).toBe(`add metric ${to}`);
        expect([...new Set(rest)]).toEqual([`delete metric ${from}`]);
      }
    }
    const writes = await krtd.writes();
    expect(writes).toBe(5 * ROUTES);
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
  });
});

function withMetric(line: string, from: number, to: number): string {
  return line.replace(` metric ${from}`, ` metric ${to}`);
}

function summary(line: string): string {
  const metric = / metric (\d+)/.exec(line)?.[1] ?? "none";
  return `${line.startsWith("Deleted ") ? "delete" : "add"} metric ${metric}`;
}
