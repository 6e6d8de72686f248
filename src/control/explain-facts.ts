/**
 * All that is known of one net at one moment: what the table offers, what the kernel protocol makes of it, what the
 * kernel shows. The slow parts (a dump, long lists of static routes) come first; the rest is then read at once, so
 * that the parts fit together.
 */

import { formatAddress, type IpAddress } from "../lib/ip.ts";
import { formatPrefix, maxLength, type Prefix } from "../lib/prefix.ts";
import type { Channel } from "../nest/channel.ts";
import type { FilteredRoute } from "../nest/filter.ts";
import { originOf } from "../nest/origin.ts";
import type { KernelRouteStatus } from "../nest/protocol.ts";
import { NONE, type NodeId, type RouteAttrs, type RouteId } from "../nest/route.ts";
import type { Rtable } from "../nest/rtable.ts";
import { INFLIGHT, QUEUED } from "../nest/sync-flags.ts";
import type { ControlBackend } from "./backend.ts";
import type { Call } from "./call.ts";
import { wantedText } from "./diff-wanted.ts";
import type { WantedJson } from "./explain-json.ts";
import { type KernelLook, lookInKernel, NOT_LOOKED } from "./explain-kernel.ts";
import { type AbsentOffer, absentOffers, type Offer, offersOf } from "./explain-sources.ts";
import type { ExplainTarget, TableKernel } from "./explain-target.ts";
import type { KernelRouteJson, RouteJson } from "./json.ts";
import type { TableContext } from "./table-context.ts";

/** How the export of the kernel protocol treats the best route. */
export type Export =
  | { readonly is: "exported"; readonly changed: boolean; readonly wouldPass: boolean }
  | { readonly is: "filtered"; readonly wouldPass: boolean }
  /** The protocol never takes such a route, whatever its filter says. */
  | { readonly is: "refused"; readonly why: string }
  /** It came from this very protocol. */
  | { readonly is: "learned" }
  | { readonly is: "down" };

export interface ExplainFacts {
  readonly target: ExplainTarget;
  /** "203.0.113.0/24" */
  readonly dst: string;
  /** The address that was asked for, as text, or null. */
  readonly address: string | null;
  readonly node: NodeId;
  readonly offers: readonly Offer[];
  readonly absent: readonly AbsentOffer[];
  readonly route: RouteJson | null;
  /** The route with the longest other prefix that covers what was asked for, in krtd's table. */
  readonly covering: RouteJson | null;
  /** Other tables that have the net, or a net for the address. */
  readonly elsewhere: readonly string[];
  /** Null: no route, or no kernel protocol. */
  readonly export: Export | null;
  /** What the kernel is to have, while it is exported. */
  readonly wanted: { readonly json: WantedJson; readonly attrs: RouteAttrs } | null;
  readonly status: KernelRouteStatus | null;
  /** A change of it waits to be written, or was written and not answered yet. */
  readonly writing: boolean;
  readonly look: KernelLook;
  /** The foreign route at the key krtd wants, as the kernel shows it now. */
  readonly rival: KernelRouteJson | null;
}

export async function explainFacts(
  backend: ControlBackend,
  target: ExplainTarget,
  { clock, dump }: Pick<Call, "clock" | "dump">,
): Promise<ExplainFacts> {
  const { kernel, prefix, address, table } = target;
  const asked = address === null ? prefix : { ...address, length: maxLength(address.family) };
  const deviceName = (device: number): string => table.deviceName(device);
  const look =
    kernel === null || kernel.entry.state === "down"
      ? NOT_LOOKED
      : await lookInKernel({ facet: kernel.facet, netns: table.netns, deviceName }, prefix, asked, dump);
  const absent = await absentOffers(backend, target, look.routes, clock);
  return { ...now(backend, target, asked, look), absent, look };
}

function now(
  backend: ControlBackend,
  target: ExplainTarget,
  asked: Prefix,
  look: KernelLook,
): Omit<ExplainFacts, "absent" | "look"> {
  const { kernel, prefix, address, table } = target;
  const { rtable } = table;
  const { fib } = rtable;
  const node = findNet(rtable, prefix);
  const best = node === NONE ? NONE : rtable.best(node);
  const exported = best === NONE || kernel === null ? null : exportOf(target, kernel, node, best);
  const wanted = exported?.is === "exported" && kernel !== null ? wantedOf(target, kernel, node) : null;
  const status = best === NONE || kernel === null ? null : kernel.facet.status(node);
  return {
    target,
    dst: formatPrefix(prefix.family, prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length),
    address: address === null ? null : formatAddress(address),
    node,
    offers: offersOf(backend, rtable, node),
    route: best === NONE ? null : routeJson(target, node, best),
    covering: best === NONE ? coveringOf(target, asked) : null,
    elsewhere: backend
      .tables()
      .filter((other) => other !== rtable && other.family === rtable.family && has(other, prefix, address))
      .map(({ name }) => name),
    export: exported,
    wanted,
    status,
    writing: node !== NONE && (fib.flags[node]! & (QUEUED | INFLIGHT)) !== 0,
    rival: wanted === null || status === null ? null : rivalOf(look, status.metric),
  };
}

