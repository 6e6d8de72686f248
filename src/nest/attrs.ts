/**
 * HOT PATH. Route attributes, interned: equal attributes are one id, counted by reference, so that a million
 * routes through fifty gateways cost fifty entries and "has it changed" is an integer compare.
 *
 *   slots (power of two)     columns by id:  refs  stamp  hash  count  start
 *   ┌───┬───┬───┬───┐                                                    │
 *   │ 0 │ 3 │ 0 │ 1 │ ──► id       ┌─────────────────────────────────────┘
 *   └───┴───┴───┴───┘              ▼
 *                        arena: ─┬──────────────────────────────────┬──── used ──► unused
 *                                │ words of one id (attrs-draft.ts) │ gap of a freed id │ …
 *
 * When the arena is full, the live words move to a new one without gaps, so garbage never lasts. Words are
 * looked up by id, so moving is safe, but `words` and offset() are stale after the next intern(). A slot left
 * by a freed id is closed by shifting its cluster back, as in the Fib: no tombstones.
 */

import type { Family } from "../lib/ip.ts";
import type { AttrsDraft } from "./attrs-draft.ts";
import { matchAttrs } from "./attrs-match.ts";
import { describeWords } from "./attrs-view.ts";
import type { AttrsId, RouteAttrs } from "./route.ts";

const SMALLEST_ARENA = 1024;

export class AttrsTable {
  private arena = new Int32Array(SMALLEST_ARENA);
  private used = 0;
  /** Words in `used` that belong to freed ids. */
  private gaps = 0;
  private slots = new Int32Array(64);
  private refs = new Int32Array(32);
  private stamps = new Int32Array(32);
  private hashes = new Int32Array(32);
  private counts = new Int32Array(32);
  /** Start in the arena; of a free id: the next free id. */
  private starts = new Int32Array(32);
  private live = 0;
  private fresh = 1;
  private free: AttrsId = 0;

  /** Distinct attributes held now. */
  get size(): number {
    return this.live;
  }

  /** The arena. Stale after intern(). */
  get words(): Int32Array {
    return this.arena;
  }

  /** Where the words of a live id start. Stale after intern(). */
  offset(id: AttrsId): number {
    return this.starts[id]!;
  }

  /** Changes whenever the id is given to new content, so that a cache keyed by id can tell. Wraps at 32 bits. */
  stamp(id: AttrsId): number {
    return this.stamps[id]!;
  }

  /** The id of the draft's words, with one more reference, the caller's. The draft must be finished. */
  intern(draft: AttrsDraft): AttrsId {
    const { words, length } = draft;
    if (length === 0) throw new RangeError("Cannot intern attributes: the draft is not finished");
    const hash = hashWords(words, length);
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const id = this.slots[slot]!;
      if (id === 0) break;
      if (this.hashes[id] === hash && this.holds(id, words, length)) {
        this.refs[id]!++;
        return id;
      }
      slot = (slot + 1) & mask;
    }
    if (this.used + length > this.arena.length) this.moveArena(length);
    const id = this.allocate();
    const start = this.used;
    for (let i = 0; i < length; i++) this.arena[start + i] = words[i]!;
    this.used = start + length;
    this.starts[id] = start;
    this.counts[id] = length;
    this.hashes[id] = hash;
    this.refs[id] = 1;
    this.stamps[id] = this.stamps[id]! + 1;
    this.slots[slot] = id;
    if (++this.live * 4 > this.slots.length * 3) this.growSlots();
    return id;
  }

  /** One more reference to a live id. */
  retain(id: AttrsId): void {
    this.mustBeLive(id, "retain");
    this.refs[id]!++;
  }

  /** One reference less; at 0 the id is free and may be given to other attributes. */
  release(id: AttrsId): void {
    this.mustBeLive(id, "release");
    if (--this.refs[id]! === 0) this.drop(id);
  }

  /** References to the id; 0 when it is free. */
  references(id: AttrsId): number {
    return this.refs[id] ?? 0;
  }

  /** Whether a dumped route has the attributes we want (attrs-match.ts). The draft must be finished. */
  matches(wanted: AttrsId, kernel: AttrsDraft): boolean {
    return matchAttrs(this.arena, this.starts[wanted]!, kernel.words);
  }

  /** The attributes as an object; not for hot paths. `family` is that of the prefix, for the preferred source. */
  describe(id: AttrsId, family?: Family): RouteAttrs {
    this.mustBeLive(id, "describe");
    return describeWords(this.arena, this.starts[id]!, family ?? null);
  }

  /** describe() of a finished draft. */
  describeDraft(draft: AttrsDraft, family?: Family): RouteAttrs {
    return describeWords(draft.words, 0, family ?? null);
  }

  private mustBeLive(id: AttrsId, what: string): void {
    if (!(this.references(id) > 0)) throw new RangeError(`Cannot ${what} attributes ${id}: not live`);
  }

  private holds(id: AttrsId, words: Int32Array, length: number): boolean {
    if (this.counts[id] !== length) return false;
    const { arena } = this;
    const start = this.starts[id]!;
    for (let i = 0; i < length; i++) if (arena[start + i] !== words[i]) return false;
    return true;
  }

  private drop(id: AttrsId): void {
    const { slots, hashes } = this;
    const mask = slots.length - 1;
    let hole = hashes[id]! & mask;
    while (slots[hole] !== id) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashes[slots[slot]!]! & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = slots[slot]!;
      hole = slot;
    }
    slots[hole] = 0;
    this.gaps += this.counts[id]!;
    this.counts[id] = 0;
    this.starts[id] = this.free;
    this.free = id;
    this.live--;
  }

  private allocate(): AttrsId {
    const reused = this.free;
    if (reused !== 0) {
      this.free = this.starts[reused]!;
      return reused;
    }
    if (this.fresh === this.refs.length) {
      this.refs = doubled(this.refs);
      this.stamps = doubled(this.stamps);
      this.hashes = doubled(this.hashes);
      this.counts = doubled(this.counts);
      this.starts = doubled(this.starts);
    }
    return this.fresh++;
  }

  private growSlots(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    for (const id of old) {
      if (id === 0) continue;
      let slot = this.hashes[id]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.slots = slots;
  }

  /** Makes room for `more` words: a new arena, at least a third of it unused, with the live words packed. */
  private moveArena(more: number): void {
    const needed = this.used - this.gaps + more;
    let size = SMALLEST_ARENA;
    while (size * 2 < needed * 3) size *= 2;
    const arena = new Int32Array(size);
    let used = 0;
    for (let id = 1; id < this.fresh; id++) {
      if (this.refs[id] === 0) continue;
      const start = this.starts[id]!;
      arena.set(this.arena.subarray(start, start + this.counts[id]!), used);
      this.starts[id] = used;
      used += this.counts[id]!;
    }
    this.arena = arena;
    this.used = used;
    this.gaps = 0;
  }
}

function doubled(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(column.length * 2);
  grown.set(column);
  return grown;
}

function hashWords(words: Int32Array, length: number): number {
  let h = length;
  for (let i = 0; i < length; i++) {
    h = Math.imul(h ^ words[i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h;
}
