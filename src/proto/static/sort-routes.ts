/**
 * HOT PATH. The order in which a large set of routes is announced first: by prefix length, then by address. Their
 * nodes, and the kernel's, then stand in memory nearly in the order of the kernel's dumps, which makes every scan, and
 * every other dump of the table, faster. (By address alone the kernel would rebuild its trie more often.)
 *
 * IPv4 routes of many different nexthops come by those first, and so do sets that fit the processor's cache anyway. The
 * kernel has the nexthops of a device, of all tables, in one list, the newest in front, and looks each route's up there:
 * those of the route before are found at once, and others behind some ten thousand. (IPv6 has no such list.)
 *
 * A radix sort of the indexes, least significant digit first: address low half, high half, length, spec. Of IPv6 only the
 * first 32 bits count: near is good enough.
 */

import { inSlices, type Pace } from "../../lib/slices.ts";
import type { RouteSet } from "./config.ts";

/** What moving one index costs of a slice: a few reads that miss the cache. */
const MOVE = 4;
const HALF_WORD = 0x10000;
/** With so many different nexthops the kernel's search for them costs more than dumps in order save. */
const MANY_SPECS = 64;
/** Where the order of dumps begins to matter. */
const LARGE = 0x10000;

export interface SortedRoutes {
  /** Indexes into the set. */
  readonly order: Int32Array;
  /** Routes of each prefix length. */
  readonly lengths: Int32Array;
}

/** Null when stopped meanwhile. */
export async function sortRoutes(routes: RouteSet, pace: Pace): Promise<SortedRoutes | null> {
  const { count, length, spec } = routes;
  const grouped = routes.family === 4 && (routes.specs.length > MANY_SPECS || count < LARGE);
  const low = new Int32Array(HALF_WORD);
  const high = new Int32Array(HALF_WORD);
  const lengths = new Int32Array(129);
  const specs = new Int32Array(grouped ? routes.specs.length : 0);
  const tally = (i: number): number => {
    const word = routes.word(i, 0);
    low[word & 0xffff]!++;
    high[word >>> 16]!++;
    lengths[length[i]!]!++;
    if (grouped) specs[spec[i]!]!++;
    return MOVE;
  };
  if (!(await inSlices(count, tally, pace))) return null;
  const order = new Int32Array(count);
  const other = new Int32Array(count);
  const starts = {
    low: startsOf(low),
    high: startsOf(high),
    length: startsOf(lengths),
    spec: startsOf(specs),
  };
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
  const bySpec = (k: number): number => {
    const i = order[k]!;
    other[starts.spec[spec[i]!]!++] = i;
    return MOVE;
  };
  for (const pass of grouped ? [byLow, byHigh, byLength, bySpec] : [byLow, byHigh, byLength]) {
    if (!(await inSlices(count, pass, pace))) return null;
  }
  return { order: grouped ? other : order, lengths };
}

/** Where the first of each digit goes. */
function startsOf(counts: Int32Array): Int32Array {
  const starts = new Int32Array(counts.length);
  for (let digit = 1; digit < counts.length; digit++) {
    starts[digit] = starts[digit - 1]! + counts[digit - 1]!;
  }
  return starts;
}
