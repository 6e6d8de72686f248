/**
 * Who offers a route to a net, and who would but does not: configured static routes that are not in the table, those
 * of protocols that do not run among them, routes of the kernel that are not learned, routes of another table that a
 * pipe does not bring over.
 */

import type { Clock } from "../lib/clock.ts";
import type { Prefix } from "../lib/prefix.ts";
import type { Channel } from "../nest/channel.ts";
import type { ProtocolEntry, StaticFacet } from "../nest/protocol.ts";
import { NONE, type NodeId, type RouteId } from "../nest/route.ts";
import type { Rtable } from "../nest/rtable.ts";
import { type Absence, absenceByFilter, absenceByState, absenceOfStatic } from "./absence.ts";
import type { ControlBackend } from "./backend.ts";
import type { ExplainTarget } from "./explain-target.ts";
import type { KernelRouteJson } from "./json.ts";
import { equalPrefix } from "./kernel-query.ts";

const SLICE_ROUTES = 1024;

/** A route of the net in the table. */
export interface Offer {
  /** Name of its source: that of the protocol. */
  readonly source: string;
  readonly sourceId: number;
  readonly learned: boolean;
  readonly piped: boolean;
  readonly preference: number;
  /** Own kernel metric, 0: not set. */
  readonly metric: number;
  /** Name of the import filter it passed, or null when its protocol is gone. */
  readonly filter: string | null;
}

/** A protocol that knows a route to the net and has none in the table. */
export interface AbsentOffer extends Absence {
  readonly protocol: string;
}

/** The routes of the net, best first. */
export function offersOf(backend: ControlBackend, rtable: Rtable, node: NodeId): Offer[] {
  const offers: Offer[] = [];
  if (node === NONE) return offers;
  for (let route = rtable.best(node); route !== NONE; route = rtable.nextRoute(route)) {
    offers.push(offerOf(backend, rtable, route));
  }
  return offers;
}

function offerOf(backend: ControlBackend, rtable: Rtable, route: RouteId): Offer {
  const sourceId = rtable.sourceOf(route);
  const { name, sourceType } = rtable.source(sourceId);
  const channel = channelsTo(backend, rtable).find((candidate) => candidate.channel.source === sourceId);
  return {
    source: name,
    sourceId,
    learned: sourceType === "inherit",
    piped: sourceType === "pipe",
    preference: rtable.preferenceOf(route),
    metric: rtable.metricOf(route),
    filter: channel?.channel.importing.name ?? null,
  };
}

function channelsTo(
  backend: ControlBackend,
  rtable: Rtable,
): { readonly entry: ProtocolEntry; readonly channel: Channel }[] {
  return backend
    .protocols()
    .flatMap((entry) =>
      entry.protocol.channels.flatMap((channel) => (channel.table === rtable ? [{ entry, channel }] : [])),
    );
}

/** `shown` are the kernel's routes of the net. Walks long lists of static routes in slices. */
export async function absentOffers(
  backend: ControlBackend,
  target: ExplainTarget,
  shown: readonly KernelRouteJson[],
  clock: Clock,
): Promise<AbsentOffer[]> {
  const { rtable } = target.table;
  const found: AbsentOffer[] = [];
  for (const { entry, channel } of channelsTo(backend, rtable)) {
    if (hasRoute(rtable, target.prefix, channel.source)) continue;
    const { protocol } = entry;
    const absent =
      protocol.static !== undefined
        ? await absentStatic(entry, protocol.static, channel, target.prefix, clock)
        : protocol.type === "pipe"
          ? absentPiped(entry, channel, target.prefix)
          : protocol.kernel === undefined || entry.state !== "up"
            ? null
            : absentLearned(channel, shown);
    if (absent !== null) found.push({ protocol: protocol.name, ...absent });
  }
  return found;
}

function hasRoute(rtable: Rtable, { w0, w1, w2, w3, length }: Prefix, source: number): boolean {
  const node = rtable.fib.find(w0, w1, w2, w3, length);
  return node !== NONE && rtable.routeOf(node, source) !== NONE;
}

async function absentStatic(
  entry: ProtocolEntry,
  facet: StaticFacet,
  channel: Channel,
  prefix: Prefix,
  clock: Clock,
): Promise<Absence | null> {
  // All it has are in the table: what is asked for is none of them.
  if (entry.state === "up" && channel.table.routeCountOf(channel.source) >= facet.count) return null;
  for (let i = 0; i < facet.count; i++) {
    const view = facet.route(i);
    if (equalPrefix(view.prefix, prefix)) return absenceOfStatic(entry, view, channel);
    if (i % SLICE_ROUTES === SLICE_ROUTES - 1) await clock.yield();
  }
  return null;
}

function absentLearned(channel: Channel, shown: readonly KernelRouteJson[]): Absence | null {
  const learnable = shown.find(({ verdict }) => verdict === "learn");
  return learnable === undefined ? null : absenceByFilter(channel, "it learns it at its next scan");
}

/** The pipe's end in this table is `here`; what it brings comes out of its other one. */
function absentPiped(entry: ProtocolEntry, here: Channel, prefix: Prefix): Absence | null {
  const there = entry.protocol.channels.find((channel) => channel !== here);
  if (there === undefined) return null;
  const { table } = there;
  const node = table.fib.find(prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length);
  const best = node === NONE ? NONE : table.best(node);
  // What came out of this pipe does not go back into it, nor what came from this table over others.
  if (best === NONE || table.sourceOf(best) === there.source || there.refuses(best)) return null;
  const byState = absenceByState(entry);
  if (byState !== null) {
    // It brings nothing this way when it runs, either.
    if (here.importing.rejectsAll || there.exporting.rejectsAll) return null;
    return { ...byState, text: `${byState.text} and brings nothing from table ${table.name}` };
  }
  const text = there.isExported(node)
    ? `its filter "${here.importing.name}" turns the one of table ${table.name} away`
    : `its filter "${there.exporting.name}" keeps the one of table ${table.name} there`;
  return { why: "filter", text, advice: null };
}
