/**
 * Routes of everybody else, in every shape we know of, for the topology of netns.ts.
 * Many share prefix or metric with the routes krtd keeps in the test: prefixes 1 to 4 of families.ts, metric 32.
 */

import type { FamilyCase } from "./families.ts";

/**
 * Numbers only: in a batch, `ip` takes a name it has just seen for the number that came after it.
 * These are kernel, boot, static, ra, zebra, bird, dhcp, keepalived, bgp, and nobody known.
 */
const PROTOCOLS = [2, 3, 4, 9, 11, 12, 16, 18, 186, 77];

/** Lines for `ip -batch`. */
export function foreignCommands({ family, gateway, otherGateway, net }: FamilyCase): string[] {
  const routes = [
    // Each protocol: at a prefix of krtd with metrics below and above, and at one of its own with krtd's metric.
    ...PROTOCOLS.flatMap((protocol, i) => [
      `${net(1)} via ${gateway} metric ${10 + i} proto ${protocol}`,
      `${net(2)} dev v1 metric ${100 + i} proto ${protocol}`,
      `${net(100 + i)} via ${gateway} metric 32 proto ${protocol}`,
      `blackhole ${net(120 + i)} metric 32 proto ${protocol}`,
    ]),
    `${net(3)} metric 33 proto 11 nexthop via ${gateway} weight 2 nexthop via ${otherGateway}`,
    `${net(140)} metric 32 proto 12 nexthop via ${gateway} nexthop via ${otherGateway} weight 7`,
    `${net(141)} via ${gateway} dev v0 proto 16 src ${family === 4 ? "10.0.0.1" : "2001:db8:0:1::1"} metric 32`,
    `${net(142)} via ${gateway} mtu lock 1400 advmss 1300 hoplimit 9 metric 32 proto 3`,
    `unreachable ${net(4)} metric 4000 proto 4`,
    `prohibit ${net(143)} metric 32 proto 4`,
    `throw ${net(144)} metric 32 proto 4`,
    `${net(145)} nhid ${family} metric 32 proto 11`,
    `default via ${gateway} metric 100 proto 16`,
    `default via ${otherGateway} metric 32 proto 9`,
    // krtd's own protocol number, but in tables that it does not keep.
    `${net(1)} via ${gateway} metric 32 table 1000 proto 120`,
    `blackhole ${net(1)} metric 32 table 4000000000 proto 120`,
    `${net(2)} via ${gateway} metric 32 table 1000 proto 4`,
    `local ${net(146)} dev lo table local proto 4`,
    `${net(147)} via ${family === 4 ? "203.0.113.7" : "2001:db8:7::7"} dev v1 onlink metric 32 proto 4`,
  ];
  const special = family === 4 ? V4_ONLY : [];
  // Aliases (IPv4) and siblings of one multipath route (IPv6) that belong to different programs.
  const appended = [
    `${net(148)} via ${gateway} metric 32 proto 11`,
    `${net(148)} via ${otherGateway} metric 32 proto 12`,
    `${net(3)} via ${gateway} metric 34 proto 4`,
    `${net(3)} via ${otherGateway} metric 34 proto 16`,
  ];
  return [
    `nexthop add id ${family} via ${otherGateway} dev v0`,
    ...[...routes, ...special].map((route) => `route add ${route}`),
    ...appended.map((route) => `route append ${route}`),
  ];
}

/** What IPv6 does not have: type of service, scopes, realms, further types, gateways of the other family. */
const V4_ONLY = [
  "198.18.1.0/24 tos 0x10 via 10.0.0.2 metric 32 proto 4",
  "198.18.150.0/24 dev v0 scope host metric 32 proto 4",
  "198.18.151.0/24 via 10.0.0.2 realm 5/6 metric 32 proto 4",
  "198.18.152.0/24 via inet6 2001:db8:0:1::9 dev v0 metric 32 proto 12",
  "broadcast 198.18.153.0/24 dev v0 metric 32 proto 4",
  "multicast 239.0.0.0/8 dev v0 metric 32 proto 4",
];
