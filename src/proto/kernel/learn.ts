/**
 * HOT PATH. Alien routes of one kernel table, and which of them is announced: per prefix the one with the lowest
 * metric, among equals the one the kernel lists first. The announced content is kept explicitly and compared as
 * a whole; comparing with the head of the list would miss a changed gateway or announce a worse newcomer.
 *
 *   fib.head[node]   first alien of the prefix ──► next ──► next ──► 0          columns: alien-store.ts
 *   fib.flags[node]  DIRTY: an event changed the prefix while a scan ran; that scan says nothing of it · SHARED
 *   per node         announcedAttrs (1 reference, 0 none) · announcedMetric · announcedProtocol
 *
 * Aliens are distinct by (protocol, metric); a further one with the same two but other attributes in one scan
 * is a route of its own, as IPv4 lists aliases. What is learned must be a function of what the kernel holds, however
 * scans and events interleave: an event acts only where it leaves no doubt, and where several aliens of one metric
 * share a prefix (their order is the kernel's secret) or IPv6 merges nexthops, it asks for a scan.
 */

import type { Clock } from "../../lib/clock.ts";
import { OneMore } from "../../lib/one-more.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import { ATTRS_NEXTHOPS, ATTRS_OPAQUE } from "../../nest/attrs-draft.ts";
import type { Channel } from "../../nest/channel.ts";
import { Fib } from "../../nest/fib.ts";
import { internOrigin } from "../../nest/origin.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";
import { DIRTY } from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { KernelRoute, RouteChange } from "../../sysdep/os.ts";
import { AlienStore } from "./alien-store.ts";

const RTN_UNICAST = 1;
/** Flags of a node: at its prefix stands a route, too, that is not learned; the running scan has shown that. */
const SHARED = 1;
const SHARED_SEEN = 2;

/** Which aliens a complete scan removes: those it did not show, those the one before did not show either, or none. */
export type AlienDrops = "unseen" | "unseen-twice" | "none";

export class AlienRoutes {
  private readonly attrs: AttrsTable;
  private readonly channel: Channel;
  private readonly fib: Fib;
  private readonly store: AlienStore;
  private announcedAttrs: Int32Array;
  private announcedMetric: Uint32Array;
  private announcedProtocol: Uint8Array;
  /** Origins by rtm_protocol, made when first met. */
  private readonly origins = new Map<number, number>();
  private readonly unseen = (alien: number): boolean => this.store.seenIn[alien] !== this.scan;
  private readonly unseenTwice = (alien: number): boolean => this.store.seenIn[alien]! < this.scan - 1;
  private readonly every = (): boolean => true;
  private readonly announcing = new OneMore<boolean>();
  private scan = 1;
  private scanning = false;
  private position = 0;
  private announced = 0;

  constructor(attrs: AttrsTable, channel: Channel) {
    this.attrs = attrs;
    this.channel = channel;
    this.fib = new Fib(channel.table.family);
    this.store = new AlienStore(attrs);
    this.announcedAttrs = new Int32Array(this.fib.capacity);
    this.announcedMetric = new Uint32Array(this.fib.capacity);
    this.announcedProtocol = new Uint8Array(this.fib.capacity);
    this.fib.onGrow((capacity) => this.grow(capacity));
  }

  /** Prefixes announced to the channel. */
  get size(): number {
    return this.announced;
  }

  /** Starts to tell which aliens the next dump shows. */
  beginScan(): void {
    this.scan++;
    this.position = 0;
    this.scanning = true;
    const { flags } = this.fib;
    for (let node = 0; node < flags.length; node++) flags[node]! &= SHARED;
  }

  /** A route that is neither ours nor to be learned stands there, or did: a replacement may have hit that one. */
  noteOther(route: KernelRoute): void {
    const node = this.fib.insert(route.w0, route.w1, route.w2, route.w3, route.length);
    this.fib.flags[node]! |= SHARED | SHARED_SEEN;
  }

  /** The scan shows an alien route. Announcements wait for the prune. */
  seen(route: KernelRoute): void {
    const { fib, store, scan } = this;
    const node = fib.insert(route.w0, route.w1, route.w2, route.w3, route.length);
    if ((fib.flags[node]! & DIRTY) !== 0) return;
    const attrs = this.contentOf(route);
    const position = ++this.position;
    let changed = 0;
    for (let alien = fib.head[node]!; alien !== 0; alien = store.link[alien]!) {
      if (store.metric[alien] !== route.metric || store.protocol[alien] !== route.protocol) continue;
      // Also one that this dump has shown before: it may do so when routes change, and two of a kind cannot be.
      if (store.attrs[alien] === attrs) {
        if (store.seenIn[alien] !== scan) store.order[alien] = position;
        store.seenIn[alien] = scan;
        this.attrs.release(attrs);
        return;
      }
      if (changed === 0 && store.seenIn[alien] !== scan) changed = alien;
    }
    const alien = changed === 0 ? this.create(node, route, attrs) : changed;
    if (changed !== 0) store.setAttrs(alien, attrs);
    store.order[alien] = position;
    store.seenIn[alien] = scan;
  }

