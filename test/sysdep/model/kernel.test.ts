/**
 * The model kernel against transcripts of the real one: each case is a list of `ip` commands with the error
 * Linux 6.18 gave (none: success), and what `ip route` showed at the end. The live property test goes on where
 * these stop; here is what people should be able to read.
 */

import { describe, expect, it } from "vitest";
import { ModelKernel } from "../../../src/sysdep/model/index.ts";
import { modelIp, modelIpAll } from "../../support/model-ip.ts";
import { modelDump } from "../../support/route-dump.ts";

const TOPOLOGY = [
  "link add d0 type ifb",
  "link add d1 type ifb",
  "link set d0 up",
  "link set d1 up",
  "addr add 10.0.0.1/24 dev d0",
  "addr add 10.1.0.1/24 dev d1",
  "addr add 2001:db8::1/64 dev d0",
  "addr add 2001:db8:1::1/64 dev d1",
];

function topology(): ModelKernel {
  const kernel = new ModelKernel();
  modelIpAll(kernel, TOPOLOGY);
  return kernel;
}

/** The lines of one net, without the net. */
function shown(kernel: ModelKernel, net: string): string[] {
  return modelDump(kernel)
    .filter((line) => line.startsWith(`${net}: `))
    .map((line) => line.slice(net.length + 2));
}

const REFUSALS: readonly (readonly [command: string, text: string])[] = [
  ["route add 192.0.2.0/24 via 10.9.9.9", "Error: Nexthop has invalid gateway."],
  ["route add 192.0.2.0/24 via 10.0.0.2 dev d1", "Error: Nexthop has invalid gateway."],
  ["route add 192.0.2.0/24 via 10.0.0.255", "Error: Nexthop has invalid gateway."],
  ["route add 192.0.2.0/24 via 10.0.0.2 src 10.9.1.1", "Error: Invalid prefsrc address."],
  ["route add 192.0.2.1/24 dev d0", "Error: Invalid prefix for given prefix length."],
  [
    "route add blackhole 192.0.2.0/24 via 10.0.0.2",
    "Error: Gateway, device and multipath can not be specified for this route type.",
  ],
  ["route add 192.0.2.0/24", "RTNETLINK answers: No such device"],
  ["route add 192.0.2.0/24 via 10.0.0.2 onlink", "Error: Nexthop device required for onlink."],
  ["route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.9.9.9", "Error: Nexthop has invalid gateway."],
  ["route add 192.0.2.0/24 via 10.0.0.2 congctl no-such", "Error: Unknown tcp congestion algorithm."],
  ["route add 2001:db8:9::/48 via 2001:db8::2 congctl no-such", "Error: Unknown tcp congestion algorithm."],
  ["route change 192.0.2.0/24 via 10.0.0.2", "RTNETLINK answers: No such file or directory"],
  ["route del 192.0.2.0/24", "RTNETLINK answers: No such process"],
  ["route add 2001:db8:9::/48 via 2001:db8:77::1", "RTNETLINK answers: No route to host"],
  ["route add 2001:db8:9::/48 via 2001:db8::1", "Error: Gateway can not be a local address."],
  ["route add 2001:db8:9::/48 via 2001:db8::2 dev d1", "RTNETLINK answers: No route to host"],
  ["route add 2001:db8:9::/48 via 2001:db8::2 src 2001:db8::9", "Error: Invalid source address."],
  ["route add 2001:db8:9::/48 via fe80::1", "Error: Egress device not specified."],
  ["route change 2001:db8:9::/48 via 2001:db8::2", "Error: Can not replace route - no match found."],
  [
    "route add 2001:db8:9::/48 nexthop via 2001:db8::2 nexthop dev d0",
    "Error: Device only routes can not be added for IPv6 using the multipath API.",
  ],
  [
    "route add 2001:db8:9::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::2",
    "RTNETLINK answers: File exists",
  ],
  ["addr add 10.0.0.1/24 dev d0", "Error: ipv4: Address already assigned."],
  ["addr del 2001:db8:5::1/64 dev d0", "Error: ipv6: address not found."],
];

describe("ModelKernel refuses what Linux refuses, in its words", () => {
  for (const [command, text] of REFUSALS) {
    it(command, () => {
      const kernel = topology();
      const before = modelDump(kernel);
      expect(modelIp(kernel, command).text).toBe(text);
      expect(modelDump(kernel)).toEqual(before);
    });
  }
});

