/**
 * The IPv6 half of the kernel: route requests, and what links and addresses do to routes. Unlike IPv4 nearly
 * everything is announced, one event per nexthop. A multipath request is a series of single inserts: the first
 * has the flags of the request, the others join it; when one fails, those before it are taken out again.
 */

import { EEXIST, EINVAL } from "../../lib/errno.ts";
import { equalIp, type IpAddress } from "../../lib/ip.ts";
import type { Prefix } from "../../lib/prefix.ts";
import { IP6_RT_PRIO_USER, RT_SCOPE_UNIVERSE, RTN_UNICAST, RTPROT_BOOT } from "./constants.ts";
import { type Entry6, Fib6, isDuplicate } from "./fib6.ts";
import type { Link, Links } from "./links.ts";
import { takeMetrics } from "./metrics.ts";
import { checkNexthop6, isSource6, type Surroundings6 } from "./nexthop-check6.ts";
import {
  type Announcer,
  type Answer,
  flagsOf,
  type InsertFlags,
  netOf,
  type RequestNexthop,
  type RouteRequest,
  type RouteView,
  refuse,
  SUCCESS,
} from "./route.ts";

export class Ipv6 {
  readonly fib: Fib6 = new Fib6();
  private readonly links: Links;
  private readonly announcer: Announcer;
  private readonly surroundings: Surroundings6;

  constructor(links: Links, announcer: Announcer) {
    this.links = links;
    this.announcer = announcer;
    this.surroundings = { links, fib6: this.fib };
  }

  /** Carries out one route request. Host bits are cleared, not refused. */
  route(request: RouteRequest): Answer {
    if (request.prefix.length > 128) return refuse(EINVAL, "Invalid prefix length");
    const net = netOf(request.prefix, request.prefix.length);
    if (request.op === "delete") return this.delete(request, net);
    const hops = request.nexthops ?? [];
    if (hops.length > 1 && hops.some((hop) => hop.gateway === null)) {
      return refuse(EINVAL, "Device only routes can not be added for IPv6 using the multipath API.");
    }
    this.fib.nets.open(request.table);
    const entries: Entry6[] = [];
    for (const hop of hops.length === 0 ? [{ gateway: null, device: 0 }] : hops) {
      const entry = this.entryOf(request, net, hop);
      if ("errno" in entry) return entry;
      if (entries.some((other) => isDuplicate(other, entry))) return refuse(EEXIST);
      entries.push(entry);
    }
    return this.insertAll(entries, flagsOf(request.op));
  }

  /** Checks an IPv6 gateway for somebody else (an IPv4 route): its device, or why not. */
  gatewayDevice(hop: RequestNexthop, table: number): number | Answer {
    const resolved = checkNexthop6(this.surroundings, hop, RTN_UNICAST, table);
    return "errno" in resolved ? resolved : resolved.device;
  }

  /** Puts a route there without asking, as device routes come; silent when it is there already. */
  install(entry: Entry6): void {
    const flags = { create: true, exclusive: false, replace: false, append: false };
    if (this.fib.insert(entry, flags).errno === 0) this.announcer.route(this.view([entry]), "new");
  }

  /** Takes one nexthop out and announces it. */
  uninstall(entry: Entry6): void {
    if (this.fib.remove(entry)) this.announcer.route(this.view([entry]), "gone");
  }

  /** The device is down: what leaves by it goes; of a multipath route only when all its nexthops are dead. */
  disable(link: Link): void {
    for (const entry of this.fib.all()) {
      if (entry.device !== link.ifindex) continue;
      const siblings = this.fib.siblings(entry);
      const lost = siblings.every((other) => other.dead || other.device === link.ifindex);
      if (!lost) entry.dead = true;
      else for (const other of siblings) this.uninstall(other);
    }
  }

  /** The device is gone: only its own nexthops go with it. */
  forget(link: Link): void {
    for (const entry of this.fib.all()) if (entry.device === link.ifindex) this.uninstall(entry);
  }

