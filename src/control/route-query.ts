/**
 * What `show routes` selects, and the walk that finds it. Filters are applied to ids as far as they go: an exact
 * prefix and "for" are lookups, "in" compares words, attributes are judged once per attribute set. The walk
 * goes in slices of 1,024 nodes, stops while the client is behind, and never holds more than node ids.
 *
 * Small tables are shown in order of prefix; big ones in the order of the table, since sorting a million would
 * block the daemon. Nets that exist throughout the walk are shown exactly once.
 */

import type { Clock } from "../lib/clock.ts";
import type { IpAddress } from "../lib/ip.ts";
import { equalIp } from "../lib/ip.ts";
import { type Prefix, prefixContains } from "../lib/prefix.ts";
import type { Fib } from "../nest/fib.ts";
import type { KernelState } from "../nest/protocol.ts";
import type { RouteAttrs } from "../nest/route.ts";
import { NONE, type NodeId, type RouteId, type RouteType } from "../nest/route.ts";
import type { TableContext } from "./table-context.ts";

const SLICE_NODES = 1024;
/** Tables up to this size are shown in order of prefix. */
export const SORTED_NODES = 8192;
/** Attribute sets whose verdict is kept at once. */
const JUDGED_ATTRS = 4096;

export interface RouteQuery {
  readonly tables: readonly TableContext[];
  /** Exactly these, or null. */
  readonly prefixes: readonly Prefix[] | null;
  /** The longest match of this address, or null. */
  readonly for: IpAddress | null;
  /** This prefix and all longer ones, or null. */
  readonly in: Prefix | null;
  readonly protocol: string | null;
  readonly state: KernelState | null;
  readonly type: RouteType | null;
  readonly dev: string | null;
  readonly via: IpAddress | null;
  /** Every route of a net, not only the best. */
  readonly all: boolean;
}

/** Takes what was found. */
export interface RouteVisitor {
  route(table: TableContext, node: NodeId, route: RouteId, best: boolean): void;
  /** True: the walk pauses and asks ready(). */
  readonly full: boolean;
  /** Called between slices; rejects to end the walk. */
  ready(): Promise<void>;
}

/** Whether any net fits the lookup of the query (exact prefix, "for"); true when it has none. */
export function lookupFinds(query: RouteQuery): boolean {
  if (query.prefixes === null && query.for === null) return true;
  return query.tables.some((table) => lookup(query, table.rtable.fib).length > 0);
}

export async function walkRoutes(query: RouteQuery, visitor: RouteVisitor, clock: Clock): Promise<void> {
  for (const table of query.tables) {
    const { fib } = table.rtable;
    if (query.in !== null && query.in.family !== fib.family) continue;
    const nodes = nodesOf(query, fib);
    const selects = routeFilter(query, table);
    let more = true;
    while (more) {
      more = slice(query, table, nodes, selects, visitor);
      await visitor.ready();
      if (more) await clock.yield();
    }
  }
}

type NodeSource = () => NodeId;
type RoutePredicate = (node: NodeId, route: RouteId, best: boolean) => boolean;

/** Visits up to SLICE_NODES nodes. False at the end. */
function slice(
  query: RouteQuery,
  table: TableContext,
  next: NodeSource,
  selects: RoutePredicate,
  visitor: RouteVisitor,
): boolean {
  const { rtable } = table;
  const { fib } = rtable;
  for (let i = 0; i < SLICE_NODES && !visitor.full; i++) {
    const node = next();
    if (node === NONE) return false;
    if (query.in !== null && !holds(fib, node, query.in)) continue;
    const best = rtable.best(node);
    let route = best;
    while (route !== NONE) {
      if (selects(node, route, route === best)) visitor.route(table, node, route, route === best);
      route = query.all ? rtable.nextRoute(route) : NONE;
    }
  }
  return true;
}

function nodesOf(query: RouteQuery, fib: Fib): NodeSource {
  if (query.prefixes !== null || query.for !== null) return overList(lookup(query, fib), fib);
  if (fib.size <= SORTED_NODES) return overList(sortedNodes(fib), fib);
  const limit = fib.idLimit;
  let cursor = NONE;
  return () => {
    cursor = fib.next(cursor);
    return cursor < limit ? cursor : NONE;
  };
}

/** Nodes that were removed meanwhile are left out. */
function overList(nodes: ArrayLike<NodeId>, fib: Fib): NodeSource {
  let at = 0;
  return () => {
    while (at < nodes.length) {
      const node = nodes[at++]!;
      if (fib.isLive(node)) return node;
    }
    return NONE;
  };
}

function lookup(query: RouteQuery, fib: Fib): NodeId[] {
  const found: NodeId[] = [];
  for (const prefix of query.prefixes ?? []) {
    if (prefix.family !== fib.family) continue;
    const node = fib.find(prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length);
    if (node !== NONE && fib.head[node] !== NONE) found.push(node);
  }
  const address = query.for;
  if (address !== null && address.family === fib.family) {
    const node = fib.longestMatch(address.w0, address.w1, address.w2, address.w3);
    if (node !== NONE) found.push(node);
  }
  return found;
}

function holds(fib: Fib, node: NodeId, outer: Prefix): boolean {
  if (fib.length(node) < outer.length) return false;
  return prefixContains(outer, fib.prefix(node));
}

/** Node ids in order of address, then length. */
function sortedNodes(fib: Fib): NodeId[] {
  const nodes: NodeId[] = [];
  for (let node = fib.next(NONE); node !== NONE; node = fib.next(node)) nodes.push(node);
  return nodes.sort((a, b) => {
    for (const i of [0, 1, 2, 3] as const) {
      const difference = (fib.word(a, i) >>> 0) - (fib.word(b, i) >>> 0);
      if (difference !== 0) return difference;
      if (fib.family === 4) break;
    }
    return fib.length(a) - fib.length(b);
  });
}

function routeFilter(query: RouteQuery, table: TableContext): RoutePredicate {
  const { rtable } = table;
  const attrsFilter = attrsPredicate(query, (device) => table.deviceName(device));
  const judged = new Map<number, { stamp: number; selected: boolean }>();
  const attrsSelected = (route: RouteId): boolean => {
    const id = rtable.attrsOf(route);
    const stamp = rtable.attrs.stamp(id);
    const known = judged.get(id);
    if (known !== undefined && known.stamp === stamp) return known.selected;
    if (judged.size >= JUDGED_ATTRS) judged.clear();
    const selected = attrsFilter(rtable.attrs.describe(id));
    judged.set(id, { stamp, selected });
    return selected;
  };
  const byAttrs = query.type !== null || query.dev !== null || query.via !== null;
  return (node, route, best) => {
    if (query.protocol !== null && rtable.source(rtable.sourceOf(route)).name !== query.protocol)
      return false;
    if (byAttrs && !attrsSelected(route)) return false;
    return query.state === null || table.state(node, route, best) === query.state;
  };
}

/** Type, device and gateway: for table routes and kernel routes alike. */
export function attrsPredicate(
  query: Pick<RouteQuery, "type" | "dev" | "via">,
  deviceName: (device: number) => string,
): (attrs: RouteAttrs) => boolean {
  const { type, dev, via } = query;
  return (attrs) => {
    if (type !== null && attrs.type !== type) return false;
    if (dev !== null && !attrs.nexthops.some((hop) => hop.device !== 0 && deviceName(hop.device) === dev)) {
      return false;
    }
    return via === null || attrs.nexthops.some((hop) => hop.gateway !== null && equalIp(hop.gateway, via));
  };
}
