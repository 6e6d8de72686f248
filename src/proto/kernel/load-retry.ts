/** Nodes the kernel had no room or time for: tried again after a while, and later and later while that fails. */

import type { Clock } from "../../lib/clock.ts";
import type { NodeId } from "../../nest/route.ts";

const SHORTEST_MS = 100;
const LONGEST_MS = 10_000;

export class LoadRetry {
  /** Wall clock, ms, of the next try, or null when nothing waits. */
  dueAt: number | null = null;
  private readonly clock: Clock;
  private readonly retry: (nodes: readonly NodeId[]) => void;
  private nodes: NodeId[] = [];
  private delayMs = SHORTEST_MS;
  private disarm: (() => void) | null = null;

  constructor(clock: Clock, retry: (nodes: readonly NodeId[]) => void) {
    this.clock = clock;
    this.retry = retry;
  }

  get size(): number {
    return this.nodes.length;
  }

  add(node: NodeId): void {
    this.nodes.push(node);
    if (this.dueAt !== null) return;
    this.dueAt = this.clock.wall() + this.delayMs;
    this.disarm = this.clock.after(this.delayMs, () => {
      this.disarm = null;
      this.dueAt = null;
      const { nodes } = this;
      this.nodes = [];
      this.retry(nodes);
    });
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_MS);
  }

  /** Nothing is tried any more. */
  close(): void {
    this.disarm?.();
    this.nodes = [];
    this.dueAt = null;
  }

  /** A write went through: the kernel has room again. */
  succeeded(): void {
    this.delayMs = SHORTEST_MS;
  }
}
