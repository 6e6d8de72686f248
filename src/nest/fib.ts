/**
 * HOT PATH. The prefix index of one table: every net has a node, a small number that indexes all columns.
 * One open-addressing table ("zone") per prefix length, created when the first prefix of that length comes.
 *
 *   zone /24 (power of two slots)        columns, by node id (0 is "none")
 *   ┌───┬───┬───┬───┬───┬───┐            node   key            length  flags  head
 *   │ 0 │ 7 │ 2 │ 0 │ 9 │ … │   ──►       2     198.51.100.0     24      …     →RouteId
 *   └───┴───┴───┴───┴───┴───┘             3     (next free id)  255      0       0
 *
 * `key` holds one word per node for IPv4, four for IPv6. Collisions go to the next slot; removal shifts the
 * cluster back, so there are no tombstones and a zone that saw a million removals is as fast as a new one.
 * Zones grow at 3/4 full and shrink below 1/8; columns only grow, because ids are stable. Iteration goes by
 * node id and never looks at a zone, which is why any mutation between two steps is harmless.
 */

import type { Family } from "../lib/ip.ts";
import { formatPrefix, maskWord, maxLength, type Prefix } from "../lib/prefix.ts";
import type { NodeId } from "./route.ts";

const FREE = 255;
const SMALLEST_ZONE = 16;
/** One wrong guess in so many: to look them up one by one begins to cost more than to look up all at once. */
const WRONG_GUESSES = 8;

export class Fib {
  readonly family: Family;
  /** Sync flags by node (sync-flags.ts). Re-read after insert(): growth replaces the array. */
  flags: Uint16Array;
  /** First (best) RouteId by node, 0 none; kept by Rtable. Re-read after insert(). */
  head: Int32Array;

  private key: Int32Array;
  private lengths: Uint8Array;
  /** A key has 1 << keyShift words: one for IPv4, four for IPv6. */
  private readonly keyShift: 0 | 2;
  private readonly zones: (Int32Array | null)[];
  private readonly zoneCounts: Int32Array;
  /** By length: the node that findAll() found last. */
  private readonly last: Int32Array;
  private live = 0;
  /** First id never used; all live ids are below. */
  private fresh = 1;
  /** First id of the free list, linked through `key`. */
  private free: NodeId = 0;
  private readonly growListeners = new Set<(capacity: number) => void>();

  constructor(family: Family, initialCapacity = 1024) {
    const capacity = Math.max(2, initialCapacity);
    this.family = family;
    this.keyShift = family === 4 ? 0 : 2;
    this.key = new Int32Array(capacity << this.keyShift);
    this.lengths = new Uint8Array(capacity).fill(FREE);
    this.flags = new Uint16Array(capacity);
    this.head = new Int32Array(capacity);
    this.zones = new Array<Int32Array | null>(maxLength(family) + 1).fill(null);
    this.zoneCounts = new Int32Array(maxLength(family) + 1);
    this.last = new Int32Array(maxLength(family) + 1);
  }

  /** Live nodes. */
  get size(): number {
    return this.live;
  }

  /** Node ids are below this; side columns must be at least this long. */
  get capacity(): number {
    return this.lengths.length;
  }

  /**
   * Ids of the nodes that are live now are below this. A walk that stops there ends, however fast the table grows
   * meanwhile.
   */
  get idLimit(): number {
    return this.fresh;
  }

  /**
   * Calls `listener` after every growth of the columns, before insert() returns the new node. Returns a function that
   * ends that.
   */
  onGrow(listener: (capacity: number) => void): () => void {
    this.growListeners.add(listener);
    return () => this.growListeners.delete(listener);
  }

  /** The node of exactly this prefix, or 0. Host bits must be 0, as in all methods that take a prefix. */
  find(w0: number, w1: number, w2: number, w3: number, length: number): NodeId {
    const zone = this.zones[length];
    if (zone === null || zone === undefined) return 0;
    const mask = zone.length - 1;
    let slot = hashWords(w0, w1, w2, w3) & mask;
    for (;;) {
      const node = zone[slot]!;
      if (node === 0 || this.holds(node, w0, w1, w2, w3)) return node;
      slot = (slot + 1) & mask;
    }
  }

  /** Whether this is the node of exactly this prefix, as find() would say. 0 is the node of none. */
  isNodeOf(node: NodeId, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    return this.lengths[node] === length && length !== FREE && this.holds(node, w0, w1, w2, w3);
  }

