/** Notifications of the real kernel: what is told, what is not, losses and forgeries. */

import { execFileSync, spawn } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  AF_NETLINK,
  NETLINK_ROUTE,
  RTM_NEWROUTE,
  SOCK_RAW,
} from "../../src/sysdep/linux/netlink/constants.ts";
import * as libc from "../../src/sysdep/linux/netlink/libc.ts";
import { buildRequest } from "../../src/sysdep/linux/netlink/message.ts";
import { type Monitor, type MonitorSink, ROUTE_ADD, ROUTE_DELETE } from "../../src/sysdep/os.ts";
import { waitFor } from "../support/netns.ts";
import { OsRig } from "../support/os-rig.ts";
import { routeText } from "../support/route-text.ts";

let rig: OsRig;
let seen: string[];
let monitor: Monitor | null = null;

const sink: MonitorSink = {
  link: ({ name, flags }) => seen.push(`link ${name} ${(flags & 1) !== 0 ? "up" : "down"}`),
  linkGone: () => seen.push("link gone"),
  address: ({ family, length }) => seen.push(`address ${family} /${length}`),
  nexthopGone: () => {},
  addressGone: ({ family, length }) => seen.push(`address ${family} /${length} gone`),
  route: (route, change) =>
    seen.push(`${change === "gone" ? "-" : "+"} ${routeText(route).split(" ")[0]} ${route.protocol}`),
  lost: (reason) => seen.push(`lost: ${reason}`),
};

async function start(rxBufferBytes?: number): Promise<void> {
  rig = await OsRig.create(rxBufferBytes);
  monitor = await rig.os.monitor(sink);
}

/** Waits until `line` is the last thing seen of what interests. */
const see = (line: string) => waitFor(`${line} among ${seen.join(", ")}`, () => seen.includes(line));

beforeEach(() => {
  seen = [];
});

afterEach(async () => {
  await monitor?.close();
  await rig.dispose();
});

describe("scanInterfaces()", () => {
  it("ends when all is told that happened before it looked, though nobody had read it", async () => {
    await start();
    // The event loop stands still meanwhile: the notifications wait in the socket.
    const ip = (line: string) => execFileSync("ip", ["-n", rig.ns.name, ...line.split(" ")]);
    for (let i = 0; i < 200; i++) ip(`route add 192.0.2.${i}/32 via 10.0.0.2 dev v0`);
    ip("link set v0 down");
    const told: string[] = [];
    const outcome = await rig.os.scanInterfaces({
      link: ({ name }) => {
        if (name === "v0") told.push(...seen);
      },
      address: () => {},
    });
    expect(outcome.complete).toBe(true);
    // The kernel may add routes of its own to the link meanwhile.
    expect(told.filter((line) => line.startsWith("+ 192.0.2."))).toHaveLength(200);
    expect(told).toContain("link v0 down");
  });
});

