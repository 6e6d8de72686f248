/**
 * HOT PATH. Alien routes of one kernel table, and which of them is announced: per prefix the one with the lowest
 * metric, among equals the one the kernel lists first. The announced content is kept explicitly and compared as
 * a whole; comparing with the head of the list would miss a changed gateway or announce a worse newcomer.
 *
 *   fib.head[node]  first alien of the prefix ──► next ──► next ──► 0
 *   per alien   metric · protocol · attrs (1 reference) · order (position in the last scan that showed it)
 *   per node    announcedAttrs (1 reference, 0 none) · announcedMetric
 *
 * Aliens are distinct by (protocol, metric); a further one with the same two but other attributes in one scan
 * is a route of its own, as IPv4 lists aliases.
 */

import type { Clock } from "../../lib/clock.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import type { Channel } from "../../nest/channel.ts";
import { Fib } from "../../nest/fib.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { KernelRoute } from "../../sysdep/os.ts";

export class AlienRoutes {
  private readonly attrs: AttrsTable;
  private readonly channel: Channel;
  private readonly fib: Fib;
  private announcedAttrs: Int32Array;
  private announcedMetric: Uint32Array;
  private metric = new Uint32Array(256);
  private protocol = new Uint8Array(256);
  private attrsIds = new Int32Array(256);
  private order = new Uint32Array(256);
  private link = new Int32Array(256);
  private fresh = 1;
  private freeList = 0;
  private position = 0;
  private announced = 0;

  constructor(attrs: AttrsTable, channel: Channel) {
    this.attrs = attrs;
    this.channel = channel;
    this.fib = new Fib(channel.table.family);
    this.announcedAttrs = new Int32Array(this.fib.capacity);
    this.announcedMetric = new Uint32Array(this.fib.capacity);
    this.fib.onGrow((capacity) => {
      const grownAttrs = new Int32Array(capacity);
      grownAttrs.set(this.announcedAttrs);
      this.announcedAttrs = grownAttrs;
      const grownMetric = new Uint32Array(capacity);
      grownMetric.set(this.announcedMetric);
      this.announcedMetric = grownMetric;
    });
  }

  /** Prefixes announced to the table. */
  get size(): number {
    return this.announced;
  }

  /** Forgets which aliens the last scan showed. */
  beginScan(): void {
    this.order.fill(0, 0, this.fresh);
    this.position = 0;
  }

  /** The scan shows an alien route. Announcements wait for the prune. */
  seen(route: KernelRoute): void {
    const node = this.fib.insert(route.w0, route.w1, route.w2, route.w3, route.length);
    const attrs = this.attrs.intern(route.attrs);
    const position = ++this.position;
    let changed = 0;
    for (let alien = this.fib.head[node]!; alien !== 0; alien = this.link[alien]!) {
      if (this.order[alien] !== 0) continue;
      if (this.metric[alien] !== route.metric || this.protocol[alien] !== route.protocol) continue;
      if (this.attrsIds[alien] === attrs) {
        this.order[alien] = position;
        this.attrs.release(attrs);
        return;
      }
      if (changed === 0) changed = alien;
    }
    const alien = changed === 0 ? this.create(node, route.metric, route.protocol) : changed;
    if (changed !== 0) this.attrs.release(this.attrsIds[alien]!);
    this.attrsIds[alien] = attrs;
    this.order[alien] = position;
  }

  /** The first prefix after `node`, 0 at the end: the cursor of a sliced prune. */
  next(node: NodeId): NodeId {
    return this.fib.next(node);
  }

  /** Drops the aliens of one prefix that the complete scan did not show, and announces what is best now. */
  prune(node: NodeId): void {
    let previous = 0;
    let best = 0;
    for (let alien = this.fib.head[node]!; alien !== 0; ) {
      const next = this.link[alien]!;
      if (this.order[alien] === 0) {
        this.unlink(node, previous, alien);
      } else {
        if (best === 0 || this.isBetter(alien, best)) best = alien;
        previous = alien;
      }
      alien = next;
    }
    this.announce(node, best);
    if (this.fib.head[node] === 0) this.fib.remove(node);
  }

  /** Withdraws and forgets everything, in slices. */
  async clear(clock: Pick<Clock, "yield">): Promise<void> {
    this.order.fill(0, 0, this.fresh);
    await walkNodes(this.fib, (node) => this.prune(node), clock);
  }

  private isBetter(alien: number, than: number): boolean {
    const difference = this.metric[alien]! - this.metric[than]!;
    return difference < 0 || (difference === 0 && this.order[alien]! < this.order[than]!);
  }

  private announce(node: NodeId, best: number): void {
    const { fib } = this;
    const before = this.announcedAttrs[node]!;
    const attrs: AttrsId = best === 0 ? 0 : this.attrsIds[best]!;
    const metric = best === 0 ? 0 : this.metric[best]!;
    if (before === attrs && this.announcedMetric[node] === metric) return;
    const w0 = fib.word(node, 0);
    const w1 = fib.word(node, 1);
    const w2 = fib.word(node, 2);
    const w3 = fib.word(node, 3);
    if (attrs === 0) {
      this.announced--;
      this.channel.withdrawRoute(w0, w1, w2, w3, fib.length(node));
    } else {
      if (before === 0) this.announced++;
      this.attrs.retain(attrs);
      this.attrs.retain(attrs);
      this.channel.importRoute(w0, w1, w2, w3, fib.length(node), attrs, metric);
    }
    if (before !== 0) this.attrs.release(before);
    this.announcedAttrs[node] = attrs;
    this.announcedMetric[node] = metric;
  }

  private create(node: NodeId, metric: number, protocol: number): number {
    let alien = this.freeList;
    if (alien === 0) {
      alien = this.fresh++;
      if (alien >= this.link.length) this.grow();
    } else {
      this.freeList = this.link[alien]!;
    }
    this.metric[alien] = metric;
    this.protocol[alien] = protocol;
    this.link[alien] = this.fib.head[node]!;
    this.fib.head[node] = alien;
    return alien;
  }

  private unlink(node: NodeId, previous: number, alien: number): void {
    const next = this.link[alien]!;
    if (previous === 0) this.fib.head[node] = next;
    else this.link[previous] = next;
    this.attrs.release(this.attrsIds[alien]!);
    this.link[alien] = this.freeList;
    this.freeList = alien;
  }

  private grow(): void {
    const capacity = this.link.length * 2;
    const metric = new Uint32Array(capacity);
    metric.set(this.metric);
    this.metric = metric;
    const protocol = new Uint8Array(capacity);
    protocol.set(this.protocol);
    this.protocol = protocol;
    const attrsIds = new Int32Array(capacity);
    attrsIds.set(this.attrsIds);
    this.attrsIds = attrsIds;
    const order = new Uint32Array(capacity);
    order.set(this.order);
    this.order = order;
    const link = new Int32Array(capacity);
    link.set(this.link);
    this.link = link;
  }
}
