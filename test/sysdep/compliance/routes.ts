/** Compliance of scanRoutes() and writeRoutes(): what is written comes back, and what fails says why. */

import { expect, it } from "vitest";
import { ROUTE_DELETE, ROUTE_REPLACE } from "../../../src/sysdep/os.ts";
import type { AttrsText } from "../../support/draft.ts";
import { KINDS4, KINDS6, type Kind } from "./kinds.ts";
import { type ComplianceRig, D0, D1, METRIC, OURS } from "./rig.ts";

const VIA4: AttrsText = { nexthops: [{ via: "10.0.0.2" }] };
const VIA6: AttrsText = { nexthops: [{ via: "2001:db8::2" }] };
/** No such index and no such name. */
const NOWHERE = 99;
const RESERVED = -5;

interface Refusal {
  readonly why: string;
  readonly change: { readonly prefix: string; readonly attrs: AttrsText };
  readonly errno: number;
  readonly text: string | null;
  readonly before?: string;
}

const NET4 = "192.0.2.0/24";
const NET6 = "2001:db8:10::/48";
const hops = (...nexthops: NonNullable<AttrsText["nexthops"]>): AttrsText => ({ nexthops });

const REFUSALS: readonly Refusal[] = [
  {
    why: "an IPv4 gateway nobody can reach",
    change: { prefix: NET4, attrs: hops({ via: "172.16.0.1" }) },
    errno: 101,
    text: "Nexthop has invalid gateway",
  },
  {
    why: "an IPv4 gateway on another device",
    change: { prefix: NET4, attrs: hops({ via: "10.0.0.2", device: D1 }) },
    errno: 101,
    text: "Nexthop has invalid gateway",
  },
  {
    why: "an IPv4 device that is down",
    before: "link set d1 down",
    change: { prefix: NET4, attrs: hops({ device: D1 }) },
    errno: 100,
    text: "Device for nexthop is not up",
  },
  {
    why: "an onlink IPv4 gateway on a device that is down",
    before: "link set d1 down",
    change: { prefix: NET4, attrs: hops({ via: "10.1.0.2", device: D1, onlink: true }) },
    errno: 100,
    text: "Nexthop device is not up",
  },
  {
    why: "an IPv4 device that does not exist",
    change: { prefix: NET4, attrs: hops({ device: NOWHERE }) },
    errno: 19,
    text: null,
  },
  {
    why: "an onlink IPv4 gateway on a device that does not exist",
    change: { prefix: NET4, attrs: hops({ via: "172.16.0.1", device: NOWHERE, onlink: true }) },
    errno: 19,
    text: "Nexthop device required for onlink",
  },
  {
    why: "an IPv4 device that was only reserved a number",
    change: { prefix: NET4, attrs: hops({ device: RESERVED }) },
    errno: 19,
    text: null,
  },
  {
    why: "an IPv4 multipath with one gateway nobody can reach",
    change: { prefix: NET4, attrs: hops({ via: "10.0.0.2" }, { via: "172.16.0.1" }) },
    errno: 101,
    text: "Nexthop has invalid gateway",
  },
  {
    why: "an IPv4 source that is not ours",
    change: { prefix: NET4, attrs: { ...VIA4, prefsrc: "172.16.0.1" } },
    errno: 22,
    text: "Invalid prefsrc address",
  },
  {
    why: "IPv4 host bits",
    change: { prefix: "192.0.2.1/24", attrs: VIA4 },
    errno: 22,
    text: "Invalid prefix for given prefix length",
  },
  {
    why: "an IPv6 gateway nobody can reach",
    change: { prefix: NET6, attrs: hops({ via: "2001:db8:99::1" }) },
    errno: 113,
    text: null,
  },
  {
    why: "an IPv6 gateway on another device",
    change: { prefix: NET6, attrs: hops({ via: "2001:db8::2", device: D1 }) },
    errno: 113,
    text: null,
  },
  {
    why: "an IPv6 device that is down",
    before: "link set d1 down",
    change: { prefix: NET6, attrs: hops({ device: D1 }) },
    errno: 100,
    text: "Nexthop device is not up",
  },
  {
    why: "an IPv6 device that does not exist",
    change: { prefix: NET6, attrs: hops({ device: NOWHERE }) },
    errno: 19,
    text: null,
  },
  {
    why: "an IPv6 gateway on a device that does not exist",
    change: { prefix: NET6, attrs: hops({ via: "2001:db8::2", device: NOWHERE }) },
    errno: 19,
    text: null,
  },
  {
    why: "an IPv6 gateway that is our own address",
    change: { prefix: NET6, attrs: hops({ via: "2001:db8::1" }) },
    errno: 22,
    text: "Gateway can not be a local address",
  },
  {
    why: "an IPv6 source that is not ours",
    change: { prefix: NET6, attrs: { ...VIA6, prefsrc: "2001:db8::9" } },
    errno: 22,
    text: "Invalid source address",
  },
  {
    why: "an IPv6 multipath with a nexthop by device",
    change: { prefix: NET6, attrs: hops({ via: "2001:db8::2" }, { device: D0 }) },
    errno: 22,
    text: "Device only routes can not be added for IPv6 using the multipath API.",
  },
];

