/** Writing to the real kernel: outcomes, texts, order, and what happens to batches of failures. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SocketTransport } from "../../src/sysdep/linux/netlink/socket-transport.ts";
import { ROUTE_ADD, ROUTE_DELETE, ROUTE_REPLACE } from "../../src/sysdep/os.ts";
import { type OsChange, OsRig, outcomes } from "../support/os-rig.ts";

const EEXIST = 17;
const EMSGSIZE = 90;

let rig: OsRig;

beforeAll(async () => {
  rig = await OsRig.create();
});

afterEach(async () => {
  await rig.ns.tryIp("route flush table 1000");
  await rig.ns.tryIp("-6 route flush table 1000");
});

afterAll(() => rig.dispose());

const via = (gateway: string) => ({ nexthops: [{ via: gateway }] });

/** `count` changes, 12.0.0.0/32 on. */
function many(op: number, count: number, gateway = "10.0.0.2"): OsChange[] {
  return Array.from({ length: count }, (_, i) => ({
    op,
    prefix: `12.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`,
    attrs: via(gateway),
  }));
}

describe("writeRoutes()", () => {
  it.each([
    ["IPv4", 4, "192.0.2.0/24", "10.0.0.2", "10.0.0.3"],
    ["IPv6", 6, "2001:db8:2::/48", "2001:db8:0:1::2", "2001:db8:0:1::3"],
  ] as const)(
    "adds, replaces and deletes, and each is acknowledged, %s",
    async (_v, family, prefix, one, two) => {
      const before = rig.os.counters.routeWrites;
      expect(await rig.write([{ op: ROUTE_ADD, prefix, attrs: via(one) }])).toEqual([0]);
      expect((await rig.scan(family)).routes).toHaveLength(1);
      expect(await rig.write([{ op: ROUTE_REPLACE, prefix, attrs: via(two) }])).toEqual([0]);
      expect((await rig.scan(family)).routes.join()).toContain(`via ${two} `);
      expect(await rig.write([{ op: ROUTE_DELETE, prefix, attrs: via(two) }])).toEqual([0]);
      expect((await rig.scan(family)).routes).toEqual([]);
      expect(rig.os.counters.routeWrites - before).toBe(3);
    },
  );

  it("gives each failure its number and the kernel's text, and applies all others", async () => {
    expect(
      await rig.write([
        { op: ROUTE_ADD, prefix: "192.0.2.0/24", attrs: via("10.0.0.2") },
        { op: ROUTE_ADD, prefix: "192.0.2.0/24", attrs: via("10.0.0.3") },
        { op: ROUTE_ADD, prefix: "198.51.100.0/24", attrs: via("172.16.0.1") },
        { op: ROUTE_DELETE, prefix: "203.0.113.0/24", attrs: via("10.0.0.2") },
        { op: ROUTE_ADD, prefix: "203.0.113.0/24", attrs: via("10.0.0.2") },
      ]),
    ).toEqual([0, EEXIST, "101 Nexthop has invalid gateway", 0, 0]);
    expect((await rig.scan(4)).routes.map((route) => route.split(" ")[0])).toEqual([
      "192.0.2.0/24",
      "203.0.113.0/24",
    ]);
  });

  it("gets every answer of a large batch that fails throughout", async () => {
    const result = await rig.write(many(ROUTE_ADD, 5000, "172.16.0.1"));
    expect([...new Set(result)]).toEqual(["101 Nexthop has invalid gateway"]);
    expect(rig.os.counters.overruns).toBe(0);
  });

  it("applies batches handed in together in their order", async () => {
    const batches = Array.from({ length: 12 }, (_, i) =>
      rig.batch(many(i % 2 === 0 ? ROUTE_ADD : ROUTE_DELETE, 1500)),
    );
    await Promise.all(batches.map((batch) => rig.os.writeRoutes(batch)));
    expect([...new Set(batches.flatMap(outcomes))]).toEqual([0]);
    expect((await rig.scan(4)).routes).toEqual([]);
  });

  it("keeps the event loop free while the kernel works", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await rig.write(many(ROUTE_ADD, 20_000));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    expect((await rig.scan(4)).outcome).toMatchObject({ complete: true, messages: 20_000 });
  });
});

describe("batch()", () => {
  it("fails whole with EMSGSIZE when it is larger than the send buffer, and nothing is applied", async () => {
    const transport = new SocketTransport({ rxBufferBytes: 65536 });
    await rig.ns.inside(() => transport.open());
    const bytes = new Uint8Array(8 << 20);
    const { errors, unknownFrom } = await transport.batch(
      bytes,
      bytes.length,
      3,
      transport.reserveSequence(3),
    );
    expect([[...errors.values()].map(({ errno }) => errno), unknownFrom]).toEqual([
      [EMSGSIZE, EMSGSIZE, EMSGSIZE],
      null,
    ]);
    await transport.close();
  });
});

describe("mayWrite()", () => {
  it("is true for root and false without CAP_NET_ADMIN, and changes nothing", async () => {
    expect(await rig.os.mayWrite()).toBe(true);
    process.seteuid?.(65534);
    try {
      expect(await rig.os.mayWrite()).toBe(false);
      expect(await rig.write(many(ROUTE_ADD, 2))).toEqual([1, 1]);
    } finally {
      process.seteuid?.(0);
    }
    expect(await rig.os.mayWrite()).toBe(true);
    expect((await rig.scan(4)).routes).toEqual([]);
  });
});
