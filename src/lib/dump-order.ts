/**
 * The order in which Linux dumps the routes of a table, by prefix. IPv4 (fib_trie) goes by address, and of one address
 * the longer prefix comes first. IPv6 (ip6_fib) walks a tree: what lies inside a prefix comes before it.
 */

import type { Family } from "./ip.ts";

/** A prefix as words; see Prefix. */
export interface PrefixWords {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly length: number;
}

/** < 0 when `a` is dumped before `b`, 0 for the same prefix. Makes nothing: it may be called for every route. */
export function compareDumpOrder(family: Family, a: PrefixWords, b: PrefixWords): number {
  const same = commonBits(a, b);
  if (same >= a.length || same >= b.length) {
    if (a.length === b.length) return 0;
    // One contains the other. IPv4 lists it there only when their addresses are the same.
    if (family === 6 || same >= 32) return b.length - a.length;
  }
  if (a.w0 !== b.w0) return a.w0 >>> 0 < b.w0 >>> 0 ? -1 : 1;
  if (a.w1 !== b.w1) return a.w1 >>> 0 < b.w1 >>> 0 ? -1 : 1;
  if (a.w2 !== b.w2) return a.w2 >>> 0 < b.w2 >>> 0 ? -1 : 1;
  return a.w3 >>> 0 < b.w3 >>> 0 ? -1 : 1;
}

/** How many leading bits the addresses share; of IPv4 addresses that are equal 128. */
function commonBits(a: PrefixWords, b: PrefixWords): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0);
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1);
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2);
  if (a.w3 !== b.w3) return 96 + Math.clz32(a.w3 ^ b.w3);
  return 128;
}