async function roundTrip(rig: ComplianceRig, family: 4 | 6, table: number, kind: Kind): Promise<void> {
  const { prefix, attrs } = kind;
  const metric = kind.metric ?? METRIC;
  const wanted = rig.intern(attrs);
  expect(await rig.write(table, { prefix, attrs, metric })).toEqual([0]);
  const { routes } = await rig.scan(family, table);
  expect(routes.map((route) => [route.protocol, route.metric])).toEqual([[OURS, metric]]);
  expect(await rig.matching(family, table, wanted)).toBe(1);
  expect(await rig.write(table, { prefix, attrs, metric })).toEqual([17]);
  expect(await rig.write(table, { op: ROUTE_REPLACE, prefix, attrs, metric })).toEqual([0]);
  expect(await rig.matching(family, table, wanted)).toBe(1);
  expect(await rig.write(table, { op: ROUTE_DELETE, prefix, attrs, metric })).toEqual([0]);
  expect(await rig.lines(family, table)).toEqual([]);
}

export function routeCases(rig: () => ComplianceRig): void {
  it.each([
    [4, 1000],
    [6, 1000],
    [4, 77],
    [6, 77],
  ] as const)("scans IPv%i table %i, which does not exist, as empty and complete", async (family, table) => {
    expect(await rig().scan(family, table)).toEqual({
      outcome: expect.objectContaining({ complete: true, reason: null }),
      routes: [],
    });
  });

  for (const [family, kinds] of [[4, KINDS4] as const, [6, KINDS6] as const]) {
    for (const table of [254, 1000]) {
      it.each(kinds)(`writes, shows and deletes in IPv${family} table ${table}: $kind`, (kind) =>
        roundTrip(rig(), family, table, kind),
      );
    }
  }

  it.each(REFUSALS)("is refused, with errno $errno: $why", async ({ change, errno, text, before }) => {
    if (before !== undefined) await rig().ip(before);
    const batch = rig().batch(1000, [change]);
    await rig().os.writeRoutes(batch);
    expect(batch.errno[0]).toBe(errno);
    if (rig().fixture.hasTexts) expect(batch.errorText.get(0) ?? null).toBe(text);
    expect(await rig().lines(batch.family, 1000)).toEqual([]);
  });

  it("masks IPv6 host bits silently", async () => {
    expect(await rig().write(1000, { prefix: "2001:db8:10::1/48", attrs: VIA6 })).toEqual([0]);
    expect((await rig().lines(6, 1000))[0]).toContain(NET6);
  });

  it.each([
    [4, ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"], "172.16.0.1", VIA4, 101],
    [6, ["2001:db8:20::/48", "2001:db8:21::/48", "2001:db8:22::/48"], "2001:db8:99::1", VIA6, 113],
  ] as const)(
    "applies the rest of an IPv%i batch when one change fails",
    async (family, nets, bad, good, errno) => {
      const [a, b, c] = nets;
      const changes = [
        { prefix: a, attrs: good },
        { prefix: b, attrs: hops({ via: bad }) },
        { prefix: c, attrs: good },
        { op: ROUTE_DELETE, prefix: b, attrs: good },
      ];
      const before = rig().os.counters.routeWrites;
      expect(await rig().write(1000, ...changes)).toEqual([0, errno, 0, 0]);
      expect(await rig().lines(family, 1000)).toHaveLength(2);
      expect(rig().os.counters.routeWrites - before).toBe(4);
    },
  );

  it("applies the changes of a batch, and batches handed in together, in order", async () => {
    const add = { prefix: NET4, attrs: VIA4 };
    const other = { prefix: NET4, attrs: hops({ via: "10.1.0.2" }) };
    const remove = { op: ROUTE_DELETE, prefix: NET4, attrs: VIA4 };
    const answers = await Promise.all([
      rig().write(1000, add, add, remove, remove, add),
      rig().write(1000, { ...other, op: ROUTE_REPLACE }),
      rig().write(1000, add),
    ]);
    expect(answers).toEqual([[0, 17, 0, 0, 0], [0], [17]]);
    expect(await rig().lines(4, 1000)).toEqual([expect.stringContaining(`via 10.1.0.2 dev ${D1}`)]);
  });

  it("changes the metric by adding the new and deleting the old", async () => {
    const at = (metric: number) => ({ prefix: NET4, attrs: VIA4, metric });
    await rig().write(1000, at(32));
    expect(await rig().write(1000, at(50), { ...at(32), op: ROUTE_DELETE })).toEqual([0, 0]);
    expect((await rig().scan(4, 1000)).routes.map((route) => route.metric)).toEqual([50]);
  });

  it("shows only the table asked for", async () => {
    await rig().write(1000, { prefix: NET4, attrs: VIA4 });
    await rig().write(254, { prefix: "198.51.100.0/24", attrs: VIA4 });
    expect(await rig().lines(4, 1000)).toEqual([expect.stringContaining(NET4)]);
    expect(await rig().lines(4, 254)).toEqual([expect.stringContaining("198.51.100.0/24")]);
    expect(await rig().lines(4, 1001)).toEqual([]);
  });

  it("writes, shows and deletes thousands of routes at once", async () => {
    const nets = Array.from({ length: 3000 }, (_, i) => `100.64.${i >> 8}.${i & 255}/32`);
    const all = nets.map((prefix) => ({ prefix, attrs: VIA4 }));
    expect(new Set(await rig().write(1000, ...all))).toEqual(new Set([0]));
    expect(await rig().lines(4, 1000)).toHaveLength(3000);
    const gone = all.map((change) => ({ ...change, op: ROUTE_DELETE }));
    expect(new Set(await rig().write(1000, ...gone))).toEqual(new Set([0]));
    expect(await rig().lines(4, 1000)).toEqual([]);
  });

  it("may write", async () => {
    expect(await rig().os.mayWrite()).toBe(true);
    expect(await rig().lines(4, 254)).toEqual([]);
  });
}