describe("ModelKernel orders IPv4 aliases", () => {
  it("inserts before the first, appends after the last, replaces the first whoever owns it", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 192.0.2.0/24 dev d0",
      "route append 192.0.2.0/24 dev d0 scope host",
      "route append blackhole 192.0.2.0/24",
    ]);
    expect(modelIp(kernel, "route replace 192.0.2.0/24 dev d0 scope host").text).toBe(
      "RTNETLINK answers: File exists",
    );
    modelIpAll(kernel, [
      "route replace 192.0.2.0/24 via 10.0.0.2 proto 120",
      "route prepend 192.0.2.0/24 via 10.0.0.3",
    ]);
    expect(shown(kernel, "main 192.0.2.0/24")).toEqual([
      "unicast proto boot scope global tos 0 metric 0 | via 10.0.0.3 dev d0 weight 1",
      "unicast proto 120 scope global tos 0 metric 0 | via 10.0.0.2 dev d0 weight 1",
      "unicast proto boot scope host tos 0 metric 0 | dev d0 weight 1",
      "blackhole proto boot scope global tos 0 metric 0",
    ]);
  });

  it("sorts by tos downwards, then by metric upwards", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 192.0.2.0/24 dev d0 metric 9",
      "route add 192.0.2.0/24 dev d0 tos 0x10 metric 7",
      "route add 192.0.2.0/24 dev d0 metric 3",
    ]);
    expect(shown(kernel, "main 192.0.2.0/24").map((line) => line.match(/tos \d+ metric \d+/)?.[0])).toEqual([
      "tos 16 metric 7",
      "tos 0 metric 3",
      "tos 0 metric 9",
    ]);
  });
});

describe("ModelKernel removes IPv4 routes silently", () => {
  it("when the device goes down, from all tables; only connected routes return", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 192.0.2.0/24 via 10.0.0.2",
      "route add 192.0.2.0/24 via 10.0.0.2 table 1000",
    ]);
    const events: string[] = [];
    kernel.listen(
      (event) => event.kind === "route" && event.route.prefix.family === 4 && events.push("route"),
    );
    modelIpAll(kernel, ["link set d0 down"]);
    expect(events).toEqual([]);
    modelIpAll(kernel, ["link set d0 up"]);
    expect(modelDump(kernel).filter((line) => !line.includes(":: ") && line.includes("d0"))).toEqual([
      "main 10.0.0.0/24: unicast proto kernel scope link tos 0 metric 0 src 10.0.0.1 | dev d0 weight 1",
      "main fe80::/64: unicast proto kernel scope global tos 0 metric 256 | dev d0 weight 1",
    ]);
  });

  it("when the last address goes; a multipath route keeps the dead nexthop until the address returns", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.1.0.2 weight 3",
      "route add 198.51.100.0/24 dev d1",
      "addr del 10.1.0.1/24 dev d1",
    ]);
    const head = "unicast proto boot scope global tos 0 metric 0 | via 10.0.0.2 dev d0 weight 1";
    expect(shown(kernel, "main 198.51.100.0/24")).toEqual([]);
    expect(shown(kernel, "main 192.0.2.0/24")).toEqual([`${head} | via 10.1.0.2 dev d1 weight 3 dead`]);
    modelIpAll(kernel, ["addr add 10.1.0.1/24 dev d1"]);
    expect(shown(kernel, "main 192.0.2.0/24")).toEqual([`${head} | via 10.1.0.2 dev d1 weight 3`]);
  });

  it("when one device of a multipath route is deleted: the whole route", () => {
    const kernel = topology();
    modelIpAll(kernel, ["route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.1.0.2", "link del d1"]);
    expect(shown(kernel, "main 192.0.2.0/24")).toEqual([]);
  });

  it("but says so when a prefsrc goes from table main, and leaves other tables alone", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "addr add 10.2.0.1/24 dev d0",
      "route add 192.0.2.0/24 via 10.0.0.2 src 10.2.0.1",
      "route add 192.0.2.0/24 via 10.0.0.2 src 10.2.0.1 table 1000",
    ]);
    const gone: number[] = [];
    kernel.listen((event) => {
      if (event.kind === "route" && event.gone && event.route.prefsrc !== null)
        gone.push(event.route.protocol);
    });
    modelIpAll(kernel, ["addr del 10.2.0.1/24 dev d0"]);
    expect(gone).toContain(3);
    expect(shown(kernel, "main 192.0.2.0/24")).toEqual([]);
    expect(shown(kernel, "1000 192.0.2.0/24")).toHaveLength(1);
  });
});

