/**
 * A shell loop deletes one route of krtd, of each family, as fast as it can for fifteen seconds. The route is repaired,
 * then contested: that is shown and said once, and krtd's writes are few. All other routes are repaired as fast as
 * ever meanwhile. When the loop has ended, the route is put right by itself, with the end of the back-off.
 */

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { DriftJson, RouteJson } from "../../src/control/json.ts";
import { configText, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { printFigure, printTimes } from "../support/figures.ts";
import { startIpLoop } from "../support/ip-loop.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const WAR_MS = 15_000;
const OTHERS = 100;
/** Ten repairs in a minute are made; then there is a back-off of ten seconds, of twenty, and so on. */
const REPAIRS = 10;
const FIRST_BACKOFF_MS = 10_000;
const SECOND_BACKOFF_MS = 20_000;
const BUSY_MACHINE_MS = 2000;
const DEADLINE_MS = 10_000;

const routesOf = ({ gateway, net }: FamilyCase) =>
  Array.from({ length: OTHERS + 1 }, (_, i) => ({ prefix: net(i), via: gateway }));

describe("a tug of war", () => {
  it("is contested: few writes, one warning, no harm to other routes, and peace afterwards", async () => {
    await using ns = await createTopology();
    await settled(ns);
    const yaml = configText({ 4: routesOf(FAMILIES[0]!), 6: routesOf(FAMILIES[1]!) });
    await using krtd = await startSynced(ns, yaml);
    const wanted = [await ownLines(ns, "-4"), await ownLines(ns, "-6")];
    const contested = (): Promise<RouteJson[]> => krtd.routes("state=contested");
    const repairTimes: Record<4 | 6, number[]> = { 4: [], 6: [] };
    const attacked = FAMILIES.map(({ net }) => net(0));
    const before = await krtd.writes();

    const from = performance.now();
    let cpu = await cpuSeconds(krtd);
    {
      await using _loop = await startIpLoop(
        ns,
        krtd.directory,
        attacked.map((prefix) => `route del ${prefix} metric 32`),
      );
      await waitFor("both are contested", async () => (await contested()).length === 2, DEADLINE_MS);
      printFigure(`contested after ${(performance.now() - from).toFixed(0)} ms`);
      for (const { dst, kernel } of await contested()) {
        expect(attacked).toContain(dst);
        expect(kernel.message).toMatch(/keeps changing/);
        const retryInMs = Date.parse(kernel["next-retry"] ?? "") - Date.now();
        expect(retryInMs).toBeGreaterThan(0);
        expect(retryInMs).toBeLessThanOrEqual(FIRST_BACKOFF_MS);
      }
      for (const kernel of await krtd.kernels()) expect(kernel.kernel.contested).toBe(1);
      cpu = await cpuSeconds(krtd);

      for (let i = 1; i <= OTHERS && performance.now() - from < WAR_MS; i++) {
        for (const it6 of FAMILIES) repairTimes[it6.family].push(await deleteOne(ns, it6, i));
      }
      const left = WAR_MS - (performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, left)));
    }
    const warMs = performance.now() - from;
    const busy = (await cpuSeconds(krtd)) - cpu;
    for (const family of [4, 6] as const)
      printTimes(`IPv${family}, other routes put right`, repairTimes[family]);
    printFigure(`${busy.toFixed(2)} s of processor time in ${(warMs / 1000).toFixed(1)} s of war`);
    const others = repairTimes[4].length + repairTimes[6].length;
    expect(others).toBeGreaterThan(20);
    for (const ms of [...repairTimes[4], ...repairTimes[6]]) expect(ms).toBeLessThan(BUSY_MACHINE_MS);

    // Of each family: the repairs, and one try after each back-off that ended so far.
    const writes = (await krtd.writes()) - before - others;
    printFigure(`${writes} writes for two contested routes`);
    expect(writes).toBeGreaterThanOrEqual(REPAIRS);
    expect(writes).toBeLessThanOrEqual(2 * (REPAIRS + 3));

    const peace = performance.now();
    await waitFor(
      "both are put right",
      async () => (await contested()).length === 0,
      FIRST_BACKOFF_MS + SECOND_BACKOFF_MS,
      50,
    );
    printFigure(`put right ${((performance.now() - peace) / 1000).toFixed(1)} s after the end of the war`);
    await waitFor("in sync", async () => (await krtd.state()) === "in-sync", DEADLINE_MS);
    expect([await ownLines(ns, "-4"), await ownLines(ns, "-6")]).toEqual(wanted);
    for (const kernel of await krtd.kernels()) expect(kernel.kernel.contested).toBe(0);

    const warnings = krtd.records("a route is contested: somebody keeps changing it");
    expect(warnings.map(({ level, prefix }) => [level, prefix]).sort()).toEqual(
      attacked.map((prefix) => ["warn", prefix]),
    );
    const drift = await krtd.get<DriftJson[]>("/v1/drift");
    for (const prefix of attacked) {
      const told = drift.filter(({ dst }) => dst === prefix);
      const repairs = told.filter(({ reaction }) => reaction === "repaired").length;
      expect(repairs).toBeGreaterThan(0);
      expect(repairs).toBeLessThanOrEqual(REPAIRS);
      expect(told.at(-1)).toMatchObject({ kind: "deleted", reaction: "left" });
    }
  }, 120_000);
});

/** Deletes the i-th route of krtd: how long it was missing, in milliseconds. */
async function deleteOne(ns: Netns, { flag, net }: FamilyCase, i: number): Promise<number> {
  await using monitor = await monitorRoutes(ns);
  await ns.ip(`${flag} route del ${net(i)} metric 32`);
  let times: number[] = [];
  await waitFor(`${net(i)} is back`, async () => {
    times = (await monitor.timed())
      .filter(({ line }) => line.includes(` ${net(i)} `))
      .map(({ atMs }) => atMs);
    return times.length >= 2;
  });
  expect(times).toHaveLength(2);
  return times[1]! - times[0]!;
}

async function cpuSeconds({ pid }: RunningKrtd): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
