/**
 * What is left in the kernel when krtd ends, whichever way, over several tables and network namespaces: everything
 * with persist, --keep or kill -9, and the next life writes nothing; nothing of ours and all of the others' otherwise,
 * by the record of what was sent, whatever the filters say by then.
 */

import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FilterRuleInput } from "../../src/config/filter-schema.ts";
import type { KernelInput, KrtInput, RouteInput } from "../../src/config/input.ts";
import { FAMILIES, type FamilyCase, foreignLines, lines } from "../support/families.ts";
import { foreignCommands } from "../support/foreign-routes.ts";
import { ask } from "../support/http-unix.ts";
import { makeDirectory, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const HIGH = 4_000_000_001;

/** Each kernel protocol: which namespace, which kernel table. */
const PLACES = [
  { name: "main", table: 254, there: false },
  { name: "high", table: HIGH, there: false },
  { name: "away", table: 254, there: true },
  { name: "away-low", table: 77, there: true },
] as const;
type Place = (typeof PLACES)[number];

let here: Netns;
let there: Netns;
let directory: string;

beforeEach(async () => {
  here = await createTopology();
  there = await createTopology();
  directory = await makeDirectory();
});

afterEach(async () => {
  await here?.dispose();
  await there?.dispose();
  await rm(directory, { recursive: true });
});

const tableOf = ({ name }: Place, { family, table }: FamilyCase): string =>
  name === "main" ? table : `${name}${family}`;

const routesOf = ({ gateway, otherGateway, net }: FamilyCase): RouteInput[] => [
  { prefix: net(11), via: gateway },
  { prefix: net(12), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
  { prefix: net(13), dev: "v0", mtu: 1400 },
  { prefix: net(14), type: "prohibit" },
  { prefix: net(15), via: gateway, metric: 77 },
  { prefix: net(16), type: "blackhole" },
];
const COUNT = 6;

interface Options {
  readonly kernel?: KernelInput | ((place: Place) => KernelInput);
  readonly out?: FilterRuleInput[];
}

function config({ kernel = {}, out = [{ action: "accept" }] }: Options = {}): string {
  const all = PLACES.flatMap((place) => FAMILIES.map((it6) => ({ place, it6 })));
  const input = {
    log: { format: "json" },
    tables: Object.fromEntries(
      all
        .filter(({ place }) => place.name !== "main")
        .map(({ place, it6 }) => [tableOf(place, it6), { family: `ipv${it6.family}` }]),
    ),
    filters: { out },
    kernel: Object.fromEntries(
      all.map(({ place, it6 }) => [
        `${place.name}-kernel${it6.family}`,
        {
          table: tableOf(place, it6),
          "kernel-table": place.table,
          "scan-time": 0,
          export: "out",
          ...(place.there ? { netns: there.name } : {}),
          ...(typeof kernel === "function" ? kernel(place) : kernel),
        },
      ]),
    ),
    static: Object.fromEntries(
      all.map(({ place, it6 }) => [
        `${place.name}-static${it6.family}`,
        { table: tableOf(place, it6), routes: routesOf(it6) },
      ]),
    ),
  };
  return `${JSON.stringify(input, null, 1)}\n`;
}

/** Everything of protocol 120 in one place. */
async function ownAt(place: Place): Promise<string[]> {
  const ns = place.there ? there : here;
  const shown = await Promise.all(
    FAMILIES.map(({ flag }) => ns.tryIp(`-o -d -N ${flag} route show table ${place.table} proto 120`)),
  );
  return shown.flatMap(({ stdout }) => lines(stdout));
}

const own = async (): Promise<string[][]> => Promise.all(PLACES.map(ownAt));
const counts = async (): Promise<number[]> => (await own()).map((one) => one.length);
const FULL = PLACES.map(() => 2 * COUNT);
const NONE = PLACES.map(() => 0);

/** What krtd had nothing to do with; without protocol 120 in any table, and without what comes with addresses. */
async function others(): Promise<string[]> {
  const all = [await foreignLines(here), await foreignLines(there)].flat();
  return all.filter((line) => !/ proto (120|kernel) /.test(line));
}

describe("routes that are to stay", () => {
  it.each(["persist", "--keep", "kill -9"])(
    "stay everywhere with %s, and the next life writes nothing",
    async (how) => {
      const yaml = config(how === "persist" ? { kernel: { persist: true } } : {});
      const first = await startSynced(here, yaml, { directory });
      const installed = await own();
      expect(installed.map((one) => one.length)).toEqual(FULL);
      await using monitorHere = await monitorRoutes(here);
      await using monitorThere = await monitorRoutes(there);
      if (how === "persist") expect(await first.stop()).toBe(0);
      else if (how === "kill -9") await first.kill();
      else {
        expect(await first.ctl("shutdown", "--keep")).toMatchObject({ code: 0 });
        expect(await first.exited).toBe(0);
      }
      await using second = await startSynced(here, yaml, { directory });
      expect(second.logged("in sync")).toMatchObject({ writes: 0 });
      await second.scan();
      expect(await second.writes()).toBe(0);
      expect(await monitorHere.events()).toEqual([]);
      expect(await monitorThere.events()).toEqual([]);
      expect(await own()).toEqual(installed);
      // And they go when they are to go.
      if (how === "persist") return;
      expect(await second.stop()).toBe(0);
      expect(await counts()).toEqual(NONE);
    },
  );

  it("stay where persist says so, and nowhere else", async () => {
    const yaml = config({ kernel: ({ name }) => ({ persist: name === "high" || name === "away-low" }) });
    const krtd = await startSynced(here, yaml, { directory });
    expect(await krtd.stop()).toBe(0);
    expect(await counts()).toEqual([0, 2 * COUNT, 0, 2 * COUNT]);
  });

  it("are those that persist says at the end, not at the start", async () => {
    await using krtd = await startSynced(here, config(), { directory });
    const writes = await krtd.writes();
    await krtd.configure(config({ kernel: ({ name }) => ({ persist: name === "main" }) }));
    expect(await krtd.writes()).toBe(writes);
    expect(await krtd.stop()).toBe(0);
    expect(await counts()).toEqual([2 * COUNT, 0, 0, 0]);
    await using second = await startSynced(here, config({ kernel: { persist: true } }), { directory });
    await second.configure(config());
    expect(await second.stop()).toBe(0);
    expect(await counts()).toEqual(NONE);
  });

  it("stay when a protocol that persists is disabled, and are adopted when it is enabled", async () => {
    await using krtd = await startSynced(here, config({ kernel: { persist: true } }), { directory });
    const installed = await own();
    await using monitor = await monitorRoutes(there);
    await krtd.act("disable", "away*kernel*");
    expect(await own()).toEqual(installed);
    await krtd.act("enable", "away*kernel*");
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    await krtd.scan();
    expect(await monitor.events()).toEqual([]);
    expect(await own()).toEqual(installed);
  });
});

describe("an orderly stop", () => {
  it("takes out exactly what is ours, in every table and namespace", async () => {
    await settled(here);
    await settled(there);
    for (const ns of [here, there]) {
      const commands = FAMILIES.flatMap(foreignCommands).filter((command) => !command.includes("proto 120"));
      await ns.batch(commands);
    }
    const before = await others();
    const krtd = await startSynced(here, config(), { directory });
    expect(await counts()).toEqual(FULL);
    await using monitor = await monitorRoutes(there);
    expect(await krtd.stop()).toBe(0);
    expect(await counts()).toEqual(NONE);
    expect(await others()).toEqual(before);
    const events = await monitor.events();
    expect(events.filter((line) => !/^Deleted .* proto 120 /.test(line))).toEqual([]);
    expect(krtd.log()).not.toMatch(/"level":"(error|warn)"/);
  });

  it("goes by what was sent, not by what the filters say by then", async () => {
    const metric = (value: number): FilterRuleInput[] => [{ set: { metric: value }, action: "accept" }];
    await using krtd = await startSynced(here, config({ out: metric(50) }), { directory });
    const softly = async (out: FilterRuleInput[]): Promise<void> => {
      await writeFile(join(directory, "krt.yaml"), config({ out }));
      const body = JSON.stringify({ mode: "soft" });
      expect((await ask(krtd.socket, "/v1/configure", { method: "POST", body })).status).toBe(200);
    };
    // Another metric, which no route has met yet; then one that rejects everything, softly as well.
    await softly(metric(60));
    expect(new Set((await own()).flat().map((line) => / metric (\d+)/.exec(line)?.[1]))).toEqual(
      new Set(["50"]),
    );
    // Some meet it: their routes stand at the new metric.
    await krtd.act("restart", "main-static4");
    await softly([{ match: { metric: 4_000_000_000 }, action: "accept" }]);
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect(await counts()).toEqual(FULL);
    expect(await krtd.stop()).toBe(0);
    expect(await counts()).toEqual(NONE);
  });

  it("takes out what was installed a moment before, and what is just being changed", async () => {
    const metric = (value: number): FilterRuleInput[] => [{ set: { metric: value }, action: "accept" }];
    await using krtd = await startSynced(here, config({ out: metric(50) }), { directory });
    const configured = krtd.configure(config({ out: metric(60) }));
    krtd.signal("SIGTERM");
    await configured.catch(() => {});
    expect(await krtd.exited).toBe(0);
    expect(await counts()).toEqual(NONE);
  });

  it("in the middle of the first load leaves nothing behind", async () => {
    const ROUTES = 20_000;
    const [it6] = FAMILIES;
    const text = Array.from({ length: ROUTES }, (_, i) => `${it6!.host(i)} via ${it6!.gateway}`).join("\n");
    const input: KrtInput = {
      log: { format: "json" },
      kernel: { kernel4: { "scan-time": 0 } },
      static: { many: { files: ["many.routes"] } },
    };
    for (const fraction of [0.01, 0.3, 0.7]) {
      const files = { "many.routes": text };
      await using krtd = await startSynced(here, JSON.stringify(input), { directory, files }).then(
        async (running) => {
          // A restart of the protocol begins the load anew, from nothing.
          await running.act("disable", "kernel4");
          await running.act("enable", "kernel4");
          return running;
        },
      );
      await waitFor("some are there", async () => {
        const [kernel] = await krtd.kernels();
        return (kernel?.kernel.writes.add ?? 0) > ROUTES * fraction;
      });
      expect(await krtd.stop()).toBe(0);
      expect(await ownAt(PLACES[0])).toEqual([]);
    }
  });

  it("leaves what somebody else put in the place of ours", async () => {
    await using krtd = await startSynced(here, config(), { directory });
    const [v4] = FAMILIES;
    await there.ip(`route replace ${v4!.net(11)} via ${v4!.otherGateway} metric 32 proto static`);
    await waitFor("it is taken", async () => krtd.log().includes("taken"));
    const before = await others();
    expect(before.some((line) => line.includes(`${v4!.net(11)} via ${v4!.otherGateway}`))).toBe(true);
    expect(await krtd.stop()).toBe(0);
    expect(await counts()).toEqual(NONE);
    expect(await others()).toEqual(before);
  });

  it("takes out what an earlier protocol number of ours marks, too", async () => {
    const first = await startSynced(here, config(), { directory });
    const installed = await own();
    await first.shutdown({ keep: true });
    await first.exited;
    const renumbered = JSON.stringify({
      ...(JSON.parse(config()) as KrtInput),
      "protocol-id": 121,
      "former-protocol-ids": [120],
    });
    await using second = await startSynced(here, renumbered, { directory });
    // Taken over: each was marked anew, and none is there twice.
    expect(await counts()).toEqual(NONE);
    const marked = lines(await there.ip("-o -d -N route show table 77 proto 121"));
    expect(marked).toHaveLength(COUNT);
    expect(marked).toEqual(installed[3]?.slice(0, COUNT));
    await here.ip("route add blackhole 198.18.99.0/24 proto 120 metric 9");
    await second.scan();
    expect(await counts()).toEqual(NONE);
    expect(await second.stop()).toBe(0);
    expect(await here.ip("route show table all proto 121")).toBe("");
    expect(await there.ip("route show table all proto 121")).toBe("");
  });
});
