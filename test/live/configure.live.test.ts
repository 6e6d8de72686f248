/**
 * What each change of the configuration does to the kernel, in both families, beside routes of everybody else: every
 * event is named, so a route that stays sees none. Each row goes there and back; no row touches what is not krtd's.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KernelInput, KrtInput, RouteInput, StaticInput } from "../../src/config/input.ts";
import type { DiffJson } from "../../src/control/explain-json.ts";
import { FAMILIES, type FamilyCase, foreignLines, lines } from "../support/families.ts";
import { foreignCommands } from "../support/foreign-routes.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;
/** Prefixes that no foreign route has. */
const NETS = [200, 201, 202, 203, 204];
/** The one with a metric of its own. */
const OWN_METRIC = 4;
/** Not 1000: foreign routes with krtd's number stand there. */
const OTHER_TABLE = 2000;

interface Row {
  readonly why: string;
  /** From the base, where nothing is as it would be otherwise. */
  readonly before?: KrtInput;
  readonly after: KrtInput;
  /** "+0 254:32": net 0 came (or was replaced) in table 254 at metric 32; "-": it went. In any order. */
  readonly there: readonly string[];
  readonly back: readonly string[];
  /** No net is ever without a route of krtd on the way there (IPv4 alone: "4"). */
  readonly noHole?: "both" | "4";
}

const all = (sign: "+" | "-", where: string, nets: readonly number[] = [0, 1, 2, 3]): string[] =>
  nets.map((net) => `${sign}${net} ${where}`);
/** All nets with their metrics. */
const whole = (sign: "+" | "-", table = 254): string[] => [
  ...all(sign, `${table}:32`),
  `${sign}${OWN_METRIC} ${table}:77`,
];

function rowsOf(it6: FamilyCase): { readonly base: KrtInput; readonly rows: readonly Row[] } {
  const { family, table, gateway, otherGateway, net } = it6;
  const route = (i: number, more: RouteInput): RouteInput => ({ prefix: net(NETS[i]!), ...more });
  const routes = [
    route(0, { via: gateway }),
    route(1, { nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] }),
    route(2, { dev: "v0" }),
    route(3, { type: "unreachable" }),
    route(OWN_METRIC, { via: gateway, metric: 77 }),
  ];
  const otherWay = route(0, { via: otherGateway });
  const kernel = (more: KernelInput = {}): KernelInput => ({ table, "scan-time": 0, ...more });
  const statics = (more: StaticInput = {}): StaticInput => ({ table, routes, ...more });
  const config = (
    kernels: Record<string, KernelInput>,
    sources: Record<string, StaticInput>,
    more: KrtInput = {},
  ): KrtInput => ({ log: { format: "json" }, kernel: kernels, static: sources, ...more });
  const base = config({ k: kernel() }, { s: statics() });
  const one = (more: KernelInput, root?: KrtInput): KrtInput =>
    config({ k: kernel(more) }, { s: statics() }, root);
  const only = (...nets: number[]) => ({
    filters: { f: [{ match: { prefix: nets.map((i) => net(NETS[i]!)) }, action: "accept" as const }] },
  });
  const blue: KrtInput = { tables: { blue: { family: family === 4 ? "ipv4" : "ipv6" } } };
  const NONE: readonly string[] = [];
  const rows: Row[] = [
    { why: "nothing", after: base, there: NONE, back: NONE },
    {
      why: "scan-time, persist, learn",
      after: one({ "scan-time": "5m", persist: true, learn: true }),
      there: NONE,
      back: NONE,
    },
    {
      why: "metric of the kernel protocol",
      after: one({ metric: 50 }),
      there: [...all("+", "254:50"), ...all("-", "254:32")],
      back: [...all("+", "254:32"), ...all("-", "254:50")],
      noHole: "both",
    },
    {
      why: "an export filter that takes some away",
      after: one({ export: "f" }, only(0, 2)),
      there: ["-1 254:32", "-3 254:32", "-4 254:77"],
      back: ["+1 254:32", "+3 254:32", "+4 254:77"],
    },
    {
      why: "an import filter of the source that takes some away",
      after: config({ k: kernel() }, { s: statics({ import: "f" }) }, only(0, 2)),
      there: ["-1 254:32", "-3 254:32", "-4 254:77"],
      back: ["+1 254:32", "+3 254:32", "+4 254:77"],
    },
    {
      why: "an export filter that changes one",
      after: one(
        { export: "f" },
        {
          filters: {
            f: [
              { match: { prefix: net(NETS[0]!) }, set: { mtu: 1400 }, action: "accept" },
              { action: "accept" },
            ],
          },
        },
      ),
      there: ["+0 254:32"],
      back: ["+0 254:32"],
      noHole: "both",
    },
    {
      why: "merge-paths with a second source",
      before: config({ k: kernel() }, { s: statics(), t: { table, routes: [otherWay] } }),
      after: config(
        { k: kernel({ "merge-paths": true }) },
        { s: statics(), t: { table, routes: [otherWay] } },
      ),
      there: ["+0 254:32"],
      back: ["+0 254:32"],
      noHole: "both",
    },
    {
      why: "preference",
      before: config({ k: kernel() }, { s: statics(), t: { table, preference: 150, routes: [otherWay] } }),
      after: config(
        { k: kernel() },
        { s: statics({ preference: 100 }), t: { table, preference: 150, routes: [otherWay] } },
      ),
      there: ["+0 254:32"],
      back: ["+0 254:32"],
      noHole: "both",
    },
    {
      why: "the kernel protocol gone",
      after: config({}, { s: statics() }),
      there: whole("-"),
      back: whole("+"),
    },
    {
      why: "the kernel protocol renamed",
      after: config({ other: kernel() }, { s: statics() }),
      there: NONE,
      back: NONE,
    },
    {
      why: "the kernel protocol renamed, with another metric",
      after: config({ other: kernel({ metric: 50 }) }, { s: statics() }),
      there: [...all("+", "254:50"), ...all("-", "254:32")],
      back: [...all("+", "254:32"), ...all("-", "254:50")],
      noHole: "both",
    },
    {
      why: "another kernel table",
      after: one({ "kernel-table": OTHER_TABLE }),
      there: [...whole("-"), ...whole("+", OTHER_TABLE)],
      back: [...whole("+"), ...whole("-", OTHER_TABLE)],
    },
    {
      why: "another protocol-id, the old one former",
      after: { ...base, "protocol-id": 121, "former-protocol-ids": [120] },
      // IPv6 has no replacement across protocols that harms nobody: there each goes and comes.
      there: family === 4 ? whole("+") : [...whole("-"), ...whole("+")],
      back: [...whole("-"), ...whole("+")],
      noHole: "4",
    },
    {
      why: "former-protocol-ids alone",
      after: { ...base, "former-protocol-ids": [119] },
      there: NONE,
      back: NONE,
    },
    {
      why: "a static protocol renamed",
      after: config({ k: kernel() }, { other: statics() }),
      there: NONE,
      back: NONE,
    },
    {
      why: "routes moved from one static protocol to another that is there",
      before: config({ k: kernel() }, { s: statics(), z: { table, routes: [] } }),
      after: config({ k: kernel() }, { s: statics({ routes: [] }), z: statics() }),
      there: NONE,
      back: NONE,
    },
    {
      why: "a table and its protocols",
      after: config(
        { k: kernel(), b: kernel({ table: "blue", "kernel-table": OTHER_TABLE }) },
        { s: statics(), t: statics({ table: "blue" }) },
        blue,
      ),
      there: whole("+", OTHER_TABLE),
      back: whole("-", OTHER_TABLE),
    },
    {
      why: "routes that come over a pipe from now on",
      after: config(
        { k: kernel() },
        { s: statics({ table: "blue" }) },
        {
          ...blue,
          pipe: { p: { table: "blue", "peer-table": table, import: "none" } },
        },
      ),
      there: NONE,
      back: NONE,
    },
  ];
  return { base, rows };
}

