/** Every kind of IPv6 static route; what the fields mean stands in route-kinds.ts. */

import type { RouteKind } from "./route-kinds.ts";

export const KINDS6: readonly RouteKind[] = [
  {
    kind: "gateway",
    prefix: "2001:db8:100::/48",
    yaml: { via: "2001:db8:0:1::2" },
    words: "via 2001:db8:0:1::2",
    shown:
      "unicast 2001:db8:100::/48 via 2001:db8:0:1::2 dev v0 proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "gateway and device",
    prefix: "2001:db8:101::/48",
    yaml: { via: "2001:db8:0:1::2", dev: "v0" },
    words: "via 2001:db8:0:1::2 dev v0",
    shown:
      "unicast 2001:db8:101::/48 via 2001:db8:0:1::2 dev v0 proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "device only",
    prefix: "2001:db8:102::/48",
    yaml: { dev: "v0" },
    words: "dev v0",
    shown: "unicast 2001:db8:102::/48 dev v0 proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "link-local gateway",
    prefix: "2001:db8:103::/48",
    yaml: { via: "fe80::2", dev: "w0" },
    words: "via fe80::2 dev w0",
    shown: "unicast 2001:db8:103::/48 via fe80::2 dev w0 proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "onlink",
    prefix: "2001:db8:104::/48",
    yaml: { via: "2001:db8:9::9", dev: "v1", onlink: true },
    words: "via 2001:db8:9::9 dev v1 onlink",
    shown:
      "unicast 2001:db8:104::/48 via 2001:db8:9::9 dev v1 proto 120 scope global metric 32 onlink pref medium",
  },
  {
    kind: "ECMP",
    prefix: "2001:db8:105::/48",
    yaml: { nexthops: [{ via: "2001:db8:0:1::2" }, { via: "2001:db8:0:1::3" }] },
    words: "nexthop via 2001:db8:0:1::2 nexthop via 2001:db8:0:1::3",
    shown:
      "unicast 2001:db8:105::/48 proto 120 scope global metric 32 pref medium" +
      "\\\tnexthop via 2001:db8:0:1::2 dev v0 weight 1 " +
      "\\\tnexthop via 2001:db8:0:1::3 dev v0 weight 1",
  },
  {
    kind: "ECMP with weights over several devices",
    prefix: "2001:db8:106::/48",
    yaml: {
      nexthops: [
        { via: "2001:db8:0:1::2", weight: 2 },
        { via: "2001:db8:0:2::2", dev: "w0", weight: 256 },
        { via: "fe80::9", dev: "v1", weight: 3 },
      ],
    },
    words:
      "nexthop via 2001:db8:0:1::2 weight 2 nexthop via 2001:db8:0:2::2 dev w0 weight 256 " +
      "nexthop via fe80::9 dev v1 weight 3",
    shown:
      "unicast 2001:db8:106::/48 proto 120 scope global metric 32 pref medium" +
      "\\\tnexthop via fe80::9 dev v1 weight 3 " +
      "\\\tnexthop via 2001:db8:0:1::2 dev v0 weight 2 " +
      "\\\tnexthop via 2001:db8:0:2::2 dev w0 weight 256",
  },
  {
    kind: "blackhole",
    prefix: "2001:db8:108::/48",
    yaml: { type: "blackhole" },
    words: "",
    shown: "blackhole 2001:db8:108::/48 dev lo proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "unreachable",
    prefix: "2001:db8:109::/48",
    yaml: { type: "unreachable" },
    words: "",
    shown: "unreachable 2001:db8:109::/48 dev lo proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "prohibit",
    prefix: "2001:db8:110::/48",
    yaml: { type: "prohibit" },
    words: "",
    shown: "prohibit 2001:db8:110::/48 dev lo proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "throw",
    prefix: "2001:db8:111::/48",
    yaml: { type: "throw" },
    words: "",
    shown: "throw 2001:db8:111::/48 dev lo proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "preferred source",
    prefix: "2001:db8:112::/48",
    yaml: { via: "2001:db8:0:1::2", prefsrc: "2001:db8:0:2::1" },
    words: "via 2001:db8:0:1::2 src 2001:db8:0:2::1",
    shown:
      "unicast 2001:db8:112::/48 via 2001:db8:0:1::2 dev v0 proto 120 scope global src 2001:db8:0:2::1 metric 32 pref medium",
  },
  {
    kind: "mtu",
    prefix: "2001:db8:113::/48",
    yaml: { via: "2001:db8:0:1::2", mtu: 1400 },
    words: "via 2001:db8:0:1::2 mtu 1400",
    shown:
      "unicast 2001:db8:113::/48 via 2001:db8:0:1::2 dev v0 proto 120 scope global metric 32 mtu 1400 pref medium",
  },
  {
    kind: "own metric",
    prefix: "2001:db8:114::/48",
    yaml: { via: "2001:db8:0:1::2", metric: 4_000_000_000 },
    words: "via 2001:db8:0:1::2 metric 4000000000",
    shown:
      "unicast 2001:db8:114::/48 via 2001:db8:0:1::2 dev v0 proto 120 scope global metric 4000000000 pref medium",
  },
  {
    kind: "default route",
    prefix: "default",
    yaml: { via: "2001:db8:0:1::2" },
    words: "via 2001:db8:0:1::2",
    shown: "unicast default via 2001:db8:0:1::2 dev v0 proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "host route",
    prefix: "2001:db8:115::7/128",
    yaml: { via: "2001:db8:0:1::2" },
    words: "via 2001:db8:0:1::2",
    shown: "unicast 2001:db8:115::7 via 2001:db8:0:1::2 dev v0 proto 120 scope global metric 32 pref medium",
  },
  {
    kind: "everything at once",
    prefix: "2001:db8:116:8000::/49",
    yaml: {
      via: "2001:db8:9::9",
      dev: "v0",
      onlink: true,
      prefsrc: "2001:db8:0:1::1",
      mtu: 1280,
      metric: 50,
    },
    words: "via 2001:db8:9::9 dev v0 onlink src 2001:db8:0:1::1 mtu 1280 metric 50",
    shown:
      "unicast 2001:db8:116:8000::/49 via 2001:db8:9::9 dev v0 proto 120 scope global src 2001:db8:0:1::1 metric 50 onlink mtu 1280 pref medium",
  },
];
