/**
 * Between the port's words and the model's objects, both ways: a RouteView as the flyweight KernelRoute a dump
 * hands out (the draft built as the Linux codec builds it), and the words of an AttrsId as a RouteRequest.
 */

import type { Family, IpAddress } from "../../lib/ip.ts";
import {
  ATTRS_FLOW,
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  ATTRS_PREFSRC,
  ATTRS_SCOPE,
  ATTRS_TYPE,
  AttrsDraft,
  NEXTHOP_DEVICE,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
  RTAX_LIMIT,
  RTNH_F_ONLINK,
} from "../../nest/attrs-draft.ts";
import { type AttrsId, NONE } from "../../nest/route.ts";
import type { KernelRoute, RouteBatch } from "../os.ts";
import { ROUTE_ADD, ROUTE_DELETE, ROUTE_DELETE_EXACT } from "../os.ts";
import { isReject, RTNH_F_DEAD, RTNH_F_LINKDOWN } from "./constants.ts";
import type { NexthopView, RequestNexthop, RouteRequest, RouteView } from "./route.ts";

/** What the Os needs of the attribute table: the words behind an id. */
export interface AttrsWords {
  readonly words: Int32Array;
  offset(id: AttrsId): number;
}

type Filled = { -readonly [K in keyof KernelRoute]: KernelRoute[K] };

/** One reused KernelRoute. */
export class RouteFlyweight {
  private readonly draft = new AttrsDraft();
  private readonly route: Filled = {
    family: 4,
    w0: 0,
    w1: 0,
    w2: 0,
    w3: 0,
    length: 0,
    table: 0,
    protocol: 0,
    type: 0,
    scope: 0,
    tos: 0,
    metric: 0,
    rtmFlags: 0,
    attrs: this.draft,
  };

  /** Shows `view`; what was shown before is overwritten. */
  show(view: RouteView): KernelRoute {
    const { route, draft } = this;
    const { family, w0, w1, w2, w3, length } = view.prefix;
    const { table, protocol, type, scope, tos, metric } = view;
    Object.assign(route, { family, w0, w1, w2, w3, length, table, protocol, type, scope, tos, metric });
    const only = view.nexthops.length === 1 ? view.nexthops[0] : undefined;
    route.rtmFlags = only === undefined ? 0 : stateOf(only);
    draft.reset(type);
    if (family === 4) draft.setScope(scope);
    if (!isReject(type)) for (const hop of view.nexthops) addNexthop(draft, hop);
    const source = view.prefsrc;
    if (source !== null) draft.setPrefsrc(source.w0, source.w1, source.w2, source.w3);
    draft.setFlow(view.flow);
    for (const [rtax, value] of view.metrics) draft.setMetric(rtax, value);
    draft.finish();
    return route;
  }
}

function addNexthop(draft: AttrsDraft, hop: NexthopView): void {
  const { gateway, device, weight, onlink } = hop;
  const flags = onlink ? RTNH_F_ONLINK : 0;
  if (gateway === null) draft.addNexthop(0, 0, 0, 0, 0, device, weight, flags, 0);
  else {
    const { family, w0, w1, w2, w3 } = gateway;
    draft.addNexthop(family, w0, w1, w2, w3, device, weight, flags, 0);
  }
}

function stateOf(hop: NexthopView): number {
  return (
    (hop.dead ? RTNH_F_DEAD : 0) | (hop.linkdown ? RTNH_F_LINKDOWN : 0) | (hop.onlink ? RTNH_F_ONLINK : 0)
  );
}

/** Change `i` of a batch as the Linux backend would send it. */
export function requestOf(batch: RouteBatch, i: number, attrs: AttrsWords): RouteRequest {
  const { family, key } = batch;
  const op = batch.op[i]!;
  const address = { family, w0: key[4 * i]!, w1: key[4 * i + 1]!, w2: key[4 * i + 2]!, w3: key[4 * i + 3]! };
  const common = {
    prefix: { ...address, length: batch.length[i]! },
    table: batch.table,
    metric: batch.metric[i]!,
    protocol: batch.protocol[i]!,
  };
  const words = attrs.words;
  if (op === ROUTE_DELETE_EXACT && batch.attrs[i] !== NONE) {
    const at = attrs.offset(batch.attrs[i]!);
    const scope = words[at + ATTRS_SCOPE]!;
    return {
      ...common,
      op: "delete",
      type: words[at + ATTRS_TYPE]!,
      ...(scope < 0 ? {} : { scope }),
      nexthops: nexthopsOf(words, at),
      prefsrc: addressAt(words, at + ATTRS_PREFSRC, family),
    };
  }
  if (op === ROUTE_DELETE) {
    const known = family === 6 && batch.attrs[i] !== NONE;
    const nexthops = known ? nexthopsOf(words, attrs.offset(batch.attrs[i]!)) : [];
    return { ...common, op: "delete", nexthops };
  }
  const at = attrs.offset(batch.attrs[i]!);
  const scope = words[at + ATTRS_SCOPE]!;
  return {
    ...common,
    op: op === ROUTE_ADD ? "add" : "replace",
    type: words[at + ATTRS_TYPE]!,
    ...(scope < 0 ? {} : { scope }),
    nexthops: nexthopsOf(words, at),
    prefsrc: addressAt(words, at + ATTRS_PREFSRC, family),
    metrics: metricsOf(words, at),
    flow: words[at + ATTRS_FLOW]!,
  };
}

function nexthopsOf(words: Int32Array, at: number): RequestNexthop[] {
  if (isReject(words[at + ATTRS_TYPE]!)) return [];
  const nexthops: RequestNexthop[] = [];
  for (let i = 0; i < words[at + ATTRS_NEXTHOPS]!; i++) {
    const hop = at + ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS;
    const family = words[hop + NEXTHOP_FAMILY]!;
    nexthops.push({
      gateway: family === 4 || family === 6 ? addressAt(words, hop + NEXTHOP_GATEWAY, family) : null,
      device: words[hop + NEXTHOP_DEVICE]!,
      weight: words[hop + NEXTHOP_WEIGHT]!,
      onlink: (words[hop + NEXTHOP_FLAGS]! & RTNH_F_ONLINK) !== 0,
    });
  }
  return nexthops;
}

/** The address in four words, or null when they are all 0. */
function addressAt(words: Int32Array, at: number, family: Family): IpAddress | null {
  const address = { family, w0: words[at]!, w1: words[at + 1]!, w2: words[at + 2]!, w3: words[at + 3]! };
  return (address.w0 | address.w1 | address.w2 | address.w3) === 0 ? null : address;
}

function metricsOf(words: Int32Array, at: number): Map<number, number> {
  const mask = words[at + ATTRS_METRICS]!;
  let from = at + ATTRS_HEADER_WORDS + words[at + ATTRS_NEXTHOPS]! * NEXTHOP_WORDS;
  const metrics = new Map<number, number>();
  for (let rtax = 1; rtax < RTAX_LIMIT; rtax++) {
    if ((mask & (1 << rtax)) !== 0) metrics.set(rtax, words[from++]!);
  }
  return metrics;
}
