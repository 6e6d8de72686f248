/**
 * Random configurations from a small universe, so that two of them meet each other: the same names, tables, prefixes
 * and gateways in other places. Some are refused (two protocols of one name), which is a case like any other.
 */

import fc from "fast-check";
import type { FilterInput } from "../../src/config/filter-schema.ts";
import type {
  DirectInput,
  KernelInput,
  KrtInput,
  PipeInput,
  RouteInput,
  StaticInput,
} from "../../src/config/input.ts";
import type { Family } from "../../src/lib/ip.ts";

/**
 * Foreign routes in the kernel. Of some prefixes they take every key that krtd may want (see Universe).
 */
export const FOREIGN: readonly string[] = [
  "route add 10.5.0.0/16 via 10.0.0.9 metric 100 proto 4",
  ...[32, 50, 60].flatMap((metric) => [
    `route add 10.6.0.0/16 via 10.0.0.9 metric ${metric} proto 4`,
    `route add 2001:db8:6::/48 via 2001:db8:0:1::9 metric ${metric} proto 4`,
  ]),
  "route add 10.7.0.0/16 via 10.0.0.9 metric 70 proto 16 table 100",
  "route add 10.20.0.0/16 via 10.1.0.9 metric 20 proto 4",
  "route add 10.20.0.0/16 via 10.1.0.8 metric 32 proto 4 table 200",
  "route add 2001:db8:5::/48 via 2001:db8:0:1::9 metric 100 proto 4",
  "route add 2001:db8:20::/48 via 2001:db8:0:2::9 metric 20 proto 4 table 100",
];

const PREFIXES: Readonly<Record<Family, readonly string[]>> = {
  4: ["10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16", "10.8.0.0/16", "10.8.8.0/24", "0.0.0.0/0"],
  6: [
    "2001:db8:5::/48",
    "2001:db8:6::/48",
    "2001:db8:7::/48",
    "2001:db8:8::/48",
    "2001:db8:8:8::/64",
    "::/0",
  ],
};

/** What a route may say beside its prefix; the last gateway is on no link. */
const SHAPES: Readonly<Record<Family, readonly Omit<RouteInput, "prefix">[]>> = {
  4: shapes("10.0.0.2", "10.1.0.2", "10.9.0.2", "10.8.8.1"),
  6: shapes("2001:db8:0:1::2", "2001:db8:0:2::2", "2001:db8:9::2", "2001:db8:8:8::1"),
};

function shapes(
  near: string,
  other: string,
  nowhere: string,
  followed: string,
): Omit<RouteInput, "prefix">[] {
  // With devices: else the kernel chooses, in IPv6 by the routes that came before.
  return [
    { via: near, dev: "d0" },
    { via: near, dev: "d0" },
    { via: other, dev: "d1" },
    { via: nowhere },
    { via: near, dev: "d0", metric: 50 },
    { via: near, dev: "d0", mtu: 1400 },
    { dev: "d1" },
    { dev: "nosuch" },
    { type: "blackhole" },
    {
      nexthops: [
        { via: near, dev: "d0" },
        { via: other, dev: "d1", weight: 3 },
      ],
    },
    { recursive: followed },
  ];
}

/**
 * A route that gets another metric stays at its old one until the kernel takes the new one, so with routes that the
 * kernel refuses history counts. Hence either: metrics change, or: some gateways cannot be reached. And no
 * gateway is within reach for a while: the kernel keeps a route that it took then.
 */
export type Universe = "metrics change" | "gateways out of reach";

const FILTERS: readonly FilterInput[] = [
  [{ action: "accept" }],
  [{ match: { prefix: ["10.5.0.0/16+", "2001:db8:5::/48+"] }, action: "reject" }, { action: "accept" }],
  [{ match: { source: "s0*" }, action: "reject" }, { action: "accept" }],
  [
    { match: { prefix: ["10.7.0.0/16", "2001:db8:7::/48"] }, set: { metric: 60 }, action: "accept" },
    { action: "accept" },
  ],
  [{ match: { "source-type": "inherit" }, set: { preference: 300 }, action: "accept" }, { action: "accept" }],
];

