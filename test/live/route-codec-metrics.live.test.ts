/**
 * What the kernel keeps of a route's attributes, and what it makes of them: whatever it accepts must afterwards
 * count as equal to what was wanted (src/nest/attrs-match.ts lists the freedoms), or krtd would never rest. Each
 * attribute in both families; what is refused is listed too.
 */

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { congestionId } from "../../src/lib/congestion-names.ts";
import { ROUTE_ADD, ROUTE_DELETE, ROUTE_REPLACE } from "../../src/sysdep/os.ts";
import { CodecRig, V0, V2 } from "../support/codec-rig.ts";
import type { AttrsText } from "../support/draft.ts";

let rig: CodecRig;

beforeAll(async () => {
  rig = await CodecRig.create();
});

afterEach(() => rig.flush());

afterAll(() => rig.dispose());

const FAMILIES = [
  { family: 4, prefix: "198.51.100.0/24", via: "10.0.0.9", own: "10.0.1.1" },
  { family: 6, prefix: "2001:db8:100::/48", via: "2001:db8::9", own: "2001:db8:1::1" },
] as const;

const [LOCK, MTU, FEATURES, RTO_MIN, CC_ALGO] = [1, 2, 12, 13, 16];
const EINVAL = 22;
const EEXIST = 17;

/** The plain metrics: 32 bits, kept as they are or cut. */
const PLAIN = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 17];

const CONGESTION = readFileSync("/proc/sys/net/ipv4/tcp_available_congestion_control", "latin1")
  .trim()
  .split(" ");

async function keeps(family: 4 | 6, prefix: string, attrs: AttrsText): Promise<void> {
  expect(await rig.send({ op: ROUTE_ADD, prefix, attrs })).toBe(0);
  expect(await rig.matches(family, attrs), (await rig.dumped(family)).join()).toEqual([true]);
  expect(await rig.send({ op: ROUTE_REPLACE, prefix, attrs })).toBe(0);
  expect(await rig.matches(family, attrs)).toEqual([true]);
  expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs })).toBe(0);
  expect(await rig.dumped(family)).toEqual([]);
}

describe.each(FAMILIES)("IPv$family: what the kernel accepts equals what was wanted", (world) => {
  const { family, prefix, via, own } = world;
  const metrics = (values: Readonly<Record<number, number>>): AttrsText => ({
    nexthops: [{ via }],
    metrics: values,
  });

  it.each(PLAIN)("RTAX %d, whatever its value", async (rtax) => {
    for (const value of [0, 1, 255, 256, 1400, 65495, 65496, 65520, 65521, 0x7fff_ffff, 0xffff_ffff]) {
      await keeps(family, prefix, metrics({ [rtax]: value }));
    }
  });

  it.each([1, 2, 4, 8, 16])("feature bit %d", (bit) => keeps(family, prefix, metrics({ [FEATURES]: bit })));

  it("locks, of metrics that are set and that are not", async () => {
    await keeps(family, prefix, metrics({ [LOCK]: 1 << MTU, [MTU]: 1400 }));
    await keeps(family, prefix, metrics({ [LOCK]: 1 << RTO_MIN }));
    await keeps(family, prefix, metrics({ [LOCK]: 0xffff_ffff, [MTU]: 70_000, [RTO_MIN]: 200 }));
  });

  it.each(CONGESTION)("congestion algorithm %s, which ip shows by its name", async (name) => {
    const attrs = metrics({ [LOCK]: 1 << CC_ALGO, [MTU]: 1400, [CC_ALGO]: congestionId(name), 17: 1 });
    await keeps(family, prefix, attrs);
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs })).toBe(0);
    const shown = await rig.ns.ip(`-${family} -d route show table 1000`);
    expect(shown).toContain(` mtu 1400 congctl lock ${name} fastopen_no_cookie 1`);
    expect(await rig.dumped(family)).toEqual([
      expect.stringContaining(` | rtax1 65536 | rtax2 1400 | congctl ${name} | rtax17 1`),
    ]);
    expect(await rig.matches(family, metrics({ [CC_ALGO]: congestionId(name) }))).toEqual([false]);
  });

  it("every metric at once, on several nexthops and on a blackhole", async () => {
    const all = Object.fromEntries(PLAIN.map((rtax) => [rtax, 200]));
    const values = { ...all, [LOCK]: 4, [FEATURES]: 1, [CC_ALGO]: congestionId(CONGESTION[0]!) };
    const other = family === 4 ? "10.0.1.9" : "2001:db8:1::9";
    await keeps(family, prefix, { nexthops: [{ via, weight: 3 }, { via: other }], metrics: values });
    await keeps(family, prefix, { type: "blackhole", metrics: values });
  });

  it.each(["blackhole", "unreachable", "prohibit", "throw"] as const)(
    "%s with a source, a realm and a scope",
    async (type) => {
      await keeps(family, prefix, { type, prefsrc: own, flow: 5 });
      await keeps(family, prefix, { type, scope: 253 });
    },
  );

  it("realm and scope, which IPv6 drops", async () => {
    await keeps(family, prefix, { nexthops: [{ via }], flow: 0x30004 });
    for (const scope of [0, 200, 253, 254])
      await keeps(family, prefix, { nexthops: [{ device: V0 }], scope });
    await keeps(family, prefix, { nexthops: [{ via }], scope: 200 });
  });

  it("a weight of an only nexthop, which is lost", () =>
    keeps(family, prefix, { nexthops: [{ via, weight: 7 }] }));

  it.each([
    ["an unknown congestion algorithm", metrics({ [CC_ALGO]: congestionId("no-such") })],
    ["a congestion algorithm with a long name", metrics({ [CC_ALGO]: congestionId("reno".repeat(9)) })],
    ["an unknown feature", metrics({ [FEATURES]: 32 })],
    ["the feature bit of the kernel's own", metrics({ [FEATURES]: -0x8000_0000 })],
  ])("refuses %s", async (_why, attrs) => {
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs })).toBe(EINVAL);
    expect(await rig.dumped(family)).toEqual([]);
  });
});

