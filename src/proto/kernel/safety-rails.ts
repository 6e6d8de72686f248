/**
 * HOT PATH. What a change of the configuration would delete from one kernel table, asked before anything of it is
 * written, and what can be done about it. The records tell: SENT stands in the kernel, INSTALLED is wanted there.
 */

import type { Clock } from "../../lib/clock.ts";
import { DIRTY, INFLIGHT, INSTALLED, QUEUED, SENT } from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { SafetyConfig } from "./config.ts";
import type { ExportQueue } from "./export-queue.ts";
import type { Deletions } from "./safety.ts";
import type { ScanCycle } from "./scan-cycle.ts";
import type { SyncState } from "./sync-state.ts";

const NONE_AT_ALL: Deletions = { deletions: 0, standing: 0 };

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
   * What stands in the kernel, and how much of that goes as things are; nothing where nothing is ever written. At one
   * go, some milliseconds for a million nodes. What is protected stands and does not go.
   */
  get deletions(): Deletions {
    if (!this.queue.writable) return NONE_AT_ALL;
    const { fib } = this.state.table;
    const { flags } = fib;
    let standing = 0;
    let deletions = 0;
    for (let node = 1; node < flags.length; node++) {
      const has = flags[node]!;
      if ((has & SENT) === 0) continue;
      standing++;
      if ((has & INSTALLED) === 0 && !this.state.safety.protectsNode(fib, node)) deletions++;
    }
    return { deletions, standing };
  }

  /** What a stop would delete, as it is without `persist`. */
  get flush(): Deletions {
    if (!this.queue.writable) return NONE_AT_ALL;
    const { fib } = this.state.table;
    let standing = 0;
    let deletions = 0;
    for (let node = 1; node < fib.flags.length; node++) {
      if ((fib.flags[node]! & SENT) === 0) continue;
      standing++;
      if (!this.state.safety.protectsNode(fib, node)) deletions++;
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
  leaveToScan(): void {
    const { state } = this;
    const { fib } = state.table;
    const { flags } = fib;
    for (let node = 1; node < flags.length; node++) {
      if ((flags[node]! & (SENT | INSTALLED | INFLIGHT)) !== SENT) continue;
      if (state.safety.protectsNode(fib, node)) continue;
      state.clearSent(node);
      flags[node]! |= DIRTY;
      state.releaseIfIdle(node, QUEUED | INFLIGHT);
    }
    this.cycle.request("too many routes are not wanted any more");
  }

  /** Goes by other limits from now on; what was kept, and is protected no more, is written. */
  async configure(safety: SafetyConfig): Promise<void> {
    const { state, queue, cycle } = this;
    if (state.safety.set(safety)) {
      await walkNodes(state.table.fib, (node) => queue.retryProtected(node), this.clock);
      queue.run();
    }
    cycle.request("safety has changed");
  }
}