  /**
   * find() for `count` prefixes (four words each) into `nodes`, for tables larger than the processor's cache. What was
   * inserted in the order in which it is asked for lies in a row, and is found without the zones. Of the rest, reads that
   * do not depend on each other overlap. What is returned means nothing; a use of it keeps the reads from being optimized
   * away.
   */
  findAll(keys: Int32Array, lengths: Uint8Array, nodes: Int32Array, count: number): number {
    const { zones, key, keyShift } = this;
    const guessed = this.guessAll(keys, lengths, nodes, count);
    for (let i = guessed; i < count; i++) {
      const zone = zones[lengths[i]!];
      const at = 4 * i;
      const hash = hashWords(keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!);
      nodes[i] = zone == null ? 0 : zone[hash & (zone.length - 1)]!;
    }
    let sum = 0;
    for (let i = guessed; i < count; i++) sum ^= key[nodes[i]! << keyShift]!;
    for (let i = guessed; i < count; i++) {
      const at = 4 * i;
      const length = lengths[i]!;
      const node = this.find(keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!, length);
      nodes[i] = node;
      this.last[length] = node;
    }
    return sum;
  }

  /** Finds prefixes next to the last one of their length, until too many are not there. Returns how many it found. */
  private guessAll(keys: Int32Array, lengths: Uint8Array, nodes: Int32Array, count: number): number {
    const { last } = this;
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      const at = 4 * i;
      const w0 = keys[at]!;
      const w1 = keys[at + 1]!;
      const w2 = keys[at + 2]!;
      const w3 = keys[at + 3]!;
      const length = lengths[i]!;
      let node = last[length]! + 1;
      if (!this.isNodeOf(node, w0, w1, w2, w3, length)) {
        if (++wrong * WRONG_GUESSES > count) return i;
        node = this.find(w0, w1, w2, w3, length);
      }
      nodes[i] = node;
      last[length] = node;
    }
    return count;
  }

  /** Finds the node or makes one with flags and head 0. Throws RangeError on a length the family has not. */
  insert(w0: number, w1: number, w2: number, w3: number, length: number): NodeId {
    const zone = this.zones[length] ?? this.createZone(length);
    const mask = zone.length - 1;
    let slot = hashWords(w0, w1, w2, w3) & mask;
    for (;;) {
      const node = zone[slot]!;
      if (node === 0) break;
      if (this.holds(node, w0, w1, w2, w3)) return node;
      slot = (slot + 1) & mask;
    }
    const node = this.allocate();
    const at = node << this.keyShift;
    this.key[at] = w0;
    if (this.keyShift !== 0) {
      this.key[at + 1] = w1;
      this.key[at + 2] = w2;
      this.key[at + 3] = w3;
    }
    this.lengths[node] = length;
    zone[slot] = node;
    this.live++;
    const count = ++this.zoneCounts[length]!;
    if (count * 4 > zone.length * 3) this.rehash(length, zone.length * 2);
    return node;
  }

  /** Makes room for so many more prefixes of each length, while moving is cheap. Returns how many these are in all. */
  reserve(counts: ArrayLike<number>): number {
    let more = 0;
    for (let length = 0; length < this.zones.length; length++) {
      const count = counts[length] ?? 0;
      if (count === 0) continue;
      more += count;
      const zone = this.zones[length] ?? this.createZone(length);
      let slots = zone.length;
      while ((this.zoneCounts[length]! + count) * 4 > slots * 3) slots *= 2;
      if (slots > zone.length) this.rehash(length, slots);
    }
    if (this.fresh + more > this.lengths.length) this.growColumns(this.fresh + more + (more >> 4));
    return more;
  }

  /** Removes a live node: its flags and head become 0 and its id may be given to another prefix. */
  remove(node: NodeId): void {
    const length = this.lengths[node];
    if (length === undefined || length === FREE) throw new RangeError(`Cannot remove node ${node}: not live`);
    const zone = this.zones[length]!;
    const mask = zone.length - 1;
    let hole = this.hashNode(node) & mask;
    while (zone[hole] !== node) hole = (hole + 1) & mask;
    // Close the hole: move back every later entry of the cluster whose own slot is not past the hole.
    for (let slot = (hole + 1) & mask; zone[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.hashNode(zone[slot]!) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      zone[hole] = zone[slot]!;
      hole = slot;
    }
    zone[hole] = 0;
    this.lengths[node] = FREE;
    this.flags[node] = 0;
    this.head[node] = 0;
    this.key[node << this.keyShift] = this.free;
    this.free = node;
    this.live--;
    const count = --this.zoneCounts[length]!;
    if (count * 8 < zone.length && zone.length > SMALLEST_ZONE) this.rehash(length, zone.length >> 1);
  }

  /**
   * The node with the longest prefix that contains the address and has a route (head ≠ 0), or 0. Prefixes
   * longer than `limit` do not count. The address may have any bits.
   */
  longestMatch(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    limit: number = maxLength(this.family),
  ): NodeId {
    for (let length = Math.min(limit, this.zoneCounts.length - 1); length >= 0; length--) {
      if (this.zoneCounts[length] === 0) continue;
      const node = this.find(
        maskWord(w0, 0, length),
        maskWord(w1, 1, length),
        maskWord(w2, 2, length),
        maskWord(w3, 3, length),
        length,
      );
      if (node !== 0 && this.head[node] !== 0) return node;
    }
    return 0;
  }

  isLive(node: NodeId): boolean {
    return node > 0 && node < this.fresh && this.lengths[node] !== FREE;
  }

  /**
   * The next live node after `after` in id order, 0 at the end; start with 0. Nodes may come and go between
   * calls: one that lives through the whole walk is met exactly once, a newer one perhaps.
   */
  next(after: NodeId): NodeId {
    const { lengths, fresh } = this;
    for (let node = after + 1; node < fresh; node++) if (lengths[node] !== FREE) return node;
    return 0;
  }

  /** Word `index` of a live node's prefix. */
  word(node: NodeId, index: 0 | 1 | 2 | 3): number {
    if (this.keyShift === 0) return index === 0 ? this.key[node]! : 0;
    return this.key[(node << 2) + index]!;
  }

  /** Prefix length of a live node. */
  length(node: NodeId): number {
    return this.lengths[node]!;
  }

  /** A live node's prefix as an object; not for hot paths. */
  prefix(node: NodeId): Prefix {
    return {
      family: this.family,
      w0: this.word(node, 0),
      w1: this.word(node, 1),
      w2: this.word(node, 2),
      w3: this.word(node, 3),
      length: this.length(node),
    };
  }

  /** A live node's prefix as text; not for hot paths. */
  formatNode(node: NodeId): string {
    const { w0, w1, w2, w3, length } = this.prefix(node);
    return formatPrefix(this.family, w0, w1, w2, w3, length);
  }

  /** Whether the live node has this key; the length is that of the zone it was found in. */
  private holds(node: NodeId, w0: number, w1: number, w2: number, w3: number): boolean {
    const { key } = this;
    if (this.keyShift === 0) return key[node] === w0;
    const at = node << 2;
    return key[at] === w0 && key[at + 1] === w1 && key[at + 2] === w2 && key[at + 3] === w3;
  }

  private hashNode(node: NodeId): number {
    const { key } = this;
    if (this.keyShift === 0) return hashWords(key[node]!, 0, 0, 0);
    const at = node << 2;
    return hashWords(key[at]!, key[at + 1]!, key[at + 2]!, key[at + 3]!);
  }

  private createZone(length: number): Int32Array {
    if (!(length >= 0 && length < this.zones.length)) {
      throw new RangeError(`Cannot insert an IPv${this.family} prefix of length ${length}`);
    }
    const zone = new Int32Array(SMALLEST_ZONE);
    this.zones[length] = zone;
    return zone;
  }

  private rehash(length: number, slots: number): void {
    const old = this.zones[length]!;
    const zone = new Int32Array(slots);
    const mask = slots - 1;
    for (let i = 0; i < old.length; i++) {
      const node = old[i]!;
      if (node === 0) continue;
      let slot = this.hashNode(node) & mask;
      while (zone[slot] !== 0) slot = (slot + 1) & mask;
      zone[slot] = node;
    }
    this.zones[length] = zone;
  }

  private allocate(): NodeId {
    const reused = this.free;
    if (reused !== 0) {
      this.free = this.key[reused << this.keyShift]!;
      return reused;
    }
    const { length } = this.lengths;
    if (this.fresh === length) this.growColumns(length + Math.max(64, length >> 1));
    return this.fresh++;
  }

  private growColumns(capacity: number): void {
    const { key, lengths, flags, head } = this;
    this.key = new Int32Array(capacity << this.keyShift);
    this.key.set(key);
    this.lengths = new Uint8Array(capacity).fill(FREE, lengths.length);
    this.lengths.set(lengths);
    this.flags = new Uint16Array(capacity);
    this.flags.set(flags);
    this.head = new Int32Array(capacity);
    this.head.set(head);
    for (const listener of this.growListeners) listener(capacity);
  }
}

/**
 * Mixes the address words. Prefixes of one zone share their low zero bits and often all but a few high ones
 * (a run of /24, of /48, of host routes), so every input bit must reach the low bits, which pick the slot.
 */
function hashWords(w0: number, w1: number, w2: number, w3: number): number {
  let h = w0;
  if ((w1 | w2 | w3) !== 0) {
    h = Math.imul(h, 0x85ebca6b) ^ w1;
    h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35) ^ w2;
    h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f) ^ w3;
  }
  h = Math.imul(h ^ (h >>> 16), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return h ^ (h >>> 16);
}
