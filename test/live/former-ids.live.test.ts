/**
 * krtd gets another protocol number: what it left in the kernel under the former one is taken over in place, what is
 * no longer wanted deleted, and none of it learned. In IPv4 no route is ever missing: `ip monitor` is the witness.
 */

import { rm } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { TimedLine } from "../../bench/timed-line.ts";
import type { RouteInput } from "../../src/config/input.ts";
import type { DriftJson } from "../../src/control/json.ts";
import { configOf, FAMILIES, lines } from "../support/families.ts";
import { printTimes } from "../support/figures.ts";
import { makeDirectory, type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;

/** For each prefix that was deleted: how long until it was there again, in milliseconds. */
function holesOf(events: readonly TimedLine[]): number[] {
  const deletedAt = new Map<string, number>();
  const holes: number[] = [];
  for (const { atMs, line } of events) {
    const [, prefix] = /^(?:Deleted )?\w+ (\S+) /.exec(line) ?? [];
    if (prefix === undefined) throw new Error(`no prefix: ${line}`);
    if (line.startsWith("Deleted ")) deletedAt.set(prefix, atMs);
    else {
      const from = deletedAt.get(prefix);
      if (from !== undefined) holes.push(atMs - from);
      deletedAt.delete(prefix);
    }
  }
  expect([...deletedAt.keys()]).toEqual([]);
  return holes;
}

describe.each(FAMILIES)("IPv$family: another protocol-id", (it6) => {
  const { family, flag, gateway, otherGateway, net } = it6;
  const wanted: readonly RouteInput[] = [
    ...Array.from({ length: 300 }, (_, i) => ({ prefix: it6.host(i), via: gateway })),
    { prefix: net(1), dev: "v0" },
    { prefix: net(2), type: "blackhole" },
    { prefix: net(3), type: "unreachable", metric: 77 },
    { prefix: net(4), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
    { prefix: net(5), via: gateway, mtu: 1400 },
    { prefix: net(6), via: family === 4 ? "203.0.113.9" : "2001:db8:7::9", dev: "v1", onlink: true },
  ];
  const unwanted: readonly RouteInput[] = [
    { prefix: net(7), via: gateway },
    { prefix: net(8), type: "blackhole" },
  ];

  const config = (
    routes: readonly RouteInput[],
    id: number,
    former: readonly number[],
    learn = true,
  ): string =>
    configOf(it6, routes, {
      kernel: { learn },
      root: { "protocol-id": id, "former-protocol-ids": [...former] },
    });
  /** Every route with this number, without it. */
  const routesOf = async (ns: Netns, id: number): Promise<string[]> =>
    lines(await ns.ip(`-o -d ${flag} route show table main proto ${id}`)).map((line) =>
      line.replace(` proto ${id}`, ""),
    );
  const expectNothingLearned = async (krtd: RunningKrtd): Promise<void> => {
    const routes = await krtd.routes("all=true");
    expect(routes.filter((route) => route["source-type"] === "inherit")).toEqual([]);
  };

  it("takes over what stands there, deletes what is not wanted, learns nothing of it", async () => {
    await using ns = await createTopology();
    await settled(ns);
    const directory = await makeDirectory();
    try {
      const first = await startSynced(ns, config([...wanted, ...unwanted], 120, []), { directory });
      await first.shutdown({ keep: true });
      expect(await first.exited).toBe(0);
      const before = await routesOf(ns, 120);
      expect(before).toHaveLength(wanted.length + unwanted.length);

      await using monitor = await monitorRoutes(ns);
      const yaml = config(wanted, 121, [120]);
      await using second = await startSynced(ns, yaml, { directory });
      const gone = unwanted.map(({ prefix }) => ` ${prefix} `);
      const kept = before.filter((line) => !gone.some((prefix) => line.includes(prefix)));
      expect(await routesOf(ns, 121)).toEqual(kept);
      expect(await routesOf(ns, 120)).toEqual([]);
      await expectNothingLearned(second);
      expect(await second.get<DriftJson[]>("/v1/drift")).toEqual([]);
      expect(await second.state()).toBe("in-sync");

      const events = await monitor.timed();
      const isGone = (line: string): boolean => gone.some((prefix) => line.includes(prefix));
      const holes = holesOf(events.filter(({ line }) => !isGone(line)));
      if (family === 4) expect(holes).toEqual([]);
      else printTimes("IPv6, without its route while taken over", holes);
      const deleted = events.filter(({ line }) => line.startsWith("Deleted "));
      expect(deleted.filter(({ line }) => isGone(line))).toHaveLength(unwanted.length);

      const writes = await second.writes();
      for (let scans = 0; scans < 2; scans++) await second.scan();
      expect(await second.writes()).toBe(writes);

      // Somebody (an old krtd?) adds one with the former number: it is neither learned nor left there.
      await ns.ip(`${flag} route add ${net(9)} via ${gateway} metric 32 proto 120`);
      await waitFor("it is deleted", async () => (await routesOf(ns, 120)).length === 0, DEADLINE_MS);
      await ns.ip(`${flag} route replace ${it6.host(0)} via ${gateway} metric 32 proto 120`);
      const same = async (): Promise<boolean> => (await routesOf(ns, 121)).join() === kept.join();
      await waitFor("it is taken over again", same, DEADLINE_MS);
      await second.scan();
      expect(await routesOf(ns, 120)).toEqual([]);
      await expectNothingLearned(second);

      expect(await second.stop()).toBe(0);
      expect([...(await routesOf(ns, 120)), ...(await routesOf(ns, 121))]).toEqual([]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("that does not name the former one takes those routes for somebody else's", async () => {
    await using ns = await createTopology();
    const directory = await makeDirectory();
    try {
      const routes = [{ prefix: net(1), via: gateway }];
      const first = await startSynced(ns, config(routes, 120, []), { directory });
      await first.shutdown({ keep: true });
      await first.exited;
      const before = await routesOf(ns, 120);
      await using second = await startSynced(ns, config(routes, 121, []), { directory });
      expect(await routesOf(ns, 120)).toEqual(before);
      expect((await second.route(net(1))).kernel.state).toBe("failed");
      const all = await second.routes("all=true");
      expect(all.map((route) => route["source-type"]).sort()).toEqual(["inherit", "static"]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("goes back and forth, with a change of what is wanted each time", async () => {
    await using ns = await createTopology();
    const directory = await makeDirectory();
    const ids = [120, 121, 122, 120] as const;
    try {
      for (const [i, id] of ids.entries()) {
        const routes = [
          { prefix: net(1), via: i % 2 === 0 ? gateway : otherGateway },
          { prefix: net(10 + i), via: gateway },
        ];
        const former = ids.filter((other) => other !== id);
        await using krtd = await startSynced(ns, config(routes, id, [...new Set(former)]), { directory });
        const shown = (await routesOf(ns, id)).map((line) => line.split(" ").slice(0, 4).join(" "));
        expect(shown).toEqual(routes.map(({ prefix, via }) => `unicast ${prefix} via ${via}`));
        for (const other of former) expect(await routesOf(ns, other)).toEqual([]);
        await expectNothingLearned(krtd);
        await krtd.shutdown({ keep: true });
        expect(await krtd.exited).toBe(0);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
