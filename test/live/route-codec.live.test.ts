/**
 * The route codec against the real kernel: our bytes make the routes that `ip` would show, the kernel's bytes
 * say what we wanted, and a delete finds the route again.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ROUTE_ADD, ROUTE_DELETE, ROUTE_REPLACE } from "../../src/sysdep/os.ts";
import { CodecRig, METRIC, PROTOCOL, TABLE, V0, V2 } from "../support/codec-rig.ts";
import type { AttrsText } from "../support/draft.ts";

let rig: CodecRig;

beforeAll(async () => {
  rig = await CodecRig.create();
});

afterEach(() => rig.flush());

afterAll(() => rig.dispose());

/** `ip -j -d route show` of a table; the fields that are the same for all our routes are left out. */
async function shown(family: 4 | 6, table = TABLE): Promise<Record<string, unknown>[]> {
  const { stdout } = await rig.ns.tryIp(`-${family} -j -d route show table ${table}`);
  const routes = JSON.parse(stdout || "[]") as Record<string, unknown>[];
  return routes.map(({ protocol, metric, pref, ...rest }) => {
    expect([protocol, metric, pref]).toEqual([`${PROTOCOL}`, METRIC, family === 6 ? "medium" : undefined]);
    return rest;
  });
}

interface Kind {
  readonly why: string;
  readonly attrs: AttrsText;
  /** What `ip -j -d route show` adds to { type, dst, flags: [] }. */
  readonly shown: Record<string, unknown>;
  /** The attributes as routeText() shows them after the prefix, protocol and metric. */
  readonly text: string;
}

const KINDS4: readonly Kind[] = [
  {
    why: "via a gateway, device left to the kernel",
    attrs: { nexthops: [{ via: "10.0.0.9" }] },
    shown: { gateway: "10.0.0.9", dev: "v0", scope: "global" },
    text: " | via 10.0.0.9 dev 10",
  },
  {
    why: "via a gateway and a device",
    attrs: { nexthops: [{ via: "10.0.1.9", device: V2 }] },
    shown: { gateway: "10.0.1.9", dev: "v2", scope: "global" },
    text: " | via 10.0.1.9 dev 12",
  },
  {
    why: "a device",
    attrs: { nexthops: [{ device: V0 }] },
    shown: { dev: "v0", scope: "link" },
    text: " scope 253 | dev 10",
  },
  {
    why: "onlink",
    attrs: { nexthops: [{ via: "192.0.2.9", device: V0, onlink: true }] },
    shown: { gateway: "192.0.2.9", dev: "v0", scope: "global", flags: ["onlink"] },
    text: " flags 0x4 | via 192.0.2.9 dev 10 onlink",
  },
  {
    why: "an IPv6 gateway",
    attrs: { nexthops: [{ via: "fe80::9", device: V0 }] },
    shown: { via: { family: "inet6", host: "fe80::9" }, dev: "v0", scope: "global" },
    text: " | via fe80::9 dev 10",
  },
  {
    why: "several weighted, one onlink, one by IPv6, one by device",
    attrs: {
      nexthops: [
        { device: V0, weight: 2 },
        { via: "10.0.1.9", device: V2, weight: 256 },
        { via: "192.0.2.9", device: V2, onlink: true },
        { via: "fe80::9", device: V0 },
      ],
    },
    shown: {
      scope: "global",
      nexthops: [
        { dev: "v0", weight: 2, flags: [] },
        { gateway: "192.0.2.9", dev: "v2", weight: 1, flags: ["onlink"] },
        { gateway: "10.0.1.9", dev: "v2", weight: 256, flags: [] },
        { via: { family: "inet6", host: "fe80::9" }, dev: "v0", weight: 1, flags: [] },
      ],
    },
    text: " | dev 10 weight 2 | via 192.0.2.9 dev 12 onlink | via 10.0.1.9 dev 12 weight 256 | via fe80::9 dev 10",
  },
  { why: "blackhole", attrs: { type: "blackhole" }, shown: { scope: "global" }, text: "" },
  { why: "unreachable", attrs: { type: "unreachable" }, shown: { scope: "global" }, text: "" },
  { why: "prohibit", attrs: { type: "prohibit" }, shown: { scope: "global" }, text: "" },
  { why: "throw", attrs: { type: "throw" }, shown: { scope: "global" }, text: "" },
  {
    why: "a preferred source",
    attrs: { nexthops: [{ via: "10.0.0.9" }], prefsrc: "10.0.1.1" },
    shown: { gateway: "10.0.0.9", dev: "v0", scope: "global", prefsrc: "10.0.1.1" },
    text: " | via 10.0.0.9 dev 10 | src 10.0.1.1",
  },
  {
    why: "metrics, one of them locked",
    attrs: { nexthops: [{ via: "10.0.0.9" }], metrics: { 1: 4, 2: 1400, 10: 64 } },
    shown: {
      gateway: "10.0.0.9",
      dev: "v0",
      scope: "global",
      metrics: [{ mtu: 1400, hoplimit: 64 }],
    },
    text: " | via 10.0.0.9 dev 10 | rtax1 4 | rtax2 1400 | rtax10 64",
  },
  {
    why: "a realm",
    attrs: { nexthops: [{ via: "10.0.0.9" }], flow: 0x30004 },
    shown: { gateway: "10.0.0.9", dev: "v0", scope: "global", flow: { from: "3", to: "4" } },
    text: " | via 10.0.0.9 dev 10 | realm 3/4",
  },
  {
    why: "a scope",
    attrs: { nexthops: [{ device: V0 }], scope: 254 },
    shown: { dev: "v0", scope: "host" },
    text: " scope 254 | dev 10",
  },
];

