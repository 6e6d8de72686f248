/**
 * `show kernel`: a fresh dump of the attached kernel tables, filtered and rendered message by message. The
 * dump itself sets the pace: a slow client is told to the dump through the returned promise, and one that
 * falls too far behind all the same is dropped, so that the daemon does not grow.
 */

import { jsonText } from "../lib/ascii-json.ts";
import { KrtdError } from "../lib/errors.ts";
import type { IpAddress } from "../lib/ip.ts";
import { kernelProtocolName, kernelTypeName, scopeName } from "../lib/kernel-names.ts";
import { type Prefix, prefixContains } from "../lib/prefix.ts";
import type { KernelFacet, KernelRouteClass, KernelRouteView } from "../nest/protocol.ts";
import type { RouteType } from "../nest/route.ts";
import { prefixText, renderAttrs } from "./render-attrs.ts";
import { attrsPredicate } from "./route-query.ts";

/** What may wait for one client when the dump cannot be held back. */
const BACKLOG_LIMIT_CHARS = 64 * 1024 * 1024;

export interface KernelQuery {
  readonly facets: readonly KernelFacet[];
  readonly prefixes: readonly Prefix[] | null;
  readonly for: IpAddress | null;
  readonly in: Prefix | null;
  /** Name or number of the rtm_protocol, or null. */
  readonly protocol: string | null;
  readonly class: KernelRouteClass | null;
  readonly type: RouteType | null;
  readonly dev: string | null;
  readonly via: IpAddress | null;
  readonly deviceName: (device: number) => string;
}

export interface KernelRecords {
  push(record: string): void;
  readonly full: boolean;
  readonly backlog: number;
  ready(): Promise<void>;
}

/** Dumps and sends. Resolves with the reasons of dumps that were not complete. */
export async function dumpKernel(query: KernelQuery, records: KernelRecords): Promise<string[]> {
  const problems: string[] = [];
  const selects = kernelFilter(query);
  for (const facet of query.facets) {
    const longest = new LongestMatch();
    let overflow = false;
    const onRoute = (route: KernelRouteView): Promise<void> | undefined => {
      if (overflow || !selects(route)) return undefined;
      if (query.for !== null) {
        longest.offer(route);
        return undefined;
      }
      records.push(renderKernelRoute(route, query.deviceName));
      overflow = records.backlog > BACKLOG_LIMIT_CHARS;
      return records.full ? records.ready() : undefined;
    };
    const problem = await facet.dump(onRoute);
    if (overflow) {
      throw new KrtdError(
        "client-slow",
        "Cannot finish the answer: the client reads slower than the kernel dumps",
      );
    }
    for (const route of longest.routes) records.push(renderKernelRoute(route, query.deviceName));
    if (problem !== null) problems.push(`kernel table ${facet.kernelTable}, IPv${facet.family}: ${problem}`);
    await records.ready();
  }
  return problems;
}

/** Keeps the routes with the longest prefix offered. */
class LongestMatch {
  routes: KernelRouteView[] = [];

  offer(route: KernelRouteView): void {
    const longest = this.routes[0]?.prefix.length ?? -1;
    if (route.prefix.length < longest) return;
    if (route.prefix.length > longest) this.routes = [];
    this.routes.push(route);
  }
}

function kernelFilter(query: KernelQuery): (route: KernelRouteView) => boolean {
  const attrsSelected = attrsPredicate(query);
  const target: Prefix | null =
    query.for === null ? null : { ...query.for, length: query.for.family === 4 ? 32 : 128 };
  return (route) => {
    const { prefix } = route;
    if (query.class !== null && route.class !== query.class) return false;
    if (query.protocol !== null && !isProtocol(route, query.protocol)) return false;
    if (query.prefixes !== null && !query.prefixes.some((p) => equalPrefix(p, prefix))) return false;
    if (query.in !== null && !within(query.in, prefix)) return false;
    if (target !== null && !within(prefix, target)) return false;
    if (query.type !== null && kernelTypeName(route.type) !== query.type) return false;
    return attrsSelected(route.attrs);
  };
}

function isProtocol(route: KernelRouteView, wanted: string): boolean {
  return protocolText(route) === wanted || String(route.protocol) === wanted;
}

/** The number krtd writes with is configurable, so no table of names can know it. */
function protocolText(route: KernelRouteView): string {
  return route.class === "ours" ? "krtd" : kernelProtocolName(route.protocol);
}

function within(outer: Prefix, inner: Prefix): boolean {
  return outer.family === inner.family && outer.length <= inner.length && prefixContains(outer, inner);
}

function equalPrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && within(a, b);
}

export function renderKernelRoute(route: KernelRouteView, deviceName: (device: number) => string): string {
  const { family, w0, w1, w2, w3, length } = route.prefix;
  const attrs = renderAttrs(family, route.attrs, deviceName, { type: kernelTypeName(route.type) });
  return (
    `{"table":${route.table},"dst":${prefixText(family, w0, w1, w2, w3, length)},${attrs.head}` +
    `${route.metric === 0 ? "" : `,"metric":${route.metric}`},"protocol":${jsonText(protocolText(route))}` +
    `,"protocol-id":${route.protocol},"scope":"${scopeName(route.scope)}"` +
    `${route.tos === 0 ? "" : `,"tos":${route.tos}`}${attrs.tail}` +
    `,"class":"${route.class}","verdict":${jsonText(route.verdict)}}`
  );
}
