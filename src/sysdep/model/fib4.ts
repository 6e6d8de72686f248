/**
 * IPv4 tables as the kernel keeps them: per net a list of aliases, ordered by (tos descending, metric
 * ascending), several of one key in the order CREATE and APPEND gave them. The attributes of an alias are
 * interned in a FibInfo: two aliases are "identical" when type and FibInfo are the same object. The nexthop
 * states (dead) live in the shared FibInfo, as in the kernel, so a route added later shows them too.
 *
 * Tables main and local are looked up as one (the kernel merges them unless policy rules exist).
 */

import { EAGAIN, EEXIST, ENETUNREACH, ENOENT, ESRCH } from "../../lib/errno.ts";
import type { IpAddress } from "../../lib/ip.ts";
import type { Prefix } from "../../lib/prefix.ts";
import { isReject, RT_TABLE_LOCAL, RT_TABLE_MAIN } from "./constants.ts";
import { NetLists } from "./net-lists.ts";
import { rejectErrno } from "./reject.ts";
import { type Answer, type InsertFlags, refuse, SUCCESS } from "./route.ts";

export interface Nexthop4 {
  readonly gateway: IpAddress | null;
  readonly device: number;
  readonly weight: number;
  readonly onlink: boolean;
  /** How far the gateway is: a link-down spares nexthops of scope "nowhere" (host-scope routes). */
  readonly scope: number;
  dead: boolean;
}

/** Attributes shared by all aliases that have them equal. */
export interface FibInfo {
  readonly table: number;
  readonly type: number;
  readonly scope: number;
  readonly protocol: number;
  readonly metric: number;
  readonly prefsrc: IpAddress | null;
  readonly metrics: ReadonlyMap<number, number>;
  readonly flow: number;
  readonly nexthops: readonly Nexthop4[];
  /** No nexthop is left alive, or the prefsrc is gone: the next flush takes its aliases away. */
  dead: boolean;
}

export interface Alias {
  readonly net: Prefix;
  readonly tos: number;
  readonly info: FibInfo;
}

/** An answer, and the alias that was added, put in place of another, or deleted; null: nothing changed. */
export interface Changed extends Answer {
  readonly changed: Alias | null;
  /** What it was put in place of; null: nothing had to go. */
  readonly replaced: Alias | null;
}

function unchanged(answer: Answer): Changed {
  return { ...answer, changed: null, replaced: null };
}

/** What to look for; minimal scope, and the device it has to leave by (0: any). */
export interface Lookup4 {
  readonly address: number;
  readonly scope: number;
  readonly device: number;
}

export interface Found4 {
  readonly errno: number;
  readonly alias: Alias | null;
  /** The nexthop that matched. */
  readonly nexthop: Nexthop4 | null;
}

const NOT_FOUND: Found4 = { errno: EAGAIN, alias: null, nexthop: null };

export class Fib4 {
  readonly nets: NetLists<Alias> = new NetLists<Alias>();
  private readonly interned = new Map<string, { readonly info: FibInfo; references: number }>();

  /** Inserts by the rules of semantics.md §11. `changed`: something to announce happened. */
  insert(net: Prefix, tos: number, wanted: FibInfo, flags: InsertFlags): Changed {
    const info = this.interned.get(infoKey(wanted))?.info ?? wanted;
    const alias: Alias = { net, tos, info };
    return this.nets.change(info.table, net, (list) => this.insertInto(list, alias, flags));
  }

  /** Deletes the first alias of the net and tos that `matches`. */
  delete(table: number, net: Prefix, tos: number, matches: (info: FibInfo) => boolean): Changed {
    const at = this.nets.list(table, net).findIndex((alias) => alias.tos === tos && matches(alias.info));
    if (at < 0) return unchanged(refuse(ESRCH));
    const alias = this.nets.change(table, net, (list) => list.splice(at, 1)[0]!);
    this.drop(alias.info);
    return { ...SUCCESS, changed: alias, replaced: null };
  }

  /** Longest match in one table; main and local count as one. */
  lookup(table: number, what: Lookup4): Found4 {
    const merged = table === RT_TABLE_MAIN || table === RT_TABLE_LOCAL;
    const tables = merged ? [RT_TABLE_LOCAL, RT_TABLE_MAIN] : [table];
    const address = { family: 4, w0: what.address, w1: 0, w2: 0, w3: 0 } as const;
    return this.nets.search(tables, address, (list) => matchIn(list, what)) ?? NOT_FOUND;
  }

