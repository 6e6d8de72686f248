/**
 * May these IPv4 nexthops be installed now? The kernel asks before it looks at the key, so a bad gateway is
 * reported even when the route exists. A gateway must be found through a route of link scope or narrower,
 * first in the route's own table, then as a packet would; what it resolves to becomes the device.
 */

import { EINVAL, ENETDOWN, ENODEV } from "../../lib/errno.ts";
import type { IpAddress } from "../../lib/ip.ts";
import {
  isReject,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
} from "./constants.ts";
import type { Fib4, Nexthop4 } from "./fib4.ts";
import type { Links } from "./links.ts";
import { type Answer, type RequestNexthop, refuse } from "./route.ts";

/** What the check needs to know of the rest of the kernel. */
export interface Surroundings4 {
  readonly links: Links;
  readonly fib: Fib4;
  /** Checks an IPv6 gateway of an IPv4 route; returns its device, or why not. */
  gateway6(hop: RequestNexthop, table: number): number | Answer;
}

export interface Route4 {
  readonly table: number;
  readonly type: number;
  readonly scope: number;
  readonly hops: readonly RequestNexthop[];
  readonly prefsrc: IpAddress | null;
}

/** The nexthops as the kernel would keep them, or its refusal. One bad nexthop refuses all. */
export function checkNexthops4(kernel: Surroundings4, route: Route4): readonly Nexthop4[] | Answer {
  const { hops, scope } = route;
  if (isReject(route.type)) {
    if (hops.length === 0) return [];
    return refuse(EINVAL, "Gateway, device and multipath can not be specified for this route type");
  }
  if (scope > RT_SCOPE_HOST) return refuse(EINVAL, "Invalid scope");
  const checked: Nexthop4[] = [];
  if (scope === RT_SCOPE_HOST) {
    if (hops.length > 1) return refuse(EINVAL, "Route with host scope can not have multiple nexthops");
    const hop = hops[0];
    if (hop !== undefined && hop.gateway !== null) {
      return refuse(EINVAL, "Route with host scope can not have a gateway");
    }
    if (hop === undefined || kernel.links.get(hop.device) === undefined) return refuse(ENODEV);
    checked.push(keep(hop, hop.device, RT_SCOPE_NOWHERE));
  } else {
    for (const hop of hops.length === 0 ? [{ gateway: null, device: 0 }] : hops) {
      const result = checkOne(kernel, hop, route.table, scope);
      if ("errno" in result) return result;
      checked.push(result);
    }
  }
  if (route.prefsrc !== null && !isLocalSource(kernel.fib, route.prefsrc.w0, route.table)) {
    return refuse(EINVAL, "Invalid prefsrc address");
  }
  return checked;
}

function checkOne(
  kernel: Surroundings4,
  hop: RequestNexthop,
  table: number,
  scope: number,
): Nexthop4 | Answer {
  if (hop.gateway === null) return checkDevice(kernel.links, hop);
  if (hop.gateway.family === 6) {
    const device = kernel.gateway6(hop, table);
    return typeof device === "number" ? keep(hop, device, RT_SCOPE_LINK) : device;
  }
  const gateway = hop.gateway.w0;
  if (hop.onlink === true) return checkOnlink(kernel, hop, gateway, scope);
  const what = { address: gateway, scope: Math.max(scope + 1, RT_SCOPE_LINK), device: hop.device };
  let found = table === RT_TABLE_MAIN ? null : kernel.fib.lookup(table, what);
  if (found === null || found.errno !== 0) found = kernel.fib.route(what);
  const invalid = "Nexthop has invalid gateway";
  if (found.errno !== 0 || found.alias === null || found.nexthop === null) {
    return refuse(found.errno, invalid);
  }
  const type = found.alias.info.type;
  if (type !== RTN_UNICAST && type !== RTN_LOCAL) return refuse(EINVAL, invalid);
  const device = kernel.links.get(found.nexthop.device);
  if (device === undefined) return refuse(EINVAL, "No egress device for nexthop");
  if (!device.up) return refuse(ENETDOWN);
  return keep(hop, device.ifindex, found.alias.info.scope);
}

function checkDevice(links: Links, hop: RequestNexthop): Nexthop4 | Answer {
  if (hop.onlink === true) {
    return refuse(EINVAL, "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set");
  }
  const link = links.get(hop.device);
  if (link === undefined) return refuse(ENODEV);
  if (!link.up) return refuse(ENETDOWN, "Device for nexthop is not up");
  return keep(hop, hop.device, RT_SCOPE_HOST);
}

function checkOnlink(
  kernel: Surroundings4,
  hop: RequestNexthop,
  gateway: number,
  scope: number,
): Nexthop4 | Answer {
  if (scope >= RT_SCOPE_LINK) return refuse(EINVAL, "Nexthop has invalid scope");
  const link = kernel.links.get(hop.device);
  if (link === undefined) return refuse(ENODEV, "Nexthop device required for onlink");
  if (!link.up) return refuse(ENETDOWN, "Nexthop device is not up");
  if (addressType(kernel.fib, gateway) !== RTN_UNICAST) {
    return refuse(EINVAL, "Nexthop has invalid gateway");
  }
  return keep(hop, hop.device, RT_SCOPE_LINK);
}

function keep(hop: RequestNexthop, device: number, scope: number): Nexthop4 {
  return {
    gateway: hop.gateway,
    device,
    weight: hop.weight ?? 1,
    onlink: hop.onlink === true,
    scope,
    dead: false,
  };
}

/** What an address is to this host, whatever the device. */
export function addressType(fib: Fib4, address: number): number {
  const top = address >>> 24;
  if (top === 0 || address === -1) return RTN_BROADCAST;
  if (top >= 0xe0 && top < 0xf0) return RTN_MULTICAST;
  const found = fib.lookup(RT_TABLE_LOCAL, { address, scope: 0, device: 0 });
  if (found.errno !== 0 || found.alias === null) return RTN_UNICAST;
  return found.alias.info.type;
}

/** Whether packets may carry this source: it is local in the table itself or in table local. */
function isLocalSource(fib: Fib4, address: number, table: number): boolean {
  const own = table === RT_TABLE_MAIN ? RT_TABLE_LOCAL : table;
  const tables = own === RT_TABLE_LOCAL ? [own] : [own, RT_TABLE_LOCAL];
  return tables.some((id) => fib.lookup(id, { address, scope: 0, device: 0 }).alias?.info.type === RTN_LOCAL);
}
