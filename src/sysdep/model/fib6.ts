/**
 * IPv6 tables as the kernel keeps them: per net a list of entries, one per nexthop, by metric. Entries with a
 * gateway and of equal metric are siblings: together they are one multipath route, whoever owns each of them.
 * Only inserting without REPLACE and EXCL makes siblings; a key has no protocol, type or tos.
 *
 * REPLACE works within a class (with or without gateway) and falls back to the first entry of the metric.
 * A dump shows siblings as one route at the place of the first, and then goes on after the LAST sibling: an
 * entry without gateway that stands between two siblings is not shown (observed on 6.18).
 */

import { EEXIST, ENOENT, ESRCH } from "../../lib/errno.ts";
import { equalIp, type IpAddress } from "../../lib/ip.ts";
import type { Prefix } from "../../lib/prefix.ts";
import { RT_TABLE_LOCAL, RT_TABLE_MAIN } from "./constants.ts";
import { NetLists } from "./net-lists.ts";
import { type Answer, type InsertFlags, refuse, SUCCESS } from "./route.ts";

/** One nexthop of an IPv6 route. Changes only in `prefsrc` (address removed) and `dead` (device down). */
export interface Entry6 {
  readonly net: Prefix;
  readonly table: number;
  readonly metric: number;
  readonly protocol: number;
  readonly type: number;
  readonly gateway: IpAddress | null;
  readonly device: number;
  readonly weight: number;
  readonly onlink: boolean;
  readonly metrics: ReadonlyMap<number, number>;
  /** Resolves nothing: a reject type, or a route over a loopback device. */
  readonly reject: boolean;
  prefsrc: IpAddress | null;
  dead: boolean;
}

/** What a delete asks for; 0 and null are wildcards. */
export interface Delete6 {
  /** It is one of several nexthops of the request: only that one goes, also without a gateway. */
  readonly single: boolean;
  readonly metric: number;
  readonly protocol: number;
  readonly device: number;
  readonly gateway: IpAddress | null;
}

/** An answer, and the entries that went. */
export interface Removed extends Answer {
  readonly removed: readonly Entry6[];
}

export class Fib6 {
  readonly nets: NetLists<Entry6> = new NetLists<Entry6>();

  /** Inserts one nexthop. */
  insert(entry: Entry6, flags: InsertFlags): Removed {
    const { table, net } = entry;
    const answer = this.nets.change(table, net, (list) => insertInto(list, entry, flags));
    if (answer.errno !== ENOENT) return answer;
    // The kernel has a word to say only when its tree has no node at all for this prefix.
    const node = net.length === 0 || this.nets.list(table, net).length > 0 || this.nets.forksAt(table, net);
    return { ...answer, message: node ? null : "Can not replace route - no match found" };
  }

  /** Deletes what a request asks for: one nexthop when it names a gateway, else the whole multipath route. */
  delete(table: number, net: Prefix, what: Delete6): Removed {
    const known = this.nets.has(table) || table === RT_TABLE_MAIN || table === RT_TABLE_LOCAL;
    if (!known) return { ...refuse(ESRCH, "FIB table does not exist"), removed: [] };
    const list = this.nets.list(table, net);
    const entry = list.find(
      (other) =>
        (what.metric === 0 || what.metric === other.metric) &&
        (what.protocol === 0 || what.protocol === other.protocol) &&
        (what.device === 0 || what.device === other.device) &&
        (what.gateway === null || (other.gateway !== null && equalIp(what.gateway, other.gateway))),
    );
    if (entry === undefined)
      return { ...refuse(meansNothing(net, what, list) ? ENOENT : ESRCH), removed: [] };
    const removed = what.single || what.gateway !== null ? [entry] : this.siblingsFrom(entry);
    for (const other of removed) this.remove(other);
    return { ...SUCCESS, removed };
  }

  /** The entries that make one route with this one, itself included, in order. */
  siblings(entry: Entry6): readonly Entry6[] {
    if (!isSibling(entry)) return [entry];
    return this.nets.list(entry.table, entry.net).filter((other) => isSiblingOf(other, entry));
  }

  /** The same as an event shows them: from this one on, and round. */
  siblingsFrom(entry: Entry6): readonly Entry6[] {
    const siblings = this.siblings(entry);
    const at = siblings.indexOf(entry);
    return [...siblings.slice(at), ...siblings.slice(0, at)];
  }

