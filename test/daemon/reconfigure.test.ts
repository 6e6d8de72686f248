/** What a change of the configuration costs the kernel: every write is named, in its order. */

import { describe, expect, it } from "vitest";
import type { KernelInput, KrtInput, RouteInput, StaticInput } from "../../src/config/input.ts";
import { ENOBUFS } from "../../src/lib/errno.ts";
import { startDaemon } from "./fixture.ts";

const A = "10.5.0.0/16";
const B = "10.6.0.0/16";
const route = (prefix: string, more: RouteInput = {}): RouteInput => ({ prefix, via: "10.0.0.2", ...more });
const via1 = { via: "10.1.0.2" };
const ROUTES = [route(A), route(B)];
const SIX = [{ prefix: "2001:db8:5::/48", via: "2001:db8:0:1::2" }];

type Named<T> = Readonly<Record<string, T>>;

function config(kernel: Named<KernelInput>, statics: Named<StaticInput>, more: KrtInput = {}): KrtInput {
  return { kernel: { ...kernel }, static: { ...statics }, ...more };
}

const k4: KernelInput = { table: "master4", "scan-time": 0 };
const s: StaticInput = { table: "master4", routes: ROUTES };
const BASE = config({ k4 }, { s });

interface Row {
  readonly why: string;
  readonly before?: KrtInput;
  readonly after: KrtInput;
  /** What is sent, without table 254: "add 10.5.0.0/16 metric 32". */
  readonly writes: readonly string[];
}

const BLUE: KrtInput = { tables: { blue: { family: "ipv4" } } };
const NONE: readonly string[] = [];
const gone = ["delete 10.5.0.0/16 metric 32", "delete 10.6.0.0/16 metric 32"];
const back = ["add 10.5.0.0/16 metric 32", "add 10.6.0.0/16 metric 32"];