const global = { scope: "global" };
const KINDS6: readonly Kind[] = [
  {
    why: "via a gateway, device left to the kernel",
    attrs: { nexthops: [{ via: "2001:db8::9" }] },
    shown: { ...global, gateway: "2001:db8::9", dev: "v0" },
    text: " | via 2001:db8::9 dev 10",
  },
  {
    why: "via a link-local gateway",
    attrs: { nexthops: [{ via: "fe80::9", device: V2 }] },
    shown: { ...global, gateway: "fe80::9", dev: "v2" },
    text: " | via fe80::9 dev 12",
  },
  {
    why: "a device",
    attrs: { nexthops: [{ device: V0 }] },
    shown: { ...global, dev: "v0" },
    text: " | dev 10",
  },
  {
    why: "onlink",
    attrs: { nexthops: [{ via: "2001:db8:99::9", device: V0, onlink: true }] },
    shown: { ...global, gateway: "2001:db8:99::9", dev: "v0", flags: ["onlink"] },
    text: " flags 0x4 | via 2001:db8:99::9 dev 10 onlink",
  },
  {
    why: "several weighted, one onlink",
    attrs: {
      nexthops: [
        { via: "2001:db8::9", device: V0, weight: 2 },
        { via: "2001:db8:1::9", weight: 256 },
        { via: "2001:db8:99::9", device: V0, onlink: true },
      ],
    },
    shown: {
      ...global,
      nexthops: [
        { gateway: "2001:db8::9", dev: "v0", weight: 2, flags: [] },
        { gateway: "2001:db8:1::9", dev: "v2", weight: 256, flags: [] },
        { gateway: "2001:db8:99::9", dev: "v0", weight: 1, flags: ["onlink"] },
      ],
    },
    text:
      " | via 2001:db8::9 dev 10 weight 2 | via 2001:db8:1::9 dev 12 weight 256" +
      " | via 2001:db8:99::9 dev 10 onlink",
  },
  { why: "blackhole", attrs: { type: "blackhole" }, shown: { ...global, dev: "lo" }, text: "" },
  { why: "unreachable", attrs: { type: "unreachable" }, shown: { ...global, dev: "lo" }, text: "" },
  { why: "prohibit", attrs: { type: "prohibit" }, shown: { ...global, dev: "lo" }, text: "" },
  { why: "throw", attrs: { type: "throw" }, shown: { ...global, dev: "lo" }, text: "" },
  {
    why: "a preferred source",
    attrs: { nexthops: [{ via: "2001:db8::9" }], prefsrc: "2001:db8:1::1" },
    shown: { ...global, gateway: "2001:db8::9", dev: "v0", prefsrc: "2001:db8:1::1" },
    text: " | via 2001:db8::9 dev 10 | src 2001:db8:1::1",
  },
  {
    why: "metrics, one of them locked",
    attrs: { nexthops: [{ via: "2001:db8::9" }], metrics: { 1: 4, 2: 1400, 10: 64 } },
    shown: {
      ...global,
      gateway: "2001:db8::9",
      dev: "v0",
      metrics: [{ mtu: 1400, hoplimit: 64 }],
    },
    text: " | via 2001:db8::9 dev 10 | rtax1 4 | rtax2 1400 | rtax10 64",
  },
  {
    why: "several over two devices by link-local gateways",
    attrs: {
      nexthops: [
        { via: "fe80::9", device: V0 },
        { via: "fe80::9", device: V2 },
      ],
    },
    shown: {
      ...global,
      nexthops: [
        { gateway: "fe80::9", dev: "v0", weight: 1, flags: [] },
        { gateway: "fe80::9", dev: "v2", weight: 1, flags: [] },
      ],
    },
    text: " | via fe80::9 dev 10 | via fe80::9 dev 12",
  },
];