  /** Takes the entry out if it is there. */
  remove(entry: Entry6): boolean {
    return this.nets.change(entry.table, entry.net, (list) => {
      const at = list.indexOf(entry);
      if (at >= 0) list.splice(at, 1);
      return at >= 0;
    });
  }

  /**
   * The best entry for an address that leaves by a device (0: any) in one table, or null. Within a net the
   * lowest metric with a matching entry wins; a net without one is passed over for a shorter one.
   */
  lookup(table: number, address: IpAddress, device: number): Entry6 | null {
    const accepts = (entry: Entry6): boolean => !entry.dead && (device === 0 || entry.device === device);
    return this.nets.search([table], address, (list) => list.find(accepts) ?? null);
  }

  /** The same, but the device is only a wish among entries of equal metric. */
  lookupPreferring(table: number, address: IpAddress, device: number): Entry6 | null {
    return this.nets.search([table], address, (list) => {
      const alive = list.filter((entry) => !entry.dead);
      const best = alive.filter((entry) => entry.metric === alive[0]!.metric);
      return best.find((entry) => entry.device === device) ?? best[0] ?? null;
    });
  }

  /** The routes a dump shows for one net: entries grouped with their siblings. */
  shown(table: number, net: Prefix): (readonly Entry6[])[] {
    const list = this.nets.list(table, net);
    const routes: (readonly Entry6[])[] = [];
    for (let i = 0; i < list.length; i++) {
      const siblings = this.siblings(list[i]!);
      routes.push(siblings);
      i = list.indexOf(siblings.at(-1)!);
    }
    return routes;
  }

  /** Every entry. A copy: the tables may be changed meanwhile. */
  all(): Entry6[] {
    return this.nets.all().flatMap(({ list }) => list);
  }
}

function insertInto(list: Entry6[], entry: Entry6, flags: InsertFlags): Removed {
  const same = list.filter((other) => other.metric === entry.metric);
  if (same.length > 0 && flags.exclusive) return { ...refuse(EEXIST), removed: [] };
  if (flags.replace) {
    const old = same.find((other) => isSibling(other) === isSibling(entry)) ?? same[0];
    if (old !== undefined) return { ...SUCCESS, removed: replaceIn(list, old, entry) };
    if (!flags.create) return { ...refuse(ENOENT), removed: [] };
  } else if (same.some((other) => isDuplicate(other, entry))) {
    return { ...refuse(EEXIST), removed: [] };
  }
  const after = list.findIndex((other) => other.metric > entry.metric);
  list.splice(after < 0 ? list.length : after, 0, entry);
  return { ...SUCCESS, removed: [] };
}

/**
 * The root of the kernel's tree always has a leaf: while there is no ::/0, an entry that stands for "no route",
 * on `lo` and with the largest metric. A delete that matches it is told so by another error.
 */
function meansNothing(net: Prefix, what: Delete6, list: readonly Entry6[]): boolean {
  return (
    net.length === 0 &&
    list.length === 0 &&
    (what.metric === 0 || what.metric === 0xffffffff) &&
    what.protocol === 0 &&
    what.device <= 1 &&
    what.gateway === null
  );
}

/** Whether it can be one of several nexthops: only routes with a gateway can. */
export function isSibling(entry: Entry6): boolean {
  return entry.gateway !== null;
}

function isSiblingOf(a: Entry6, b: Entry6): boolean {
  return isSibling(a) && isSibling(b) && a.metric === b.metric;
}

/** Puts `entry` in the place of `old`; the siblings of `old` go too. Returns what went. */
function replaceIn(list: Entry6[], old: Entry6, entry: Entry6): Entry6[] {
  const removed = list.filter((other) => other === old || isSiblingOf(other, old));
  list[list.indexOf(old)] = entry;
  for (const other of removed) {
    const at = list.indexOf(other);
    if (at >= 0) list.splice(at, 1);
  }
  return removed;
}

/** Same way out: device and gateway. Type, protocol and metrics do not make it another route. */
export function isDuplicate(a: Entry6, b: Entry6): boolean {
  if (a.device !== b.device) return false;
  if (a.gateway === null || b.gateway === null) return a.gateway === b.gateway;
  return equalIp(a.gateway, b.gateway);
}
