/**
 * Several kernel tables at once: main, by number, by a name of rt_tables, above 255 and the highest there is, in both
 * families. Each is kept by a protocol of its own, and what happens to one is nothing to the others.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KernelInput, KrtInput } from "../../src/config/input.ts";
import { FAMILIES, type FamilyCase, lines } from "../support/families.ts";
import { type RunningKrtd, runKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor, withNetns } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const ROUTES = 20;
/** Somebody gave table 4321 this name, in /etc/iproute2/rt_tables.d. */
const NAME = "krtd-red";

const TABLES: readonly (readonly [key: string, written: number | string, number: number])[] = [
  ["main", "main", 254],
  ["low", 100, 100],
  ["named", NAME, 4321],
  ["high", 4_294_967_295, 4_294_967_295],
];

/** Gives krtd an /etc/iproute2 of its own: the machine's is not touched. */
const WITH_NAMES = `
  mount -t tmpfs tmpfs /etc/iproute2
  mkdir /etc/iproute2/rt_tables.d
  printf '4321\\t${NAME}\\n' > /etc/iproute2/rt_tables.d/krtd-test.conf
  exec "$@"`;
const wrapper = ["unshare", "--mount", "sh", "-euc", WITH_NAMES, "sh"];

interface Kept extends FamilyCase {
  readonly key: string;
  readonly written: number | string;
  readonly number: number;
  /** The kernel protocol on it. */
  readonly kernel: string;
  /** What is wanted there: as all other tables have it, but through a gateway of its own. */
  readonly via: string;
}

const KEPT: readonly Kept[] = FAMILIES.flatMap((it6) =>
  TABLES.map(([key, written, number], i) => ({
    ...it6,
    key,
    written,
    number,
    kernel: `${key}${it6.family}`,
    table: key === "main" ? it6.table : (`${key}-table${it6.family}` as FamilyCase["table"]),
    via: it6.family === 4 ? `10.0.0.${10 + i}` : `2001:db8:0:1::1${i}`,
  })),
);

const CONFIG: KrtInput = {
  log: { format: "json" },
  tables: Object.fromEntries(
    KEPT.flatMap(({ key, table, family }) =>
      key === "main" ? [] : [[table, { family: family === 4 ? ("ipv4" as const) : ("ipv6" as const) }]],
    ),
  ),
  kernel: Object.fromEntries(
    KEPT.map(({ kernel, table, written }) => [
      kernel,
      { table, "kernel-table": written, "scan-time": 0 } satisfies KernelInput,
    ]),
  ),
  static: Object.fromEntries(
    KEPT.map(({ kernel, table, via, net }) => [
      `static-${kernel}`,
      { table, routes: Array.from({ length: ROUTES }, (_, i) => ({ prefix: net(i), via })) },
    ]),
  ),
};

const yaml = (config: KrtInput): string => `${JSON.stringify(config, null, 1)}\n`;

let ns: Netns;
let krtd: RunningKrtd;

beforeAll(async () => {
  ns = await createTopology();
  krtd = await startSynced(ns, yaml(CONFIG), { wrapper });
});

afterAll(async () => {
  await krtd?.[Symbol.asyncDispose]();
  await ns?.dispose();
});

const own = async ({ flag, number }: Kept): Promise<string[]> =>
  lines(await ns.ip(`-o -d ${flag} route show table ${number} proto 120`));

const wanted = ({ net, via, suffix }: Kept): string[] =>
  Array.from(
    { length: ROUTES },
    (_, i) => `unicast ${net(i)} via ${via} dev v0 proto 120 scope global metric 32${suffix}`,
  );

/** `proto 120` is not shown where it was asked for. */
const asShown = (kept: Kept): string[] => wanted(kept).map((line) => line.replace(" proto 120", ""));

/** Whether a line of `ip monitor` is about this table. */
const isOf = ({ number, flag }: Kept, line: string): boolean =>
  line.includes(` table ${number === 254 ? "main" : number} `) && line.includes(":") === (flag === "-6");

