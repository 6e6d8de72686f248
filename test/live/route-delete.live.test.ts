/**
 * What our RTM_DELROUTE leaves alone on the real kernel. Foreign routes here have the prefix and the metric of
 * ours, as somebody else's `ip route append` makes them; only the protocol number tells them apart.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ROUTE_ADD, ROUTE_DELETE } from "../../src/sysdep/os.ts";
import { CodecRig, METRIC, TABLE } from "../support/codec-rig.ts";
import type { AttrsText } from "../support/draft.ts";

const ESRCH = 3;
const P4 = "198.51.100.0/24";
const P6 = "2001:db8:100::/48";
const OURS = "table 1000 proto 120 metric 32";
const FOREIGN = "table 1000 proto 4 metric 32";

const OF_SOMEBODY = `table ${TABLE} metric ${METRIC} proto static`;

let rig: CodecRig;

beforeAll(async () => {
  rig = await CodecRig.create();
});

afterEach(() => rig.flush());

afterAll(() => rig.dispose());

const via = (...gateways: string[]): AttrsText => ({
  nexthops: gateways.map((gateway) => ({ via: gateway })),
});

interface Case {
  readonly why: string;
  readonly ours: AttrsText;
  /** `ip` arguments of the foreign alias; PREFIX stands for the prefix. */
  readonly foreign: string;
  readonly left: string;
}

const CASES4: readonly Case[] = [
  {
    why: "a foreign alias after ours",
    ours: via("10.0.0.9"),
    foreign: "route append PREFIX via 10.0.0.7",
    left: `${P4} ${FOREIGN} | via 10.0.0.7 dev 10`,
  },
  {
    why: "a foreign alias before ours",
    ours: via("10.0.0.9"),
    foreign: "route prepend PREFIX via 10.0.0.7",
    left: `${P4} ${FOREIGN} | via 10.0.0.7 dev 10`,
  },
  {
    why: "a foreign alias with the same gateway",
    ours: via("10.0.0.9"),
    foreign: "route prepend PREFIX via 10.0.0.9",
    left: `${P4} ${FOREIGN} | via 10.0.0.9 dev 10`,
  },
  {
    why: "a foreign blackhole before our unicast",
    ours: via("10.0.0.9", "10.0.1.9"),
    foreign: "route prepend blackhole PREFIX",
    left: `blackhole ${P4} ${FOREIGN}`,
  },
  {
    why: "a foreign unicast before our blackhole",
    ours: { type: "blackhole" },
    foreign: "route prepend PREFIX dev v0",
    left: `${P4} ${FOREIGN} scope 253 | dev 10`,
  },
  {
    why: "a foreign multipath before our device route",
    ours: { nexthops: [{ device: 10 }] },
    foreign: "route prepend PREFIX nexthop via 10.0.0.7 nexthop via 10.0.1.7",
    left: `${P4} ${FOREIGN} | via 10.0.0.7 dev 10 | via 10.0.1.7 dev 12`,
  },
];

const CASES6: readonly Case[] = [
  {
    why: "a foreign sibling of our one nexthop",
    ours: via("2001:db8::9"),
    foreign: "-6 route append PREFIX via 2001:db8::7",
    left: `${P6} ${FOREIGN} | via 2001:db8::7 dev 10`,
  },
  {
    why: "a foreign sibling of our several nexthops",
    ours: via("2001:db8::9", "2001:db8:1::9"),
    foreign: "-6 route append PREFIX via 2001:db8::7",
    left: `${P6} ${FOREIGN} | via 2001:db8::7 dev 10`,
  },
  {
    why: "a foreign blackhole beside our unicast",
    ours: via("2001:db8::9"),
    foreign: "-6 route append blackhole PREFIX",
    left: `blackhole ${P6} ${FOREIGN}`,
  },
  {
    why: "a foreign unicast beside our blackhole",
    ours: { type: "blackhole" },
    foreign: "-6 route append PREFIX via 2001:db8::7",
    left: `${P6} ${FOREIGN} | via 2001:db8::7 dev 10`,
  },
  {
    why: "a foreign device route beside our device route",
    ours: { nexthops: [{ device: 10 }] },
    foreign: "-6 route append PREFIX dev v2",
    left: `${P6} ${FOREIGN} | dev 12`,
  },
];

