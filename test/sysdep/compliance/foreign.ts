/** Compliance where somebody else's routes have our prefix and metric, and where the kernel removes routes. */

import { expect, it } from "vitest";
import { ROUTE_DELETE, ROUTE_REPLACE } from "../../../src/sysdep/os.ts";
import type { AttrsText } from "../../support/draft.ts";
import { type ComplianceRig, D0, D1 } from "./rig.ts";

const NET4 = "192.0.2.0/24";
const NET6 = "2001:db8:10::/48";
const THEIRS = "table 1000 metric 32 proto 4";
const via = (...gateways: string[]): AttrsText => ({
  nexthops: gateways.map((gateway) => ({ via: gateway })),
});
const shown4 = (protocol: number, hop: string): string =>
  `${NET4} table 1000 proto ${protocol} metric 32 | ${hop}`;
const shown6 = (protocol: number, ...hops: string[]): string =>
  `${NET6} table 1000 proto ${protocol} metric 32${hops.map((hop) => ` | ${hop}`).join("")}`;

export function foreignCases(rig: () => ComplianceRig): void {
  const ours4 = { prefix: NET4, attrs: via("10.0.0.2") };
  const ours6 = { prefix: NET6, attrs: via("2001:db8::2") };

  it("does not add over a foreign IPv4 route of the same key", async () => {
    await rig().ip(`route add ${NET4} via 10.0.0.3 ${THEIRS}`);
    expect(await rig().write(1000, ours4)).toEqual([17]);
    expect(await rig().lines(4, 1000)).toEqual([shown4(4, `via 10.0.0.3 dev ${D0}`)]);
  });

  it.each(["append", "prepend"])("deletes ours and not an %sed foreign IPv4 alias", async (verb) => {
    await rig().write(1000, ours4);
    await rig().ip(`route ${verb} ${NET4} via 10.0.0.2 ${THEIRS}`);
    expect(await rig().lines(4, 1000)).toHaveLength(2);
    expect(await rig().write(1000, { ...ours4, op: ROUTE_DELETE })).toEqual([0]);
    expect(await rig().lines(4, 1000)).toEqual([shown4(4, `via 10.0.0.2 dev ${D0}`)]);
    expect(await rig().write(1000, { ...ours4, op: ROUTE_DELETE })).toEqual([0]);
    expect(await rig().lines(4, 1000)).toHaveLength(1);
  });

  it("shows IPv4 aliases in their order and replaces the first, whoever owns it", async () => {
    await rig().write(1000, ours4);
    await rig().ip(`route prepend ${NET4} via 10.0.0.3 ${THEIRS}`);
    const before = await rig().scan(4, 1000);
    expect(before.routes.map((route) => route.protocol)).toEqual([4, 120]);
    expect(await rig().write(1000, { ...ours4, attrs: via("10.1.0.2"), op: ROUTE_REPLACE })).toEqual([0]);
    const after = await rig().scan(4, 1000);
    expect(after.routes.map((route) => route.text)).toEqual([
      shown4(120, `via 10.1.0.2 dev ${D1}`),
      shown4(120, `via 10.0.0.2 dev ${D0}`),
    ]);
  });

  it("answers EEXIST to a replace by what a later IPv4 alias has already", async () => {
    await rig().write(1000, ours4);
    await rig().ip(`route prepend ${NET4} via 10.0.0.3 ${THEIRS}`);
    expect(await rig().write(1000, { ...ours4, op: ROUTE_REPLACE })).toEqual([17]);
    expect(await rig().lines(4, 1000)).toHaveLength(2);
  });

  it("leaves a foreign route of another metric alone in both families", async () => {
    await rig().ip(`route add ${NET4} via 10.0.0.3 table 1000 proto 4 metric 5`);
    await rig().ip(`route add ${NET6} via 2001:db8::3 table 1000 proto 4 metric 5`);
    expect(await rig().write(1000, ours4)).toEqual([0]);
    expect(await rig().write(1000, ours6)).toEqual([0]);
    expect(await rig().write(1000, { ...ours4, op: ROUTE_DELETE }, { ...ours4, op: ROUTE_DELETE })).toEqual([
      0, 0,
    ]);
    expect(await rig().write(1000, { ...ours6, op: ROUTE_DELETE }, { ...ours6, op: ROUTE_DELETE })).toEqual([
      0, 0,
    ]);
    expect((await rig().scan(4, 1000)).routes.map((route) => route.metric)).toEqual([5]);
    expect((await rig().scan(6, 1000)).routes.map((route) => route.metric)).toEqual([5]);
  });

  it("does not join a foreign IPv6 route of the same key", async () => {
    await rig().ip(`route add ${NET6} via 2001:db8::3 ${THEIRS}`);
    expect(await rig().write(1000, ours6)).toEqual([17]);
    expect(await rig().lines(6, 1000)).toEqual([shown6(4, `via 2001:db8::3 dev ${D0}`)]);
  });

  it("shows a foreign IPv6 sibling as part of our route, and deletes only our nexthops", async () => {
    const both = via("2001:db8::2", "2001:db8:1::2");
    await rig().write(1000, { ...ours6, attrs: both });
    await rig().ip(`route append ${NET6} via 2001:db8::3 ${THEIRS}`);
    const hops = [`via 2001:db8::2 dev ${D0}`, `via 2001:db8::3 dev ${D0}`, `via 2001:db8:1::2 dev ${D1}`];
    expect(await rig().lines(6, 1000)).toEqual([shown6(120, ...hops)]);
    expect(await rig().write(1000, { ...ours6, attrs: both, op: ROUTE_DELETE })).toEqual([0]);
    expect(await rig().lines(6, 1000)).toEqual([shown6(4, `via 2001:db8::3 dev ${D0}`)]);
  });

  it("replaces an IPv6 route with a gateway by another, siblings and all", async () => {
    await rig().write(1000, { ...ours6, attrs: via("2001:db8::2", "2001:db8:1::2") });
    expect(await rig().write(1000, { ...ours6, attrs: via("2001:db8::7"), op: ROUTE_REPLACE })).toEqual([0]);
    expect(await rig().lines(6, 1000)).toEqual([shown6(120, `via 2001:db8::7 dev ${D0}`)]);
  });

  it("loses IPv4 routes with the device, and only the nexthops of that device of a multipath", async () => {
    await rig().write(
      1000,
      { prefix: NET4, attrs: via("10.0.0.2", "10.1.0.2") },
      { prefix: "198.51.100.0/24", attrs: via("10.1.0.2") },
    );
    await rig().ip("link set d1 down");
    const wanted = rig().intern(via("10.0.0.2", "10.1.0.2"));
    expect(await rig().lines(4, 1000)).toHaveLength(1);
    expect(await rig().matching(4, 1000, wanted)).toBe(1);
    await rig().ip("link set d1 up");
    expect(await rig().matching(4, 1000, wanted)).toBe(1);
    await rig().ip("addr del 10.0.0.1/24 dev d0", "addr del 10.1.0.1/24 dev d1");
    expect(await rig().lines(4, 1000)).toEqual([]);
  });

  it("loses IPv6 routes with the device", async () => {
    await rig().write(1000, ours6, { prefix: "2001:db8:11::/48", attrs: via("2001:db8:1::2") });
    await rig().ip("link del d1");
    expect(await rig().lines(6, 1000)).toEqual([shown6(120, `via 2001:db8::2 dev ${D0}`)]);
    await rig().ip("link set d0 down");
    expect(await rig().lines(6, 1000)).toEqual([]);
  });
}
