/**
 * HOT PATH. A set of prefix patterns of one family, and whether a prefix fits any of them: a binary trie with
 * compressed paths, so that ten thousand patterns cost some fifteen steps and never more than one per bit.
 *
 *   node    w0–w3, length   a pattern's prefix, or where two paths part
 *           sides           2 per node: the child whose next bit is 0, the one whose next bit is 1
 *           accepts         `lanes` words per node: bit n set = the patterns here take prefixes of length n
 *           below           the same for all patterns at or under the node
 *
 * A prefix longer than a node's is judged by `accepts` on the way down. Where the way reaches its end, all that lies
 * under agrees with it, and `below` tells at once whether a pattern there takes one as short as this.
 */

import type { Family } from "../lib/ip.ts";
import { maskWord, maxLength, type Prefix } from "../lib/prefix.ts";

/**
 * Takes prefixes of `from` to `to` bits whose bits are those of the pattern's prefix, as far as both have any: longer
 * ones lie within it, shorter ones contain it. 0 ≤ from ≤ to ≤ 32 or 128.
 */
export interface PrefixPattern extends Prefix {
  readonly from: number;
  readonly to: number;
}

export class PrefixPatterns {
  /** Words of a set of lengths: 33 or 129 bits. */
  private readonly lanes: number;
  private readonly w0: Int32Array;
  private readonly w1: Int32Array;
  private readonly w2: Int32Array;
  private readonly w3: Int32Array;
  private readonly length: Uint8Array;
  private readonly sides: Int32Array;
  private readonly accepts: Int32Array;
  private readonly below: Int32Array;
  /** The next unused node; 0 is none. */
  private fresh = 1;
  private root = 0;

  /** Patterns of other families are left out. */
  constructor(family: Family, patterns: readonly PrefixPattern[]) {
    const own = patterns.filter((pattern) => pattern.family === family);
    this.lanes = (maxLength(family) >>> 5) + 1;
    // Every pattern makes a node, and at most one where its path leaves that of another.
    const nodes = own.length * 2 + 1;
    this.w0 = new Int32Array(nodes);
    this.w1 = new Int32Array(nodes);
    this.w2 = new Int32Array(nodes);
    this.w3 = new Int32Array(nodes);
    this.length = new Uint8Array(nodes);
    this.sides = new Int32Array(nodes * 2);
    this.accepts = new Int32Array(nodes * this.lanes);
    this.below = new Int32Array(nodes * this.lanes);
    for (const pattern of own) {
      const node = this.nodeOf(pattern);
      for (let bits = pattern.from; bits <= pattern.to; bits++) {
        this.accepts[node * this.lanes + (bits >>> 5)]! |= 1 << (bits & 31);
      }
    }
    this.sumUp(this.root);
  }

  /** Whether a prefix fits any pattern; its host bits are 0. */
  fits(w0: number, w1: number, w2: number, w3: number, bits: number): boolean {
    const { lanes, length } = this;
    const lane = bits >>> 5;
    const bit = 1 << (bits & 31);
    let node = this.root;
    while (node !== 0) {
      const own = length[node]!;
      if (own >= bits) {
        return this.agrees(node, w0, w1, w2, w3, bits) && (this.below[node * lanes + lane]! & bit) !== 0;
      }
      if (!this.agrees(node, w0, w1, w2, w3, own)) return false;
      if ((this.accepts[node * lanes + lane]! & bit) !== 0) return true;
      node = this.sides[node * 2 + bitAt(w0, w1, w2, w3, own)]!;
    }
    return false;
  }

  /** The node of exactly this prefix, made when there is none. */
  private nodeOf(prefix: Prefix): number {
    const { w0, w1, w2, w3, length } = prefix;
    let above = 0;
    let side = 0;
    let node = this.root;
    while (node !== 0) {
      const own = this.length[node]!;
      const common = Math.min(own, length, this.commonBits(node, w0, w1, w2, w3));
      if (common < own) return this.split(above, side, node, common, prefix);
      if (own === length) return node;
      above = node;
      side = bitAt(w0, w1, w2, w3, own);
      node = this.sides[node * 2 + side]!;
    }
    const made = this.make(w0, w1, w2, w3, length);
    this.attach(above, side, made);
    return made;
  }

  /** Puts the prefix over `node`, or beside it under a new node, where they part after `common` bits. */
  private split(above: number, side: number, node: number, common: number, prefix: Prefix): number {
    const { w0, w1, w2, w3, length } = prefix;
    const made = this.make(w0, w1, w2, w3, length);
    const fork = common === length ? made : this.make(w0, w1, w2, w3, common);
    const under = bitAt(this.w0[node]!, this.w1[node]!, this.w2[node]!, this.w3[node]!, common);
    this.sides[fork * 2 + under] = node;
    if (fork !== made) this.sides[fork * 2 + 1 - under] = made;
    this.attach(above, side, fork);
    return made;
  }

  private make(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const node = this.fresh++;
    this.w0[node] = maskWord(w0, 0, length);
    this.w1[node] = maskWord(w1, 1, length);
    this.w2[node] = maskWord(w2, 2, length);
    this.w3[node] = maskWord(w3, 3, length);
    this.length[node] = length;
    return node;
  }

  private attach(above: number, side: number, node: number): void {
    if (above === 0) this.root = node;
    else this.sides[above * 2 + side] = node;
  }

  /** Fills `below` of the node and of all under it; as deep as a prefix has bits. */
  private sumUp(node: number): void {
    if (node === 0) return;
    const { lanes, sides } = this;
    const left = sides[node * 2]!;
    const right = sides[node * 2 + 1]!;
    this.sumUp(left);
    this.sumUp(right);
    for (let lane = 0; lane < lanes; lane++) {
      const under = this.below[left * lanes + lane]! | this.below[right * lanes + lane]!;
      this.below[node * lanes + lane] = this.accepts[node * lanes + lane]! | under;
    }
  }

  private agrees(node: number, w0: number, w1: number, w2: number, w3: number, bits: number): boolean {
    if (bits === 0) return true;
    if (bits <= 32) return (w0 ^ this.w0[node]!) >>> (32 - bits) === 0;
    if (w0 !== this.w0[node]!) return false;
    if (bits <= 64) return (w1 ^ this.w1[node]!) >>> (64 - bits) === 0;
    if (w1 !== this.w1[node]!) return false;
    if (bits <= 96) return (w2 ^ this.w2[node]!) >>> (96 - bits) === 0;
    return w2 === this.w2[node]! && (w3 ^ this.w3[node]!) >>> (128 - bits) === 0;
  }

  private commonBits(node: number, w0: number, w1: number, w2: number, w3: number): number {
    if (w0 !== this.w0[node]!) return Math.clz32(w0 ^ this.w0[node]!);
    if (w1 !== this.w1[node]!) return 32 + Math.clz32(w1 ^ this.w1[node]!);
    if (w2 !== this.w2[node]!) return 64 + Math.clz32(w2 ^ this.w2[node]!);
    return 96 + Math.clz32(w3 ^ this.w3[node]!);
  }
}

/** Bit `at` of an address, counted from the front; 0 after the last one of an IPv6 address. */
function bitAt(w0: number, w1: number, w2: number, w3: number, at: number): number {
  const word = at < 64 ? (at < 32 ? w0 : w1) : at < 96 ? w2 : w3;
  return (word >>> (31 - (at & 31))) & 1;
}