describe("ModelKernel joins IPv6 siblings", () => {
  const net = "main 2001:db8:10::/48";
  const head = "unicast proto boot scope global tos 0 metric 1024";

  it("across protocols, and deletes all of them when no gateway is named", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 2001:db8:10::/48 via 2001:db8::2",
      "route append 2001:db8:10::/48 via 2001:db8::3 proto static",
    ]);
    expect(shown(kernel, net)).toEqual([
      `${head} | via 2001:db8::2 dev d0 weight 1 | via 2001:db8::3 dev d0 weight 1`,
    ]);
    modelIpAll(kernel, ["route del 2001:db8:10::/48 proto static"]);
    expect(shown(kernel, net)).toEqual([]);
  });

  it("undoes a multipath append of which one nexthop is there already", () => {
    const kernel = topology();
    modelIpAll(kernel, ["route add 2001:db8:10::/48 via 2001:db8::2"]);
    const append = "route append 2001:db8:10::/48 nexthop via 2001:db8::3 nexthop via 2001:db8::2";
    expect(modelIp(kernel, append).text).toBe("RTNETLINK answers: File exists");
    expect(shown(kernel, net)).toEqual([`${head} | via 2001:db8::2 dev d0 weight 1`]);
  });

  it("replaces within the class first, and falls back to the first of the metric", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 2001:db8:10::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3",
      "route append 2001:db8:10::/48 dev d1",
      "route replace 2001:db8:10::/48 dev d0",
    ]);
    expect(shown(kernel, net)).toEqual([
      `${head} | via 2001:db8::2 dev d0 weight 1 | via 2001:db8::3 dev d0 weight 1`,
      `${head} | dev d0 weight 1`,
    ]);
    modelIpAll(kernel, [
      "route del 2001:db8:10::/48 dev d0",
      "route replace 2001:db8:10::/48 via 2001:db8::7",
    ]);
    expect(shown(kernel, net)).toEqual([`${head} | via 2001:db8::7 dev d0 weight 1`]);
  });

  it("hides a device route that stands between two siblings from the dump", () => {
    const kernel = topology();
    modelIpAll(kernel, [
      "route add 2001:db8:10::/48 via 2001:db8::2",
      "route append 2001:db8:10::/48 dev d1",
      "route append 2001:db8:10::/48 via 2001:db8::3",
    ]);
    expect(shown(kernel, net)).toHaveLength(1);
    modelIpAll(kernel, ["route del 2001:db8:10::/48 via 2001:db8::3"]);
    expect(shown(kernel, net)).toHaveLength(2);
  });

  it("loses all IPv6 addresses when the device goes down, and announces every route", () => {
    const kernel = topology();
    modelIpAll(kernel, ["route add 2001:db8:10::/48 via 2001:db8::2"]);
    const gone: string[] = [];
    kernel.listen((event) => {
      if (event.kind === "route" && event.gone && event.route.protocol === 3) gone.push("route");
      if (event.kind === "address" && event.gone) gone.push("address");
    });
    modelIpAll(kernel, ["link set d0 down", "link set d0 up"]);
    expect(gone).toEqual(["route", "address", "address"]);
    expect(modelDump(kernel).some((line) => line.includes("2001:db8::/64"))).toBe(false);
  });
});

describe("ModelKernel numbers links", () => {
  it("gives an index again when asked to", () => {
    const kernel = new ModelKernel();
    modelIpAll(kernel, ["link add d0 index 7 type ifb", "link del d0", "link add d1 index 7 type ifb"]);
    expect(kernel.links.get(7)?.name).toBe("d1");
    expect(() => kernel.addLink({ name: "d2", ifindex: 7 })).toThrow("index is in use");
  });

  it("takes both ends of a veth pair away together", () => {
    const kernel = new ModelKernel();
    modelIpAll(kernel, ["link add v0 type veth peer name v1", "link set v0 up"]);
    expect(kernel.links.carrier(kernel.links.byName("v0")!)).toBe(false);
    modelIpAll(kernel, ["link set v1 up"]);
    expect(kernel.links.carrier(kernel.links.byName("v0")!)).toBe(true);
    modelIpAll(kernel, ["link del v1"]);
    expect(kernel.links.all().map((link) => link.name)).toEqual(["lo"]);
  });
});
