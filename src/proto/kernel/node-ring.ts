/** HOT PATH. A growing ring of node ids, first in, first out. Each id takes four bytes while it waits. */

import type { NodeId } from "../../nest/route.ts";

const SMALLEST = 1024;
/** Slots that are given back when the ring is empty. */
const LARGE = 65536;

export class NodeRing {
  private slots = new Int32Array(SMALLEST);
  private first = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The i-th oldest, 0 ≤ i < size. */
  at(i: number): NodeId {
    return this.slots[(this.first + i) & (this.slots.length - 1)]!;
  }

  push(node: NodeId): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.first + this.count) & (this.slots.length - 1)] = node;
    this.count++;
  }

  /** The oldest id, or 0 when empty. */
  shift(): NodeId {
    if (this.count === 0) return 0;
    const node = this.slots[this.first]!;
    this.first = (this.first + 1) & (this.slots.length - 1);
    // What a million nodes have waited in is not kept for those to come.
    if (--this.count === 0 && this.slots.length > LARGE) {
      this.slots = new Int32Array(SMALLEST);
      this.first = 0;
    }
    return node;
  }

  private grow(): void {
    const grown = new Int32Array(this.slots.length * 2);
    grown.set(this.slots.subarray(this.first));
    grown.set(this.slots.subarray(0, this.first), this.slots.length - this.first);
    this.slots = grown;
    this.first = 0;
  }
}