describe.each([
  { family: 4, prefix: P4, cases: CASES4 },
  { family: 6, prefix: P6, cases: CASES6 },
] as const)("ROUTE_DELETE on the kernel, IPv$family", ({ family, prefix, cases }) => {
  it.each(cases)("leaves $why", async ({ ours, foreign: command, left }) => {
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: ours })).toBe(0);
    await rig.ns.ip(command.replace("PREFIX", `${prefix} ${OF_SOMEBODY}`));
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs: ours })).toBe(0);
    expect(await rig.dumped(family)).toEqual([left]);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs: ours })).toBe(ESRCH);
    expect(await rig.dumped(family)).toEqual([left]);
  });

  const gateway = family === 4 ? "10.0.0.9" : "2001:db8::9";
  const other = family === 4 ? "10.0.1.9" : "2001:db8:1::9";

  it("leaves our own route of another metric", async () => {
    const attrs = via(gateway);
    expect(await rig.send({ op: ROUTE_ADD, prefix, metric: 31, attrs })).toBe(0);
    expect(await rig.send({ op: ROUTE_ADD, prefix, metric: 33, attrs })).toBe(0);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, metric: 32, attrs })).toBe(ESRCH);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, metric: 33, attrs })).toBe(0);
    expect((await rig.dumped(family)).join()).toMatch(/^[^,]*proto 120 metric 31[^,]*$/);
  });

  it("leaves our own route in another table and of another length", async () => {
    const attrs = via(gateway);
    const longer = family === 4 ? "198.51.100.0/25" : "2001:db8:100::/49";
    expect(await rig.send({ op: ROUTE_ADD, prefix, table: 1001, attrs })).toBe(0);
    expect(await rig.send({ op: ROUTE_ADD, prefix: longer, attrs })).toBe(0);
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs })).toBe(ESRCH);
    expect(await rig.dumped(family, 1001)).toHaveLength(1);
    expect(await rig.dumped(family)).toHaveLength(1);
  });

  it("removes what stands there although the attributes we think of are others", async () => {
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: via(gateway) })).toBe(0);
    // Of IPv6 the caller passes what the last dump showed; of IPv4 it need not know.
    const attrs = family === 4 ? via(other) : null;
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs })).toBe(0);
    expect(await rig.dumped(family)).toEqual([]);
  });

  it("removes the nexthops that are left of a multipath of ours", async () => {
    const attrs = via(gateway, other);
    expect(await rig.send({ op: ROUTE_ADD, prefix, attrs: via(other) })).toBe(0);
    const errno = await rig.send({ op: ROUTE_DELETE, prefix, attrs });
    // IPv6 goes on after the missing nexthop and reports it: the caller takes ESRCH as success.
    expect(errno).toBe(family === 4 ? 0 : ESRCH);
    expect(await rig.dumped(family)).toEqual([]);
  });

  it("removes a route of ours that somebody made with a nexthop object", async () => {
    await rig.ns.ip(`nexthop add id ${family} via ${gateway} dev v0`);
    await rig.ns.ip(
      `-${family} route add ${prefix} nhid ${family} table ${TABLE} metric ${METRIC} proto 120`,
    );
    expect(await rig.dumped(family)).toEqual([`${prefix} ${OURS} | via ${gateway} dev 10 | opaque`]);
    const attrs = { nexthops: [{ via: gateway, device: 10 }], opaque: 1 };
    expect(await rig.send({ op: ROUTE_DELETE, prefix, attrs })).toBe(0);
    expect(await rig.dumped(family)).toEqual([]);
  });
});

describe("ROUTE_DELETE on the kernel, IPv6", () => {
  it("leaves a foreign sibling that a dump showed as part of our route, also when it is named", async () => {
    const ours = via("2001:db8::9", "2001:db8:1::9");
    expect(await rig.send({ op: ROUTE_ADD, prefix: P6, attrs: ours })).toBe(0);
    await rig.ns.ip(`-6 route append ${P6} ${OF_SOMEBODY} via 2001:db8::7`);
    const [shown] = await rig.dumped(6);
    expect(shown).toBe(
      `${P6} ${OURS} | via 2001:db8::7 dev 10 | via 2001:db8::9 dev 10 | via 2001:db8:1::9 dev 12`,
    );
    const named = via("2001:db8::7", "2001:db8::9", "2001:db8:1::9");
    expect(await rig.send({ op: ROUTE_DELETE, prefix: P6, attrs: named })).toBe(ESRCH);
    expect(await rig.dumped(6)).toEqual([`${P6} ${FOREIGN} | via 2001:db8::7 dev 10`]);
  });

  it("would take foreign siblings along if it named none of our nexthops", async () => {
    expect(await rig.send({ op: ROUTE_ADD, prefix: P6, attrs: via("2001:db8::9") })).toBe(0);
    await rig.ns.ip(`-6 route append ${P6} ${OF_SOMEBODY} via 2001:db8::7`);
    expect(await rig.send({ op: ROUTE_DELETE, prefix: P6, attrs: null })).toBe(0);
    expect(await rig.dumped(6)).toEqual([]);
  });
});
