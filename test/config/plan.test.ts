/** planConfig(): what a change of each key takes, and that what is unchanged is left alone. */

import { afterAll, describe, expect, it } from "vitest";
import type { KrtConfig } from "../../src/config/config.ts";
import { type ConfigPlan, type ProtocolChange, planConfig } from "../../src/config/plan.ts";
import { ACCEPT_ALL, type Filter } from "../../src/nest/filter.ts";
import { ConfigDir } from "../support/config-dir.ts";
import { FakeClock } from "../support/fake-clock.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const NOTHING: ConfigPlan = { tables: { added: [], removed: [] }, protocols: [], settings: [], empty: true };

async function plan(before: string, after: string): Promise<ConfigPlan> {
  return planConfig(await dir.config(before), await dir.config(after), new FakeClock());
}

const TABLES = "tables: {a4: {family: ipv4}, b4: {family: ipv4}, a6: {family: ipv6}}\n";

const kernel = (entry: string, head = "") => `${head}${TABLES}kernel: {k: {${entry}}}\n`;
const fixed = (entry: string, head = "") => `${head}${TABLES}static: {s: {${entry}}}\n`;
const direct = (entry: string, head = "") => `${head}${TABLES}direct: {d: {${entry}}}\n`;
const pipe = (entry: string, head = "") => `${head}${TABLES}pipe: {p: {${entry}}}\n`;
const device = (entry: string) => `device: {${entry}}\n`;
const onBlue = "kernel: {k: {table: a4, netns: blue}}\n";
const onOwn = "kernel: {k: {table: a4}}\n";

/** [why, before, after, name, action, reasons] */
type Row = [string, string, string, string, ProtocolChange["action"], string[]];

const ROWS: Row[] = [
  ["its table", kernel(""), kernel("table: a4"), "k", "restart", ["table"]],
  ["its kernel table", kernel(""), kernel("kernel-table: 1000"), "k", "restart", ["kernel-table"]],
  ["its namespace", kernel(""), kernel("netns: blue"), "k", "restart", ["netns of table master4", "netns"]],
  ["the mark of its routes", kernel(""), kernel("", "protocol-id: 121\n"), "k", "restart", ["protocol-id"]],
  [
    "what else counts as its own",
    kernel("", "former-protocol-ids: [5]\n"),
    kernel("", "former-protocol-ids: [6, 5]\n"),
    "k",
    "restart",
    ["former-protocol-ids"],
  ],
  ["whether it writes at all", kernel(""), kernel("export: none"), "k", "restart", ["export"]],
  ["whether it writes at all", kernel("export: none"), kernel("export: all"), "k", "restart", ["export"]],
  ["how often it scans", kernel(""), kernel("scan-time: 5s"), "k", "reconfigure", ["scan-time"]],
  ["the metric of its routes", kernel(""), kernel("metric: 5"), "k", "reconfigure", ["metric"]],
  ["what it learns", kernel(""), kernel("learn: all"), "k", "reconfigure", ["learn"]],
  ["what becomes of its routes", kernel(""), kernel("persist: true"), "k", "reconfigure", ["persist"]],
  ["what it imports", kernel(""), kernel("import: none"), "k", "reconfigure", ["import"]],
  ["how it merges", kernel(""), kernel("merge-paths: 4"), "k", "reconfigure", ["merge-paths"]],
  [
    "only how its kernel table is called",
    kernel("kernel-table: main"),
    kernel("kernel-table: 254"),
    "k",
    "reconfigure",
    ["kernel-table"],
  ],
  [
    "several at once",
    kernel(""),
    kernel("scan-time: 5s, learn: true, persist: true"),
    "k",
    "reconfigure",
    ["scan-time", "learn", "persist"],
  ],
  [
    "several, one of which needs a restart",
    kernel(""),
    kernel("scan-time: 5s, table: b4"),
    "k",
    "restart",
    ["table"],
  ],
  ["its table", fixed(""), fixed("table: a4"), "s", "restart", ["table"]],
  [
    "the namespace of its table",
    fixed("table: a4", onOwn),
    fixed("table: a4", onBlue),
    "s",
    "restart",
    ["netns of table a4"],
  ],
  ["its preference", fixed(""), fixed("preference: 5"), "s", "reconfigure", ["preference"]],
  ["whether links count", fixed(""), fixed("check-link: true"), "s", "reconfigure", ["check-link"]],
  ["what it imports", fixed(""), fixed("import: none"), "s", "reconfigure", ["import"]],
  [
    "its routes",
    fixed(
      "routes: [{prefix: 10.0.0.0/8, dev: a}, {prefix: 11.0.0.0/8, dev: a}, {prefix: 12.0.0.0/8, dev: a}]",
    ),
    fixed(
      "routes: [{prefix: 13.0.0.0/8, dev: a}, {prefix: 12.0.0.0/8, dev: a}, {prefix: 10.0.0.0/8, dev: b}]",
    ),
    "s",
    "reconfigure",
    ["routes: 1 added, 1 removed, 1 changed"],
  ],
  ["its tables", direct(""), direct("table: a4"), "d", "restart", ["table"]],
  [
    "the namespace of its table",
    direct("table: a4", onOwn),
    direct("table: a4", onBlue),
    "d",
    "restart",
    ["netns of table a4"],
  ],
  [
    "its interfaces",
    direct("interfaces: [a]"),
    direct("interfaces: [b]"),
    "d",
    "reconfigure",
    ["interfaces"],
  ],
  ["its preference", direct(""), direct("preference: 5"), "d", "reconfigure", ["preference"]],
  ["what it imports", direct(""), direct("import: none"), "d", "reconfigure", ["import"]],
  ["its table", pipe("peer-table: a4"), pipe("table: b4, peer-table: a4"), "p", "restart", ["table"]],
  ["its other table", pipe("peer-table: a4"), pipe("peer-table: b4"), "p", "restart", ["peer-table"]],
  [
    "the namespace of its tables",
    pipe("table: a4, peer-table: b4", "kernel: {k: {table: a4}, l: {table: b4, kernel-table: 5}}\n"),
    pipe(
      "table: a4, peer-table: b4",
      "kernel: {k: {table: a4, netns: x}, l: {table: b4, kernel-table: 5, netns: x}}\n",
    ),
    "p",
    "restart",
    ["netns of table a4", "netns of table b4"],
  ],
  [
    "what goes through it",
    pipe("peer-table: a4"),
    pipe("peer-table: a4, import: none, export: none"),
    "p",
    "reconfigure",
    ["import", "export"],
  ],
  ["how often it scans", device(""), device("scan-time: 5s"), "device", "reconfigure", ["scan-time"]],
  [
    "what counts as up",
    device(""),
    device("require-address: true"),
    "device",
    "reconfigure",
    ["require-address"],
  ],
  [
    "which addresses are preferred",
    device("interfaces: {a: {preferred: 192.0.2.1}}"),
    device("interfaces: {a: {preferred: 192.0.2.2}}"),
    "device",
    "reconfigure",
    ["interfaces"],
  ],
];