describe("monitor()", () => {
  it("tells routes of others that come, change and go, of both families", async () => {
    await start();
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2");
    await rig.ns.ip("route replace 192.0.2.0/24 via 10.0.0.3");
    await rig.ns.ip("route del 192.0.2.0/24");
    await rig.ns.ip("-6 route add 2001:db8:2::/48 via 2001:db8:0:1::2");
    await see("+ 2001:db8:2::/48 3");
    expect(seen).toEqual(["+ 192.0.2.0/24 3", "+ 192.0.2.0/24 3", "- 192.0.2.0/24 3", "+ 2001:db8:2::/48 3"]);
  });

  it("tells the port of who did it, mostly the process id", async () => {
    await start();
    const ports: number[] = [];
    await monitor?.close();
    monitor = await rig.os.monitor({ ...sink, route: (_route, _change, port) => void ports.push(port) });
    const child = spawn("ip", ["-n", rig.ns.name, "route", "add", "192.0.2.0/24", "via", "10.0.0.2"]);
    await waitFor("the event", () => ports.length > 0);
    expect(ports).toEqual([child.pid]);
    await rig.ns.ip("link set v1 down");
    await waitFor("what the kernel did by itself", () => ports.length > 1);
    expect(ports.slice(1).every((port) => port === 0)).toBe(true);
  });

  it("leaves out what our own command socket changed", async () => {
    await start();
    const attrs = { nexthops: [{ via: "10.0.0.2" }] };
    await rig.write([{ op: ROUTE_ADD, prefix: "198.51.100.0/24", attrs }]);
    await rig.write([{ op: ROUTE_DELETE, prefix: "198.51.100.0/24", attrs }]);
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2 proto 120");
    await see("+ 192.0.2.0/24 120");
    expect(seen).toEqual(["+ 192.0.2.0/24 120"]);
  });

  it("is not flooded by a push of its own, however small its buffer", async () => {
    await start(4096);
    const attrs = { nexthops: [{ via: "10.0.0.2" }] };
    const prefixes = Array.from({ length: 5000 }, (_, i) => `12.${i >> 8}.${i & 255}.0/24`);
    await rig.write(prefixes.map((prefix) => ({ op: ROUTE_ADD, prefix, attrs })));
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2");
    await see("+ 192.0.2.0/24 3");
    expect(seen).toEqual(["+ 192.0.2.0/24 3"]);
    expect(rig.os.counters.overruns).toBe(0);
  });

  it("tells links and addresses that come and go", async () => {
    await start();
    await rig.ns.ip("link add x0 type veth peer name x1");
    await rig.ns.ip("addr add 10.9.0.1/16 dev x0");
    await rig.ns.ip("link set x0 up");
    await see("link x0 up");
    await see("address 4 /16");
    await rig.ns.ip("link del x0");
    await see("link gone");
    expect(seen).toContain("address 4 /16 gone");
  });

  it("does not take a port that leaves its bridge for a link that goes", async () => {
    await start();
    await rig.ns.ip("link add br0 type bridge");
    await rig.ns.ip("link set v1 master br0");
    await rig.ns.ip("link set v1 nomaster");
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2");
    await see("+ 192.0.2.0/24 3");
    expect(seen).not.toContain("link gone");
  });

  it("tells a loss when it could not read fast enough, and goes on hearing afterwards", async () => {
    await start(4096);
    const lines = Array.from({ length: 3000 }, (_, i) => `route add 12.0.${i >> 8}.${i & 255} via 10.0.0.2`);
    // Synchronous on purpose: nothing is read while the kernel notifies.
    execFileSync("ip", ["-n", rig.ns.name, "-batch", "-"], { input: `${lines.join("\n")}\n` });
    await waitFor("the loss is told", () => seen.some((line) => line.startsWith("lost: ")));
    expect(rig.os.counters.overruns).toBeGreaterThan(0);
    expect(seen[0]).toBe("lost: the receive buffer overflowed");
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2");
    await see("+ 192.0.2.0/24 3");
  });

  it("ignores and counts what a process sent to the group, not the kernel", async () => {
    await start();
    const payload = Uint8Array.from([2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 203, 0, 113, 0]);
    const forged = buildRequest(RTM_NEWROUTE, 0, 0, payload);
    const fd = rig.ns.inside(() => libc.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    try {
      // sockaddr_nl with nl_groups: group 7 (RTNLGRP_IPV4_ROUTE) is bit 6.
      const group = Uint8Array.from([AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 1 << 6, 0, 0, 0]);
      expect(libc.sendto(fd, forged, forged.length, group)).toBeGreaterThanOrEqual(-111);
    } finally {
      libc.close(fd);
    }
    await waitFor("the forgery is counted", () => rig.os.counters.forged === 1);
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2");
    await see("+ 192.0.2.0/24 3");
    expect(seen).toEqual(["+ 192.0.2.0/24 3"]);
  });

  it("is silent once closed and can start again", async () => {
    await start();
    await monitor?.close();
    await rig.ns.ip("route add 192.0.2.0/24 via 10.0.0.2");
    monitor = await rig.os.monitor(sink);
    await rig.ns.ip("route add 198.51.100.0/24 via 10.0.0.2");
    await see("+ 198.51.100.0/24 3");
    expect(seen).toEqual(["+ 198.51.100.0/24 3"]);
  });
});