describe("kernel protocols on four tables in each family", () => {
  it("install each its own, whether the table has a number, a name, or an id above 255", async () => {
    for (const kept of KEPT) expect(await own(kept), kept.kernel).toEqual(asShown(kept));
    const kernels = await krtd.kernels();
    expect(kernels.map(({ name, kernel }) => [name, kernel.table])).toEqual(
      expect.arrayContaining(KEPT.map(({ kernel, number }) => [kernel, number])),
    );
    expect(await krtd.writes()).toBe(KEPT.length * ROUTES);
  });

  it("write nothing at further scans", async () => {
    await using monitor = await monitorRoutes(ns);
    const writes = await krtd.writes();
    await krtd.scan();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    expect(await monitor.events()).toEqual([]);
  });

  it.each(KEPT)("$kernel repairs drift, and no other does anything", async (kept) => {
    await using monitor = await monitorRoutes(ns);
    const { flag, net, number, kernel, via } = kept;
    const before = new Map((await krtd.kernels()).map(({ name, kernel: { writes } }) => [name, writes]));
    await ns.ip(`${flag} route del ${net(3)} table ${number} metric 32`);
    await ns.ip(`${flag} route replace ${net(4)} via ${via} mtu 1300 table ${number} metric 32 proto 120`);
    await ns.ip(`${flag} route add blackhole ${net(77)} table ${number} metric 9 proto 120`);
    await waitFor("it is as before", async () => (await own(kept)).join() === asShown(kept).join());
    await krtd.scan();
    for (const { name, kernel: now } of await krtd.kernels()) {
      if (name !== kernel) expect(now.writes, name).toEqual(before.get(name));
    }
    const events = await monitor.events();
    expect(events.filter((line) => !isOf(kept, line))).toEqual([]);
  });

  it.each(KEPT)("$kernel flushes its table alone when disabled, and fills it again", async (kept) => {
    await using monitor = await monitorRoutes(ns);
    await ns.ip(`${kept.flag} route add ${kept.net(0)} dev v1 table ${kept.number} metric 5 proto static`);
    await krtd.act("disable", kept.kernel);
    for (const other of KEPT) expect(await own(other)).toEqual(other === kept ? [] : asShown(other));
    expect(await krtd.protocol(kept.kernel)).toMatchObject({ state: "down", disabled: true });
    expect(await krtd.state()).toBe("in-sync");
    const gone = (await monitor.events()).filter((line) => line.startsWith("Deleted "));
    expect(gone).toHaveLength(ROUTES);
    expect(gone.filter((line) => !isOf(kept, line))).toEqual([]);
    await krtd.act("enable", kept.kernel);
    await waitFor("it is there again", async () => (await own(kept)).join() === asShown(kept).join());
    await ns.ip(`${kept.flag} route del ${kept.net(0)} dev v1 table ${kept.number} metric 5`);
    expect((await monitor.events()).filter((line) => !isOf(kept, line))).toEqual([]);
  });

  it("flush all of them when krtd stops", async () => {
    expect(await krtd.stop()).toBe(0);
    for (const kept of KEPT) expect(await own(kept)).toEqual([]);
    expect(krtd.log()).not.toMatch(/"level":"error"/);
  });
});

describe("two kernel protocols", () => {
  const refused = async (kernel: NonNullable<KrtInput["kernel"]>): Promise<string> => {
    const config = yaml({ tables: { blue4: { family: "ipv4" } }, kernel });
    return withNetns(async (empty) => {
      const { code, stderr } = await runKrtd(empty, config, { wrapper });
      expect(code).toBe(4);
      expect(await empty.ip("route show table all proto 120")).toBe("");
      return stderr;
    });
  };

  it.each([
    ["a table of krtd", {}, { "kernel-table": 100 }, "both on table master4"],
    [
      "a kernel table by number",
      { "kernel-table": 100 },
      { table: "blue4", "kernel-table": 100 },
      "table 100",
    ],
    ["one by name and by number", {}, { table: "blue4", "kernel-table": 254 }, "kernel table 254"],
    [
      "one by a name of rt_tables and by number",
      { "kernel-table": NAME },
      { table: "blue4", "kernel-table": 4321 },
      "kernel table 4321",
    ],
    [
      "the highest",
      { "kernel-table": 4_294_967_295 },
      { table: "blue4", "kernel-table": "4294967295" },
      "kernel table 4294967295",
    ],
  ])("on %s are refused, and both are named", async (_where, one, other, words) => {
    const told = await refused({ first: one, second: other });
    expect(told).toContain('"first" and "second"');
    expect(told).toContain(words);
  });

  it("are fine on one kernel table in different families", async () => {
    await withNetns(async (empty) => {
      const config = yaml({ kernel: { kernel4: { "scan-time": 0 }, kernel6: { table: "master6" } } });
      await using running = await startSynced(empty, config);
      expect(await running.kernels()).toHaveLength(2);
    });
  });
});
