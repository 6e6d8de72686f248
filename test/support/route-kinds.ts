/**
 * Every kind of static route in three spellings: as an entry of krt.yaml, as a line of a route file (which are
 * also the words `ip route add` takes), and as `ip -d route` must show it. For the topology of netns.ts with a
 * second pair: w0 (10.0.1.1/24, 2001:db8:0:2::1/64) and its peer w1 without addresses.
 */

import type { RouteInput } from "../../src/config/input.ts";
import type { Family } from "../../src/lib/ip.ts";
import { KINDS6 } from "./route-kinds6.ts";

export interface RouteKind {
  readonly kind: string;
  readonly prefix: string;
  readonly yaml: Omit<RouteInput, "prefix">;
  /** After the prefix (and the type before it, if the route is not unicast). */
  readonly words: string;
  /** Of `ip -o -d route show`; krtd writes nexthops in an order of its own (device, then address). */
  readonly shown: string;
}

const KINDS4: readonly RouteKind[] = [
  {
    kind: "gateway",
    prefix: "198.51.100.0/24",
    yaml: { via: "10.0.0.2" },
    words: "via 10.0.0.2",
    shown: "unicast 198.51.100.0/24 via 10.0.0.2 dev v0 proto 120 scope global metric 32",
  },
  {
    kind: "gateway and device",
    prefix: "198.51.101.0/24",
    yaml: { via: "10.0.0.2", dev: "v0" },
    words: "via 10.0.0.2 dev v0",
    shown: "unicast 198.51.101.0/24 via 10.0.0.2 dev v0 proto 120 scope global metric 32",
  },
  {
    kind: "device only",
    prefix: "198.51.102.0/24",
    yaml: { dev: "v0" },
    words: "dev v0",
    shown: "unicast 198.51.102.0/24 dev v0 proto 120 scope link metric 32",
  },
  {
    kind: "device without addresses",
    prefix: "198.51.103.0/24",
    yaml: { dev: "v1" },
    words: "dev v1",
    shown: "unicast 198.51.103.0/24 dev v1 proto 120 scope link metric 32",
  },
  {
    kind: "onlink",
    prefix: "198.51.104.0/24",
    yaml: { via: "203.0.113.9", dev: "v1", onlink: true },
    words: "via 203.0.113.9 dev v1 onlink",
    shown: "unicast 198.51.104.0/24 via 203.0.113.9 dev v1 proto 120 scope global metric 32 onlink",
  },
  {
    kind: "ECMP",
    prefix: "198.51.105.0/24",
    yaml: { nexthops: [{ via: "10.0.0.2" }, { via: "10.0.0.3" }] },
    words: "nexthop via 10.0.0.2 nexthop via 10.0.0.3",
    shown:
      "unicast 198.51.105.0/24 proto 120 scope global metric 32 " +
      "\\\tnexthop via 10.0.0.2 dev v0 weight 1 \\\tnexthop via 10.0.0.3 dev v0 weight 1",
  },
  {
    kind: "ECMP with weights over several devices",
    prefix: "198.51.106.0/24",
    yaml: {
      nexthops: [
        { via: "10.0.0.2", weight: 2 },
        { via: "10.0.1.2", dev: "w0", weight: 256 },
        { dev: "v1", weight: 3 },
      ],
    },
    words: "nexthop via 10.0.0.2 weight 2 nexthop via 10.0.1.2 dev w0 weight 256 nexthop dev v1 weight 3",
    shown:
      "unicast 198.51.106.0/24 proto 120 scope global metric 32 " +
      "\\\tnexthop dev v1 weight 3 " +
      "\\\tnexthop via 10.0.0.2 dev v0 weight 2 " +
      "\\\tnexthop via 10.0.1.2 dev w0 weight 256",
  },
  {
    kind: "ECMP with onlink",
    prefix: "198.51.107.0/24",
    yaml: { nexthops: [{ via: "203.0.113.9", dev: "v1", onlink: true }, { via: "10.0.1.2" }] },
    words: "nexthop via 203.0.113.9 dev v1 onlink nexthop via 10.0.1.2",
    shown:
      "unicast 198.51.107.0/24 proto 120 scope global metric 32 " +
      "\\\tnexthop via 203.0.113.9 dev v1 weight 1 onlink " +
      "\\\tnexthop via 10.0.1.2 dev w0 weight 1",
  },
  {
    kind: "blackhole",
    prefix: "198.51.108.0/24",
    yaml: { type: "blackhole" },
    words: "",
    shown: "blackhole 198.51.108.0/24 proto 120 scope global metric 32",
  },
  {
    kind: "unreachable",
    prefix: "198.51.109.0/24",
    yaml: { type: "unreachable" },
    words: "",
    shown: "unreachable 198.51.109.0/24 proto 120 scope global metric 32",
  },
  {
    kind: "prohibit",
    prefix: "198.51.110.0/24",
    yaml: { type: "prohibit" },
    words: "",
    shown: "prohibit 198.51.110.0/24 proto 120 scope global metric 32",
  },
  {
    kind: "throw",
    prefix: "198.51.111.0/24",
    yaml: { type: "throw" },
    words: "",
    shown: "throw 198.51.111.0/24 proto 120 scope global metric 32",
  },
  {
    kind: "preferred source",
    prefix: "198.51.112.0/24",
    yaml: { via: "10.0.0.2", prefsrc: "10.0.1.1" },
    words: "via 10.0.0.2 src 10.0.1.1",
    shown: "unicast 198.51.112.0/24 via 10.0.0.2 dev v0 proto 120 scope global src 10.0.1.1 metric 32",
  },
  {
    kind: "mtu",
    prefix: "198.51.113.0/24",
    yaml: { via: "10.0.0.2", mtu: 1400 },
    words: "via 10.0.0.2 mtu 1400",
    shown: "unicast 198.51.113.0/24 via 10.0.0.2 dev v0 proto 120 scope global metric 32 mtu 1400",
  },
  {
    kind: "own metric",
    prefix: "198.51.114.0/24",
    yaml: { via: "10.0.0.2", metric: 4_000_000_000 },
    words: "via 10.0.0.2 metric 4000000000",
    shown: "unicast 198.51.114.0/24 via 10.0.0.2 dev v0 proto 120 scope global metric 4000000000",
  },
  {
    kind: "default route",
    prefix: "default",
    yaml: { via: "10.0.0.2" },
    words: "via 10.0.0.2",
    shown: "unicast default via 10.0.0.2 dev v0 proto 120 scope global metric 32",
  },
  {
    kind: "host route",
    prefix: "198.51.115.7/32",
    yaml: { via: "10.0.0.2" },
    words: "via 10.0.0.2",
    shown: "unicast 198.51.115.7 via 10.0.0.2 dev v0 proto 120 scope global metric 32",
  },
  {
    kind: "everything at once",
    prefix: "198.51.116.128/25",
    yaml: { via: "203.0.113.9", dev: "v0", onlink: true, prefsrc: "10.0.0.1", mtu: 1280, metric: 50 },
    words: "via 203.0.113.9 dev v0 onlink src 10.0.0.1 mtu 1280 metric 50",
    shown:
      "unicast 198.51.116.128/25 via 203.0.113.9 dev v0 proto 120 scope global src 10.0.0.1 metric 50 onlink mtu 1280",
  },
];

export const ROUTE_KINDS: Readonly<Record<Family, readonly RouteKind[]>> = { 4: KINDS4, 6: KINDS6 };
