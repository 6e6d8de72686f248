/**
 * Every kind of static route (test/support/route-kinds.ts), from krt.yaml and from a route file, looks in the
 * kernel exactly as written there, and exactly as the same words make it with `ip route add`.
 */

import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RouteJson } from "../../src/control/json.ts";
import type { Family } from "../../src/lib/ip.ts";
import { configText, FAMILIES, routeLines } from "../support/families.ts";
import { makeDirectory, type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, createVethPair, type Netns } from "../support/netns.ts";
import { ROUTE_KINDS, type RouteKind } from "../support/route-kinds.ts";

/** Beyond 255, so that it does not fit the byte of struct rtmsg. */
const FILES_TABLE = 4_000_000_000;
/** Not krtd's: what `ip route add` makes of the same words. */
const TWIN_TABLE = 5000;

let ns: Netns;
let directory: string;
let config: string;
let krtd: RunningKrtd;
let shown: RouteJson[];
/** `ip -o -d route` by family and table. */
const kernel = new Map<string, readonly string[]>();

beforeAll(async () => {
  ns = await createTopology();
  await createVethPair(ns, "w0", "w1");
  await ns.ip("addr add 10.0.1.1/24 dev w0");
  await ns.ip("addr add 2001:db8:0:2::1/64 dev w0 nodad");
  const files: Record<string, string> = {};
  const statics: Record<string, object> = {};
  const kernels: Record<string, object> = {};
  for (const family of [4, 6] as const) {
    files[`${family}.routes`] = ROUTE_KINDS[family].map((kind) => `${ipWords(kind)}\n`).join("");
    statics[`yaml${family}`] = {
      table: `master${family}`,
      routes: ROUTE_KINDS[family].map(({ prefix, yaml }) => ({ prefix, ...yaml })),
    };
    statics[`file${family}`] = { table: `files${family}`, files: [`${family}.routes`] };
    kernels[`kernel${family}`] = { table: `master${family}` };
    kernels[`files-kernel${family}`] = { table: `files${family}`, "kernel-table": FILES_TABLE };
  }
  const tables = { files4: { family: "ipv4" as const }, files6: { family: "ipv6" as const } };
  config = configText({}, { root: { tables, kernel: kernels, static: statics } });
  directory = await makeDirectory();
  krtd = await startSynced(ns, config, { directory, files });
  const asked = await krtd.ctl("--json", "show", "routes", "table", "all");
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  shown = JSON.parse(asked.stdout) as RouteJson[];
  for (const { family, flag } of FAMILIES) {
    for (const kind of ROUTE_KINDS[family]) {
      const metric = kind.words.includes("metric") ? "" : "metric 32";
      await ns.ip(`${flag} route add ${twinWords(kind, metric)}`);
    }
    for (const table of ["main", String(FILES_TABLE), String(TWIN_TABLE)]) {
      kernel.set(`${family} ${table}`, await routeLines(ns, flag, `table ${table}`));
    }
  }
});

afterAll(async () => {
  await krtd?.[Symbol.asyncDispose]();
  await ns?.dispose();
  await rm(directory, { recursive: true });
});

/** One line of a route file. */
function ipWords({ prefix, yaml, words }: RouteKind): string {
  return `${yaml.type === undefined ? "" : `${yaml.type} `}${prefix} ${words}`;
}

/** `ip route add` wants nexthops last. */
function twinWords(kind: RouteKind, metric: string): string {
  const [alone, ...nexthops] = ipWords(kind).split(/ (?=nexthop )/);
  return [alone, `table ${TWIN_TABLE} proto 120 ${metric}`, ...nexthops].join(" ");
}

/** The lines of a table that speak of this route. */
function linesOf(family: Family, table: string | number, { prefix }: RouteKind): string[] {
  const name = prefix.replace(/\/(32|128)$/, "");
  const all = kernel.get(`${family} ${table}`) ?? [];
  return all.filter((line) => line.split(" ")[1] === name);
}

/** A line with its nexthops sorted: ip keeps the order they were written in, krtd has one of its own. */
function sorted(line: string): string[] {
  const [route, ...nexthops] = line.split("\\\t").map((part) => part.trimEnd());
  return [route ?? "", ...nexthops.sort()];
}

describe.each(FAMILIES)("IPv$family", ({ family, table }) => {
  describe.each(ROUTE_KINDS[family])("$kind", (kind) => {
    it("stands in the kernel as `ip -d route` must show it, from krt.yaml and from a route file", () => {
      expect(linesOf(family, "main", kind)).toEqual([kind.shown]);
      expect(linesOf(family, FILES_TABLE, kind)).toEqual([kind.shown]);
    });

    it("is what `ip route add` makes of the same words", () => {
      expect(linesOf(family, TWIN_TABLE, kind).map(sorted)).toEqual([sorted(kind.shown)]);
    });

    it("is reported as synced", () => {
      const dst = kind.prefix === "default" ? (family === 4 ? "0.0.0.0/0" : "::/0") : kind.prefix;
      const tables = [table, `files${family}`];
      const routes = shown.filter((route) => route.dst === dst && tables.includes(route.table));
      expect(routes.map((route) => [route.table, route.kernel])).toEqual(
        tables.map((name) => [
          name,
          expect.objectContaining({ state: "synced", errno: null, message: null }),
        ]),
      );
    });
  });

  it("adds nothing beyond these", () => {
    const own = (kernel.get(`${family} main`) ?? []).filter((line) => line.includes(" proto 120 "));
    expect(own).toHaveLength(ROUTE_KINDS[family].length);
    expect(kernel.get(`${family} ${FILES_TABLE}`)).toHaveLength(ROUTE_KINDS[family].length);
  });
});

it("every kind is adopted by a restart as it is: no write", async () => {
  const kinds = ROUTE_KINDS[4].length + ROUTE_KINDS[6].length;
  expect(await krtd.writes()).toBe(2 * kinds);
  await krtd.shutdown({ keep: true });
  expect(await krtd.exited).toBe(0);
  krtd = await startSynced(ns, config, { directory });
  for (let scans = 0; scans < 3; scans++) await krtd.scan();
  expect(await krtd.writes()).toBe(0);
  expect((await krtd.routes()).filter(({ kernel }) => kernel.state !== "synced")).toEqual([]);
});