  revive(link: Link): void {
    for (const entry of this.fib.all()) if (entry.device === link.ifindex) entry.dead = false;
  }

  /** Routes keep going without a source address that is no longer ours; nobody is told. */
  dropSource(address: IpAddress): void {
    for (const entry of this.fib.all()) {
      if (entry.prefsrc === null || !equalIp(entry.prefsrc, address)) continue;
      if (!isSource6(this.links, address, entry.device)) entry.prefsrc = null;
    }
  }

  /** One route as a dump shows it; `siblings` starts with the one whose attributes it carries. */
  view(siblings: readonly Entry6[]): RouteView {
    const { net, table, metric, protocol, type, prefsrc, metrics } = siblings[0]!;
    const nexthops = siblings.map(({ gateway, device, weight, onlink, dead }) => {
      const link = this.links.get(device);
      const linkdown = dead || link === undefined || !this.links.carrier(link);
      // Only RTA_MULTIPATH has room for a weight.
      return { gateway, device, weight: siblings.length > 1 ? weight : 1, onlink, dead, linkdown };
    });
    const scope = RT_SCOPE_UNIVERSE;
    return { prefix: net, table, tos: 0, metric, protocol, type, scope, nexthops, prefsrc, metrics, flow: 0 };
  }

  private entryOf(request: RouteRequest, net: Prefix, hop: RequestNexthop): Entry6 | Answer {
    const type = request.type ?? RTN_UNICAST;
    const metrics = takeMetrics(request.metrics);
    if ("errno" in metrics) return metrics;
    const resolved = checkNexthop6(this.surroundings, hop, type, request.table);
    if ("errno" in resolved) return resolved;
    const prefsrc = request.prefsrc ?? null;
    if (prefsrc !== null && !isSource6(this.links, prefsrc, resolved.device)) {
      return refuse(EINVAL, "Invalid source address");
    }
    return {
      net,
      table: request.table,
      metric: request.metric || IP6_RT_PRIO_USER,
      protocol: request.protocol || RTPROT_BOOT,
      type,
      ...resolved,
      weight: hop.weight ?? 1,
      onlink: hop.onlink === true,
      metrics,
      prefsrc,
      dead: false,
    };
  }

  private insertAll(entries: readonly Entry6[], flags: InsertFlags): Answer {
    let next = flags;
    let outcome: Answer = SUCCESS;
    const inserted: Entry6[] = [];
    let replaced = flags.replace && entries.length > 1;
    for (const entry of entries) {
      const { errno, message, removed } = this.fib.insert(entry, next);
      if (errno !== 0) {
        outcome = { errno, message };
        break;
      }
      inserted.push(entry);
      if (removed.length > 0) replaced = true;
      next = { ...next, create: true, exclusive: false, replace: false };
    }
    // What came before the failure is announced, and then announced as gone.
    const first = inserted[0];
    if (first !== undefined) {
      const several = flags.append && entries.length > 1;
      const shown = several ? this.fib.siblings(first) : this.fib.siblingsFrom(first);
      this.announcer.route(this.view(shown), replaced ? "replaced" : "new");
    }
    if (outcome.errno !== 0) for (const done of inserted) this.uninstall(done);
    return outcome;
  }

  private delete(request: RouteRequest, net: Prefix): Answer {
    const hops = request.nexthops ?? [];
    let outcome: Answer = SUCCESS;
    for (const hop of hops.length === 0 ? [{ gateway: null, device: 0 }] : hops) {
      const answer = this.fib.delete(request.table, net, {
        metric: request.metric ?? 0,
        protocol: request.protocol ?? 0,
        device: hop.device,
        gateway: hop.gateway,
        single: hops.length > 1,
      });
      if (answer.removed.length > 0) this.announcer.route(this.view(answer.removed), "gone");
      if (answer.errno !== 0) outcome = answer;
    }
    return outcome;
  }
}
