/**
 * IPv6 addresses and the routes they bring: the address itself in table local, its net (metric 256) while the
 * device is up. A device that goes down loses all its IPv6 addresses; on up only the link-local one returns.
 * Routes elsewhere lose a source address that is removed, but keep one that went with its device.
 */

import { EEXIST } from "../../lib/errno.ts";
import { equalIp, type IpAddress } from "../../lib/ip.ts";
import type { Prefix } from "../../lib/prefix.ts";
import {
  EADDRNOTAVAIL,
  IFA_F_PERMANENT,
  IP6_RT_PRIO_ADDRCONF,
  RT_SCOPE_LINK,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from "./constants.ts";
import type { Entry6 } from "./fib6.ts";
import type { Ipv6 } from "./ipv6.ts";
import { addressInfo, hasPrefixRoute, type Link, type ModelAddress } from "./links.ts";
import { type Announcer, type Answer, NO_METRICS, netOf, refuse, SUCCESS } from "./route.ts";

const MULTICAST: Prefix = { family: 6, w0: 0xff000000 | 0, w1: 0, w2: 0, w3: 0, length: 8 };

export class Connected6 {
  private readonly ipv6: Ipv6;
  private readonly announcer: Announcer;

  constructor(ipv6: Ipv6, announcer: Announcer) {
    this.ipv6 = ipv6;
    this.announcer = announcer;
  }

  add(link: Link, wanted: ModelAddress): Answer {
    if (own(link).some((other) => equalIp(other.address, wanted.address))) {
      return refuse(EEXIST, "ipv6: address already assigned");
    }
    const entry = { ...wanted, flags: wanted.flags | IFA_F_PERMANENT };
    link.addresses.push(entry);
    this.announcer.address(addressInfo(link, entry), false);
    this.addRoutes(link, entry);
    return SUCCESS;
  }

  remove(link: Link, address: IpAddress, length: number): Answer {
    const entry = own(link).find((other) => other.length === length && equalIp(other.address, address));
    if (entry === undefined) return refuse(EADDRNOTAVAIL, "ipv6: address not found");
    this.take(link, entry);
    this.removePrefixRoute(link, entry);
    this.ipv6.dropSource(entry.address);
    return SUCCESS;
  }

  /** The net's route goes with the last address in it. */
  private removePrefixRoute(link: Link, entry: ModelAddress): void {
    const { length } = entry;
    const net = netOf(entry.peer ?? entry.address, length);
    const shared = own(link).some(
      (other) => other.length === length && equalIp(netOf(other.peer ?? other.address, length), net),
    );
    if (shared || !hasPrefixRoute(entry)) return;
    // The kernel looks for "a device route for this net here" and does not ask whose it is.
    const route = this.ipv6.fib.nets
      .list(RT_TABLE_MAIN, net)
      .find((other) => other.device === link.ifindex && other.gateway === null);
    if (route !== undefined) this.ipv6.uninstall(route);
  }

  linkUp(link: Link): void {
    for (const entry of own(link)) this.addRoutes(link, entry);
  }

  /** The device has a carrier now: link-local address and multicast, and dead nexthops live again. */
  linkReady(link: Link): void {
    if (!link.loopback) {
      this.ipv6.install(deviceRoute(link, MULTICAST, RTN_MULTICAST, RT_TABLE_LOCAL, IP6_RT_PRIO_ADDRCONF));
      if (link.linkLocal && !own(link).some((entry) => entry.scope === RT_SCOPE_LINK)) {
        this.add(link, {
          address: linkLocalOf(link),
          length: 64,
          peer: null,
          scope: RT_SCOPE_LINK,
          flags: 0,
        });
      }
    }
    this.ipv6.revive(link);
  }

  linkDown(link: Link): void {
    this.ipv6.disable(link);
    for (const entry of own(link)) this.take(link, entry);
  }

  private take(link: Link, entry: ModelAddress): void {
    link.addresses.splice(link.addresses.indexOf(entry), 1);
    const local = this.ipv6.fib.nets
      .list(RT_TABLE_LOCAL, netOf(entry.address, 128))
      .find((route) => route.device === link.ifindex && route.type === RTN_LOCAL);
    if (local !== undefined) this.ipv6.uninstall(local);
    this.announcer.address(addressInfo(link, entry), true);
  }

  private addRoutes(link: Link, entry: ModelAddress): void {
    this.ipv6.install(deviceRoute(link, netOf(entry.address, 128), RTN_LOCAL, RT_TABLE_LOCAL, 0));
    if (!link.up || link.loopback || !hasPrefixRoute(entry)) return;
    const net = netOf(entry.peer ?? entry.address, entry.length);
    this.ipv6.install(deviceRoute(link, net, RTN_UNICAST, RT_TABLE_MAIN, IP6_RT_PRIO_ADDRCONF));
  }
}

function own(link: Link): ModelAddress[] {
  return link.addresses.filter((entry) => entry.address.family === 6);
}

function deviceRoute(link: Link, net: Prefix, type: number, table: number, metric: number): Entry6 {
  return {
    net,
    table,
    metric,
    protocol: RTPROT_KERNEL,
    type,
    gateway: null,
    device: link.ifindex,
    weight: 1,
    onlink: false,
    metrics: NO_METRICS,
    reject: false,
    prefsrc: null,
    dead: false,
  };
}

/** RFC 4291 appendix A: fe80::/64 and the MAC with ff:fe in the middle and the universal bit turned over. */
function linkLocalOf(link: Link): IpAddress {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = link.mac;
  return {
    family: 6,
    w0: 0xfe800000 | 0,
    w1: 0,
    w2: ((a ^ 2) << 24) | (b << 16) | (c << 8) | 0xff,
    w3: (0xfe << 24) | (d << 16) | (e << 8) | f,
  };
}