/** All names of tables; which of them exist is up to `tables`. */
const TABLES = ["master4", "master6", "blue", "red"] as const;
type Table = (typeof TABLES)[number];

interface Draft {
  readonly blue: Family | null;
  readonly red: Family | null;
  readonly kernels: readonly (KernelDraft | null)[];
  readonly kernelNames: readonly string[];
  readonly statics: readonly (StaticDraft | null)[];
  readonly direct: DirectDraft | null;
  readonly pipes: readonly (PipeDraft | null)[];
  readonly filters: readonly [number, number];
  readonly protocolId: number;
  readonly formerProtocolIds: number[];
}

type KernelDraft = Required<
  Pick<KernelInput, "kernel-table" | "metric" | "learn" | "merge-paths" | "import" | "export">
>;

interface StaticDraft {
  readonly table: Table;
  readonly preference: number;
  readonly import: string;
  readonly checkLink: boolean;
  /** By prefix: a shape, or null. */
  readonly shapes: readonly (number | null)[];
}

interface DirectDraft {
  readonly name: string;
  readonly table: Table;
  readonly interfaces: string[];
  readonly import: string;
}

interface PipeDraft {
  readonly table: Table;
  readonly peer: Table;
  readonly import: string;
  readonly export: string;
}

const family = fc.constantFrom<(Family | null)[]>(null, 4, 4, 6);
const table = fc.constantFrom(...TABLES);
const policy = fc.constantFrom("all", "all", "all", "none", "f0", "f1");
const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 3 });

const kernel: fc.Arbitrary<KernelDraft> = fc.record({
  "kernel-table": fc.constantFrom("main", 100, 200),
  metric: fc.constantFrom(32, 32, 50),
  learn: fc.constantFrom(false, false, true),
  "merge-paths": fc.constantFrom(false, false, true),
  import: policy,
  export: policy,
});

const statics: fc.Arbitrary<StaticDraft> = fc.record({
  table,
  preference: fc.constantFrom(100, 200),
  import: policy,
  checkLink: fc.boolean(),
  shapes: fc.array(some(fc.nat(SHAPES[4].length - 1)), { minLength: 6, maxLength: 6 }),
});

const draft: fc.Arbitrary<Draft> = fc.record({
  blue: family,
  red: family,
  kernels: fc.array(some(kernel), { minLength: 4, maxLength: 4 }),
  kernelNames: fc.shuffledSubarray(["ka", "kb", "kc", "kd"], { minLength: 4 }),
  statics: fc.array(some(statics), { minLength: 3, maxLength: 3 }),
  direct: some(
    fc.record({
      name: fc.constantFrom("dir", "dir", "s2"),
      table,
      interfaces: fc.constantFrom<string[][]>(["*"], ["d0"], ["!d0", "*"]),
      import: policy,
    }),
  ),
  pipes: fc.array(some(fc.record({ table, peer: table, import: policy, export: policy })), {
    minLength: 2,
    maxLength: 2,
  }),
  filters: fc.tuple(fc.nat(FILTERS.length - 1), fc.nat(FILTERS.length - 1)),
  protocolId: fc.constantFrom(120, 120, 120, 121),
  formerProtocolIds: fc.constantFrom<number[][]>([], [], [119], [120], [121]),
});

/** Configurations, most of which can be used. */
export function configurations(universe: Universe): fc.Arbitrary<KrtInput> {
  return draft.map((one) => restricted(written(one), universe));
}

/** Where a gateway may come to lie. */
const NETS_OF_GATEWAYS: readonly string[] = [...PREFIXES[4].slice(3), ...PREFIXES[6].slice(3)];