const ROWS: readonly Row[] = [
  { why: "nothing", after: BASE, writes: NONE },
  {
    why: "settings of the kernel protocol that concern no route",
    after: config({ k4: { ...k4, "scan-time": 30, persist: true, learn: true } }, { s }),
    writes: NONE,
  },
  {
    why: "a route added, one changed, one gone",
    after: config({ k4 }, { s: { ...s, routes: [route(A, via1), route("10.7.0.0/16")] } }),
    writes: ["add 10.7.0.0/16 metric 32", "delete 10.6.0.0/16 metric 32", "replace 10.5.0.0/16 metric 32"],
  },
  {
    why: "the metric of the kernel protocol: the new before the old",
    after: config({ k4: { ...k4, metric: 50 } }, { s }),
    writes: [
      "add 10.5.0.0/16 metric 50",
      "add 10.6.0.0/16 metric 50",
      "delete 10.5.0.0/16 metric 32",
      "delete 10.6.0.0/16 metric 32",
    ],
  },
  {
    why: "the metric of one route",
    after: config({ k4 }, { s: { ...s, routes: [route(A), route(B, { metric: 50 })] } }),
    writes: ["add 10.6.0.0/16 metric 50", "delete 10.6.0.0/16 metric 32"],
  },
  {
    why: "a preference that decides nothing",
    after: config({ k4 }, { s: { ...s, preference: 100 } }),
    writes: NONE,
  },
  {
    why: "a preference by which another protocol's route wins",
    before: config({ k4 }, { s, t: { table: "master4", preference: 150, routes: [route(A, via1)] } }),
    after: config(
      { k4 },
      { s: { ...s, preference: 100 }, t: { table: "master4", preference: 150, routes: [route(A, via1)] } },
    ),
    writes: ["replace 10.5.0.0/16 metric 32"],
  },
  {
    why: "an export filter that lets pass what the one before did",
    after: config(
      { k4: { ...k4, export: "f" } },
      { s },
      { filters: { f: [{ match: { prefix: "10.0.0.0/8+" }, action: "accept" }] } },
    ),
    writes: NONE,
  },
  {
    why: "an export filter that lets pass less",
    after: config(
      { k4: { ...k4, export: "f" } },
      { s },
      { filters: { f: [{ match: { prefix: A }, action: "accept" }] } },
    ),
    writes: ["delete 10.6.0.0/16 metric 32"],
  },
  {
    why: "an export filter that changes one route",
    after: config(
      { k4: { ...k4, export: "f" } },
      { s },
      {
        filters: {
          f: [{ match: { prefix: A }, set: { mtu: 1400 }, action: "accept" }, { action: "accept" }],
        },
      },
    ),
    writes: ["replace 10.5.0.0/16 metric 32"],
  },
  {
    why: "an import filter of the source that lets pass less",
    after: config(
      { k4 },
      { s: { ...s, import: "f" } },
      { filters: { f: [{ match: { prefix: A }, action: "accept" }] } },
    ),
    writes: ["delete 10.6.0.0/16 metric 32"],
  },
  { why: "nothing exported any more", after: config({ k4: { ...k4, export: "none" } }, { s }), writes: gone },
  {
    why: "something exported at last",
    before: config({ k4: { ...k4, export: "none" } }, { s }),
    after: BASE,
    writes: back,
  },
  {
    why: "merge-paths",
    before: config({ k4 }, { s, t: { table: "master4", routes: [route(A, via1)] } }),
    after: config(
      { k4: { ...k4, "merge-paths": true } },
      { s, t: { table: "master4", routes: [route(A, via1)] } },
    ),
    writes: ["replace 10.5.0.0/16 metric 32"],
  },
  { why: "the kernel protocol gone", after: config({}, { s }), writes: gone },
  { why: "a kernel protocol added", before: config({}, { s }), after: BASE, writes: back },
  { why: "the kernel protocol renamed", after: config({ other: k4 }, { s }), writes: NONE },
  {
    why: "the kernel protocol renamed, and one route less",
    after: config({ other: k4 }, { s: { ...s, routes: [route(A)] } }),
    writes: ["delete 10.6.0.0/16 metric 32"],
  },
  {
    why: "the kernel protocol renamed, with another metric",
    after: config({ other: { ...k4, metric: 50 } }, { s }),
    writes: [
      "add 10.5.0.0/16 metric 50",
      "add 10.6.0.0/16 metric 50",
      "delete 10.5.0.0/16 metric 32",
      "delete 10.6.0.0/16 metric 32",
    ],
  },
  {
    why: "another kernel table",
    after: config({ k4: { ...k4, "kernel-table": 1000 } }, { s }),
    writes: [...gone, "add 1000 10.5.0.0/16 metric 32", "add 1000 10.6.0.0/16 metric 32"],
  },
  {
    why: "two kernel protocols that swap kernel tables",
    before: config(
      { k4, b4: { table: "blue", "kernel-table": 1000 } },
      { s, t: { table: "blue", routes: [route(A)] } },
      BLUE,
    ),
    after: config(
      { k4: { ...k4, "kernel-table": 1000 }, b4: { table: "blue" } },
      { s, t: { table: "blue", routes: [route(A)] } },
      BLUE,
    ),
    writes: ["add 1000 10.6.0.0/16 metric 32", "delete 10.6.0.0/16 metric 32"],
  },
  {
    why: "another protocol-id, the old one former: each replaced in its place",
    after: { ...BASE, "protocol-id": 121, "former-protocol-ids": [120] },
    writes: ["replace 10.5.0.0/16 metric 32", "replace 10.6.0.0/16 metric 32"],
  },
  {
    why: "another protocol-id, the old one forgotten",
    after: { ...BASE, "protocol-id": 121 },
    writes: [...gone, ...back],
  },
  {
    why: "former-protocol-ids alone",
    before: { ...BASE, "former-protocol-ids": [119] },
    after: { ...BASE, "former-protocol-ids": [118] },
    writes: NONE,
  },
  { why: "a static protocol renamed", after: config({ k4 }, { other: s }), writes: NONE },
  {
    why: "routes moved to another static protocol, which comes before",
    before: config({ k4 }, { a: { ...s, routes: [] }, s }),
    after: config({ k4 }, { a: s, s: { ...s, routes: [] } }),
    writes: NONE,
  },
  {
    why: "routes moved to another static protocol, which comes after",
    before: config({ k4 }, { s, z: { ...s, routes: [] } }),
    after: config({ k4 }, { s: { ...s, routes: [] }, z: s }),
    writes: NONE,
  },
  {
    why: "a static protocol replaced by a pipe from a table where it is now",
    after: config(
      { k4 },
      { s: { ...s, table: "blue" } },
      {
        ...BLUE,
        pipe: { p: { table: "blue", "peer-table": "master4", import: "none" } },
      },
    ),
    writes: NONE,
  },
  {
    why: "recursive routes by a route that moves to another protocol",
    before: config(
      { k4 },
      { a: { ...s, routes: [route(A)] }, s: { ...s, routes: [{ prefix: B, recursive: "10.5.0.1" }] } },
    ),
    after: config(
      { k4 },
      { s: { ...s, routes: [{ prefix: B, recursive: "10.5.0.1" }] }, z: { ...s, routes: [route(A)] } },
    ),
    writes: NONE,
  },
  {
    why: "a table with its protocols added",
    after: config(
      { k4, b4: { table: "blue", "kernel-table": 1000 } },
      { s, t: { table: "blue", routes: [route(A)] } },
      BLUE,
    ),
    writes: ["add 1000 10.5.0.0/16 metric 32"],
  },
  {
    why: "a table with its protocols gone",
    before: config(
      { k4, b4: { table: "blue", "kernel-table": 1000 } },
      { s, t: { table: "blue", routes: [route(A)] } },
      BLUE,
    ),
    after: BASE,
    writes: ["delete 1000 10.5.0.0/16 metric 32"],
  },
  {
    why: "a table that gets another family, its protocols too",
    before: config({ b: { table: "blue" } }, { t: { table: "blue", routes: ROUTES } }, BLUE),
    after: config(
      { b: { table: "blue" } },
      { t: { table: "blue", routes: SIX } },
      { tables: { blue: { family: "ipv6" } } },
    ),
    writes: [...gone, "add 2001:db8:5::/48 metric 32"],
  },
  {
    why: "a name that is another type of protocol now",
    before: config({ k4 }, { s, x: { table: "master4", routes: [route("10.7.0.0/16")] } }),
    after: config({ k4 }, { s }, { ...BLUE, pipe: { x: { table: "master4", "peer-table": "blue" } } }),
    writes: ["delete 10.7.0.0/16 metric 32"],
  },
];

