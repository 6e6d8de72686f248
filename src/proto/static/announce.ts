/**
 * HOT PATH. Walks over the routes of a static protocol, a million of them perhaps, in slices: announces those whose
 * specs are due, and withdraws those that a new configuration lacks.
 */

import { inSlices, type Pace } from "../../lib/slices.ts";
import type { Channel } from "../../nest/channel.ts";
import { internOrigin, PLAIN_ORIGIN } from "../../nest/origin.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { RouteSet } from "./config.ts";
import { sortRoutes } from "./sort-routes.ts";
import type { SpecAttrs } from "./spec-attrs.ts";

/** A change of the table: 1,024 of them are a slice. */
const CHANGE = 64;
/** A look at what a route was before. */
const COMPARISON = 16;

/** Where the order begins to matter: so many are written at once. */
const MANY = 1024;

const RECURSIVE_ORIGIN = internOrigin({ protocol: 0, recursive: true, connected: false, trail: [] });

/** Announces, or withdraws, the routes whose specs are due, but for those that `stands` says stand; then none is due. */
export async function announceDue(
  routes: RouteSet,
  made: SpecAttrs,
  channel: Channel,
  pace: Pace,
  stands?: (i: number) => boolean,
): Promise<void> {
  const { length, spec, specs } = routes;
  const { due, ids } = made;
  const { table, source } = channel;
  const { attrs } = table;
  const order = table.routeCountOf(source) === 0 ? await makeRoom(routes, table, pace) : null;
  const announce = (k: number): number => {
    const i = order === null ? k : order[k]!;
    const of = spec[i]!;
    if (due[of] === 0) return 1;
    if (stands?.(i) === true) return COMPARISON;
    const w0 = routes.word(i, 0);
    const w1 = routes.word(i, 1);
    const w2 = routes.word(i, 2);
    const w3 = routes.word(i, 3);
    const id = ids[of]!;
    if (id === 0) {
      withdrawIfThere(channel, w0, w1, w2, w3, length[i]!);
      return CHANGE;
    }
    const { metric, recursive } = specs[of]!;
    const origin = recursive === null ? PLAIN_ORIGIN : RECURSIVE_ORIGIN;
    attrs.retain(id);
    channel.importRoute(w0, w1, w2, w3, length[i]!, id, metric ?? 0, origin);
    return CHANGE;
  };
  if (await inSlices(routes.count, announce, pace)) due.fill(0);
}

/** Before the first of many routes: makes room for all, and says in which order they come best. Null: as they stand. */
async function makeRoom(routes: RouteSet, table: Rtable, pace: Pace): Promise<Int32Array | null> {
  if (routes.count < MANY) return null;
  const sorted = await sortRoutes(routes, pace);
  if (sorted === null) return null;
  table.reserve(sorted.lengths);
  return sorted.order;
}

/** Withdraws the routes of `before` that are `gone`. */
export async function withdrawGone(
  before: RouteSet,
  gone: Uint8Array,
  channel: Channel,
  pace: Pace,
): Promise<void> {
  const { length } = before;
  const withdraw = (k: number): number => {
    if (gone[k] === 0) return 1;
    const w0 = before.word(k, 0);
    const w1 = before.word(k, 1);
    const w2 = before.word(k, 2);
    const w3 = before.word(k, 3);
    withdrawIfThere(channel, w0, w1, w2, w3, length[k]!);
    return CHANGE;
  };
  await inSlices(before.count, withdraw, pace);
}

/** A route that has no way was perhaps never announced: then there is nothing to say, nor to count. */
function withdrawIfThere(
  channel: Channel,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  length: number,
): void {
  const { table, source } = channel;
  const node = table.fib.find(w0, w1, w2, w3, length);
  if (node !== 0 && table.routeOf(node, source) !== 0) channel.withdrawRoute(w0, w1, w2, w3, length);
}