function restricted(input: KrtInput, universe: Universe): KrtInput {
  const routes = Object.values(input.static ?? {}).flatMap((one) => one?.routes ?? []);
  for (const route of routes.filter((one) => one !== undefined)) {
    if (universe === "gateways out of reach") delete route.metric;
    else if (route.via !== undefined && route.dev === undefined) route.dev = "nosuch";
    const connected = route.dev === "d1" && route.via === undefined;
    if (connected && NETS_OF_GATEWAYS.includes(route.prefix ?? "")) route.dev = "nosuch";
  }
  if (universe === "metrics change") return input;
  for (const one of Object.values(input.kernel ?? {})) delete one?.metric;
  for (const rules of Object.values(input.filters ?? {})) {
    for (const rule of rules ?? []) delete rule?.set?.metric;
  }
  return input;
}

function written(from: Draft): KrtInput {
  const families = new Map<Table, Family>([
    ["master4", 4],
    ["master6", 6],
  ]);
  if (from.blue !== null) families.set("blue", from.blue);
  if (from.red !== null) families.set("red", from.red);
  const tables = Object.fromEntries(
    (["blue", "red"] as const).flatMap((name) => {
      const its = families.get(name);
      return its === undefined ? [] : [[name, { family: its === 4 ? ("ipv4" as const) : ("ipv6" as const) }]];
    }),
  );
  return {
    "protocol-id": from.protocolId,
    "former-protocol-ids": from.formerProtocolIds.filter((id) => id !== from.protocolId),
    tables,
    kernel: kernelsOf(from, families),
    static: staticsOf(from, families),
    direct: directOf(from, families),
    pipe: pipesOf(from, families),
    filters: { f0: FILTERS[from.filters[0]]!, f1: FILTERS[from.filters[1]]! },
  };
}

/** One for each table at most, and one for each kernel table: of two that ask for the same the first gets it. */
function kernelsOf(from: Draft, families: ReadonlyMap<Table, Family>): Record<string, KernelInput> {
  const made: Record<string, KernelInput> = {};
  const taken = new Set<string>();
  TABLES.forEach((name, i) => {
    const wanted = from.kernels[i];
    const key = `${families.get(name)} ${wanted?.["kernel-table"]}`;
    if (wanted == null || !families.has(name) || taken.has(key)) return;
    taken.add(key);
    made[from.kernelNames[i]!] = { ...wanted, table: name, "scan-time": 0 };
  });
  return made;
}

function staticsOf(from: Draft, families: ReadonlyMap<Table, Family>): Record<string, StaticInput> {
  const made: Record<string, StaticInput> = {};
  from.statics.forEach((wanted, i) => {
    const its = wanted === null ? undefined : families.get(wanted.table);
    if (wanted === null || its === undefined) return;
    made[`s${i}`] = {
      table: wanted.table,
      preference: wanted.preference,
      import: wanted.import,
      "check-link": wanted.checkLink,
      routes: wanted.shapes.flatMap((shape, n) =>
        shape === null ? [] : [{ prefix: PREFIXES[its][n]!, ...SHAPES[its][shape]! }],
      ),
    };
  });
  return made;
}

function directOf({ direct }: Draft, families: ReadonlyMap<Table, Family>): Record<string, DirectInput> {
  if (direct === null || !families.has(direct.table)) return {};
  return { [direct.name]: { table: direct.table, interfaces: direct.interfaces, import: direct.import } };
}

function pipesOf(from: Draft, families: ReadonlyMap<Table, Family>): Record<string, PipeInput> {
  const made: Record<string, PipeInput> = {};
  from.pipes.forEach((wanted, i) => {
    if (wanted === null) return;
    const its = families.get(wanted.table);
    if (its === undefined || its !== families.get(wanted.peer) || wanted.table === wanted.peer) return;
    made[`p${i}`] = {
      table: wanted.table,
      "peer-table": wanted.peer,
      import: wanted.import,
      export: wanted.export,
    };
  });
  return made;
}
