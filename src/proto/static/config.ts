/**
 * What one static protocol needs to be told: the typed form of one entry under `static:` in krt.yaml with all
 * of its `files:` read. HOT PATH: a million routes come through add(), so a route is a few words in parallel
 * arrays; what stands after the prefix ("via 192.0.2.1 dev eth0") is one of few specs, interned by content.
 *
 *   index        0 … count-1, in the order they were written
 *   key[4i..]    prefix words, signed, network order    length[i]  prefix length
 *   spec[i]      index into specs                       line[i]    line in its file, from 1
 *   slots        open addressing over (key, length): 1 + index, 0 = free; at most two thirds full
 *   sources      runs of routes from one file: [first index, file], ascending
 */

import type { Family, IpAddress } from "../../lib/ip.ts";
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

const INITIAL_CAPACITY = 64;

/** The routes of one static protocol. A prefix stands in it once. */
export class RouteSet {
  readonly family: Family;
  count = 0;
  /** Re-read these after add(): they grow. Valid up to `count`. */
  key: Int32Array = new Int32Array(4 * INITIAL_CAPACITY);
  length: Uint8Array = new Uint8Array(INITIAL_CAPACITY);
  spec: Uint32Array = new Uint32Array(INITIAL_CAPACITY);
  readonly specs: RouteSpec[] = [];
  private line = new Uint32Array(INITIAL_CAPACITY);
  private slots = new Int32Array(4 * INITIAL_CAPACITY);
  private readonly sources: Source[] = [];
  private readonly specIndex = new Map<string, number>();

  constructor(family: Family) {
    this.family = family;
  }

  /** Makes room for `count` routes while moving is cheap: doubling a large set pauses for tens of milliseconds. */
  reserve(count: number): void {
    if (count > this.length.length) this.resize(count);
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
    const { key, slots } = this;
    const slot = this.slotOf(w0, w1, w2, w3, length);
    if (slots[slot] !== 0) return -slots[slot]!;
    slots[slot] = index + 1;
    key[index * 4] = w0;
    key[index * 4 + 1] = w1;
    key[index * 4 + 2] = w2;
    key[index * 4 + 3] = w3;
    this.length[index] = length;
    this.spec[index] = specIndex;
    this.line[index] = line;
    this.count = index + 1;
    return index;
  }

  /** The index of the route to exactly this prefix, or -1. */
  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    return this.slots[this.slotOf(w0, w1, w2, w3, length)]! - 1;
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

  /** The slot that holds this prefix, or the free one where it belongs. */
  private slotOf(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const { key, slots } = this;
    const mask = slots.length - 1;
    let slot = hash(w0, w1, w2, w3, length) & mask;
    for (;;) {
      const found = slots[slot]!;
      if (found === 0) return slot;
      const at = (found - 1) * 4;
      if (
        key[at] === w0 &&
        key[at + 1] === w1 &&
        key[at + 2] === w2 &&
        key[at + 3] === w3 &&
        this.length[found - 1] === length
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  private resize(capacity: number): void {
    this.key = enlarged(this.key, new Int32Array(4 * capacity));
    this.length = enlarged(this.length, new Uint8Array(capacity));
    this.spec = enlarged(this.spec, new Uint32Array(capacity));
    this.line = enlarged(this.line, new Uint32Array(capacity));
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(1.5 * capacity)));
    const mask = slots.length - 1;
    const { key, length } = this;
    for (let i = 0; i < this.count; i++) {
      let slot = hash(key[4 * i]!, key[4 * i + 1]!, key[4 * i + 2]!, key[4 * i + 3]!, length[i]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = i + 1;
    }
    this.slots = slots;
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