describe("from one configuration to another", () => {
  it.each(ROWS)("$why", async ({ before = BASE, after, writes }) => {
    await using d = await startDaemon(before);
    d.writes();
    expect(await d.configure(after)).toMatchObject({ ok: true, applied: true });
    const seen = d.writes().map((line) => line.replace(" 254 ", " "));
    // Which of two routes comes first is nobody's promise; that what comes is there before what goes is.
    expect(seen.toSorted()).toEqual(writes.toSorted());
    if (seen.some((line) => line.includes("metric 50"))) {
      const lastAdd = seen.findLastIndex((line) => line.startsWith("add"));
      expect(lastAdd).toBeLessThan(seen.findIndex((line) => line.startsWith("delete")));
    }
    await using fresh = await startDaemon(after);
    expect(d.own()).toEqual(fresh.own());
    await d.during(d.daemon.configuration.undo());
    await d.synced();
    await using old = await startDaemon(before);
    expect(d.own()).toEqual(old.own());
    await d.stop();
    expect(d.attrs.size).toBe(0);
    expect(d.logged.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("learned routes come and go with learn, and with the import filter", async () => {
    const foreign = ["route add 10.20.0.0/16 via 10.0.0.9 metric 20 proto 4"];
    await using d = await startDaemon(BASE, { before: foreign });
    const learned = (): number => d.daemon.backend.tables()[0]!.routeCount - 2;
    const kernel = (more: KernelInput, root?: KrtInput): KrtInput =>
      config({ k4: { ...k4, ...more } }, { s }, root);
    const filters: KrtInput = {
      filters: { f: [{ match: { protocol: 4 }, action: "reject" }, { action: "accept" }] },
    };
    const steps: readonly (readonly [KrtInput, number])[] = [
      [BASE, 0],
      [kernel({ learn: true }), 1],
      // Loopback's network and those of the two links, in master4 beside the foreign one.
      [kernel({ learn: "all" }), 3],
      [kernel({ learn: true }), 1],
      [kernel({ learn: true, import: "f" }, filters), 0],
      [kernel({ learn: true, import: "all" }), 1],
      [kernel({ learn: true, import: "none" }), 0],
      [kernel({ learn: false }), 0],
    ];
    d.writes();
    for (const [input, expected] of steps) {
      await d.configure(input);
      expect(learned(), JSON.stringify(input.kernel)).toBe(expected);
    }
    expect(d.writes()).toEqual([]);
  });

  it("routes stay with persist when their kernel protocol goes, and are adopted when it comes back", async () => {
    const persistent = config({ k4: { ...k4, persist: true } }, { s });
    await using d = await startDaemon(persistent);
    d.writes();
    await d.configure(config({}, { s }));
    expect(d.own()).toHaveLength(2);
    await d.configure(BASE);
    expect(d.writes()).toEqual([]);
    await d.configure(config({}, { s }));
    expect(d.own()).toEqual([]);
  });

  it("routes of a former number are still krtd's when the number is forgotten before any scan came to them", async () => {
    await using d = await startDaemon(BASE);
    d.os.faults.injectIncompleteScan(1_000_000);
    const steps: readonly KrtInput[] = [
      { ...BASE, "protocol-id": 121, "former-protocol-ids": [120] },
      config({ other: k4 }, { s }, { "protocol-id": 121 }),
    ];
    for (const input of steps) {
      await d.write(input);
      await d.during(d.daemon.configuration.configure({ file: d.file, mode: "apply", undoAfterMs: null }));
    }
    expect(d.own().map((line) => / proto \d+/.exec(line)![0])).toEqual([" proto 120", " proto 120"]);
    d.os.faults.injectIncompleteScan(0);
    await d.synced();
    expect(d.own().map((line) => / proto \d+/.exec(line)![0])).toEqual([" proto 121", " proto 121"]);
    await d.stop();
    expect(d.own()).toEqual([]);
  });

  it("and when it could not be deleted meanwhile", async () => {
    await using d = await startDaemon(config({ k4 }, { s: { ...s, routes: [route(A)] } }));
    const red: KernelInput = { ...k4, table: "red" };
    const tables: KrtInput = { tables: { red: { family: "ipv4" } }, "protocol-id": 121 };
    const steps: readonly KrtInput[] = [
      config({ one: { ...red, learn: true } }, {}, { ...tables, "former-protocol-ids": [120] }),
      config({ two: red }, {}, tables),
    ];
    const files = await Promise.all(steps.map((input, i) => d.write(input, `${i}.yaml`)));
    d.os.faults.failNextWrite(ENOBUFS);
    const { configuration } = d.daemon;
    await d.during(
      Promise.all(files.map((file) => configuration.configure({ file, mode: "apply", undoAfterMs: null }))),
    );
    expect(configuration.current.kernels.map(({ name }) => name)).toEqual(["two"]);
    await d.synced();
    expect(d.own()).toEqual([]);
  });

  it("what was disabled stays so, whether it goes on, restarts or is told of changes", async () => {
    await using d = await startDaemon(BASE);
    const off = (): string[] =>
      d.daemon.backend.protocols().flatMap(({ disabled, protocol }) => (disabled ? [protocol.name] : []));
    for (const name of ["s", "k4"]) await d.during(d.daemon.backend.act("disable", name));
    for (const after of [
      BASE,
      config({ k4: { ...k4, metric: 50 } }, { s: { ...s, preference: 100 } }),
      config({ k4: { table: "blue", "kernel-table": 1000 } }, { s: { ...s, table: "blue" } }, BLUE),
    ]) {
      await d.configure(after);
      expect(off()).toEqual(["k4", "s"]);
      expect(d.own()).toEqual([]);
    }
    for (const name of ["s", "k4"]) await d.during(d.daemon.backend.act("enable", name));
    await d.synced();
    expect(d.own().map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([`1000 ${A}`, `1000 ${B}`]);
  });
});