describe.each(FAMILIES)("IPv$family:", (it6) => {
  const { base, rows } = rowsOf(it6);
  let ns: Netns;
  let krtd: RunningKrtd;
  let foreign: readonly string[];

  beforeAll(async () => {
    ns = await createTopology();
    await settled(ns);
    await ns.batch(foreignCommands(it6));
    foreign = await others(ns);
    krtd = await startSynced(ns, text(base));
  });

  afterAll(async () => {
    await krtd?.[Symbol.asyncDispose]();
    await ns?.dispose();
  });

  /** Applies it and waits until the kernel is as wanted, which a scan must have nothing to add to. */
  const apply = async (input: KrtInput): Promise<void> => {
    await krtd.configure(text(input));
    await waitFor("the kernel is as wanted", async () => (await krtd.state()) === "in-sync", DEADLINE_MS);
    expect(await krtd.get<DiffJson[]>("/v1/diff")).toEqual([]);
    const writes = await krtd.writes();
    if ((await krtd.kernels()).length > 0) await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
  };

  it.each(rows)("$why", async ({ before = base, after, there, back, noHole }) => {
    await apply(before);
    await using monitor = await monitorRoutes(ns);
    await apply(after);
    const going = (await monitor.events()).map((line) => changeOf(line, it6));
    expect(new Set(going)).toEqual(new Set(there));
    if (noHole === "both" || noHole === String(it6.family)) expect(holesOf(going)).toEqual([]);
    await apply(before);
    const coming = (await monitor.events()).map((line) => changeOf(line, it6)).slice(going.length);
    expect(new Set(coming)).toEqual(new Set(back));
    expect(await others(ns)).toEqual(foreign);
    expect(krtd.log()).not.toMatch(/"level":"(error|warn)"/);
  });
});

function text(input: KrtInput): string {
  return JSON.stringify(input, null, 1);
}

/** Everything but the nets of this test, wherever they are. */
async function others(ns: Netns): Promise<string[]> {
  const own = FAMILIES.flatMap(({ net }) => NETS.map((i) => ` ${net(i)} `));
  return (await foreignLines(ns)).filter((line) => !own.some((prefix) => line.includes(prefix)));
}

/** "+0 254:32", or the line itself when it is no route of krtd. */
function changeOf(line: string, { net }: FamilyCase): string {
  const found = /^(Deleted )?\w+ (\S+) .*\btable (\S+) proto 12[01] .*\bmetric (\d+)/.exec(
    lines(line)[0] ?? "",
  );
  if (found === null) return line;
  const [, gone, prefix, table, metric] = found;
  const index = NETS.findIndex((i) => net(i) === prefix);
  return `${gone === undefined ? "+" : "-"}${index} ${table === "main" ? 254 : table}:${metric}`;
}

/** Changes that left a net without a route. Each had one at the beginning. */
function holesOf(changes: readonly string[]): string[] {
  const came = new Map<string, Set<string>>();
  return changes.filter((change) => {
    const [net, key] = change.slice(1).split(" ") as [string, string];
    const keys = came.get(net) ?? new Set();
    came.set(net, keys);
    if (change.startsWith("+")) keys.add(key);
    else keys.delete(key);
    return keys.size === 0;
  });
}