describe("planConfig() says what a changed protocol needs:", () => {
  it.each(ROWS)("%s (%s → %s)", async (_, before, after, name, action, reasons) => {
    const { protocols, empty } = await plan(before, after);
    expect(protocols.find((one) => one.name === name)).toMatchObject({ action, reasons });
    expect(empty).toBe(false);
  });

  it("one whose type changed restarts as what it is now", async () => {
    const { protocols } = await plan("static: {x: }\n", "direct: {x: }\n");
    expect(protocols).toEqual([{ name: "x", type: "direct", action: "restart", reasons: ["type"] }]);
  });

  it("one whose table has another family restarts, and the table is another", async () => {
    const { tables, protocols } = await plan(
      "tables: {t: {family: ipv4}}\nstatic: {s: {table: t}}\n",
      "tables: {t: {family: ipv6}}\nstatic: {s: {table: t}}\n",
    );
    expect(tables).toEqual({ added: ["t"], removed: ["t"] });
    expect(protocols).toEqual([
      { name: "s", type: "static", action: "restart", reasons: ["family of table t"] },
    ]);
  });
});

describe("planConfig() lists protocols", () => {
  it("that go first, then those that come or change in the order of start", async () => {
    const { protocols, tables } = await plan(
      `${TABLES}kernel: {k1: {table: a4}, k2: {table: b4, kernel-table: 7}}\nstatic: {s1: }\n`,
      `tables: {a4: {family: ipv4}, c4: {family: ipv4}}
pipe: {p: {peer-table: a4}}
direct: {d: }
static: {s2: }
kernel: {k1: {table: a4, metric: 5}, k3: {table: c4, kernel-table: 8}}
`,
    );
    expect(protocols.map(({ name, action }) => `${action} ${name}`)).toEqual([
      "remove k2",
      "remove s1",
      "reconfigure k1",
      "add k3",
      "add s2",
      "add d",
      "add p",
    ]);
    expect(tables).toEqual({ added: ["c4"], removed: ["b4", "a6"] });
  });
});

