/**
 * HOT PATH. Walks over the routes of a static protocol, a million of them perhaps, in slices: announces those whose
 * specs are due, and withdraws those that a new configuration lacks.
 */

import type { Clock } from "../../lib/clock.ts";
import type { Channel } from "../../nest/channel.ts";
import { internOrigin, PLAIN_ORIGIN } from "../../nest/origin.ts";
import type { RouteSet } from "./config.ts";
import type { SpecAttrs } from "./spec-attrs.ts";

/** What may be spent between two yields to the event loop; a look at an array costs 1. */
const SLICE = 0x10000;
/** A change of the table: 1,024 of them are a slice. */
const CHANGE = 64;

const RECURSIVE_ORIGIN = internOrigin({ protocol: 0, recursive: true, connected: false, trail: [] });

export interface Pace {
  readonly clock: Pick<Clock, "yield">;
  /** Asked after every yield; true ends the walk. */
  readonly stopped: () => boolean;
}

/** Calls `step` with 0 … count-1, in slices; it returns what it cost. Resolves with false when stopped. */
export async function inSlices(count: number, step: (i: number) => number, pace: Pace): Promise<boolean> {
  let left = SLICE;
  for (let i = 0; i < count; i++) {
    if (left <= 0) {
      await pace.clock.yield();
      if (pace.stopped()) return false;
      left = SLICE;
    }
    left -= step(i);
  }
  return true;
}

/** Announces, or withdraws, the routes whose specs are due, but for those that `stands` says stand; then none is due. */
export async function announceDue(
  routes: RouteSet,
  made: SpecAttrs,
  channel: Channel,
  pace: Pace,
  stands?: (i: number) => boolean,
): Promise<void> {
  const { key, length, spec, specs } = routes;
  const { due, ids } = made;
  const { attrs } = channel.table;
  const announce = (i: number): number => {
    const of = spec[i]!;
    if (due[of] === 0 || stands?.(i) === true) return 1;
    const at = 4 * i;
    const w0 = key[at]!;
    const w1 = key[at + 1]!;
    const w2 = key[at + 2]!;
    const w3 = key[at + 3]!;
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

/** Withdraws the routes of `before` to prefixes that are not in `now`. */
export async function withdrawMissing(
  before: RouteSet,
  now: RouteSet,
  channel: Channel,
  pace: Pace,
): Promise<void> {
  if (before === now) return;
  const { key, length } = before;
  const withdraw = (i: number): number => {
    const at = 4 * i;
    const w0 = key[at]!;
    const w1 = key[at + 1]!;
    const w2 = key[at + 2]!;
    const w3 = key[at + 3]!;
    if (now.find(w0, w1, w2, w3, length[i]!) < 0) withdrawIfThere(channel, w0, w1, w2, w3, length[i]!);
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
