/**
 * HOT PATH. Changes of a route's attributes, made on interned words: a copy in a draft, changed and interned again.
 * A million routes have few distinct attributes, so what an edit made of one is remembered.
 *
 *   EditMemo    slot = hash(step, family, id):  kinds   inputs   stamps   outputs   outputStamps
 *
 * The memo holds no references. An id may be given to other attributes while the memo knows it, and AttrsTable.stamp()
 * tells: an entry counts only while both stamps are those of then, and its output is alive.
 */

import type { Family, IpAddress } from "../lib/ip.ts";
import type { AttrsTable } from "./attrs.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  AttrsDraft,
  NEXTHOP_WORDS,
} from "./attrs-draft.ts";
import type { AttrsId } from "./route.ts";

/** linux/rtnetlink.h: RTAX_* */
const RTAX_LOCK = 1;
const RTAX_MTU = 2;
const RTAX_RTO_MIN = 13;

/** RFC 8200. */
const SMALLEST_MTU6 = 1280;

/**
 * What to change; a key that is absent leaves it as it is. What a route's family does not have is left alone: a
 * preferred source of the other family, scope and realm of IPv6, an MTU that IPv6 does not allow.
 */
export interface AttrsChanges {
  /** Null: none. */
  readonly prefsrc?: IpAddress | null;
  /** rt_scope, 0–255; null: not set. */
  readonly scope?: number | null;
  /** 0: none. */
  readonly realm?: number;
  /**
   * By RTAX_* number, in the kernel's units; 0: none. The kernel heeds RTAX_RTO_MIN only where it is locked, so it
   * always is; otherwise RTAX_LOCK says which are.
   */
  readonly metrics?: ReadonlyMap<number, number>;
}

/** Whether the changes leave all attributes as they are. */
export function changesNothing({ prefsrc, scope, realm, metrics }: AttrsChanges): boolean {
  const some = prefsrc !== undefined || scope !== undefined || realm !== undefined;
  return !some && (metrics === undefined || metrics.size === 0);
}

/** What every edit is made in, one at a time. */
const draft = new AttrsDraft();

export class AttrsEdit {
  private readonly changes: AttrsChanges;
  /** The metrics to change but for the locks, and their values. */
  private readonly rtax: readonly number[];
  private readonly values: readonly number[];
  /** Bits of the locks to set; -1: those of the route. */
  private readonly locks: number;
  private readonly touchesLocks: boolean;

  constructor(changes: AttrsChanges) {
    this.changes = changes;
    const metrics = [...(changes.metrics ?? [])].filter(([rtax]) => rtax !== RTAX_LOCK);
    this.rtax = metrics.map(([rtax]) => rtax);
    this.values = metrics.map(([, value]) => value | 0);
    this.locks = changes.metrics?.get(RTAX_LOCK) ?? -1;
    this.touchesLocks = this.locks >= 0 || this.rtax.includes(RTAX_RTO_MIN);
  }

  /** The changed attributes, with one reference for the caller unless they are `id` itself. */
  apply(attrs: AttrsTable, id: AttrsId, family: Family): AttrsId {
    const { words } = attrs;
    const base = attrs.offset(id);
    draft.copyHeader(words, base);
    const count = words[base + ATTRS_NEXTHOPS]!;
    for (let i = 0; i < count; i++) {
      draft.addNexthopWords(words, base + ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS);
    }
    const { prefsrc, scope, realm } = this.changes;
    if (prefsrc === null) draft.setPrefsrc(0, 0, 0, 0);
    else if (prefsrc?.family === family) draft.setPrefsrc(prefsrc.w0, prefsrc.w1, prefsrc.w2, prefsrc.w3);
    if (family === 4 && scope !== undefined) draft.setScope(scope ?? -1);
    if (family === 4 && realm !== undefined) draft.setFlow(realm | 0);
    for (let i = 0; i < this.rtax.length; i++) setMetric(this.rtax[i]!, this.values[i]!, family);
    if (this.touchesLocks) this.setLocks(words, base);
    draft.finish();
    const made = attrs.intern(draft);
    if (made === id) attrs.release(made);
    return made;
  }

  /** `words[base…]` are the attributes as they were. The locks are the first metric. */
  private setLocks(words: Int32Array, base: number): void {
    const was = (words[base + ATTRS_METRICS]! & (1 << RTAX_LOCK)) !== 0;
    const first = base + ATTRS_HEADER_WORDS + words[base + ATTRS_NEXTHOPS]! * NEXTHOP_WORDS;
    let locks = this.locks >= 0 ? this.locks : was ? words[first]! : 0;
    const bit = 1 << RTAX_RTO_MIN;
    locks = (draft.words[ATTRS_METRICS]! & bit) === 0 ? locks & ~bit : locks | bit;
    if (locks === 0) draft.words[ATTRS_METRICS]! &= ~(1 << RTAX_LOCK);
    else draft.setMetric(RTAX_LOCK, locks);
  }
}

function setMetric(rtax: number, value: number, family: Family): void {
  if (value === 0) draft.words[ATTRS_METRICS]! &= ~(1 << rtax);
  else if (rtax !== RTAX_MTU || family === 4 || value >= SMALLEST_MTU6) draft.setMetric(rtax, value);
}

/** A power of two. */
const SLOTS = 4096;

/** What the edits of one filter made of which attributes; for one AttrsTable at a time. */
export class EditMemo {
  private attrs: AttrsTable | null = null;
  /** Step and family, and 1 so that 0 is none. */
  private kinds = new Int32Array(0);
  private inputs = new Int32Array(0);
  private stamps = new Int32Array(0);
  private outputs = new Int32Array(0);
  private outputStamps = new Int32Array(0);

  /** edit.apply(attrs, id, family), remembered for `step`, which is to be the edit's alone. */
  apply(edit: AttrsEdit, step: number, attrs: AttrsTable, id: AttrsId, family: Family): AttrsId {
    if (this.attrs !== attrs) this.clear(attrs);
    const kind = ((step << 1) | (family === 4 ? 0 : 1)) + 1;
    const slot = (Math.imul(id, 0x9e3779b1) ^ Math.imul(kind, 0x85ebca6b)) >>> 20;
    if (
      this.kinds[slot] === kind &&
      this.inputs[slot] === id &&
      this.stamps[slot] === attrs.stamp(id) &&
      this.outputStamps[slot] === attrs.stamp(this.outputs[slot]!) &&
      attrs.references(this.outputs[slot]!) > 0
    ) {
      const known = this.outputs[slot]!;
      if (known !== id) attrs.retain(known);
      return known;
    }
    const made = edit.apply(attrs, id, family);
    this.kinds[slot] = kind;
    this.inputs[slot] = id;
    this.stamps[slot] = attrs.stamp(id);
    this.outputs[slot] = made;
    this.outputStamps[slot] = attrs.stamp(made);
    return made;
  }

  private clear(attrs: AttrsTable): void {
    this.attrs = attrs;
    this.kinds = new Int32Array(SLOTS);
    this.inputs = new Int32Array(SLOTS);
    this.stamps = new Int32Array(SLOTS);
    this.outputs = new Int32Array(SLOTS);
    this.outputStamps = new Int32Array(SLOTS);
  }
}
