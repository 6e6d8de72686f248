import { describe, expect, it } from "vitest";
import {
  ATTRS_NEXTHOPS,
  ATTRS_OPAQUE,
  type AttrsDraft,
  NEXTHOP_ENCAP,
} from "../../../../src/nest/attrs-draft.ts";
import { decodeRoute, RouteView } from "../../../../src/sysdep/linux/rtnetlink/route.ts";
import {
  capturedMessages,
  expectedRoutes,
  placeMessage,
  routeArguments,
} from "../../../support/netlink-fixtures.ts";
import { routeText } from "../../../support/route-text.ts";

function decoded(message: Uint8Array): RouteView | null {
  const { bytes, view, start, end } = placeMessage(message);
  const route = new RouteView();
  return decodeRoute(bytes, view, start, end, route) ? route : null;
}

describe.each([{ file: "routes-ipv4" }, { file: "routes-ipv6" }] as const)(
  "decodeRoute() of $file",
  ({ file }) => {
    const captured = capturedMessages(file);
    const table = expectedRoutes(file);

    it.each(table)("reads ip route $args: $why", ({ args, expected }) => {
      const message = captured.find((candidate) => routeArguments(candidate) === args);
      const route = decoded(message!.bytes);
      expect(route && routeText(route)).toBe(expected);
    });

    it("has a row for every captured message but the 64-way ones", () => {
      const known = new Set(table.map((row) => row.args));
      const unknown = captured.filter((message) => !known.has(routeArguments(message)));
      expect(unknown.map((message) => routeArguments(message).split("nexthop").length - 1)).toEqual([64]);
    });

    it("reads 64 nexthops with their weights, sorted", () => {
      const message = captured.find((candidate) => candidate.command.split("nexthop").length === 65);
      const route = decoded(message!.bytes)!;
      expect(route.attrs.words[ATTRS_NEXTHOPS]).toBe(64);
      const weights = routeText(route).matchAll(/dev 10 weight (\d+)/g);
      expect(Array.from(weights, (match) => Number(match[1]))).toEqual(
        Array.from({ length: 64 }, (_, i) => i + 2),
      );
    });
  },
);