/** The node of a net that has routes, or 0. */
function findNet({ fib }: Rtable, { w0, w1, w2, w3, length }: Prefix): NodeId {
  const node = fib.find(w0, w1, w2, w3, length);
  return node !== NONE && fib.head[node] !== NONE ? node : NONE;
}

function has(rtable: Rtable, prefix: Prefix, address: IpAddress | null): boolean {
  if (address === null) return findNet(rtable, prefix) !== NONE;
  return rtable.fib.longestMatch(address.w0, address.w1, address.w2, address.w3) !== NONE;
}

function routeJson({ table }: ExplainTarget, node: NodeId, best: RouteId): RouteJson {
  return JSON.parse(table.route(node, best, true)) as RouteJson;
}

function coveringOf(target: ExplainTarget, asked: Prefix): RouteJson | null {
  const { rtable } = target.table;
  const node = rtable.fib.longestMatch(asked.w0, asked.w1, asked.w2, asked.w3, asked.length);
  return node === NONE ? null : routeJson(target, node, rtable.best(node));
}

function wantedOf({ table }: ExplainTarget, kernel: TableKernel, node: NodeId): ExplainFacts["wanted"] {
  const { attrs, family } = table.rtable;
  return {
    json: JSON.parse(wantedText(table, kernel, node, kernel.facet.status(node).metric)) as WantedJson,
    attrs: attrs.describe(kernel.channel.exportedAttrs(node), family),
  };
}

function exportOf(
  { table }: ExplainTarget,
  { channel, entry }: TableKernel,
  node: NodeId,
  best: RouteId,
): Export {
  const { rtable } = table;
  if (rtable.sourceOf(best) === channel.source) return { is: "learned" };
  if (entry.state === "down" || channel.source === 0) return { is: "down" };
  if (channel.refuses(best)) return { is: "refused", why: refusalWords(table, best) };
  const wouldPass = passesNow(table, channel, node, best);
  if (!channel.isExported(node)) return { is: "filtered", wouldPass };
  const changed =
    channel.exportedAttrs(node) !== rtable.attrsOf(best) ||
    channel.exportedMetric(node) !== rtable.metricOf(best);
  return { is: "exported", changed, wouldPass };
}

function refusalWords({ rtable }: TableContext, best: RouteId): string {
  const { opaque, nexthops } = rtable.attrs.describe(rtable.attrsOf(best), rtable.family);
  return opaque || nexthops.some((hop) => hop.opaque)
    ? "there is more to it than krtd understands, and it would be another route without that"
    : "the kernel keeps the networks of its interfaces there by itself";
}

/**
 * Whether the export filter of this moment lets the best route pass. It may have been changed softly since the route
 * met it.
 */
function passesNow(table: TableContext, channel: Channel, node: NodeId, best: RouteId): boolean {
  const { rtable } = table;
  const { name, sourceType } = rtable.source(rtable.sourceOf(best));
  const route: FilteredRoute = {
    ...rtable.fib.prefix(node),
    attrs: rtable.attrsOf(best),
    metric: rtable.metricOf(best),
    preference: rtable.preferenceOf(best),
    source: name,
    sourceType,
    protocol: originOf(rtable.origin(best)).protocol,
  };
  const deviceName = (device: number): string => table.deviceName(device);
  const passes = channel.exporting.apply(route, { attrs: rtable.attrs, deviceName });
  if (passes && route.attrs !== rtable.attrsOf(best)) rtable.attrs.release(route.attrs);
  return passes;
}

/** As the scan sees it: any foreign route of the kernel at that metric, but not those for a type of service. */
function rivalOf({ routes }: KernelLook, metric: number): KernelRouteJson | null {
  return (
    routes.find(
      (route) => route.class !== "ours" && route.tos === undefined && (route.metric ?? 0) === metric,
    ) ?? null
  );
}
