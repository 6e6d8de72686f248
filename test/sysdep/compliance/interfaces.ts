/** Compliance of scanInterfaces() and monitor(). */

import { expect, it } from "vitest";
import { formatIp } from "../../../src/lib/ip.ts";
import type { AddressInfo, MonitorSink } from "../../../src/sysdep/os.ts";
import { waitFor } from "../../support/netns.ts";
import { routeText } from "../../support/route-text.ts";
import { type ComplianceRig, D0, D1 } from "./rig.ts";

const IFF_UP = 1;
const IFF_LOOPBACK = 8;
const IFF_LOWER_UP = 0x10000;
const NET4 = "192.0.2.0/24";
const NET6 = "2001:db8:10::/48";

const addressText = ({ family, w0, w1, w2, w3, length }: AddressInfo): string =>
  `${formatIp(family, w0, w1, w2, w3)}/${length}`;

async function links(rig: ComplianceRig): Promise<string[]> {
  const { outcome, links: all } = await rig.interfaces();
  expect(outcome).toMatchObject({ complete: true, reason: null });
  return all.map((link) => `${link.ifindex} ${link.name} ${(link.flags & IFF_UP) === 0 ? "down" : "up"}`);
}

export function interfaceCases(rig: () => ComplianceRig): void {
  it("shows links with flags, kind, carrier and index", async () => {
    await rig().ip("link set d1 down");
    const { links: all } = await rig().interfaces();
    const [lo, d0, d1] = ["lo", "d0", "d1"].map((name) => all.find((link) => link.name === name)!);
    expect(lo).toMatchObject({ ifindex: 1, flags: expect.any(Number), mtu: 65536, kind: null });
    expect(lo!.flags & IFF_LOOPBACK).toBe(IFF_LOOPBACK);
    expect(d0).toMatchObject({
      ifindex: D0,
      kind: "ifb",
      mtu: 1500,
      master: null,
      carrier: true,
      operstate: 0,
    });
    expect(d0!.flags & (IFF_UP | IFF_LOWER_UP)).toBe(IFF_UP | IFF_LOWER_UP);
    expect(d0!.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(d1).toMatchObject({ ifindex: D1, operstate: 2 });
    expect(d1!.flags & (IFF_UP | IFF_LOWER_UP)).toBe(0);
  });

  it("shows addresses of both families after the links, and IPv6 ones gone with the device", async () => {
    const order: string[] = [];
    await rig().os.scanInterfaces({ link: () => void order.push("l"), address: () => void order.push("a") });
    expect(order.join("")).toMatch(/^l+a+$/);
    const shown = async (): Promise<string[]> => {
      const { addresses } = await rig().interfaces();
      const global = addresses.filter((address) => address.ifindex === D0 && address.scope === 0);
      return global.map(addressText).sort();
    };
    expect(await shown()).toEqual(["10.0.0.1/24", "2001:db8::1/64"]);
    await rig().ip("link set d0 down");
    expect(await shown()).toEqual(["10.0.0.1/24"]);
  });

  it("shows a second address of a net as secondary, which goes with the first", async () => {
    await rig().ip("addr add 10.0.0.9/24 dev d0");
    const flags = async (): Promise<number[]> => {
      const { addresses } = await rig().interfaces();
      return addresses.filter((a) => a.ifindex === D0 && a.family === 4).map((a) => a.flags & 1);
    };
    expect(await flags()).toEqual([0, 1]);
    await rig().ip("addr del 10.0.0.1/24 dev d0");
    expect(await flags()).toEqual([]);
  });

  it("shows our end of a peer address, and the other one", async () => {
    await rig().ip("addr add 10.5.0.1 peer 10.5.0.2/32 dev d1");
    const { addresses } = await rig().interfaces();
    const address = addresses.find((a) => addressText(a) === "10.5.0.1/32")!;
    expect(formatIp(4, ...address.peer!)).toBe("10.5.0.2");
  });

  it("keeps the index over a rename, and gives it to another link after a removal", async () => {
    await rig().ip("link set d1 down", "link set d1 name east-1");
    expect(await links(rig())).toEqual(["1 lo up", `${D0} d0 up`, `${D1} east-1 down`]);
    await rig().ip("link del east-1", `link add d2 index ${D1} type ifb`);
    expect(await links(rig())).toEqual(["1 lo up", `${D0} d0 up`, `${D1} d2 down`]);
  });

  it("shows the master of a port", async () => {
    await rig().ip("link add br0 index 20 type bridge", "link add v0 index 21 type veth peer name v1");
    await rig().ip("link set v0 master br0");
    const master = async (): Promise<(number | null)[]> => {
      const { links: all } = await rig().interfaces();
      return all.filter((link) => link.name === "v0").map((link) => link.master);
    };
    expect(await master()).toEqual([20]);
    await rig().ip("link set v0 nomaster");
    expect(await master()).toEqual([null]);
  });

  it("reports what others do, and not what we wrote ourselves", async () => {
    const seen: string[] = [];
    const sink: MonitorSink = {
      link: (link) => seen.push(`link ${link.name} ${(link.flags & IFF_UP) === 0 ? "down" : "up"}`),
      linkGone: (ifindex) => seen.push(`gone ${ifindex}`),
      address: (address) => seen.push(`address ${addressText(address)}`),
      nexthopGone: () => {},
      addressGone: (address) => seen.push(`address gone ${addressText(address)}`),
      route: (route, change) =>
        seen.push(`${change === "gone" ? "del" : "new"} ${routeText(route).split(" |")[0]}`),
      lost: (reason) => seen.push(`lost ${reason}`),
    };
    const monitor = await rig().os.monitor(sink);
    if (monitor === null) {
      expect(rig().os.transport).toBe("node-netlink");
      return;
    }
    const expected = async (event: string, ...commands: string[]): Promise<void> => {
      await rig().ip(...commands);
      await waitFor(`${event}; seen: ${seen.join(", ")}`, () => seen.includes(event));
    };
    try {
      await rig().write(1000, { prefix: NET4, attrs: { nexthops: [{ via: "10.0.0.2" }] } });
      await expected(
        `new ${NET6} table 1000 proto 4 metric 32`,
        `route add ${NET6} via 2001:db8::2 table 1000 proto 4 metric 32`,
      );
      await expected(`del ${NET4} table 1000 proto 120 metric 32`, `route del ${NET4} table 1000 metric 32`);
      await expected("address 10.7.0.1/24", "addr add 10.7.0.1/24 dev d1");
      await expected("address gone 10.7.0.1/24", "addr del 10.7.0.1/24 dev d1");
      await expected(`del ${NET6} table 1000 proto 4 metric 32`, "link set d0 down");
      await expected("link d0 down");
      await expected(`gone ${D1}`, "link del d1");
      expect(seen.filter((event) => event.startsWith("new") && event.includes("proto 120"))).toEqual([]);
      expect(seen.filter((event) => event.startsWith("lost"))).toEqual([]);
    } finally {
      await monitor.close();
    }
    const heard = seen.length;
    await rig().ip("route add blackhole 198.51.100.0/24");
    expect(seen).toHaveLength(heard);
  });

  it("tells nothing while it is paused, forgets that in a drain, and goes on with what came since", async () => {
    const seen: string[] = [];
    const ignore = (): void => {};
    const monitor = await rig().os.monitor({
      link: ignore,
      linkGone: ignore,
      address: ignore,
      addressGone: ignore,
      nexthopGone: ignore,
      route: (route) => seen.push(routeText(route).split(" ")[1] ?? ""),
      lost: (reason) => seen.push(`lost ${reason}`),
    });
    if (monitor === null) return;
    const add = (net: string): Promise<void> => rig().ip(`route add blackhole ${net}`);
    try {
      await add("198.51.100.0/24");
      await waitFor("the first", () => seen.length > 0);
      monitor.pause();
      await add("198.51.101.0/24");
      expect(await monitor.drain()).toBe("empty");
      await add("198.51.102.0/24");
      expect(seen).toHaveLength(1);
      monitor.resume();
      await waitFor("the third", () => seen.length > 1);
      await add("198.51.103.0/24");
      await waitFor("the fourth", () => seen.length > 2);
      expect(seen).toEqual(["198.51.100.0/24", "198.51.102.0/24", "198.51.103.0/24"]);
      monitor.pause();
      await monitor.close();
      monitor.resume();
      await add("198.51.104.0/24");
      expect(seen).toHaveLength(3);
    } finally {
      await monitor.close();
    }
  });
}
