/**
 * HOT PATH. A route's attributes while they are being put together: by the codec from a dump message, by the
 * static protocol from its configuration. finish() makes the words canonical, so that two routes with equal
 * attributes have equal words whatever order they were given in; AttrsTable interns those words.
 *
 *   words   0 TYPE       RTN_* (1 unicast, 6 blackhole, 7 unreachable, 8 prohibit, 9 throw)
 *           1 NEXTHOPS   how many
 *           2 SCOPE      rt_scope, or -1: not set (anything matches)
 *           3 METRICS    bit n set = RTAX_n present
 *           4–7 PREFSRC  address words, all 0 = none
 *           8 FLOW       realm, 0 = none
 *           9 OPAQUE     0, or a non-zero hash of what krtd does not understand: never equal to a wanted route
 *          10 …          nexthops, NEXTHOP_WORDS each, sorted
 *           … …          one word per METRICS bit, ascending
 *
 *   nexthop 0 FAMILY     of the gateway: 0 none, 4, 6     1–4 GATEWAY words
 *           5 DEVICE     > 0 ifindex, 0 none given (the kernel chooses), < 0 a device that does not exist yet
 *           6 WEIGHT     1–256                            7 FLAGS  RTNH_F_ONLINK (4) or 0
 *           8 ENCAP      0, or a non-zero hash of an encapsulation krtd does not understand
 */

import type { Family } from "../lib/ip.ts";

export const ATTRS_TYPE = 0;
export const ATTRS_NEXTHOPS = 1;
export const ATTRS_SCOPE = 2;
export const ATTRS_METRICS = 3;
export const ATTRS_PREFSRC = 4;
export const ATTRS_FLOW = 8;
export const ATTRS_OPAQUE = 9;
export const ATTRS_HEADER_WORDS = 10;

export const NEXTHOP_FAMILY = 0;
export const NEXTHOP_GATEWAY = 1;
export const NEXTHOP_DEVICE = 5;
export const NEXTHOP_WEIGHT = 6;
export const NEXTHOP_FLAGS = 7;
export const NEXTHOP_ENCAP = 8;
export const NEXTHOP_WORDS = 9;

/** linux/rtnetlink.h: RTNH_F_ONLINK, the only nexthop flag that is configuration and not state. */
export const RTNH_F_ONLINK = 4;

/** linux/rtnetlink.h: RTAX_MAX is 17; bits of METRICS and indexes of metric values. */
export const RTAX_LIMIT = 18;

/** So many are sorted in place. */
const FEW_NEXTHOPS = 128;

export class AttrsDraft {
  /** Grows on demand: re-read after every call. Valid up to `length` once finished. */
  words: Int32Array = new Int32Array(256);
  /** Words in use; 0 until finish(). */
  length = 0;
  /** What OPAQUE would be without the nexthop object that the nexthops come from. */
  opaqueBesidesObject = 0;
  private readonly metrics = new Int32Array(RTAX_LIMIT);
  private readonly swap = new Int32Array(NEXTHOP_WORDS);

  /** Starts over. `type` is RTN_*. */
  reset(type: number): void {
    this.words.fill(0, 0, ATTRS_HEADER_WORDS);
    this.words[ATTRS_TYPE] = type;
    this.words[ATTRS_SCOPE] = -1;
    this.length = 0;
    this.opaqueBesidesObject = 0;
  }

  /** Appends a nexthop. `gatewayFamily` 0 = no gateway (the words must then be 0). */
  addNexthop(
    gatewayFamily: Family | 0,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    device: number,
    weight: number,
    flags: number,
    encap: number,
  ): void {
    const count = this.words[ATTRS_NEXTHOPS]!;
    const at = ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
    this.reserve(at + NEXTHOP_WORDS + RTAX_LIMIT);
    const words = this.words;
    words[at + NEXTHOP_FAMILY] = gatewayFamily;
    words[at + NEXTHOP_GATEWAY] = w0;
    words[at + NEXTHOP_GATEWAY + 1] = w1;
    words[at + NEXTHOP_GATEWAY + 2] = w2;
    words[at + NEXTHOP_GATEWAY + 3] = w3;
    words[at + NEXTHOP_DEVICE] = device;
    words[at + NEXTHOP_WEIGHT] = weight;
    words[at + NEXTHOP_FLAGS] = flags;
    words[at + NEXTHOP_ENCAP] = encap;
    words[ATTRS_NEXTHOPS] = count + 1;
  }

  /** Starts over with all that interned attributes at words[base…] have, except their nexthops. */
  copyHeader(words: Int32Array, base: number): void {
    this.words.set(words.subarray(base, base + ATTRS_HEADER_WORDS));
    this.words[ATTRS_NEXTHOPS] = 0;
    this.length = 0;
    this.opaqueBesidesObject = this.words[ATTRS_OPAQUE]!;
    let at = base + ATTRS_HEADER_WORDS + words[base + ATTRS_NEXTHOPS]! * NEXTHOP_WORDS;
    const mask = words[base + ATTRS_METRICS]!;
    for (let rtax = 1; rtax < RTAX_LIMIT; rtax++) {
      if ((mask & (1 << rtax)) !== 0) this.metrics[rtax] = words[at++]!;
    }
  }

