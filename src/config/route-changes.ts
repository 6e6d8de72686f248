/**
 * HOT PATH. How two sets of static routes differ, in numbers. A million routes are compared in place: no object
 * or string per route; equal specs, one of few, are compared once.
 */

import { equalIp, type IpAddress } from "../lib/ip.ts";
import { inSlices, type Pace } from "../lib/slices.ts";
import type { NexthopSpec, RouteSet, RouteSpec } from "../proto/static/config.ts";

export interface RouteChanges {
  readonly added: number;
  readonly removed: number;
  /** Prefixes that are in both sets and go elsewhere or say something else. */
  readonly changed: number;
}

/** What a route costs of a slice: some 4,000 are a slice. */
const COMPARISON = 16;

/** Both sets must be of one family. */
export async function compareRouteSets(
  before: RouteSet,
  after: RouteSet,
  clock: Pace["clock"],
): Promise<RouteChanges> {
  if (before === after) return { added: 0, removed: 0, changed: 0 };
  const pace: Pace = { clock, stopped: () => false };
  const { old, goneCount } = (await after.match(before, pace))!;
  const specs = new SameSpecs(before, after);
  let changed = 0;
  const compare = (i: number): number => {
    const k = old[i]! - 1;
    if (k >= 0 && !specs.areSame(before.spec[k]!, after.spec[i]!)) changed++;
    return COMPARISON;
  };
  await inSlices(after.count, compare, pace);
  return { added: after.count - before.count + goneCount, removed: goneCount, changed };
}

/** "routes: 3 added, 1 removed, 2 changed", without what is 0; null when nothing differs. */
export function describeRouteChanges({ added, removed, changed }: RouteChanges): string | null {
  const parts: string[] = [];
  if (added > 0) parts.push(`${added} added`);
  if (removed > 0) parts.push(`${removed} removed`);
  if (changed > 0) parts.push(`${changed} changed`);
  return parts.length === 0 ? null : `routes: ${parts.join(", ")}`;
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