describe("IPv4 routes via IPv6 gateways", () => {
  const prefix = "198.51.100.0/24";

  it.each<readonly [string, AttrsText]>([
    ["link-local, with a device", { nexthops: [{ via: "fe80::9", device: V0 }] }],
    ["global, with a device", { nexthops: [{ via: "2001:db8::9", device: V0 }] }],
    ["global, the kernel finds the device", { nexthops: [{ via: "2001:db8::9" }] }],
    ["onlink", { nexthops: [{ via: "2001:db8:99::9", device: V2, onlink: true }] }],
    [
      "several",
      {
        nexthops: [
          { via: "fe80::9", device: V0 },
          { via: "fe80::9", device: V2, weight: 3 },
        ],
      },
    ],
    ["several without devices", { nexthops: [{ via: "2001:db8::9" }, { via: "2001:db8:1::9" }] }],
    [
      "several, of both families, with a source and an mtu",
      {
        nexthops: [{ via: "fe80::9", device: V2, onlink: true }, { via: "10.0.0.9" }, { device: V0 }],
        prefsrc: "10.0.1.1",
        metrics: { 2: 1400 },
      },
    ],
  ])("are kept: %s", (_why, attrs) => keeps(4, prefix, attrs));
});

describe("What the kernel refuses", () => {
  it.each<readonly [string, 4 | 6, AttrsText, number]>([
    [
      "a realm of an IPv4 multipath route",
      4,
      { nexthops: [{ via: "10.0.0.9" }, { via: "10.0.1.9" }], flow: 4 },
      EINVAL,
    ],
    ["onlink of an IPv4 nexthop without gateway", 4, { nexthops: [{ device: V0, onlink: true }] }, EINVAL],
    ["scope nowhere", 4, { nexthops: [{ device: V0 }], scope: 255 }, EINVAL],
    ["an IPv6 gateway of ::", 6, { nexthops: [{ via: "::", device: V0 }] }, EINVAL],
    [
      "the same IPv6 nexthop twice",
      6,
      { nexthops: [{ via: "2001:db8::9" }, { via: "2001:db8::9" }] },
      EEXIST,
    ],
    ["IPv6 nexthops by device", 6, { nexthops: [{ device: V0 }, { device: V2 }] }, EINVAL],
  ])("%s", async (_why, family, attrs, errno) => {
    const prefix = family === 4 ? "198.51.100.0/24" : "2001:db8:100::/48";
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs })).toBe(errno);
  });

  it("is not the same IPv4 nexthop twice, nor onlink of an IPv6 device", async () => {
    await keeps(4, "198.51.100.0/24", { nexthops: [{ via: "10.0.0.9", weight: 2 }, { via: "10.0.0.9" }] });
    await keeps(6, "2001:db8:100::/48", { nexthops: [{ device: V0, onlink: true }] });
  });
});

describe("The mtu of an IPv6 route", () => {
  it("follows the device's MTU down and up again unless locked, and can be set back", async () => {
    const prefix = "2001:db8:100::/48";
    const attrs = { nexthops: [{ via: "2001:db8::9" }], metrics: { [MTU]: 1400 } };
    const locked = { ...attrs, metrics: { [LOCK]: 1 << MTU, [MTU]: 1400 } };
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs })).toBe(0);
    expect(await rig.send({ op: ROUTE_ADD, prefix: "2001:db8:101::/48", attrs: locked })).toBe(0);
    const mtus = async (): Promise<string[]> =>
      (await rig.dumped(6)).map((text) => / rtax2 (\d+)/.exec(text)?.[1] ?? "none");
    try {
      await rig.ns.ip("link set v0 mtu 1300");
      expect(await mtus()).toEqual(["1300", "1400"]);
      await rig.ns.ip("link set v0 mtu 1450");
      expect(await mtus()).toEqual(["1450", "1400"]);
      await rig.ns.ip("link set v0 mtu 1300");
      expect(await rig.send({ op: ROUTE_REPLACE, prefix, attrs })).toBe(0);
      expect(await rig.matches(6, attrs)).toEqual([true, false]);
      expect(await rig.matches(6, locked)).toEqual([false, true]);
    } finally {
      await rig.ns.ip("link set v0 mtu 1500");
    }
  });
});