  /** Appends a nexthop as it stands in interned words at `at`. */
  addNexthopWords(words: Int32Array, at: number): void {
    const count = this.words[ATTRS_NEXTHOPS]!;
    const to = ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
    this.reserve(to + NEXTHOP_WORDS + RTAX_LIMIT);
    for (let k = 0; k < NEXTHOP_WORDS; k++) this.words[to + k] = words[at + k]!;
    this.words[ATTRS_NEXTHOPS] = count + 1;
  }

  /** Drops the nexthops added so far: those of a blackhole mean nothing, whatever device the kernel names. */
  clearNexthops(): void {
    this.words[ATTRS_NEXTHOPS] = 0;
  }

  setScope(scope: number): void {
    this.words[ATTRS_SCOPE] = scope;
  }

  setPrefsrc(w0: number, w1: number, w2: number, w3: number): void {
    this.words[ATTRS_PREFSRC] = w0;
    this.words[ATTRS_PREFSRC + 1] = w1;
    this.words[ATTRS_PREFSRC + 2] = w2;
    this.words[ATTRS_PREFSRC + 3] = w3;
  }

  /** `rtax` is RTAX_* (1–17: RTAX_MTU 2 …); values of 0 mean "not set", as in the kernel. */
  setMetric(rtax: number, value: number): void {
    if (value === 0 || rtax <= 0 || rtax >= RTAX_LIMIT) return;
    this.metrics[rtax] = value;
    this.words[ATTRS_METRICS]! |= 1 << rtax;
  }

  setFlow(flow: number): void {
    this.words[ATTRS_FLOW] = flow;
  }

  /** Marks what krtd does not understand. Several marks mix into one. */
  markOpaque(hash: number): void {
    this.words[ATTRS_OPAQUE] = mix(this.words[ATTRS_OPAQUE]!, hash);
    this.opaqueBesidesObject = mix(this.opaqueBesidesObject, hash);
  }

  /** Notes the nexthop object that the nexthops come from: krtd's own routes have none, so it marks them opaque. */
  markNexthopObject(hash: number): void {
    this.words[ATTRS_OPAQUE] = mix(this.words[ATTRS_OPAQUE]!, hash);
  }

  /** Makes the words canonical: sorts the nexthops, appends the metrics, sets `length`. Call once, last. */
  finish(): void {
    const count = this.words[ATTRS_NEXTHOPS]!;
    if (count > 1) this.sortNexthops(count);
    let at = ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
    const mask = this.words[ATTRS_METRICS]!;
    if (mask !== 0) {
      this.reserve(at + RTAX_LIMIT);
      for (let rtax = 1; rtax < RTAX_LIMIT; rtax++) {
        if ((mask & (1 << rtax)) !== 0) this.words[at++] = this.metrics[rtax]!;
      }
    }
    this.length = at;
  }

  /** Insertion sort by the nexthop's words: sets are small, and the kernel mostly shows them in order. */
  private sortNexthops(count: number): void {
    const { words, swap } = this;
    if (count > FEW_NEXTHOPS) {
      this.sortMany(count);
      return;
    }
    for (let i = 1; i < count; i++) {
      const from = ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS;
      for (let k = 0; k < NEXTHOP_WORDS; k++) swap[k] = words[from + k]!;
      let j = from - NEXTHOP_WORDS;
      while (j >= ATTRS_HEADER_WORDS && compareAt(words, j, swap) > 0) {
        words.copyWithin(j + NEXTHOP_WORDS, j, j + NEXTHOP_WORDS);
        j -= NEXTHOP_WORDS;
      }
      words.set(swap, j + NEXTHOP_WORDS);
    }
  }

  /** One message may have eight thousand: moving each of them past all others would take half a second. */
  private sortMany(count: number): void {
    const { words } = this;
    const end = ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
    const nexthops: Int32Array[] = [];
    for (let at = ATTRS_HEADER_WORDS; at < end; at += NEXTHOP_WORDS) {
      nexthops.push(words.slice(at, at + NEXTHOP_WORDS));
    }
    nexthops.sort((a, b) => compareAt(a, 0, b));
    for (const [i, nexthop] of nexthops.entries()) words.set(nexthop, ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS);
  }

  private reserve(words: number): void {
    if (words <= this.words.length) return;
    const grown = new Int32Array(Math.max(words, this.words.length * 2));
    grown.set(this.words);
    this.words = grown;
  }
}

function compareAt(words: Int32Array, at: number, other: Int32Array): number {
  for (let k = 0; k < NEXTHOP_WORDS; k++) {
    const difference = words[at + k]! - other[k]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Never 0. */
function mix(before: number, hash: number): number {
  const mixed = (Math.imul(before, 31) + hash) | 0;
  return mixed === 0 ? 1 : mixed;
}
