/**
 * HOT PATH. The order in which a large set of routes is announced first: by prefix length, then by address. Their
 * nodes, and the kernel's, then stand in memory nearly in the order of the kernel's dumps, which makes every scan, and
 * every other dump of the table, faster. (By address alone the kernel would rebuild its trie more often.)
 *
 * A radix sort of the indexes, least significant digit first: address low half, high half, length. Of IPv6 only the
 * first 32 bits count: near is good enough.
 */

import type { RouteSet } from "./config.ts";
import { inSlices, type Pace } from "./slices.ts";

/** What moving one index costs of a slice: a few reads that miss the cache. */
const MOVE = 4;
const HALF_WORD = 0x10000;

export interface SortedRoutes {
  /** Indexes into the set. */
  readonly order: Int32Array;
  /** Routes of each prefix length. */
  readonly lengths: Int32Array;
}

/** Null when stopped meanwhile. */
export async function sortRoutes(routes: RouteSet, pace: Pace): Promise<SortedRoutes | null> {
  const { count, length } = routes;
  const low = new Int32Array(HALF_WORD);
  const high = new Int32Array(HALF_WORD);
  const lengths = new Int32Array(129);
  const tally = (i: number): number => {
    const word = routes.word(i, 0);
    low[word & 0xffff]!++;
    high[word >>> 16]!++;
    lengths[length[i]!]!++;
    return MOVE;
  };
  if (!(await inSlices(count, tally, pace))) return null;
  const order = new Int32Array(count);
  const other = new Int32Array(count);
  const starts = { low: startsOf(low), high: startsOf(high), length: startsOf(lengths) };
  const byLow = (i: number): number => {
    order[starts.low[routes.word(i, 0) & 0xffff]!++] = i;
    return MOVE;
  };
  const byHigh = (k: number): number => {
    const i = order[k]!;
    other[starts.high[routes.word(i, 0) >>> 16]!++] = i;
    return MOVE;
  };
  const byLength = (k: number): number => {
    const i = other[k]!;
    order[starts.length[length[i]!]!++] = i;
    return MOVE;
  };
  for (const pass of [byLow, byHigh, byLength]) {
    if (!(await inSlices(count, pass, pace))) return null;
  }
  return { order, lengths };
}

/** Where the first of each digit goes. */
function startsOf(counts: Int32Array): Int32Array {
  const starts = new Int32Array(counts.length);
  for (let digit = 1; digit < counts.length; digit++) {
    starts[digit] = starts[digit - 1]! + counts[digit - 1]!;
  }
  return starts;
}