describe("decodeRoute()", () => {
  const find = (file: "routes-ipv4" | "routes-ipv6", args: string): Uint8Array =>
    capturedMessages(file).find((message) => routeArguments(message).startsWith(args))!.bytes;

  it("forgets everything of the message before", () => {
    const view = new RouteView();
    for (const message of [...capturedMessages("routes-ipv4"), ...capturedMessages("routes-ipv6")]) {
      const placed = placeMessage(message.bytes);
      decodeRoute(placed.bytes, placed.view, placed.start, placed.end, view);
      const fresh = decoded(message.bytes)!;
      expect(routeText(view)).toBe(routeText(fresh));
      expect(view.sourceLength).toBe(fresh.sourceLength);
      const { words, length } = view.attrs;
      expect(words.slice(0, length)).toEqual(fresh.attrs.words.slice(0, length));
    }
  });

  it("says how long the source prefix is", () => {
    expect(decoded(find("routes-ipv6", "add 2001:db8:10d::/48"))!.sourceLength).toBe(64);
    expect(decoded(find("routes-ipv6", "add 2001:db8:100::/48"))!.sourceLength).toBe(0);
  });

  it("tells different unknown things apart", () => {
    const opaque = (args: string): number => decoded(find("routes-ipv4", args))!.attrs.words[ATTRS_OPAQUE]!;
    expect(opaque("add 198.51.129.0/24 nhid 1")).not.toBe(opaque("add 198.51.130.0/24 nhid 3"));
    const changed = find("routes-ipv4", "add 198.51.125.0/24 encap").slice();
    const before = decoded(changed)!.attrs.words[10 + NEXTHOP_ENCAP];
    changed[changed.length - 20]! ^= 1;
    expect(decoded(changed)!.attrs.words[10 + NEXTHOP_ENCAP]).not.toBe(before);
  });

  it("tells what is unknown besides the nexthop object", () => {
    const of = (args: string): AttrsDraft => decoded(find("routes-ipv4", args))!.attrs;
    const object = of("add 198.51.129.0/24 nhid 1");
    expect([object.words[ATTRS_OPAQUE] !== 0, object.opaqueBesidesObject]).toEqual([true, 0]);
    const plain = of("add 198.51.100.0/24");
    expect([plain.words[ATTRS_OPAQUE], plain.opaqueBesidesObject]).toEqual([0, 0]);
  });

  it.each([
    ["shorter than rtmsg", "021800"],
    ["another family (AF_MPLS)", "1c180000fe0300010000000008000f00fe000000"],
    ["a prefix longer than an IPv4 address", "02210000fe0300010000000008000100c6336400"],
    [
      "a prefix longer than an IPv6 address",
      "0a810000fe030001000000001400010020010db8000000000000000000000000",
    ],
    ["a prefix without RTA_DST", "02180000fe0300010000000008000f00fe000000"],
    ["host bits in an IPv4 prefix", "02180000fe0300010000000008000100c6336401"],
    ["host bits in a default route", "02000000fe0300010000000008000100c6336400"],
    ["host bits in an IPv6 prefix", "0a300000fe0300010000000014000100" + "20010db8000000010000000000000001"],
    [
      "an IPv6 address as IPv4 destination",
      "02180000fe0300010000000014000100" + "20010db8000000000000000000000000",
    ],
    ["an IPv4 address as IPv6 destination", "0a300000fe0300010000000008000100c6336400"],
    ["RTA_OIF of two bytes", "02000000fe030001000000000600040001000000"],
    ["RTA_GATEWAY of eight bytes", "02000000fe030001000000000c0005000a0000090a000009"],
    ["RTA_VIA of no known family", "02000000fe030001000000000a0012001c000a0000090000"],
    ["RTA_VIA without an address", "02000000fe030001000000000600120002000000"],
    ["an attribute that ends after the message", "02000000fe0300010000000010000400010000000000"],
    ["an attribute shorter than its header", "02000000fe0300010000000003000400"],
    ["an rtnexthop that ends after its attribute", "02000000fe030001000000000c000900100000000a000000"],
    ["an rtnexthop shorter than itself", "02000000fe030001000000000c000900070000000a000000"],
    ["half an rtnexthop", "02000000fe030001000000000800090008000000"],
    ["an IPv6 address as RTA_GATEWAY of an IPv4 route", `02000000fe0300010000000014000500${"00".repeat(16)}`],
    ["RTA_PREFSRC of another family", `02000000fe0300010000000014000700${"00".repeat(16)}`],
    ["RTA_PREFSRC of two bytes", "02000000fe030001000000000600070001000000"],
    ["RTA_PREF of no bytes", "02000000fe0300010000000004001400"],
    [
      "an attribute that ends after its rtnexthop",
      "02000000fe03000100000000" + "10000900" + "0c0000000a000000" + "08000500",
    ],
    ["a metric that ends after RTA_METRICS", "02000000fe03000100000000" + "08000800" + "08000200"],
    ["a metric of two bytes", "02000000fe030001000000000c0008000600020078050000"],
  ])("refuses %s", (_why, hex) => {
    expect(decoded(new Uint8Array(Buffer.from(hex, "hex")))).toBeNull();
  });

  it.each([
    [
      "a unicast route with only a nexthop id",
      "02000000fe0300010000000008001e0001000000",
      "0.0.0.0/0 proto 3 | opaque",
    ],
    [
      "a gateway without a device",
      "02000000fe03000100000000080005000a000009",
      "0.0.0.0/0 proto 3 | via 10.0.0.9 dev 0",
    ],
    ["padding", "02000000fe0300010000000004001800", "0.0.0.0/0 proto 3"],
    ["an attribute of tomorrow", "02000000fe0300010000000004007f00", "0.0.0.0/0 proto 3 | opaque"],
    [
      "a metric of tomorrow",
      "02000000fe030001000000000c0008000800120078050000",
      "0.0.0.0/0 proto 3 | opaque",
    ],
    ["a metric of 0, which is none", "02000000fe030001000000000c0008000800020000000000", "0.0.0.0/0 proto 3"],
    [
      "an encapsulation without nexthop",
      "02000000fe0300010000000006001500020000",
      "0.0.0.0/0 proto 3 | opaque",
    ],
    [
      "an rtnexthop whose length is not a multiple of 4",
      "02000000fe03000100000000" + "1c000900" + "0d0000000a000000" + "05001800ff000000" + "080000000c000000",
      "0.0.0.0/0 proto 3 | dev 10 | dev 12",
    ],
    [
      "RTA_MULTIPATH of a blackhole, which has no nexthops",
      "02000000fe03000600000000" + "0c000900" + "080000000a000000",
      "blackhole 0.0.0.0/0 proto 3",
    ],
    ["a realm of IPv6", "0a000000fe0300010000000008000b0001000000", "::/0 proto 3 | opaque"],
    [
      "flag bits in an attribute type",
      "02000000fe030001000000000800048001000000",
      "0.0.0.0/0 proto 3 | dev 1",
    ],
  ])("accepts %s", (_why, hex, expected) => {
    expect(routeText(decoded(new Uint8Array(Buffer.from(hex, "hex")))!)).toBe(expected);
  });

  it("keeps nothing of a gateway that another replaces", () => {
    const gateway = "080005000a000009";
    const via = `160012000a00${"ff".repeat(16)}0000`;
    const words = (attributes: string): Int32Array => {
      const message = Buffer.from(`02000000fe03000100000000${attributes}`, "hex");
      const { attrs } = decoded(new Uint8Array(message))!;
      return attrs.words.slice(0, attrs.length);
    };
    expect(words(via + gateway)).toEqual(words(gateway));
  });
});
