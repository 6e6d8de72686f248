/** Reading the real kernel: routes of one table, interfaces, and ends of all kinds. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NETLINK_GET_STRICT_CHK } from "../../src/sysdep/linux/netlink/constants.ts";
import { createReceiveBuffer, openSocket } from "../../src/sysdep/linux/netlink/socket.ts";
import { SocketTransport } from "../../src/sysdep/linux/netlink/socket-transport.ts";
import { RouteScanner } from "../../src/sysdep/linux/scan.ts";
import type { AddressInfo, LinkInfo } from "../../src/sysdep/os.ts";
import { OsRig } from "../support/os-rig.ts";

const COUNT = 3000;

let rig: OsRig;

beforeAll(async () => {
  rig = await OsRig.create();
  await rig.ns.batch([
    ...Array.from({ length: COUNT }, (_, i) => `route add 11.0.${i >> 8}.${i & 255} via 10.0.0.2 table 1000`),
    ...Array.from(
      { length: COUNT },
      (_, i) => `route add 2001:db8:${i.toString(16)}::/48 via 2001:db8:0:1::2 table 1000`,
    ),
    "route add 192.0.2.0/24 via 10.0.0.3",
  ]);
});

afterAll(() => rig.dispose());

describe("scanRoutes()", () => {
  it.each([4, 6] as const)("shows every route of the table and no other, IPv%i", async (family) => {
    const { outcome, routes } = await rig.scan(family);
    expect(outcome).toEqual({ complete: true, reason: null, messages: COUNT });
    expect(new Set(routes).size).toBe(COUNT);
    expect(routes.every((route) => route.includes("table 1000"))).toBe(true);
  });

  it("shows main without the other tables", async () => {
    const { outcome, routes } = await rig.scan(4, 254);
    expect(outcome.complete).toBe(true);
    expect(routes.map((route) => route.split(" ")[0])).toEqual(["10.0.0.0/24", "192.0.2.0/24"]);
  });

  it.each([4, 6] as const)("takes a table that does not exist as empty, IPv%i", async (family) => {
    expect(await rig.scan(family, 4242)).toEqual({
      outcome: { complete: true, reason: null, messages: 0 },
      routes: [],
    });
  });

  it("answers several scans asked for at once, one after the other", async () => {
    const scans = await Promise.all([rig.scan(4), rig.scan(6), rig.scan(4, 254), rig.scan(4)]);
    expect(scans.map(({ outcome, routes }) => [outcome.complete, routes.length])).toEqual([
      [true, COUNT],
      [true, COUNT],
      [true, 2],
      [true, COUNT],
    ]);
  });

  it.each([4, 6] as const)(
    "gives the same without strict checking, by filtering itself, IPv%i",
    async (family) => {
      const transport = new SocketTransport({
        rxBufferBytes: 65536,
        open: (options) =>
          openSocket({
            ...options,
            options: options.options.filter(({ option }) => option !== NETLINK_GET_STRICT_CHK),
          }),
      });
      await rig.ns.inside(() => transport.open());
      try {
        let count = 0;
        const outcome = await new RouteScanner(transport).scan(
          { family, table: 1000 },
          { route: () => count++ },
        );
        expect([outcome.complete, count]).toEqual([true, COUNT]);
        expect(outcome.messages).toBeGreaterThan(COUNT);
      } finally {
        await transport.close();
      }
    },
  );
});

describe("the first dump of a socket", () => {
  it("shows a route too large for the kernel's smallest frame, and all that stand after it", async () => {
    const other = await OsRig.create();
    try {
      const hops = Array.from({ length: 250 }, (_, i) => `nexthop via 10.0.0.${i + 2} weight 2`).join(" ");
      await other.ns.ip(`route add 192.0.2.0/24 table 1000 ${hops}`);
      await other.ns.ip("route add 198.51.100.0/24 via 10.0.0.2 table 1000");
      const { outcome, routes } = await other.scan(4);
      expect(outcome).toEqual({ complete: true, reason: null, messages: 2 });
      expect(routes.map((route) => route.split(" via ").length - 1)).toEqual([250, 1]);
    } finally {
      await other.dispose();
    }
  });
});

describe("scanInterfaces()", () => {
  it("shows links, then addresses of both families", async () => {
    const links: LinkInfo[] = [];
    const addresses: AddressInfo[] = [];
    const outcome = await rig.os.scanInterfaces({
      link(link) {
        expect(addresses).toEqual([]);
        links.push(link);
      },
      address: (address) => addresses.push(address),
    });
    expect(outcome).toMatchObject({ complete: true, reason: null });
    expect(links.map(({ name, kind }) => [name, kind])).toEqual([
      ["lo", null],
      ["v1", "veth"],
      ["v0", "veth"],
    ]);
    const onV0 = addresses.filter(({ ifindex, scope }) => ifindex === rig.v0 && scope === 0);
    expect(onV0.map(({ family, w0, length }) => [family, w0, length])).toEqual([
      [4, 0x0a000001, 24],
      [6, 0x20010db8, 64],
    ]);
  });
});

describe("close()", () => {
  it("ends dumps under way within the receive time-out and is idempotent", async () => {
    const other = await OsRig.create();
    try {
      const scans = [4, 6, 4].map((family) => other.scan(family as 4 | 6));
      const start = performance.now();
      await other.os.close();
      await other.os.close();
      for (const { outcome } of await Promise.all(scans)) {
        if (!outcome.complete) expect(outcome.reason).toBe("the transport was closed");
      }
      expect(performance.now() - start).toBeLessThan(2000);
      await expect(other.os.mayWrite()).rejects.toMatchObject({ code: "not-open" });
    } finally {
      await other.dispose();
    }
  });

  it("wakes a read that waits in the thread pool, without waiting for its time-out", async () => {
    const socket = rig.ns.inside(() =>
      openSocket({ receiveBufferBytes: 65536, sendBufferBytes: null, options: [], receiveTimeoutMs: 60_000 }),
    );
    const read = socket.receive(createReceiveBuffer());
    const start = performance.now();
    await socket.close();
    expect(await read).toBeGreaterThan(0);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe("receive()", () => {
  it("gives the errno of the call itself, though it ran on another thread", async () => {
    const socket = rig.ns.inside(() =>
      openSocket({ receiveBufferBytes: 65536, sendBufferBytes: 4096, options: [], receiveTimeoutMs: 20 }),
    );
    const buffer = createReceiveBuffer();
    const big = new Uint8Array(4 << 20);
    // Both fail at the same time, each with its own number: EAGAIN (11) and EMSGSIZE (90).
    const results = await Promise.all([socket.receive(buffer), socket.send(big, big.length)]);
    expect(results).toEqual([-11, -90]);
    await socket.close();
  });
});