describe.each([
  { family: 4, kinds: KINDS4, prefix: "198.51.100.0/24" },
  { family: 6, kinds: KINDS6, prefix: "2001:db8:100::/48" },
] as const)("RouteEncoder and decodeRoute() on the kernel, IPv$family", ({ family, kinds, prefix }) => {
  it.each(kinds)("make, show and delete a route: $why", async ({ attrs: wanted, shown: fields, text }) => {
    const type = wanted.type ?? "unicast";
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: wanted })).toBe(0);
    expect(await shown(family)).toEqual([{ type, dst: prefix, flags: [], ...fields }]);
    const lead = type === "unicast" ? "" : `${type} `;
    const [before, after] = [`${lead}${prefix} table 1000 proto 120 metric 32`, text];
    expect(await rig.dumped(family)).toEqual([before + after]);
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: wanted })).toBe(17); // EEXIST: EXCL
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs: wanted })).toBe(0);
    expect(await rig.dumped(family)).toEqual([]);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs: wanted })).toBe(3); // ESRCH
  });

  it.each([
    ["a host route", family === 4 ? "198.51.100.77/32" : "2001:db8:100::77/128"],
    ["the default route", family === 4 ? "0.0.0.0/0" : "::/0"],
    ["a prefix that ends inside a byte", family === 4 ? "198.51.96.0/19" : "2001:db8:2000::/35"],
  ])("make and delete %s", async (_why, other) => {
    expect(await rig.send({ op: ROUTE_ADD, prefix: other, attrs: { type: "blackhole" } })).toBe(0);
    expect(await rig.dumped(family)).toEqual([`blackhole ${other} table 1000 proto 120 metric 32`]);
    expect(await rig.send({ op: ROUTE_DELETE, prefix: other, attrs: null })).toBe(0);
    expect(await rig.dumped(family)).toEqual([]);
  });

  it.each([1, 254, 256, 0xffff_ffff])("write into table %d and no other", async (table) => {
    const change = { prefix, table, metric: 0xffff_ffff, attrs: { type: "blackhole" } } as const;
    expect(await rig.send({ op: ROUTE_ADD, ...change })).toBe(0);
    const found = (await rig.dumped(family, table)).filter((text) => text.includes("proto 120"));
    const named = table === 254 ? "" : ` table ${table}`;
    expect(found).toEqual([`blackhole ${prefix}${named} proto 120 metric 4294967295`]);
    expect(await rig.dumped(family, 1000)).toEqual([]);
    expect(await rig.send({ op: ROUTE_DELETE, ...change })).toBe(0);
  });

  it("replace a route under the same key", async () => {
    const [one, other] = family === 4 ? ["10.0.0.9", "10.0.1.9"] : ["2001:db8::9", "2001:db8:1::9"];
    const first = { nexthops: [{ via: one }] };
    const second = { nexthops: [{ via: other, device: V2 }], metrics: { 2: 1400 } };
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: first })).toBe(0);
    expect(await rig.send({ op: ROUTE_REPLACE, prefix, attrs: second })).toBe(0);
    const text = `${prefix} table 1000 proto 120 metric 32 | via ${other} dev 12 | rtax2 1400`;
    expect(await rig.dumped(family)).toEqual([text]);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs: second })).toBe(0);
  });

  it("carry as many nexthops as krtd allows", async () => {
    const count = family === 4 ? 128 : 64;
    const nexthops = Array.from({ length: count }, (_, i) => ({
      via: family === 4 ? `10.0.0.${i + 2}` : `2001:db8::${(i + 2).toString(16)}`,
      weight: i + 1,
    }));
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: { nexthops } })).toBe(0);
    const [text] = await rig.dumped(family);
    expect(text?.split(" | via ").length).toBe(count + 1);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs: { nexthops } })).toBe(0);
    expect(await rig.dumped(family)).toEqual([]);
  });
});
