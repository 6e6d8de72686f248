/**
 * May this IPv6 nexthop be installed now? A gateway must resolve through a route without gateway, first in the
 * route's own table, then in local and main; link-local gateways only need a device. A reject type ends up on
 * `lo` whatever gateway it names, and a device route over a loopback resolves nothing either.
 */

import { EHOSTUNREACH, EINVAL, ENETDOWN, ENODEV } from "../../lib/errno.ts";
import { equalIp, type IpAddress } from "../../lib/ip.ts";
import {
  isReject,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_UNICAST,
} from "./constants.ts";
import type { Entry6, Fib6 } from "./fib6.ts";
import type { Link, Links } from "./links.ts";
import { type Answer, type RequestNexthop, refuse } from "./route.ts";

export interface Surroundings6 {
  readonly links: Links;
  readonly fib6: Fib6;
}

/** Where a nexthop leads. */
export interface Resolved6 {
  readonly device: number;
  readonly gateway: IpAddress | null;
  readonly reject: boolean;
}

/** The device and gateway as the kernel would keep them, or its refusal. */
export function checkNexthop6(
  kernel: Surroundings6,
  hop: RequestNexthop,
  type: number,
  table: number,
): Resolved6 | Answer {
  let link: Link | undefined;
  if (hop.device !== 0) {
    link = kernel.links.get(hop.device);
    if (link === undefined) return refuse(ENODEV);
  }
  if (hop.onlink === true) {
    if (link === undefined) return refuse(ENODEV, "Nexthop device required for onlink");
    if (!link.up) return refuse(ENETDOWN, "Nexthop device is not up");
  }
  if (isReject(type) || (link?.loopback === true && hop.gateway === null)) {
    const lo = kernel.links.byName("lo");
    return lo === undefined ? refuse(ENODEV) : { device: lo.ifindex, gateway: null, reject: true };
  }
  if (hop.gateway !== null) {
    const device = checkGateway(kernel, hop.gateway, link, hop.onlink === true, table);
    if (typeof device !== "number") return device;
    link = kernel.links.get(device);
  }
  if (link === undefined) return refuse(ENODEV);
  if (!link.up) return refuse(ENETDOWN, "Nexthop device is not up");
  return { device: link.ifindex, gateway: hop.gateway, reject: false };
}

/** Whether a route over `device` may carry this source: global addresses count on every device. */
export function isSource6(links: Links, address: IpAddress, device: number): boolean {
  return links
    .all()
    .some((link) =>
      link.addresses.some(
        (entry) =>
          equalIp(entry.address, address) &&
          (link.ifindex === device || (entry.scope !== RT_SCOPE_LINK && entry.scope !== RT_SCOPE_HOST)),
      ),
    );
}

/** Returns the device the gateway is on. */
function checkGateway(
  kernel: Surroundings6,
  gateway: IpAddress,
  wanted: Link | undefined,
  onlink: boolean,
  table: number,
): number | Answer {
  const own = refuse(EINVAL, "Gateway can not be a local address");
  const linkLocal = (gateway.w0 & 0xffc00000) === (0xfe800000 | 0);
  if (wanted !== undefined && isOwn(kernel.links, gateway, linkLocal ? wanted : null)) return own;
  let link = wanted;
  if (!linkLocal) {
    const multicast = gateway.w0 >>> 24 === 0xff;
    const unspecified = gateway.w0 === 0 && gateway.w1 === 0 && gateway.w2 === 0 && gateway.w3 === 0;
    if (multicast || unspecified) return refuse(EINVAL, "Invalid gateway address");
    if (onlink) {
      const found = kernel.fib6.lookupPreferring(RT_TABLE_MAIN, gateway, wanted?.ifindex ?? 0);
      const foreign = found !== null && (found.type !== RTN_UNICAST || found.device !== wanted?.ifindex);
      if (foreign && !found.reject && found.net.length > 0) {
        return refuse(EINVAL, "Nexthop has invalid gateway or device mismatch");
      }
    } else {
      const found = resolve(kernel.fib6, gateway, wanted?.ifindex ?? 0, table);
      if (found === null) return refuse(EHOSTUNREACH);
      link = kernel.links.get(found.device);
    }
  }
  if (link === undefined) return refuse(EINVAL, "Egress device not specified");
  if (link.loopback) return refuse(EINVAL, "Egress device can not be loopback device for this route");
  if (wanted === undefined && isOwn(kernel.links, gateway, linkLocal ? link : null)) return own;
  return link.ifindex;
}

function resolve(fib: Fib6, gateway: IpAddress, device: number, table: number): Entry6 | null {
  const usable = (found: Entry6 | null): found is Entry6 =>
    found !== null && !found.reject && found.gateway === null && (device === 0 || found.device === device);
  const here = fib.lookup(table, gateway, device);
  if (usable(here)) return here;
  const everywhere =
    fib.lookup(RT_TABLE_LOCAL, gateway, device) ?? fib.lookup(RT_TABLE_MAIN, gateway, device);
  return usable(everywhere) ? everywhere : null;
}

/** Whether it is an address of this host; `on`: only that device counts. */
function isOwn(links: Links, address: IpAddress, on: Link | null): boolean {
  const where = on === null ? links.all() : [on];
  return where.some((link) => link.addresses.some((entry) => equalIp(entry.address, address)));
}
