/**
 * HOT PATH. Routes of ours in the kernel that nobody wants, each with all that its exact deletion needs. They
 * have no node: temporary kernel routes are never linked into the table, as scans are not atomic.
 *
 *   key[4i..]  prefix words   length[i]   metric[i]   protocol[i] rtm_protocol it has
 *   attrs[i]   1 reference, given up when the entry is taken
 */

import type { AttrsTable } from "../../nest/attrs.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";
import type { SyncState } from "./sync-state.ts";

export class StaleRoutes {
  private readonly table: AttrsTable;
  private key = new Int32Array(4 * 64);
  private lengths = new Uint8Array(64);
  private metrics = new Uint32Array(64);
  private protocols = new Uint8Array(64);
  private attrsIds = new Int32Array(64);
  private first = 0;
  private end = 0;

  constructor(attrs: AttrsTable) {
    this.table = attrs;
  }

  get size(): number {
    return this.end - this.first;
  }

  /** Takes over one reference to `attrs`. */
  push(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    metric: number,
    attrs: AttrsId,
    protocol: number,
  ): void {
    if (this.end === this.lengths.length) this.grow();
    const i = this.end++;
    this.key[4 * i] = w0;
    this.key[4 * i + 1] = w1;
    this.key[4 * i + 2] = w2;
    this.key[4 * i + 3] = w3;
    this.lengths[i] = length;
    this.metrics[i] = metric;
    this.attrsIds[i] = attrs;
    this.protocols[i] = protocol;
  }

  /** Takes in what was sent for a node: its old key, once that is not wanted any more. */
  pushSent(state: SyncState, node: NodeId): void {
    const { fib } = state.table;
    this.push(
      fib.word(node, 0),
      fib.word(node, 1),
      fib.word(node, 2),
      fib.word(node, 3),
      fib.length(node),
      state.sentMetric[node]!,
      state.retainedSentAttrs(node),
      state.sentProtocol(node),
    );
  }

  /** Index of the oldest entry; read its fields with the methods below, then drop it. Only while size > 0. */
  peek(): number {
    return this.first;
  }

  word(i: number, k: 0 | 1 | 2 | 3): number {
    return this.key[4 * i + k]!;
  }

  length(i: number): number {
    return this.lengths[i]!;
  }

  metric(i: number): number {
    return this.metrics[i]!;
  }

  attrs(i: number): AttrsId {
    return this.attrsIds[i]!;
  }

  protocol(i: number): number {
    return this.protocols[i]!;
  }

  /** Drops the oldest entry. Its attributes lose their reference: retain them first to go on using them. */
  drop(): void {
    this.table.release(this.attrsIds[this.first]!);
    this.first++;
    if (this.first === this.end) {
      this.first = 0;
      this.end = 0;
    }
  }

  clear(): void {
    while (this.size > 0) this.drop();
  }

  /** Moves everything into `other`, which takes over the references. */
  moveTo(other: StaleRoutes): void {
    for (let i = this.first; i < this.end; i++) {
      other.push(
        this.key[4 * i]!,
        this.key[4 * i + 1]!,
        this.key[4 * i + 2]!,
        this.key[4 * i + 3]!,
        this.lengths[i]!,
        this.metrics[i]!,
        this.attrsIds[i]!,
        this.protocols[i]!,
      );
    }
    this.first = 0;
    this.end = 0;
  }

  private grow(): void {
    const capacity = this.lengths.length * 2;
    const key = new Int32Array(4 * capacity);
    key.set(this.key);
    this.key = key;
    const lengths = new Uint8Array(capacity);
    lengths.set(this.lengths);
    this.lengths = lengths;
    const metrics = new Uint32Array(capacity);
    metrics.set(this.metrics);
    this.metrics = metrics;
    const protocols = new Uint8Array(capacity);
    protocols.set(this.protocols);
    this.protocols = protocols;
    const attrsIds = new Int32Array(capacity);
    attrsIds.set(this.attrsIds);
    this.attrsIds = attrsIds;
  }
}
