/**
 * HOT PATH. How two sets of static routes differ, in numbers. A million routes are compared in place: no object
 * or string per route. Most reloads change little, so the route that stood after the previous one is tried before
 * the index is asked; and equal specs, one of few, are compared once.
 */

import type { Clock } from "../lib/clock.ts";
import { equalIp, type IpAddress } from "../lib/ip.ts";
import type { NexthopSpec, RouteSet, RouteSpec } from "../proto/static/config.ts";

export interface RouteChanges {
  readonly added: number;
  readonly removed: number;
  /** Prefixes that are in both sets and go elsewhere or say something else. */
  readonly changed: number;
}

/** Routes between two turns of the event loop: a millisecond or two when each must be looked up. */
const SLICE = 4096;

/** Both sets must be of one family. */
export async function compareRouteSets(
  before: RouteSet,
  after: RouteSet,
  clock: Pick<Clock, "yield">,
): Promise<RouteChanges> {
  if (before === after) return { added: 0, removed: 0, changed: 0 };
  const specs = new SameSpecs(before, after);
  let found = 0;
  let changed = 0;
  /** Where the next route of `after` probably stands in `before`. */
  let next = 0;
  for (let from = 0; from < after.count; from += SLICE) {
    if (from > 0) await clock.yield();
    const to = Math.min(from + SLICE, after.count);
    for (let i = from; i < to; i++) {
      const same = isSamePrefix(before, next, after, i);
      if (!same && !before.indexed) await before.makeIndex(clock);
      const at = same ? next : findRoute(before, after, i);
      if (at < 0) continue;
      found++;
      next = at + 1;
      if (!specs.areSame(before.spec[at]!, after.spec[i]!)) changed++;
    }
  }
  return { added: after.count - found, removed: before.count - found, changed };
}

/** "routes: 3 added, 1 removed, 2 changed", without what is 0; null when nothing differs. */
export function describeRouteChanges({ added, removed, changed }: RouteChanges): string | null {
  const parts: string[] = [];
  if (added > 0) parts.push(`${added} added`);
  if (removed > 0) parts.push(`${removed} removed`);
  if (changed > 0) parts.push(`${changed} changed`);
  return parts.length === 0 ? null : `routes: ${parts.join(", ")}`;
}

function isSamePrefix(before: RouteSet, at: number, after: RouteSet, i: number): boolean {
  if (at >= before.count || before.length[at] !== after.length[i]) return false;
  return (
    before.word(at, 0) === after.word(i, 0) &&
    before.word(at, 1) === after.word(i, 1) &&
    before.word(at, 2) === after.word(i, 2) &&
    before.word(at, 3) === after.word(i, 3)
  );
}

function findRoute(before: RouteSet, after: RouteSet, i: number): number {
  const { length } = after;
  return before.find(after.word(i, 0), after.word(i, 1), after.word(i, 2), after.word(i, 3), length[i]!);
}

/** Which specs of two sets are the same. Specs are interned: each has at most one twin in the other set. */
class SameSpecs {
  private readonly before: readonly RouteSpec[];
  private readonly after: readonly RouteSpec[];
  /** By index into `after`: 1 + index of its twin; 0: not met yet. */
  private readonly twins: Int32Array;

  constructor(before: RouteSet, after: RouteSet) {
    this.before = before.specs;
    this.after = after.specs;
    this.twins = new Int32Array(after.specs.length);
  }

  areSame(one: number, other: number): boolean {
    const twin = this.twins[other]!;
    if (twin !== 0) return twin === one + 1;
    if (!isSameSpec(this.before[one]!, this.after[other]!)) return false;
    this.twins[other] = one + 1;
    return true;
  }
}

function isSameSpec(a: RouteSpec, b: RouteSpec): boolean {
  return (
    a.type === b.type &&
    a.mtu === b.mtu &&
    a.metric === b.metric &&
    isSameAddress(a.prefsrc, b.prefsrc) &&
    isSameAddress(a.recursive, b.recursive) &&
    a.nexthops.length === b.nexthops.length &&
    a.nexthops.every((nexthop, i) => isSameNexthop(nexthop, b.nexthops[i]!))
  );
}

function isSameNexthop(a: NexthopSpec, b: NexthopSpec): boolean {
  return a.dev === b.dev && a.weight === b.weight && a.onlink === b.onlink && isSameAddress(a.via, b.via);
}

function isSameAddress(a: IpAddress | null, b: IpAddress | null): boolean {
  return a === null || b === null ? a === b : equalIp(a, b);
}