  /** Somebody added, replaced or removed an alien route. False: only a scan can tell what is there now. */
  event(route: KernelRoute, change: RouteChange): boolean {
    const { fib } = this;
    const { w0, w1, w2, w3, length } = route;
    const node = change === "gone" ? fib.find(w0, w1, w2, w3, length) : fib.insert(w0, w1, w2, w3, length);
    if (node === 0) return false;
    if (this.scanning) fib.flags[node]! |= DIRTY;
    const attrs = this.contentOf(route);
    const sure = change === "gone" ? this.gone(node, route, attrs) : this.come(node, route, attrs, change);
    this.attrs.release(attrs);
    this.settle(node);
    return sure;
  }

  /** Whether an alien stands at this prefix and metric, as far as is known. */
  hasAt({ w0, w1, w2, w3, length, metric }: KernelRoute): boolean {
    const { fib, store } = this;
    const node = fib.find(w0, w1, w2, w3, length);
    for (let alien = node === 0 ? 0 : fib.head[node]!; alien !== 0; alien = store.link[alien]!) {
      if (store.metric[alien] === metric) return true;
    }
    return false;
  }

  /** The first prefix after `node`, 0 at the end: the cursor of a sliced prune. */
  next(node: NodeId): NodeId {
    return this.fib.next(node);
  }

  /** Drops those aliens of one prefix and announces what is best now. False: some that are left are in doubt. */
  prune(node: NodeId, drops: AlienDrops): boolean {
    const { fib, store } = this;
    let sure = true;
    if ((fib.flags[node]! & DIRTY) === 0) {
      if (drops !== "none") this.drop(node, drops === "unseen" ? this.unseen : this.unseenTwice);
      for (let alien = fib.head[node]!; alien !== 0; alien = store.link[alien]!) sure &&= !this.unseen(alien);
    }
    fib.flags[node] = (fib.flags[node]! & SHARED_SEEN) === 0 ? 0 : SHARED;
    this.settle(node);
    return sure;
  }

  /** The scan has ended, pruned or not: prefixes that events emptied meanwhile are freed by the next one. */
  endScan(): void {
    this.scanning = false;
  }

  /** Announces all that is best once more: the import filter has changed. In slices. */
  async announceAgain(clock: Pick<Clock, "yield">): Promise<void> {
    const tell = (node: NodeId): void => {
      if (this.announcedAttrs[node] !== 0) this.tell(node);
    };
    await this.announcing.run(() => walkNodes(this.fib, tell, clock));
  }

  /** Withdraws and forgets everything, in slices. */
  async clear(clock: Pick<Clock, "yield">): Promise<void> {
    this.scanning = false;
    await walkNodes(
      this.fib,
      (node) => {
        this.drop(node, this.every);
        this.fib.flags[node] = 0;
        this.settle(node);
      },
      clock,
    );
  }

  /**
   * The attributes, with a reference. That the nexthops come from a nexthop object is nothing to whoever learns the
   * route, as long as the kernel says them.
   */
  private contentOf({ attrs: draft, type }: KernelRoute): AttrsId {
    const { words, opaqueBesidesObject } = draft;
    const opaque = words[ATTRS_OPAQUE]!;
    if (opaque === opaqueBesidesObject || (type === RTN_UNICAST && words[ATTRS_NEXTHOPS] === 0)) {
      return this.attrs.intern(draft);
    }
    words[ATTRS_OPAQUE] = opaqueBesidesObject;
    const attrs = this.attrs.intern(draft);
    words[ATTRS_OPAQUE] = opaque;
    return attrs;
  }

  /** Whether it was clear what came. Takes no reference. */
  private come(node: NodeId, route: KernelRoute, attrs: AttrsId, change: RouteChange): boolean {
    const { store } = this;
    let peers = 0;
    let peer = 0;
    for (let alien = this.fib.head[node]!; alien !== 0; alien = store.link[alien]!) {
      if (store.metric[alien] !== route.metric) continue;
      if (store.protocol[alien] === route.protocol && store.attrs[alien] === attrs) {
        // Told already, by a scan. A replacement may have taken another one's place, though.
        return change === "new" || this.isAlone(node, alien);
      }
      peers++;
      peer = alien;
    }
    this.attrs.retain(attrs);
    if (change === "replaced" && peers === 1 && (this.fib.flags[node]! & SHARED) === 0) {
      store.setAttrs(peer, attrs);
      store.protocol[peer] = route.protocol;
      return route.family === 4;
    }
    const alien = this.create(node, route, attrs);
    store.order[alien] = ++this.position;
    return change === "new" && peers === 0;
  }

