/**
 * What the specs of one static protocol are made into: interned attributes by spec, or none where a recursive
 * address leads nowhere or the links are down. Knows which specs may be out of date, and makes them anew when asked;
 * what then differs is `due`, and announcing it is the business of announce.ts.
 *
 *   by spec   ids     attributes with one reference, 0: no route
 *             stale   0: as it should be   STALE: make it anew   AGAIN: and announce it even if it is the same
 *             due     1: its routes are to be announced
 */

import type { Family } from "../../lib/ip.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import { ATTRS_TYPE, AttrsDraft } from "../../nest/attrs-draft.ts";
import type { Interfaces } from "../../nest/iface.ts";
import {
  type AttrsId,
  type NodeId,
  ROUTE_TYPE_NUMBERS,
  type RouteAttrs,
  type RouteId,
} from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { RouteSpec, StaticConfig } from "./config.ts";
import { FollowedAddresses } from "./followed-addresses.ts";
import { addHops, type Hop, hopsOfSpec, hopsTowards } from "./hops.ts";
import { linkIsUp } from "./link-check.ts";

/** linux/rtnetlink.h */
const RTAX_MTU = 2;
const STALE = 1;
const AGAIN = 2;

export class SpecAttrs {
  readonly ids: Int32Array;
  readonly due: Uint8Array;
  /** Null: no spec is recursive. */
  readonly followed: FollowedAddresses | null;
  /** Some plain spec, some recursive spec may be out of date. */
  plainStale = true;
  recursiveStale: boolean;
  /** Something happened since it was made by which a filter may say something else of the same attributes. */
  toAnnounceAgain = false;
  private readonly stale: Uint8Array;
  private readonly specs: readonly RouteSpec[];
  private readonly checkLink: boolean;
  private readonly table: Rtable;
  private readonly attrs: AttrsTable;
  private readonly interfaces: Interfaces;
  private readonly draft = new AttrsDraft();
  /** Plain specs by the device they name. */
  private readonly byDevice = new Map<string, number[]>();

  /** Everything is out of date at first. */
  constructor({ routes, checkLink }: StaticConfig, table: Rtable, interfaces: Interfaces) {
    const { specs } = routes;
    this.specs = specs;
    this.checkLink = checkLink;
    this.table = table;
    this.attrs = table.attrs;
    this.interfaces = interfaces;
    this.ids = new Int32Array(specs.length);
    this.due = new Uint8Array(specs.length);
    this.stale = new Uint8Array(specs.length).fill(AGAIN);
    const followed = new FollowedAddresses(specs);
    this.followed = followed.count === 0 ? null : followed;
    this.recursiveStale = this.followed !== null;
    specs.forEach(({ nexthops }, spec) => {
      for (const { dev } of nexthops) if (dev !== null) this.named(dev).push(spec);
    });
  }

  /** Everything is to be made, and announced, again. */
  markAll(): void {
    this.stale.fill(AGAIN);
    this.plainStale = true;
    this.recursiveStale = this.followed !== null;
  }

  /** Recursive routes are to be announced again, though they may be the same. */
  markRecursive(): void {
    if (this.followed === null) return;
    for (const spec of this.followed.spec) this.stale[spec] = AGAIN;
    this.recursiveStale = true;
    this.toAnnounceAgain = true;
  }

  /** Devices of these names came, went or changed names. */
  markDevices(names: readonly string[]): void {
    for (const name of names) {
      for (const spec of this.byDevice.get(name) ?? []) {
        this.stale[spec] ||= STALE;
        this.plainStale = true;
      }
    }
  }

  /** The link of any nexthop may have gone up or down. */
  markLinks(): void {
    for (let spec = 0; spec < this.stale.length; spec++) this.stale[spec] ||= STALE;
    this.plainStale = true;
    this.recursiveStale = this.followed !== null;
  }

  /** The routes of a net changed. Called for every change of the table. */
  markFollowers(node: NodeId): void {
    this.followed?.coveredBy(this.table.fib, node, this.markFollower);
  }

  /** Makes the spec anew if it is out of date; then it may be due. */
  refreshPlain(spec: number): void {
    const mark = this.stale[spec]!;
    if (mark === 0) return;
    this.stale[spec] = 0;
    const { type, nexthops } = this.specs[spec]!;
    const hops = hopsOfSpec(nexthops, this.interfaces);
    this.replace(spec, this.intern(this.specs[spec]!, ROUTE_TYPE_NUMBERS[type], hops), mark);
  }

  /** Like refreshPlain() for the recursive spec at a position of `followed`. `recursive` as for follow(). */
  refreshRecursive(position: number, recursive: (route: RouteId) => boolean): void {
    const { followed, table } = this;
    const spec = followed!.spec[position]!;
    const mark = this.stale[spec]!;
    if (mark === 0) return;
    this.stale[spec] = 0;
    const route = followed!.follow(position, table, recursive);
    this.replace(spec, route === 0 ? 0 : this.internFollowed(this.specs[spec]!, route), mark);
  }

  /** What the spec says, whatever became of it: all of its nexthops, which are none for a recursive one. */
  configured(spec: number, family: Family): RouteAttrs {
    const { type, nexthops } = this.specs[spec]!;
    this.fill(this.specs[spec]!, ROUTE_TYPE_NUMBERS[type], hopsOfSpec(nexthops, this.interfaces));
    return this.attrs.describeDraft(this.draft, family);
  }

  /** Gives all references back. */
  release(): void {
    for (const id of this.ids) if (id !== 0) this.attrs.release(id);
    this.ids.fill(0);
  }

  private readonly markFollower = (spec: number): void => {
    this.stale[spec] ||= STALE;
    this.recursiveStale = true;
  };

  private named(device: string): number[] {
    let specs = this.byDevice.get(device);
    if (specs === undefined) {
      specs = [];
      this.byDevice.set(device, specs);
    }
    return specs;
  }

  private replace(spec: number, id: AttrsId, mark: number): void {
    const before = this.ids[spec]!;
    this.ids[spec] = id;
    if (before !== id || mark === AGAIN) this.due[spec] = 1;
    if (before !== 0) this.attrs.release(before);
  }

  private internFollowed(spec: RouteSpec, route: RouteId): AttrsId {
    const base = this.attrs.offset(this.table.attrsOf(route));
    const { words } = this.attrs;
    const hops = hopsTowards(spec.recursive!, words, base);
    return hops === null ? 0 : this.intern(spec, words[base + ATTRS_TYPE]!, hops);
  }

  /** Attributes with one reference, or 0: it is a unicast route, and no nexthop of it counts. */
  private intern(spec: RouteSpec, type: number, hops: readonly Hop[]): AttrsId {
    const counting = this.checkLink ? hops.filter((hop) => linkIsUp(this.interfaces, hop)) : hops;
    if (type === ROUTE_TYPE_NUMBERS.unicast && counting.length === 0) return 0;
    this.fill(spec, type, counting);
    return this.attrs.intern(this.draft);
  }

  private fill(spec: RouteSpec, type: number, hops: readonly Hop[]): void {
    const { draft } = this;
    draft.reset(type);
    if (type === ROUTE_TYPE_NUMBERS.unicast) addHops(draft, hops);
    if (spec.prefsrc !== null) {
      const { w0, w1, w2, w3 } = spec.prefsrc;
      draft.setPrefsrc(w0, w1, w2, w3);
    }
    if (spec.mtu !== null) draft.setMetric(RTAX_MTU, spec.mtu);
    draft.finish();
  }
}
