/**
 * IPv4 addresses and the routes they bring: the address itself (local, scope host) always, its net (connected)
 * and its broadcast while the device is up. A second address in the same net is "secondary": it has only the
 * local route, with the primary as source, and goes when the primary goes.
 */

import { EEXIST } from "../../lib/errno.ts";
import { equalIp, type IpAddress } from "../../lib/ip.ts";
import { prefixContains } from "../../lib/prefix.ts";
import {
  EADDRNOTAVAIL,
  IFA_F_PERMANENT,
  IFA_F_SECONDARY,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from "./constants.ts";
import type { FibInfo } from "./fib4.ts";
import type { Ipv4 } from "./ipv4.ts";
import { addressInfo, hasPrefixRoute, isSecondary, type Link, type ModelAddress } from "./links.ts";
import { addressType } from "./nexthop-check4.ts";
import { type Announcer, type Answer, NO_METRICS, netOf, refuse, SUCCESS } from "./route.ts";

export class Connected4 {
  private readonly ipv4: Ipv4;
  private readonly announcer: Announcer;

  constructor(ipv4: Ipv4, announcer: Announcer) {
    this.ipv4 = ipv4;
    this.announcer = announcer;
  }

  add(link: Link, wanted: ModelAddress): Answer {
    const family = own(link);
    const neighbours = family.filter((other) => other.length === wanted.length && sameNet(other, wanted));
    if (neighbours.some((other) => equalIp(other.address, wanted.address))) {
      return refuse(EEXIST, "ipv4: Address already assigned");
    }
    const secondary = neighbours.length > 0 ? IFA_F_SECONDARY : 0;
    const entry = { ...wanted, flags: wanted.flags | IFA_F_PERMANENT | secondary };
    const before = secondary === 0 ? link.addresses.findIndex(isSecondary) : -1;
    link.addresses.splice(before < 0 ? link.addresses.length : before, 0, entry);
    this.announcer.address(addressInfo(link, entry), false);
    this.addRoutes(link, entry);
    this.ipv4.revive(link);
    return SUCCESS;
  }

  remove(link: Link, address: IpAddress, length: number): Answer {
    const entry = own(link).find((other) => other.length === length && equalIp(other.address, address));
    if (entry === undefined) return refuse(EADDRNOTAVAIL, "ipv4: Address not found");
    if (!isSecondary(entry)) {
      for (const other of own(link)) {
        if (isSecondary(other) && other.length === length && sameNet(other, entry))
          this.take(link, other, entry);
      }
    }
    this.take(link, entry, primaryOf(link, entry));
    return SUCCESS;
  }

  linkUp(link: Link): void {
    for (const entry of own(link)) this.addRoutes(link, entry);
    this.ipv4.revive(link);
  }

  /** The device disappears: its addresses go one by one. */
  linkGone(link: Link): void {
    for (const entry of own(link)) this.take(link, entry, primaryOf(link, entry));
  }

  private take(link: Link, entry: ModelAddress, primary: ModelAddress): void {
    link.addresses.splice(link.addresses.indexOf(entry), 1);
    this.announcer.address(addressInfo(link, entry), true);
    this.removeRoutes(link, entry, primary);
    if (own(link).length === 0) this.ipv4.disable(link, { force: true, unregister: false });
  }

  private addRoutes(link: Link, entry: ModelAddress): void {
    const primary = primaryOf(link, entry);
    this.addRoute(link, RTN_LOCAL, entry.address, 32, primary);
    if (!link.up || isSecondary(entry) || !hasNet(entry)) return;
    const net = netOf(entry.peer ?? entry.address, entry.length);
    if (hasPrefixRoute(entry)) {
      this.addRoute(link, link.loopback ? RTN_LOCAL : RTN_UNICAST, net, entry.length, primary);
    }
    if (entry.length < 31) this.addRoute(link, RTN_BROADCAST, broadcastOf(entry), 32, primary);
  }

  private removeRoutes(link: Link, entry: ModelAddress, primary: ModelAddress): void {
    const withNet = !isSecondary(entry) && hasNet(entry);
    if (withNet && hasPrefixRoute(entry)) {
      const net = netOf(entry.peer ?? entry.address, entry.length);
      this.removeRoute(link, link.loopback ? RTN_LOCAL : RTN_UNICAST, net, entry.length, primary);
    }
    const rest = own(link).filter((other) => equalIp(primaryOf(link, other).address, primary.address));
    const broadcast = broadcastOf(entry);
    const sharesBroadcast = (other: ModelAddress): boolean =>
      !isSecondary(other) && other.length < 31 && equalIp(broadcastOf(other), broadcast);
    if (withNet && entry.length < 31 && !rest.some(sharesBroadcast)) {
      this.removeRoute(link, RTN_BROADCAST, broadcast, 32, primary);
    }
    if (rest.some((other) => equalIp(other.address, entry.address))) return;
    this.removeRoute(link, RTN_LOCAL, entry.address, 32, primary);
    if (addressType(this.ipv4.fib, entry.address.w0) !== RTN_LOCAL) {
      this.ipv4.dropSource(entry.address.w0);
    }
  }

  /** A device route: appended behind others of its key, and not refused when it is there already. */
  private addRoute(link: Link, type: number, to: IpAddress, length: number, primary: ModelAddress): void {
    const local = type === RTN_LOCAL;
    const hop = {
      gateway: null,
      device: link.ifindex,
      weight: 1,
      onlink: false,
      scope: local ? RT_SCOPE_NOWHERE : RT_SCOPE_HOST,
      dead: false,
    };
    const info: FibInfo = {
      table: type === RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
      type,
      scope: local ? RT_SCOPE_HOST : RT_SCOPE_LINK,
      protocol: RTPROT_KERNEL,
      metric: 0,
      prefsrc: primary.address,
      metrics: NO_METRICS,
      flow: 0,
      nexthops: [hop],
      dead: false,
    };
    const flags = { create: true, exclusive: false, replace: false, append: true };
    const answer = this.ipv4.fib.insert(netOf(to, length), 0, info, flags);
    if (answer.changed !== null) this.announcer.route(this.ipv4.view(answer.changed), "new");
  }

  private removeRoute(link: Link, type: number, to: IpAddress, length: number, primary: ModelAddress): void {
    this.ipv4.route({
      op: "delete",
      prefix: netOf(to, length),
      table: type === RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
      type,
      scope: type === RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK,
      protocol: RTPROT_KERNEL,
      prefsrc: primary.address,
      nexthops: [{ gateway: null, device: link.ifindex }],
    });
  }
}

function own(link: Link): ModelAddress[] {
  return link.addresses.filter((entry) => entry.address.family === 4);
}

function sameNet(a: ModelAddress, b: ModelAddress): boolean {
  const to = b.peer ?? b.address;
  return prefixContains(netOf(a.peer ?? a.address, a.length), { ...to, length: 32 });
}

function primaryOf(link: Link, entry: ModelAddress): ModelAddress {
  if (!isSecondary(entry)) return entry;
  const isPrimary = (other: ModelAddress): boolean =>
    !isSecondary(other) && other.length === entry.length && sameNet(other, entry);
  return own(link).find(isPrimary) ?? entry;
}

/** 0.0.0.0/8 and a lone host address have no net of their own. */
function hasNet(entry: ModelAddress): boolean {
  const net = netOf(entry.peer ?? entry.address, entry.length);
  return net.w0 >>> 24 !== 0 && (!equalIp(net, entry.address) || entry.length < 32);
}

function broadcastOf(entry: ModelAddress): IpAddress {
  const net = netOf(entry.peer ?? entry.address, entry.length);
  const hostBits = entry.length === 0 ? -1 : (1 << (32 - entry.length)) - 1;
  return { ...net, w0: net.w0 | (entry.length === 32 ? 0 : hostBits) };
}
