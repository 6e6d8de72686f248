/**
 * What one static protocol needs to be told: the typed form of one entry under `static:` in krt.yaml with all
 * of its `files:` read. HOT PATH: a million routes come through add(), so a route is a few words in parallel
 * arrays; what stands after the prefix ("via 192.0.2.1 dev eth0") is one of few specs, interned by content.
 *
 *   index        0 … count-1, in the order they were written
 *   key          prefix words, signed, network order: one for IPv4, four for IPv6
 *   length[i]    prefix length       spec[i]  index into specs       line[i]  line in its file, from 1
 *   slots        open addressing over (key, length): 1 + index, 0 = free; at most two thirds full. A fifth of the
 *                memory, wanted only while routes are read or two sets compared: given up in between
 *   sources      runs of routes from one file: [first index, file], ascending
 */

import type { Family, IpAddress } from "../../lib/ip.ts";
import { inSlices, type Pace } from "../../lib/slices.ts";
import type { Filter } from "../../nest/filter.ts";
import type { RouteType } from "../../nest/route.ts";

export interface StaticConfig {
  readonly name: string;
  /** krtd's table, by name. */
  readonly table: string;
  /** 0–65535; the higher wins. */
  readonly preference: number;
  /** A nexthop counts only while the link of its interface is up. */
  readonly checkLink: boolean;
  readonly import: Filter;
  readonly routes: RouteSet;
}

export interface NexthopSpec {
  readonly via: IpAddress | null;
  /** Interface name, latin1 (one character a byte), or null: the kernel chooses. */
  readonly dev: string | null;
  /** 1–256. */
  readonly weight: number;
  readonly onlink: boolean;
}

/** Everything about a route but its prefix. */
export interface RouteSpec {
  readonly type: RouteType;
  /** At least one for unicast, none for the other types. */
  readonly nexthops: readonly NexthopSpec[];
  readonly prefsrc: IpAddress | null;
  /** Bytes, 68–65520 (the kernel caps at that; IPv6 from 1280), or null when not set. */
  readonly mtu: number | null;
  /** RTA_PRIORITY 1–4294967295, or null: the default of the kernel protocol applies. */
  readonly metric: number | null;
  /** The route goes where packets to this address go, by this very table; then it has no nexthops of its own. */
  readonly recursive: IpAddress | null;
}

interface Source {
  readonly first: number;
  readonly file: string;
}

/** Which routes of a set and an older one are to the same prefix. */
export interface RouteMatch {
  /** For each route of the set 1 + the index of the old one, or 0. */
  readonly old: Uint32Array;
  /** For each route of the old set 1 where this one has none to its prefix. */
  readonly gone: Uint8Array;
  readonly goneCount: number;
}

const INITIAL_CAPACITY = 64;
/** What putting a route into the index costs of a slice: the first in a page of new memory may take 20 µs. */
const ENTER = 128;
/** Matching a route: some 4,000 are a slice, a millisecond or two when each must be looked up. */
const MATCH = 16;

/** The routes of one static protocol. A prefix stands in it once. */
export class RouteSet {
  readonly family: Family;
  count = 0;
  /** Re-read these after add(): they grow. Valid up to `count`. */
  length: Uint8Array = new Uint8Array(INITIAL_CAPACITY);
  spec: Uint32Array = new Uint32Array(INITIAL_CAPACITY);
  readonly specs: RouteSpec[] = [];
  private key: Int32Array;
  /** A key has 1 << keyShift words. */
  private readonly keyShift: 0 | 2;
  private line = new Uint32Array(INITIAL_CAPACITY);
  /** Null: given up. */
  private slots: Int32Array | null = null;
  private readonly sources: Source[] = [];
  private readonly specIndex = new Map<string, number>();

  constructor(family: Family) {
    this.family = family;
    this.keyShift = family === 4 ? 0 : 2;
    this.key = new Int32Array(INITIAL_CAPACITY << this.keyShift);
  }

  /** Word `k` of the prefix of route `index`. */
  word(index: number, k: 0 | 1 | 2 | 3): number {
    if (this.keyShift === 0) return k === 0 ? this.key[index]! : 0;
    return this.key[(index << 2) + k]!;
  }

  /**
   * Makes room for `count` routes while moving is cheap: doubling a large set pauses for tens of milliseconds. Nothing
   * may be added meanwhile.
   */
  async reserve(count: number, clock: Pace["clock"]): Promise<void> {
    if (count <= this.length.length) return;
    this.resize(count);
    // Entries anywhere in new memory are slow: some thousand of them take a turn's time.
    await this.makeIndex(clock);
  }

  /** Says which file the routes added from now on stand in. */
  from(file: string): void {
    this.sources.push({ first: this.count, file });
  }

  /** The index in `specs` of this content; equal specs share one. Nexthops keep their order. */
  internSpec(spec: RouteSpec): number {
    const content = JSON.stringify(spec);
    const known = this.specIndex.get(content);
    if (known !== undefined) return known;
    const index = this.specs.push(spec) - 1;
    this.specIndex.set(content, index);
    return index;
  }