  private gone(node: NodeId, route: KernelRoute, attrs: AttrsId): boolean {
    const { store } = this;
    let found = false;
    this.drop(node, (alien) => {
      if (found || store.metric[alien] !== route.metric || store.protocol[alien] !== route.protocol)
        return false;
      found = store.attrs[alien] === attrs;
      return found;
    });
    return found;
  }

  /** No other alien of the prefix has its metric. */
  private isAlone(node: NodeId, alien: number): boolean {
    const { store } = this;
    for (let other = this.fib.head[node]!; other !== 0; other = store.link[other]!) {
      if (other !== alien && store.metric[other] === store.metric[alien]) return false;
    }
    return true;
  }

  private create(node: NodeId, route: KernelRoute, attrs: AttrsId): number {
    const alien = this.store.create(route.metric, route.protocol, attrs, this.fib.head[node]!);
    this.fib.head[node] = alien;
    this.store.seenIn[alien] = this.scan;
    return alien;
  }

  private drop(node: NodeId, goes: (alien: number) => boolean): void {
    const { fib, store } = this;
    let previous = 0;
    for (let alien = fib.head[node]!; alien !== 0; ) {
      const next = store.link[alien]!;
      if (goes(alien)) {
        if (previous === 0) fib.head[node] = next;
        else store.link[previous] = next;
        store.release(alien);
      } else {
        previous = alien;
      }
      alien = next;
    }
  }

  /** Announces what is best now, if that is news; frees the prefix when nothing is left of it. */
  private settle(node: NodeId): void {
    const { fib, store } = this;
    let best = 0;
    for (let alien = fib.head[node]!; alien !== 0; alien = store.link[alien]!) {
      if (best === 0 || this.isBetter(alien, best)) best = alien;
    }
    const before = this.announcedAttrs[node]!;
    const attrs: AttrsId = best === 0 ? 0 : store.attrs[best]!;
    const metric = best === 0 ? 0 : store.metric[best]!;
    const protocol = best === 0 ? 0 : store.protocol[best]!;
    const same =
      before === attrs && this.announcedMetric[node] === metric && this.announcedProtocol[node] === protocol;
    if (!same) {
      if (attrs !== 0) this.attrs.retain(attrs);
      this.announcedAttrs[node] = attrs;
      this.announcedMetric[node] = metric;
      this.announcedProtocol[node] = protocol;
      this.announced += (attrs === 0 ? 0 : 1) - (before === 0 ? 0 : 1);
      this.tell(node);
      if (before !== 0) this.attrs.release(before);
    }
    if (fib.head[node] === 0 && fib.flags[node] === 0) fib.remove(node);
  }

  private isBetter(alien: number, than: number): boolean {
    const { metric, order } = this.store;
    const difference = metric[alien]! - metric[than]!;
    return difference < 0 || (difference === 0 && order[alien]! < order[than]!);
  }

  private tell(node: NodeId): void {
    const { fib } = this;
    const w0 = fib.word(node, 0);
    const w1 = fib.word(node, 1);
    const w2 = fib.word(node, 2);
    const w3 = fib.word(node, 3);
    const length = fib.length(node);
    const attrs = this.announcedAttrs[node]!;
    if (attrs === 0) {
      this.channel.withdrawRoute(w0, w1, w2, w3, length);
      return;
    }
    this.attrs.retain(attrs);
    const origin = this.originOf(this.announcedProtocol[node]!);
    this.channel.importRoute(w0, w1, w2, w3, length, attrs, this.announcedMetric[node]!, origin);
  }

  private originOf(protocol: number): number {
    let origin = this.origins.get(protocol);
    if (origin === undefined) {
      origin = internOrigin({ protocol, recursive: false, connected: false, trail: [] });
      this.origins.set(protocol, origin);
    }
    return origin;
  }

  private grow(capacity: number): void {
    const { announcedAttrs, announcedMetric, announcedProtocol } = this;
    this.announcedAttrs = new Int32Array(capacity);
    this.announcedAttrs.set(announcedAttrs);
    this.announcedMetric = new Uint32Array(capacity);
    this.announcedMetric.set(announcedMetric);
    this.announcedProtocol = new Uint8Array(capacity);
    this.announcedProtocol.set(announcedProtocol);
  }
}