  /** The lookup a packet gets: a "throw" or no match at all is "network unreachable". */
  route(what: Lookup4): Found4 {
    const found = this.lookup(RT_TABLE_MAIN, what);
    return found.errno === EAGAIN ? { ...found, errno: ENETUNREACH } : found;
  }

  /** Every interned attribute set; the caller may set `dead` in it and its nexthops. */
  infos(): FibInfo[] {
    return Array.from(this.interned.values(), (entry) => entry.info);
  }

  /** Removes the aliases whose FibInfo is dead; reject routes stay. Returns them. */
  flush(): Alias[] {
    const isGone = (alias: Alias): boolean => alias.info.dead && !isReject(alias.info.type);
    const gone: Alias[] = [];
    for (const { table, net, list } of this.nets.all()) {
      if (!list.some(isGone)) continue;
      gone.push(...list.filter(isGone));
      this.nets.change(table, net, (live) =>
        live.splice(0, live.length, ...list.filter((alias) => !isGone(alias))),
      );
    }
    for (const alias of gone) this.drop(alias.info);
    return gone;
  }

  private insertInto(list: Alias[], alias: Alias, flags: InsertFlags): Changed {
    const { tos, info } = alias;
    let at = list.findIndex(
      (other) => other.tos < tos || (other.tos === tos && other.info.metric >= info.metric),
    );
    if (at < 0) at = list.length;
    const first = list[at];
    if (first !== undefined && sameKey(first, alias)) {
      if (flags.exclusive) return unchanged(refuse(EEXIST));
      let end = at;
      while (end < list.length && sameKey(list[end]!, alias)) end++;
      const twin = list.findIndex((other, i) => i >= at && i < end && other.info === info);
      if (flags.replace) {
        if (twin >= 0) return unchanged(twin === at ? SUCCESS : refuse(EEXIST));
        this.hold(info);
        list[at] = alias;
        this.drop(first.info);
        return { ...SUCCESS, changed: alias, replaced: first };
      }
      if (twin >= 0) return unchanged(refuse(EEXIST));
      if (flags.append) at = end;
    }
    if (!flags.create) return unchanged(refuse(ENOENT));
    this.hold(info);
    list.splice(at, 0, alias);
    return { ...SUCCESS, changed: alias, replaced: null };
  }

  private hold(info: FibInfo): void {
    const key = infoKey(info);
    const entry = this.interned.get(key);
    if (entry === undefined) this.interned.set(key, { info, references: 1 });
    else entry.references++;
  }

  private drop(info: FibInfo): void {
    const key = infoKey(info);
    const entry = this.interned.get(key)!;
    if (--entry.references === 0) this.interned.delete(key);
  }
}

/** The first alias of one net that a lookup accepts, or null: go on with a shorter prefix. */
function matchIn(list: readonly Alias[], what: Lookup4): Found4 | null {
  for (const alias of list) {
    if (alias.tos !== 0 || alias.info.scope < what.scope) continue;
    if (isReject(alias.info.type)) return { errno: rejectErrno(alias.info.type), alias, nexthop: null };
    if (alias.info.dead) continue;
    const nexthop = alias.info.nexthops.find(
      (hop) => !hop.dead && (what.device === 0 || hop.device === what.device),
    );
    if (nexthop !== undefined) return { errno: 0, alias, nexthop };
  }
  return null;
}

function sameKey(a: Alias, b: Alias): boolean {
  return a.tos === b.tos && a.info.metric === b.info.metric;
}

/** All that makes two attribute sets distinct; nexthops pairwise, so their order counts. States do not. */
function infoKey(info: FibInfo): string {
  const { table, type, scope, protocol, metric, flow, prefsrc } = info;
  const hops = info.nexthops.map((hop) => {
    const g = hop.gateway;
    const gateway = g === null ? "-" : `${g.family},${g.w0},${g.w1},${g.w2},${g.w3}`;
    return `${gateway} ${hop.device} ${hop.weight} ${hop.onlink}`;
  });
  const metrics = [...info.metrics].sort((a, b) => a[0] - b[0]).join(" ");
  return [table, type, scope, protocol, metric, flow, prefsrc?.w0 ?? 0, metrics, ...hops].join("|");
}
