/**
 * HOT PATH. The kernel shows routes in the order of its own tree, so each is compared with words that lie anywhere in
 * a dozen columns, none of them in the processor's cache: waiting for memory, one word after the other, was half of a
 * scan. The prefixes of a whole frame are known before its first route is judged, and reads that do not depend on each
 * other overlap; so the columns are read for all of them first, one column after the other:
 *
 *   add() ──► keys, lengths ──fetch()──► zones ──► nodes ──► columns by node ──► columns by route
 *
 * Nothing is done with what is read but the nodes: it only has to be near when the verdict comes for it.
 */

import type { NodeId } from "../../nest/route.ts";
import type { KernelRoute } from "../../sysdep/os.ts";
import type { SyncState } from "./sync-state.ts";

/** More than the routes of one frame (32 KiB) of either family. */
const CAPACITY = 1024;
/** So many in a row may have been added for nothing. */
const MOST_SKIPPED = 8;

export class Lookahead {
  private readonly state: SyncState;
  private readonly keys = new Int32Array(4 * CAPACITY);
  private readonly lengths = new Uint8Array(CAPACITY);
  private readonly nodes = new Int32Array(CAPACITY);
  private count = 0;
  /** Prefixes that were fetched, and of which next() was told. */
  private fetched = 0;
  private told = 0;
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
    this.fetched = count;
    this.told = 0;
  }

  /**
   * The node of the next route, or 0. Routes come in the order in which they were added, though not all that were added;
   * others are found as well, less fast.
   */
  next({ w0, w1, w2, w3, length }: KernelRoute): NodeId {
    const { keys, lengths, nodes, told } = this;
    const { fib } = this.state.table;
    const end = Math.min(this.fetched, told + MOST_SKIPPED);
    for (let i = told; i < end; i++) {
      const at = 4 * i;
      if (keys[at] !== w0 || keys[at + 1] !== w1 || keys[at + 2] !== w2 || keys[at + 3] !== w3) continue;
      if (lengths[i] !== length) continue;
      this.told = i + 1;
      // What was fetched may have changed since.
      if (fib.isNodeOf(nodes[i]!, w0, w1, w2, w3, length)) return nodes[i]!;
      break;
    }
    return fib.find(w0, w1, w2, w3, length);
  }
}
