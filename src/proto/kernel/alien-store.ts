/**
 * HOT PATH. The columns of the alien routes of one kernel table, by alien id (0: none), with a free list.
 *
 *   id   metric  protocol  attrs           order  seenIn  link
 *   1    100     16        →attrs, 1 ref.  7      3       →next of its prefix
 *   2    (free)                                           →next free id
 *
 * `order` is where the kernel lists it among the routes it was told with, `seenIn` the last scan that showed it.
 */

import type { AttrsTable } from "../../nest/attrs.ts";
import type { AttrsId } from "../../nest/route.ts";

export class AlienStore {
  metric: Uint32Array = new Uint32Array(256);
  protocol: Uint8Array = new Uint8Array(256);
  attrs: Int32Array = new Int32Array(256);
  order: Uint32Array = new Uint32Array(256);
  seenIn: Uint32Array = new Uint32Array(256);
  link: Int32Array = new Int32Array(256);
  private readonly table: AttrsTable;
  private fresh = 1;
  private free = 0;

  constructor(table: AttrsTable) {
    this.table = table;
  }

  /** A new alien before `next`. Takes over the reference to `attrs`. */
  create(metric: number, protocol: number, attrs: AttrsId, next: number): number {
    let alien = this.free;
    if (alien !== 0) {
      this.free = this.link[alien]!;
    } else {
      alien = this.fresh++;
      if (alien >= this.link.length) this.grow();
    }
    this.metric[alien] = metric;
    this.protocol[alien] = protocol;
    this.attrs[alien] = attrs;
    this.order[alien] = 0;
    this.seenIn[alien] = 0;
    this.link[alien] = next;
    return alien;
  }

  /** Gives the alien other attributes. Takes over the reference. */
  setAttrs(alien: number, attrs: AttrsId): void {
    this.table.release(this.attrs[alien]!);
    this.attrs[alien] = attrs;
  }

  /** Frees an alien that is in no list. */
  release(alien: number): void {
    this.table.release(this.attrs[alien]!);
    this.link[alien] = this.free;
    this.free = alien;
  }

  private grow(): void {
    const capacity = this.link.length * 2;
    const { metric, protocol, attrs, order, seenIn, link } = this;
    this.metric = new Uint32Array(capacity);
    this.metric.set(metric);
    this.protocol = new Uint8Array(capacity);
    this.protocol.set(protocol);
    this.attrs = new Int32Array(capacity);
    this.attrs.set(attrs);
    this.order = new Uint32Array(capacity);
    this.order.set(order);
    this.seenIn = new Uint32Array(capacity);
    this.seenIn.set(seenIn);
    this.link = new Int32Array(capacity);
    this.link.set(link);
  }
}
