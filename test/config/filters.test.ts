/** filters: of krt.yaml: what its rules come to, every mistake with its exact words and place, and who may be named. */

import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { keysAt } from "../../src/config/schema.ts";
import { congestionName } from "../../src/lib/congestion-names.ts";
import { parseIp } from "../../src/lib/ip.ts";
import { isPrefix, parsePrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { ACCEPT_ALL, type Filter, type FilteredRoute, REJECT_ALL } from "../../src/nest/filter.ts";
import type { RouteAttrs } from "../../src/nest/route.ts";
import { ConfigDir } from "../support/config-dir.ts";
import { type AttrsText, draftOf } from "../support/draft.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

/** The protocols that rules may name, and the filter in use. */
const AROUND = "kernel: {kernel4: {export: f}}\nstatic: {uplinks: , down: }\n";

async function filterOf(rules: string): Promise<Filter> {
  const config = await dir.config(`${AROUND}filters: {f: ${rules}}\n`);
  return config.kernels[0]!.export;
}

interface RouteText extends Partial<FilteredRoute> {
  readonly net?: string;
  readonly with?: AttrsText;
}

interface Passed {
  readonly metric: number;
  readonly preference: number;
  readonly attrs: RouteAttrs;
}

/** What the filter makes of a route, or null: it does not pass. */
function through(
  filter: Filter,
  { net = "192.0.2.0/24", with: text = {}, ...rest }: RouteText,
): Passed | null {
  const attrs = new AttrsTable();
  const prefix = parsePrefix(net);
  if (!isPrefix(prefix)) throw new Error(prefix.message);
  const route: FilteredRoute = {
    ...prefix,
    attrs: attrs.intern(draftOf(text)),
    metric: 0,
    preference: 200,
    source: "uplinks",
    sourceType: "static",
    protocol: 0,
    ...rest,
  };
  const deviceName = (device: number): string => ["", "lo", "eth0", "\xc3\xbcml"][device] ?? `if${device}`;
  if (!filter.apply(route, { attrs, deviceName })) return null;
  const { metric, preference } = route;
  return { metric, preference, attrs: attrs.describe(route.attrs, prefix.family) };
}

describe("a match of krt.yaml", () => {
  const to = (via: string, device = 2): AttrsText => ({ nexthops: [{ via, device }] });
  it.each<[match: string, fits: RouteText, differs: RouteText]>([
    ["prefix: 192.0.2.0/24", {}, { net: "192.0.2.0/25" }],
    ["prefix: [10.0.0.0/8, 192.0.2.0/24]", {}, { net: "192.0.3.0/24" }],
    ["prefix: 192.0.2.0/24+", { net: "192.0.2.128/25" }, { net: "192.0.0.0/16" }],
    ["prefix: 192.0.2.0/24-", { net: "192.0.0.0/16" }, { net: "192.0.2.128/25" }],
    ['prefix: "192.0.2.0/24{25,28}"', { net: "192.0.2.128/25" }, { net: "192.0.2.0/24" }],
    ['prefix: "192.0.2.0/24{ 16 , 24 }"', { net: "192.0.0.0/16" }, { net: "192.0.2.128/25" }],
    ["prefix: 2001:db8::/32+", { net: "2001:db8:1::/48" }, {}],
    ["prefix: default", { net: "0.0.0.0/0" }, { net: "128.0.0.0/1" }],
    ["prefix: default", { net: "::/0" }, { net: "8000::/1" }],
    ["prefix: 0.0.0.0/0+", { net: "192.0.2.0/24" }, { net: "::/0" }],
    ["source: uplinks", {}, { source: "down" }],
    ['source: ["x*", "upl?nks"]', {}, { source: "down" }],
    ["source-type: [static, pipe]", { sourceType: "pipe" }, { sourceType: "direct" }],
    ["protocol: zebra", { protocol: 11 }, { protocol: 12 }],
    ['protocol: [boot, 250, "4"]', { protocol: 4 }, { protocol: 0 }],
    ["type: [blackhole, unreachable]", { with: { type: "unreachable" } }, {}],
    ["gateway: 192.0.2.1", { with: to("192.0.2.1") }, { with: to("192.0.2.2") }],
    ["gateway: [192.0.2.0/24, fe80::/10]", { with: to("fe80::1") }, { with: to("192.0.3.1") }],
    ["dev: eth0", { with: to("192.0.2.1") }, { with: to("192.0.2.1", 1) }],
    ["dev: [ümľ, üml]", { with: to("192.0.2.1", 3) }, {}],
    // A name is bytes to the kernel, and "ü" is two of them.
    ['dev: ["?ml", "??ml"]', { with: to("192.0.2.1", 3) }, { with: to("192.0.2.1") }],
    ["metric: 100", { metric: 100 }, { metric: 101 }],
    ['metric: [0, 10 - 20, "30"]', { metric: 20 }, { metric: 21 }],
    ["preference: 100-300", {}, { preference: 301 }],
    ["source: uplinks, metric: 5", { metric: 5 }, { metric: 5, source: "down" }],
  ])("%s", async (match, fits, differs) => {
    const filter = await filterOf(`[{match: {${match}}, action: accept}]`);
    expect(through(filter, fits)).not.toBeNull();
    expect(through(filter, differs)).toBeNull();
  });

  it.each(["[{action: accept}]", "[{match: {}, action: accept}]", "[{match: , action: accept}]"])(
    "without keys fits all: %s",
    async (rules) => {
      expect(through(await filterOf(rules), {})).not.toBeNull();
      expect(through(await filterOf(rules), { net: "::/0" })).not.toBeNull();
    },
  );

  it("is the first that fits", async () => {
    const filter = await filterOf(`
  [{match: {prefix: 192.0.2.0/24+}, action: reject},
   {match: {source: [uplinks]}, set: {metric: 50, prefsrc: 192.0.2.10}, action: accept},
   {action: accept}]`);
    expect(through(filter, {})).toBeNull();
    expect(through(filter, { net: "10.0.0.0/8" })).toMatchObject({
      metric: 50,
      attrs: { prefsrc: parseIp("192.0.2.10") },
    });
    expect(through(filter, { net: "10.0.0.0/8", source: "down" })).toMatchObject({ metric: 0 });
    expect(filter).toMatchObject({ name: "f", asksDevices: false, rejectsAll: false });
  });
});

describe("a set of krt.yaml", () => {
  it.each<[set: string, metrics: [number, number][]]>([
    ["mtu: 1400", [[2, 1400]]],
    ["window: 4294967295", [[3, 4294967295]]],
    ["rtt: 50", [[4, 400]]],
    ["rtt: 50ms", [[4, 400]]],
    ["rtt: 1s", [[4, 8000]]],
    ["rttvar: 50", [[5, 200]]],
    [
      "ssthresh: 10, cwnd: 20",
      [
        [6, 10],
        [7, 20],
      ],
    ],
    ["advmss: 1360", [[8, 1360]]],
    [
      "reordering: 5, hoplimit: 64",
      [
        [9, 5],
        [10, 64],
      ],
    ],
    [
      "initcwnd: 10, initrwnd: 30",
      [
        [11, 10],
        [14, 30],
      ],
    ],
    ["features: ecn", [[12, 1]]],
    ["features: [ecn, tcp_usec_ts]", [[12, 17]]],
    [
      "rto-min: 40ms",
      [
        [1, 1 << 13],
        [13, 40],
      ],
    ],
    [
      "rto_min: 1s",
      [
        [1, 1 << 13],
        [13, 1000],
      ],
    ],
    ["quickack: true", [[15, 1]]],
    ["quickack: 1", [[15, 1]]],
    ["quickack: false", []],
    ["fastopen-no-cookie: true", [[17, 1]]],
    ["fastopen_no_cookie: 1", [[17, 1]]],
    [
      "lock: mtu, mtu: 1400",
      [
        [1, 1 << 2],
        [2, 1400],
      ],
    ],
    ["lock: [mtu, rto_min, congctl]", [[1, (1 << 2) | (1 << 16)]]],
    ["lock: []", []],
    ["mtu: 0, rtt: null, lock: null, features: null, congctl: null", []],
  ])("%s", async (set, metrics) => {
    const filter = await filterOf(`[{set: {${set}}, action: accept}]`);
    const passed = through(filter, {});
    expect([...passed!.attrs.metrics].sort(([a], [b]) => a - b)).toEqual(metrics);
  });

  it("names a congestion algorithm", async () => {
    const passed = through(await filterOf("[{set: {congctl: bbr}, action: accept}]"), {});
    expect(congestionName(passed!.attrs.metrics.get(16)!)).toBe("bbr");
  });

  it("sets metric, preference, source, scope and realm", async () => {
    const set = "metric: 4294967295, preference: 65535, prefsrc: 192.0.2.9, scope: link, realm: 65537";
    expect(through(await filterOf(`[{set: {${set}}, action: accept}]`), {})).toMatchObject({
      metric: 4294967295,
      preference: 65535,
      attrs: { prefsrc: parseIp("192.0.2.9"), scope: 253, flow: 65537 },
    });
  });

  it("takes them away", async () => {
    const set = "metric: null, preference: 0, prefsrc: null, scope: null, realm: 0, mtu: null, advmss: 0";
    const filter = await filterOf(`[{set: {${set}}, action: accept}]`);
    const text = { prefsrc: "192.0.2.9", scope: 253, flow: 5, metrics: { 2: 1400, 8: 1000, 10: 64 } };
    expect(through(filter, { metric: 5, with: text })).toMatchObject({
      metric: 0,
      preference: 0,
      attrs: { prefsrc: null, scope: null, flow: 0, metrics: new Map([[10, 64]]) },
    });
  });

  it.each(["set: {}", "set: "])("that is empty changes nothing: %s", async (set) => {
    const { key } = await filterOf(`[{${set}, action: accept}]`);
    expect(key).toBe((await filterOf("[{action: accept}]")).key);
  });

  it.each([
    ["scope: 0", 0],
    ['scope: "200"', 200],
    ["scope: global", 0],
  ])("%s", async (set, scope) => {
    expect(through(await filterOf(`[{set: {${set}}, action: accept}]`), {})?.attrs.scope).toBe(scope);
  });
});

/** One mistake in the only rule of a filter: where the caret stands, the message, the hint. */
type Mistake = [rule: string, caret: string, message: string, hint?: string];

const MISTAKES: Mistake[] = [
  ["{}", "{}", "action is missing"],
  ["{action: acept}", "acept", 'action must be accept or reject, not "acept"', 'did you mean "accept"?'],
  [
    "{match: {}, actoin: accept, action: accept}",
    "actoin",
    'Unknown key "actoin" in filters.f[0]',
    'did you mean "action"?',
  ],
  [
    "accept",
    "accept",
    'item 1 of f must be a mapping such as {match: {source: uplinks}, action: accept}, not "accept"',
  ],
  [
    "{match: {prefx: 10.0.0.0/8}, action: accept}",
    "prefx",
    'Unknown key "prefx" in filters.f[0].match',
    'did you mean "prefix"?',
  ],
  ["{match: [], action: accept}", "[]", "match must be a mapping (key: value), not a list"],
  [
    "{match: {prefix: 192.0.2.1/24}, action: accept}",
    "192",
    'Prefix "192.0.2.1/24" has bits set beyond its length 24',
    'did you mean "192.0.2.0/24"?',
  ],
  [
    "{match: {prefix: [10.0.0.0/8, 192.0.2.1/24+]}, action: accept}",
    "192",
    'Prefix "192.0.2.1/24" has bits set beyond its length 24',
    'did you mean "192.0.2.0/24+"?',
  ],
  [
    "{match: {prefix: 192.0.2.1}, action: accept}",
    "192",
    'Prefix "192.0.2.1" has no length',
    'did you mean "192.0.2.1/32"?',
  ],
  [
    "{match: {prefix: 10.0.0.0/33}, action: accept}",
    "10.0.0.0",
    'Prefix "10.0.0.0/33" has length 33, an IPv4 prefix has at most 32',
  ],
  ["{match: {prefix: ten}, action: accept}", "ten", '"ten" is not a prefix (ADDRESS/LENGTH)'],
  [
    "{match: {prefix: '10.0.0.0/8{24}'}, action: accept}",
    "'10",
    '"10.0.0.0/8{24}" is not a prefix pattern',
    "write 192.0.2.0/24{24,28} for lengths from 24 to 28",
  ],
  [
    "{match: {prefix: '10.0.0.0/8{28,24}'}, action: accept}",
    "'10",
    'Pattern "10.0.0.0/8{28,24}" fits nothing: the first length is the shortest',
    'did you mean "10.0.0.0/8{24,28}"?',
  ],
  [
    "{match: {prefix: '10.0.0.0/8{24,33}'}, action: accept}",
    "'10",
    'Pattern "10.0.0.0/8{24,33}" goes to length 33, an IPv4 prefix has at most 32',
  ],
  [
    "{match: {prefix: 10}, action: accept}",
    "10",
    "prefix must be a prefix pattern such as 192.0.2.0/24+, not 10",
  ],
  [
    "{match: {prefix: }, action: accept}",
    "}, action",
    "prefix must be a prefix pattern such as 192.0.2.0/24+, not nothing",
  ],
  [
    "{match: {prefix: {}}, action: accept}",
    "{}",
    "prefix must be a prefix pattern such as 192.0.2.0/24+, or a list of such, not a mapping",
  ],
  ["{match: {prefix: []}, action: accept}", "[]", "prefix is empty: nothing would fit"],
  [
    "{match: {source: uplink}, action: accept}",
    "uplink",
    'Unknown protocol "uplink"',
    'did you mean "uplinks"?',
  ],
  ["{match: {source: 5}, action: accept}", "5", "source must be the name of a protocol, not 5"],
  [
    "{match: {source-type: [static, learned]}, action: accept}",
    "learned",
    'source-type must be static, direct, inherit or pipe, not "learned"',
  ],
  [
    "{match: {source-type: inherrit}, action: accept}",
    "inherrit",
    'source-type must be static, direct, inherit or pipe, not "inherrit"',
    'did you mean "inherit"?',
  ],
  [
    "{match: {protocol: 0}, action: accept}",
    "0",
    "protocol must be a number from 1 to 255 or a name such as zebra, not 0",
  ],
  [
    "{match: {protocol: 256}, action: accept}",
    "256",
    "protocol must be a number from 1 to 255 or a name such as zebra, not 256",
  ],
  [
    "{match: {protocol: unspec}, action: accept}",
    "unspec",
    'protocol must be a number from 1 to 255 or a name such as zebra, not "unspec"',
  ],
  [
    "{match: {protocol: zebar}, action: accept}",
    "zebar",
    'protocol must be a number from 1 to 255 or a name such as zebra, not "zebar"',
    'did you mean "zebra"?',
  ],
  [
    "{match: {type: local}, action: accept}",
    "local",
    'type must be unicast, blackhole, unreachable, prohibit or throw, not "local"',
  ],
  [
    "{match: {gateway: 10.0.0.1/8}, action: accept}",
    "10",
    'Prefix "10.0.0.1/8" has bits set beyond its length 8',
    'did you mean "10.0.0.0/8"?',
  ],
  ["{match: {gateway: gw}, action: accept}", "gw", 'gateway must be an IP address or a prefix, not "gw"'],
  [
    "{match: {dev: eth0/1}, action: accept}",
    "eth0",
    'Pattern "eth0/1" fits no interface: a name has no spaces, "/" or ":"',
  ],
  [
    "{match: {metric: 4294967296}, action: accept}",
    "429",
    "metric must be a whole number from 0 to 4294967295 or a range such as 10-20, not 4294967296",
  ],
  [
    "{match: {metric: -5}, action: accept}",
    "-5",
    "metric must be a whole number from 0 to 4294967295 or a range such as 10-20, not -5",
  ],
  [
    "{match: {metric: 1-2-3}, action: accept}",
    "1-2",
    'metric must be a whole number from 0 to 4294967295 or a range such as 10-20, not "1-2-3"',
  ],
  [
    "{match: {metric: [1, 20-10]}, action: accept}",
    "20-10",
    'metric "20-10" fits nothing: the smaller number comes first',
    'did you mean "10-20"?',
  ],
  [
    "{match: {preference: 0-65536}, action: accept}",
    "0-6",
    'preference must be a whole number from 0 to 65535 or a range such as 10-20, not "0-65536"',
  ],
  [
    "{set: {metric: 5}, action: reject}",
    "set",
    "A rule that rejects sets nothing",
    "remove set, or write action: accept",
  ],
  [
    "{set: {metrc: 5}, action: accept}",
    "metrc",
    'Unknown key "metrc" in filters.f[0].set',
    'did you mean "metric"?',
  ],
  ["{set: {metric: -1}, action: accept}", "-1", "metric must be a whole number from 0 to 4294967295, not -1"],
  [
    "{set: {preference: 65536}, action: accept}",
    "65536",
    "preference must be a whole number from 0 to 65535, not 65536",
  ],
  [
    "{set: {preference: }, action: accept}",
    "}, action",
    "preference must be a whole number from 0 to 65535, not nothing",
  ],
  [
    "{set: {prefsrc: 192.0.2.1/24}, action: accept}",
    "192",
    'prefsrc must be an IP address, not "192.0.2.1/24"',
    'did you mean "192.0.2.1"?',
  ],
  ["{set: {prefsrc: 224.0.0.1}, action: accept}", "224", "prefsrc 224.0.0.1 is no address of a host"],
  ["{set: {mtu: 67}, action: accept}", "67", "mtu must be 0 or a whole number from 68 to 65520, not 67"],
  [
    "{set: {advmss: 65496}, action: accept}",
    "65496",
    "advmss must be a whole number from 0 to 65495, not 65496",
  ],
  ["{set: {hoplimit: 256}, action: accept}", "256", "hoplimit must be a whole number from 0 to 255, not 256"],
  [
    "{set: {rtt: 1m}, action: accept}",
    "1m",
    'rtt must be a time in milliseconds up to 536870911, or one such as 50ms or 1s, not "1m"',
  ],
  [
    "{set: {rtt: 536870912}, action: accept}",
    "536",
    "rtt must be a time in milliseconds up to 536870911, or one such as 50ms or 1s, not 536870912",
  ],
  ["{set: {rtt: 536871s}, action: accept}", "536", "rtt must be at most 536870911ms, not 536871s"],
  [
    "{set: {rto-min: 50, rto_min: 50}, action: accept}",
    "rto_min",
    "rto_min and rto-min are the same",
    "remove one of them",
  ],
  [
    "{set: {features: [ecn, sack]}, action: accept}",
    "sack",
    'features must be ecn or tcp-usec-ts, not "sack"',
  ],
  [
    "{set: {features: ecm}, action: accept}",
    "ecm",
    'features must be ecn or tcp-usec-ts, not "ecm"',
    'did you mean "ecn"?',
  ],
  [
    "{set: {lock: [mut]}, action: accept}",
    "mut",
    'lock must be the name of a metric such as mtu, not "mut"',
    'did you mean "mtu"?',
  ],
  [
    "{set: {lock: lock}, action: accept}",
    "lock",
    'lock must be the name of a metric such as mtu, not "lock"',
  ],
  [
    "{set: {quickack: yes}, action: accept}",
    "yes",
    'quickack must be true or false, not "yes"',
    "write true",
  ],
  [
    "{set: {congctl: much-too-long-name}, action: accept}",
    "much",
    'congctl must be the name of a congestion algorithm such as bbr, not "much-too-long-name"',
  ],
  [
    "{set: {scope: lnik}, action: accept}",
    "lnik",
    'scope must be global, site, link, host or a number from 0 to 255, not "lnik"',
    'did you mean "link"?',
  ],
  [
    "{set: {scope: 256}, action: accept}",
    "256",
    "scope must be global, site, link, host or a number from 0 to 255, not 256",
  ],
];

describe("a mistake in a rule", () => {
  it.each(MISTAKES)("%s", async (rule, caret, message, hint) => {
    const line = `filters: {f: [${rule}]}`;
    const column = line.lastIndexOf(caret) + 1;
    const text = await dir.problems(`${AROUND}${line}\n`);
    const shown = `    3 | ${line}\n      | ${" ".repeat(column - 1)}^\n`;
    expect(text).toBe(`krt.yaml:3:${column}: ${message}\n${shown}${hint === undefined ? "" : `  ${hint}\n`}`);
  });

  it("is told together with all others", async () => {
    const text = await dir.problems(`${AROUND}filters:
  f:
    - {match: {prefix: [10.0.0.1/8, x], dev: a/b}, set: {mtu: 1, congctl: "a b"}, action: acept}
    - 5
    - {set: {rtt: 9999999999s}, action: accept}
`);
    expect(text.match(/^krt.yaml:\d+:\d+/gm)).toEqual(
      ["5:25", "5:37", "5:46", "5:63", "5:75", "5:91", "6:7", "7:19"].map((at) => `krt.yaml:${at}`),
    );
  });
});

describe("the names of filters", () => {
  it("all and none are built in, and all is what no name means", async () => {
    const { kernels } = await dir.config("kernel: {kernel4: {import: none, export: all}}\n");
    expect([kernels[0]!.import, kernels[0]!.export]).toEqual([REJECT_ALL, ACCEPT_ALL]);
    const { statics } = await dir.config("static: {s: }\n");
    expect(statics[0]!.import).toBe(ACCEPT_ALL);
  });

  it("stand for their filters wherever one is named", async () => {
    const config = await dir.config(`
filters: {f: [{action: accept}], g: [{action: reject}]}
tables: {blue4: {family: ipv4}}
kernel: {k: {import: f, export: g}}
static: {s: {import: g}}
direct: {d: {import: f}}
pipe: {p: {peer-table: blue4, import: g, export: f}}
`);
    const { kernels, statics, directs, pipes } = config;
    const named = [kernels, statics, directs, pipes].flat().map((protocol) => {
      const { import: imported, export: exported } = protocol as { import: Filter; export?: Filter };
      return [protocol.name, imported.name, exported?.name];
    });
    expect(named).toEqual([
      ["k", "f", "g"],
      ["s", "g", undefined],
      ["d", "f", undefined],
      ["p", "g", "f"],
    ]);
    expect(kernels[0]!.import).toBe(pipes[0]!.export);
  });

  it.each<[why: string, yaml: string, problems: string[]]>([
    [
      "an unknown one",
      "kernel: {k: {export: gg}}\nfilters: {g: [{action: accept}]}",
      ['1:22: Unknown filter "gg"', 'did you mean "g"?'],
    ],
    [
      "one near a built-in one",
      "kernel: {k: {export: nome}}",
      ['1:22: Unknown filter "nome"', 'did you mean "none"?'],
    ],
    [
      "a built-in one",
      "filters: {all: [{action: accept}]}",
      ['1:11: Filter "all" is built in', "give yours another name"],
    ],
    [
      "no rules",
      "filters: {f: }",
      ['1:11: Filter "f" has no rules: nothing would pass', "write [{action: reject}] if that is meant"],
    ],
    [
      "an empty list",
      "filters: {f: []}",
      ['1:11: Filter "f" has no rules: nothing would pass', "write [{action: reject}] if that is meant"],
    ],
    [
      "no list",
      "kernel: {k: {export: f}}\nfilters: {f: {action: accept}}",
      ["2:14: f must be a list of rules, not a mapping"],
    ],
    [
      "a broken one that is used",
      "kernel: {k: {export: f}}\nfilters: {f: [{match: {prefix: x}, action: accept}]}",
      ['2:32: "x" is not a prefix (ADDRESS/LENGTH)'],
    ],
    [
      "a name that is none",
      "filters: {1f: [{action: accept}]}",
      [
        '1:11: Name "1f" must begin with a letter and hold only letters, digits, ".", "_" and "-", at most 64',
      ],
    ],
    [
      "a number",
      "kernel: {k: {import: 5}}",
      ["1:22: import must be all, none or the name of a filter, not 5"],
    ],
    [
      "a source that is written, though wrongly",
      "static: {s: 5}\nfilters: {f: [{match: {source: s}, action: accept}]}",
      ["1:13: s must be a mapping (key: value), not 5"],
    ],
  ])("%s", async (_why, yaml, problems) => {
    const text = await dir.problems(`${yaml}\n`);
    const told = text
      .split("\n")
      .filter((line) => line !== "" && !/^ +\d* \|/.test(line))
      .map((line) => line.replace("krt.yaml:", "").trim());
    expect(told).toEqual(problems);
  });

  it("may be as many rules as fit into the file, quickly", async () => {
    const rules = Array.from(
      { length: 10_000 },
      (_, i) => `    - {match: {prefix: 10.${i >> 8}.${i & 255}.0/24+}, action: accept}`,
    );
    const config = await dir.config(`${AROUND}filters:\n  f:\n${rules.join("\n")}\n`);
    const filter = config.kernels[0]!.export;
    expect(through(filter, { net: "10.39.15.0/25" })).not.toBeNull();
    expect(through(filter, { net: "10.39.16.0/25" })).toBeNull();
  });

  it("mistakes beyond all measure end the search", async () => {
    const rules = Array.from({ length: 5000 }, () => "{match: {prefix: [x, y]}, action: accept}");
    const text = await dir.problems(
      `${AROUND}filters: {f: [${rules.join(", ")}], g: [{match: {type: x}, action: accept}]}\n`,
    );
    expect(text).toContain("more problems");
  });
});

describe("docs/filters.md", () => {
  const text = readFileSync(new URL("../../docs/filters.md", import.meta.url), "utf8");
  const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!);

  it.each(examples)("is right about\n%s", async (yaml) => {
    expect(await dir.problems(yaml)).toBe("");
  });

  it("names every key of a match and of a set", () => {
    for (const section of ["match", "set"]) {
      const keys = keysAt(["filters", "f", 0, section]).filter((key) => !key.includes("_"));
      const table = text.split(`## ${section}\n`)[1]!.split("\n## ")[0]!;
      const named = [...table.matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|/gm)].flatMap(([, names]) =>
        names!.split(", ").map((name) => name.slice(1, -1)),
      );
      expect(new Set(named.filter((name) => keys.includes(name)))).toEqual(new Set(keys));
    }
  });
});
