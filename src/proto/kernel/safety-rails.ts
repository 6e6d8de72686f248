/**
 * HOT PATH. What a change of the configuration would delete from one kernel table, asked before anything of it is
 * written, and what can be done about it. The records tell: SENT stands in the kernel, INSTALLED is wanted there.
 */

import type { Clock } from "../../lib/clock.ts";
import type { NodeId } from "../../nest/route.ts";
import { DIRTY, INFLIGHT, INSTALLED, QUEUED, SENT } from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { SafetyConfig } from "./config.ts";
import type { ExportQueue } from "./export-queue.ts";
import { type Deletions, FEW, Safety } from "./safety.ts";
import type { ScanCycle } from "./scan-cycle.ts";
import type { SyncState } from "./sync-state.ts";

/** Nodes counted between two yields: some tenths of a millisecond, with a long list of protected prefixes a few. */
const SLICE = 65_536;
/** So many queued nodes are looked at one by one. */
const LOOKED_AT = 4096;

export class SafetyRails {
  private readonly state: SyncState;
  private readonly queue: ExportQueue;
  private readonly cycle: ScanCycle;
  private readonly clock: Clock;

  constructor(options: {
    readonly state: SyncState;
    readonly queue: ExportQueue;
    readonly cycle: ScanCycle;
    readonly clock: Clock;
  }) {
    this.state = options.state;
    this.queue = options.queue;
    this.cycle = options.cycle;
    this.clock = options.clock;
  }

  /**
   * What stands in the kernel, and how much of that goes as things are; nothing where nothing is ever written. What is
   * protected stands and does not go. With too few deletions to be asked about, what stands is not counted: a change of
   * one route must not walk over a million.
   */
  async deletions(): Promise<Deletions> {
    const { fib } = this.state.table;
    const { safety } = this.state;
    const goes = (flags: number): boolean =>
      (flags & (SENT | INSTALLED)) === SENT && (flags & (QUEUED | INFLIGHT)) !== 0;
    const busy = this.queue.busyNodes(LOOKED_AT);
    if (busy === null) return this.count(goes, safety);
    let deletions = 0;
    for (const node of busy) if (goes(fib.flags[node]!) && !safety.protectsNode(fib, node)) deletions++;
    return deletions < FEW ? { deletions, standing: deletions } : this.count(goes, safety);
  }

  /** What a stop would delete, as it is without `persist`, once `next` says what is protected. */
  flush(next: SafetyConfig): Promise<Deletions> {
    return this.count(() => true, new Safety(this.state.table.family, next));
  }

  /** In slices. `goes` tells by the flags of a node that has SENT; what `safety` protects does not. */
  private async count(goes: (flags: number) => boolean, safety: Safety): Promise<Deletions> {
    const { table } = this.state;
    let standing = 0;
    let deletions = 0;
    if (!this.queue.writable) return { deletions, standing };
    const { fib } = table;
    const end = fib.idLimit;
    for (let node = 1; node < end; node++) {
      if (node % SLICE === 0) await this.clock.yield();
      const flags = fib.flags[node]!;
      if ((flags & SENT) === 0) continue;
      standing++;
      if (goes(flags) && !safety.protectsNode(fib, node)) deletions++;
    }
    return { deletions, standing };
  }

  /** The next scan that may delete anything deletes all that nobody wants, however much. */
  force(): void {
    this.cycle.guard.force();
  }

  /**
   * What would be deleted now is forgotten, and so left to the next scan, which deletes no more than it may unasked.
   * Nothing may have been written since it came to be unwanted: the queue is held.
   */
  async leaveToScan(): Promise<void> {
    const { state } = this;
    const { fib } = state.table;
    const forget = (node: NodeId): void => {
      if ((fib.flags[node]! & (SENT | INSTALLED | INFLIGHT)) !== SENT) return;
      if (state.safety.protectsNode(fib, node)) return;
      state.clearSent(node);
      fib.flags[node]! |= DIRTY;
      state.releaseIfIdle(node, QUEUED | INFLIGHT);
    };
    await walkNodes(fib, forget, this.clock);
    this.cycle.request("too many routes are not wanted any more");
  }

  /**
   * Goes by other limits from now on. What was kept, and is protected no more, is written or deleted: whether that may
   * be was asked with the rest of the change, and the next scan must not ask again.
   */
  async configure(safety: SafetyConfig): Promise<void> {
    const { state, queue, cycle } = this;
    if (state.safety.set(safety)) {
      const { fib } = state.table;
      const letGo = (node: NodeId): void => {
        queue.retryProtected(node);
        // Those that are ours were not asked for while they were protected.
        state.mayHaveNexthops(node);
        const unwanted = (fib.flags[node]! & (SENT | INSTALLED)) === SENT;
        if (unwanted && cycle.initialized && !state.safety.protectsNode(fib, node)) queue.push(node);
      };
      await walkNodes(fib, letGo, this.clock);
      queue.run();
    }
    cycle.request("safety has changed");
  }
}