describe("planConfig() says when a setting is felt", () => {
  it.each<[string, string, string[]]>([
    ["", "router-id: 192.0.2.1\n", ["router-id now"]],
    ["router-id: 192.0.2.1\n", "router-id: 192.0.2.2\n", ["router-id now"]],
    ["", "log: {level: debug, format: json}\n", ["log.level now", "log.format restart"]],
    [
      "",
      'control: {socket: /run/x, group: x, mode: "0600"}\n',
      ["control.socket restart", "control.group restart", "control.mode restart"],
    ],
    [
      "",
      "netlink: {transport: node-netlink, rx-buffer: 1MiB}\n",
      ["netlink.transport restart", "netlink.rx-buffer restart"],
    ],
    ["", "graceful-restart: {enabled: true}\n", ["graceful-restart restart"]],
    ["", "graceful-restart: {wait: 30s}\n", ["graceful-restart restart"]],
    ["", "safety: {max-delete-percent: 20}\n", ["safety now"]],
    ["", "safety: {protect: [default]}\n", ["safety now"]],
    ["", "protocol-id: 121\nformer-protocol-ids: [120]\n", ["protocol-id now", "former-protocol-ids now"]],
  ])("%j → %j", async (before, after, settings) => {
    const changes = await plan(`${before}device: {}\n`, `${after}device: {}\n`);
    expect(changes.settings.map(({ key, effect }) => `${key} ${effect}`)).toEqual(settings);
    expect(changes.protocols).toEqual([]);
    expect(changes.empty).toBe(false);
  });
});

describe("planConfig() leaves alone", () => {
  const whole = `router-id: 192.0.2.1
former-protocol-ids: [6, 5]
${TABLES}
kernel: {k: {table: a4, netns: blue, merge-paths: 4}, l: {import: none}}
static: {s: {routes: [{prefix: default, dev: a}, {prefix: 10.0.0.0/8, recursive: 10.1.2.3}]}}
direct: {d: {table: [b4, a6], interfaces: [a]}}
pipe: {p: {peer-table: b4}}
device: {interfaces: {a: {preferred: 192.0.2.1}}}
`;

  it("everything when nothing changed", async () => {
    expect(await plan(whole, whole)).toEqual(NOTHING);
  });

  it("what is written otherwise and means the same", async () => {
    const other = `# a comment moves every line
router-id: 192.0.2.1
former-protocol-ids: [5, 6]
${TABLES}
pipe: {p: {table: master4, peer-table: b4, import: all, export: all}}
device: {scan-time: 10000ms, interfaces: {a: {preferred: 192.0.2.1}}}
direct: {d: {table: [a6, b4], interfaces: [a], preference: 240}}
static: {s: {check-link: false, routes: [{prefix: 10.0.0.0/8, recursive: 10.1.2.3}, {prefix: 0.0.0.0/0, dev: a, type: unicast}]}}
kernel: {l: {import: none, kernel-table: main}, k: {table: a4, netns: /run/netns/blue, merge-paths: 4}}
`;
    expect(await plan(whole, other)).toEqual(NOTHING);
  });
});

describe("planConfig() compares filters by what they do", () => {
  const filter = (name: string, key: string): Filter => ({ ...ACCEPT_ALL, name, key });
  const withImport = async (one: Filter): Promise<KrtConfig> => {
    const config = await dir.config("static: {s: }\n");
    return { ...config, statics: config.statics.map((s) => ({ ...s, import: one })) };
  };

  it.each<[string, string, string, string[]]>([
    ["other rules", "f: [{action: accept}]", "f: [{match: {type: unicast}, action: accept}]", ["filter f"]],
    [
      "rules in other words",
      "f: [{match: {type: unicast}, action: accept}]",
      "f: [{match: {type: [unicast]}, action: accept}, {action: reject}]",
      [],
    ],
    [
      "a filter that nobody uses",
      "f: [{action: accept}]",
      "f: [{action: accept}], g: [{action: accept}]",
      [],
    ],
  ])("%s in the file", async (_, before, after, reasons) => {
    const text = (filters: string) =>
      `filters: {${filters}}\nkernel: {k: {import: f, export: f}}\nstatic: {s: {import: f}}\n`;
    const { protocols } = await plan(text(before), text(after));
    expect(protocols.map((one) => one.reasons)).toEqual(reasons.length === 0 ? [] : [reasons, reasons]);
  });

  it.each<[string, Filter, Filter, string[]]>([
    ["the same rules", filter("f", "1"), filter("f", "1"), []],
    ["the same rules under another name", filter("f", "1"), filter("g", "1"), []],
    ["other rules under the same name", filter("f", "1"), filter("f", "2"), ["filter f"]],
    ["another filter", filter("f", "1"), filter("g", "2"), ["import"]],
  ])("%s", async (_, before, after, reasons) => {
    const { protocols } = await planConfig(
      await withImport(before),
      await withImport(after),
      new FakeClock(),
    );
    expect(protocols.flatMap((one) => one.reasons)).toEqual(reasons);
  });
});
