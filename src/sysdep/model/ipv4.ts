/**
 * The IPv4 half of the kernel: route requests, and what links and addresses do to routes. The tricky part is
 * silence: a device that goes down, disappears or loses its last address takes its routes along without an
 * event (kernel.md §2); only the loss of a prefsrc in table main is announced.
 */

import { EINVAL, ESRCH } from "../../lib/errno.ts";
import { equalIp } from "../../lib/ip.ts";
import {
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_BOOT,
} from "./constants.ts";
import { type Alias, Fib4, type FibInfo } from "./fib4.ts";
import type { Link, Links } from "./links.ts";
import { takeMetrics } from "./metrics.ts";
import { checkNexthops4, type Surroundings4 } from "./nexthop-check4.ts";
import {
  type Announcer,
  type Answer,
  flagsOf,
  type NexthopView,
  netOf,
  type RequestNexthop,
  type RouteRequest,
  type RouteView,
  refuse,
} from "./route.ts";

export class Ipv4 {
  readonly fib: Fib4 = new Fib4();
  private readonly links: Links;
  private readonly announcer: Announcer;
  private readonly surroundings: Surroundings4;

  constructor(links: Links, announcer: Announcer, gateway6: Surroundings4["gateway6"]) {
    this.links = links;
    this.announcer = announcer;
    this.surroundings = { links, fib: this.fib, gateway6 };
  }

  /** Carries out one route request. */
  route(request: RouteRequest): Answer {
    const { prefix } = request;
    const masked = netOf(prefix, prefix.length);
    if (prefix.length > 32 || masked.w0 !== prefix.w0) {
      return refuse(EINVAL, "Invalid prefix for given prefix length");
    }
    if (request.op === "delete") return this.delete(request);
    this.fib.nets.open(request.table);
    const type = request.type ?? RTN_UNICAST;
    const hops = request.nexthops ?? [];
    const scope = request.scope ?? defaultScope(type, hops);
    const metrics = takeMetrics(request.metrics);
    if ("errno" in metrics) return metrics;
    if (hops.length > 1 && (request.flow ?? 0) !== 0) {
      return refuse(EINVAL, "Nexthop class id does not match RTA_FLOW");
    }
    const { table, prefsrc = null } = request;
    const nexthops = checkNexthops4(this.surroundings, { table, type, scope, hops, prefsrc });
    if ("errno" in nexthops) return nexthops;
    const info: FibInfo = {
      table,
      type,
      scope,
      protocol: request.protocol ?? RTPROT_BOOT,
      metric: request.metric ?? 0,
      prefsrc,
      metrics,
      flow: request.flow ?? 0,
      nexthops,
      dead: false,
    };
    const answer = this.fib.insert(masked, request.tos ?? 0, info, flagsOf(request.op));
    const change = answer.replaced === null ? "new" : "replaced";
    if (answer.changed !== null) this.announcer.route(this.view(answer.changed), change);
    return answer;
  }

  private delete(request: RouteRequest): Answer {
    if (!this.fib.nets.has(request.table)) return refuse(ESRCH, "FIB table does not exist");
    const net = netOf(request.prefix, request.prefix.length);
    const answer = this.fib.delete(request.table, net, request.tos ?? 0, (info) => isMeant(info, request));
    if (answer.changed !== null) this.announcer.route(this.view(answer.changed), "gone");
    return answer;
  }

  /**
   * Nexthops on the device die; routes with none left vanish without a word. `force` also takes host-scope
   * routes; `unregister` takes a multipath route for the loss of one of its devices.
   */
  disable(link: Link, options: { readonly force: boolean; readonly unregister: boolean }): void {
    for (const info of this.fib.infos()) {
      const touched = info.nexthops.filter((hop) => hop.device === link.ifindex);
      if (touched.length === 0) continue;
      for (const hop of touched) if (options.force || hop.scope !== RT_SCOPE_NOWHERE) hop.dead = true;
      if (options.unregister || info.nexthops.every((hop) => hop.dead)) info.dead = true;
    }
    this.fib.flush();
  }

  /** Nexthops of surviving multipath routes come back with their device. */
  revive(link: Link): void {
    if (!link.up) return;
    for (const info of this.fib.infos()) {
      for (const hop of info.nexthops) if (hop.device === link.ifindex) hop.dead = false;
    }
  }

  /** Routes of table main that carry a source address which is no longer ours go, and this is announced. */
  dropSource(address: number): void {
    for (const info of this.fib.infos()) {
      if (info.table === RT_TABLE_MAIN && info.prefsrc?.w0 === address) info.dead = true;
    }
    for (const alias of this.fib.flush()) this.announcer.route(this.view(alias), "gone");
  }

  view(alias: Alias): RouteView {
    const { info } = alias;
    const nexthops = info.nexthops.map((hop): NexthopView => {
      const link = this.links.get(hop.device);
      return {
        gateway: hop.gateway,
        device: hop.device,
        // Only RTA_MULTIPATH has room for a weight.
        weight: info.nexthops.length > 1 ? hop.weight : 1,
        onlink: hop.onlink,
        dead: hop.dead,
        linkdown: hop.dead || link === undefined || !this.links.carrier(link),
      };
    });
    const { table, metric, protocol, type, scope, prefsrc, metrics, flow } = info;
    const { net, tos } = alias;
    return { prefix: net, table, tos, metric, protocol, type, scope, nexthops, prefsrc, metrics, flow };
  }
}

/** What a sender fills in: how far the destination is follows from whether there is a gateway. */
function defaultScope(type: number, hops: readonly RequestNexthop[]): number {
  const direct = type === RTN_UNICAST && hops.every((hop) => hop.gateway === null);
  return direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/** Whether a delete request means this route. What the request leaves out matches anything. */
function isMeant(info: FibInfo, request: RouteRequest): boolean {
  const { type, scope, prefsrc = null, protocol = 0, metric = 0, metrics, nexthops = [] } = request;
  return (
    (type === undefined || type === info.type) &&
    (scope === undefined || scope === info.scope) &&
    (prefsrc === null || prefsrc.w0 === info.prefsrc?.w0) &&
    (protocol === 0 || protocol === info.protocol) &&
    (metric === 0 || metric === info.metric) &&
    (metrics === undefined || [...metrics].every(([rtax, value]) => info.metrics.get(rtax) === value)) &&
    nexthopsMeant(info, nexthops)
  );
}

/** A reject route has one nexthop that says nothing. */
const NO_NEXTHOPS = [{ gateway: null, device: 0 }];

/**
 * One nexthop is compared with the first of the route; several pairwise, and more than the route has do not
 * matter. Among several an IPv6 gateway also means a nexthop that has none: the kernel forgets to ask.
 */
function nexthopsMeant(info: FibInfo, wanted: readonly RequestNexthop[]): boolean {
  const held = info.nexthops.length === 0 ? NO_NEXTHOPS : info.nexthops;
  if (wanted.length > 1 && wanted.length < held.length) return false;
  return held.slice(0, wanted.length).every(({ gateway, device }, i) => {
    const hop = wanted[i]!;
    if (hop.device !== 0 && hop.device !== device) return false;
    if (hop.gateway === null) return true;
    if (gateway === null) return wanted.length > 1 && hop.gateway.family === 6;
    return equalIp(hop.gateway, gateway);
  });
}
