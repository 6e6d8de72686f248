/**
 * HOT PATH. The kernel shows routes in the order of its own tree, so each is compared with words that lie anywhere in
 * a dozen columns, none of them in the processor's cache: waiting for memory, one word after the other, was half of a
 * scan. The prefixes of a whole frame are known before its first route is judged, and reads that do not depend on each
 * other overlap; so the columns are read for all of them first, one column after the other:
 *
 *   add() ──► keys, lengths ──fetch()──► zones ──► nodes ──► columns by node ──► columns by route
 *
 * Nothing is done with what is read: it only has to be near when find() and the verdict come for it.
 */

import type { SyncState } from "./sync-state.ts";

/** More than the routes of one frame (32 KiB) of either family. */
const CAPACITY = 1024;

export class Lookahead {
  private readonly state: SyncState;
  private readonly keys = new Int32Array(4 * CAPACITY);
  private readonly lengths = new Uint8Array(CAPACITY);
  private readonly nodes = new Int32Array(CAPACITY);
  private count = 0;
  /** A use for what is read, so that reading it is not optimized away. */
  private sum = 0;

  constructor(state: SyncState) {
    this.state = state;
  }

  /** Prefixes that were added and not fetched yet. */
  get waiting(): number {
    return this.count;
  }

  /** A route to this prefix comes soon. */
  add(w0: number, w1: number, w2: number, w3: number, length: number): void {
    const { keys, count } = this;
    if (count === CAPACITY) return;
    keys[4 * count] = w0;
    keys[4 * count + 1] = w1;
    keys[4 * count + 2] = w2;
    keys[4 * count + 3] = w3;
    this.lengths[count] = length;
    this.count = count + 1;
  }

  /** Reads what the verdicts on all that was added will look at. */
  fetch(): void {
    const { keys, lengths, nodes, count } = this;
    const { table, sentAttrs, sentMetric, failure } = this.state;
    const { fib } = table;
    let sum = fib.findAll(keys, lengths, nodes, count);
    const { flags, head } = fib;
    for (let i = 0; i < count; i++) sum ^= flags[nodes[i]!]!;
    for (let i = 0; i < count; i++) sum ^= head[nodes[i]!]!;
    sum ^= table.preload(nodes, count);
    for (let i = 0; i < count; i++) sum ^= sentAttrs[nodes[i]!]!;
    for (let i = 0; i < count; i++) sum ^= sentMetric[nodes[i]!]!;
    for (let i = 0; i < count; i++) sum ^= failure[nodes[i]!]!;
    this.sum ^= sum;
    this.count = 0;
  }
}