  /**
   * Adds a route and returns its index, or -(1 + index of the earlier one) when the prefix is there already.
   * The words must be masked to `length`; `line` counts from 1.
   */
  add(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    specIndex: number,
    line: number,
  ): number {
    const index = this.count;
    if (index === this.length.length) this.resize(2 * index);
    const slots = this.slots ?? this.indexNow();
    const slot = this.slotOf(slots, w0, w1, w2, w3, length);
    if (slots[slot] !== 0) return -slots[slot]!;
    slots[slot] = index + 1;
    const { key } = this;
    const at = index << this.keyShift;
    key[at] = w0;
    if (this.keyShift !== 0) {
      key[at + 1] = w1;
      key[at + 2] = w2;
      key[at + 3] = w3;
    }
    this.length[index] = length;
    this.spec[index] = specIndex;
    this.line[index] = line;
    this.count = index + 1;
    return index;
  }

  /** The index of the route to exactly this prefix, or -1. Where there are many, makeIndex() comes before the first. */
  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const slots = this.slots ?? this.indexNow();
    return slots[this.slotOf(slots, w0, w1, w2, w3, length)]! - 1;
  }

  /** Gives up what find() needs until it is asked again: nobody is going to, for a long time. */
  dropIndex(): void {
    this.slots = null;
  }

  /** Makes what find() needs, in slices, if it was given up. Nothing may be added meanwhile. */
  async makeIndex(clock: Pace["clock"]): Promise<void> {
    if (this.slots !== null) return;
    const slots = this.emptySlots();
    const enter = (i: number): number => {
      this.enter(slots, i);
      return ENTER;
    };
    await inSlices(this.count, enter, { clock, stopped: () => false });
    this.slots = slots;
  }

  /**
   * Finds the routes of `before`, of the same family, that go to the same prefixes. Most changes of a file are few, so
   * the route that stands after the last match is tried before the index is asked. Null: stopped.
   */
  async match(before: RouteSet, pace: Pace): Promise<RouteMatch | null> {
    if (before !== this) await this.makeIndex(pace.clock);
    const old = new Uint32Array(this.count);
    const gone = new Uint8Array(before.count);
    let goneCount = 0;
    let next = 0;
    const match = (k: number): number => {
      const i = this.hasPrefixOf(next, before, k) ? next : this.findLike(before, k);
      if (i < 0) {
        gone[k] = 1;
        goneCount++;
      } else {
        old[i] = k + 1;
        next = i + 1;
      }
      return MATCH;
    };
    return (await inSlices(before.count, match, pace)) ? { old, gone, goneCount } : null;
  }

  /** "file:line" of route `index`, for messages. */
  where(index: number): string {
    let low = 0;
    let high = this.sources.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.sources[middle]!.first <= index) low = middle;
      else high = middle;
    }
    return `${this.sources[low]?.file ?? "?"}:${this.line[index]}`;
  }

  private hasPrefixOf(i: number, other: RouteSet, k: number): boolean {
    if (i >= this.count || this.length[i] !== other.length[k]) return false;
    return (
      this.word(i, 0) === other.word(k, 0) &&
      this.word(i, 1) === other.word(k, 1) &&
      this.word(i, 2) === other.word(k, 2) &&
      this.word(i, 3) === other.word(k, 3)
    );
  }

  private findLike(other: RouteSet, k: number): number {
    return this.find(
      other.word(k, 0),
      other.word(k, 1),
      other.word(k, 2),
      other.word(k, 3),
      other.length[k]!,
    );
  }

  /** The slot that holds this prefix, or the free one where it belongs. */
  private slotOf(slots: Int32Array, w0: number, w1: number, w2: number, w3: number, length: number): number {
    const { key, keyShift } = this;
    const mask = slots.length - 1;
    let slot = hash(w0, w1, w2, w3, length) & mask;
    for (;;) {
      const found = slots[slot]!;
      if (found === 0) return slot;
      const at = (found - 1) << keyShift;
      if (
        key[at] === w0 &&
        this.length[found - 1] === length &&
        (keyShift === 0 || (key[at + 1] === w1 && key[at + 2] === w2 && key[at + 3] === w3))
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** The index is of another size then, and given up. */
  private resize(capacity: number): void {
    this.key = enlarged(this.key, new Int32Array(capacity << this.keyShift));
    this.length = enlarged(this.length, new Uint8Array(capacity));
    this.spec = enlarged(this.spec, new Uint32Array(capacity));
    this.line = enlarged(this.line, new Uint32Array(capacity));
    this.slots = null;
  }

  private indexNow(): Int32Array {
    const slots = this.emptySlots();
    for (let i = 0; i < this.count; i++) this.enter(slots, i);
    this.slots = slots;
    return slots;
  }

  private emptySlots(): Int32Array {
    return new Int32Array(2 ** Math.ceil(Math.log2(1.5 * this.length.length)));
  }

  private enter(slots: Int32Array, i: number): void {
    const mask = slots.length - 1;
    const w0 = this.word(i, 0);
    let slot = hash(w0, this.word(i, 1), this.word(i, 2), this.word(i, 3), this.length[i]!) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = i + 1;
  }
}

function enlarged<T extends Int32Array | Uint8Array | Uint32Array>(old: T, grown: T): T {
  grown.set(old);
  return grown;
}

function hash(w0: number, w1: number, w2: number, w3: number, length: number): number {
  let h = Math.imul(w0 ^ (w0 >>> 15), 0x2c1b3c6d) ^ length;
  h = Math.imul(h ^ (h >>> 13) ^ w1, 0x297a2d39);
  h = Math.imul(h ^ (h >>> 16) ^ w2, 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15) ^ w3, 0x2c1b3c6d);
  return h ^ (h >>> 16);
}
