/**
 * HOT PATH. Which routes of two sets are to the same prefix. A million are matched in place: no object or string per
 * route. Most changes of a file are few, so the route that stands after the last match is tried before the index is
 * asked, and it is the new set's index, which is there from reading it.
 */

import type { RouteSet } from "./config.ts";
import { inSlices, type Pace } from "./slices.ts";

/** What a route costs of a slice: some 4,000 are a slice, a millisecond or two when each must be looked up. */
const LOOKUP = 16;

export interface RouteMatch {
  /** For each route of the new set 1 + the index of the old one to the same prefix, or 0. */
  readonly old: Uint32Array;
  /** For each route of the old set 1 where the new one has none to its prefix. */
  readonly gone: Uint8Array;
  readonly goneCount: number;
}

/** Both sets must be of one family. Null: stopped. */
export async function matchRoutes(before: RouteSet, now: RouteSet, pace: Pace): Promise<RouteMatch | null> {
  if (before !== now) await now.makeIndex(pace.clock);
  const old = new Uint32Array(now.count);
  const gone = new Uint8Array(before.count);
  let goneCount = 0;
  /** Where the next route of `before` probably stands in `now`. */
  let next = 0;
  const match = (k: number): number => {
    const i = hasPrefixOf(now, next, before, k) ? next : find(now, before, k);
    if (i < 0) {
      gone[k] = 1;
      goneCount++;
    } else {
      old[i] = k + 1;
      next = i + 1;
    }
    return LOOKUP;
  };
  return (await inSlices(before.count, match, pace)) ? { old, gone, goneCount } : null;
}

function hasPrefixOf(set: RouteSet, at: number, other: RouteSet, k: number): boolean {
  if (at >= set.count || set.length[at] !== other.length[k]) return false;
  return (
    set.word(at, 0) === other.word(k, 0) &&
    set.word(at, 1) === other.word(k, 1) &&
    set.word(at, 2) === other.word(k, 2) &&
    set.word(at, 3) === other.word(k, 3)
  );
}

function find(set: RouteSet, other: RouteSet, k: number): number {
  return set.find(other.word(k, 0), other.word(k, 1), other.word(k, 2), other.word(k, 3), other.length[k]!);
}
