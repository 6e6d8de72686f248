/** What a scan found changed by somebody else: a record of each, up to a limit. */

import type { Clock } from "../../lib/clock.ts";
import type { NodeId } from "../../nest/route.ts";
import { SENT } from "../../nest/sync-flags.ts";
import type { KernelRoute } from "../../sysdep/os.ts";
import type { DriftLog } from "./drift.ts";
import type { ExportQueue } from "./export-queue.ts";
import type { SyncState } from "./sync-state.ts";

/** Changes by others described after one scan; the log counts them all. */
const MOST_REPORTED = 1024;

export interface ScanDriftOptions {
  readonly name: string;
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly drift: DriftLog;
  readonly clock: Clock;
}

export class ScanDrift {
  private readonly options: ScanDriftOptions;
  private reported = 0;

  constructor(options: ScanDriftOptions) {
    this.options = options;
  }

  /** A scan begins. */
  begin(): void {
    this.reported = 0;
  }

  /**
   * A route of ours is not what was sent, or (`shown` null) not there, and no event has told of it. `sure`: it is
   * put right now; else only the next scan can tell whether it was.
   */
  report(node: NodeId, shown: KernelRoute | null, sure = true): void {
    if (++this.reported > MOST_REPORTED) return;
    const { state, drift, clock, name, queue } = this.options;
    const { fib, attrs, family } = state.table;
    const sent = (fib.flags[node]! & SENT) !== 0;
    const taken = shown === null && state.rivals.has(node);
    const kept = shown !== null && state.safety.protectsNode(fib, node);
    const repairs = queue.writable && !taken && !kept && !state.contest.has(node);
    drift.add({
      at: clock.wall(),
      protocol: name,
      prefix: fib.prefix(node),
      metric: sent ? state.sentMetric[node]! : state.wantedMetric(node),
      kind: taken ? "taken" : shown === null ? "deleted" : "changed",
      seenBy: "scan",
      port: null,
      before: sent ? attrs.describe(state.sentAttrs[node]!, family) : null,
      after: shown === null ? null : attrs.describeDraft(shown.attrs, family),
      reaction: !repairs ? "left" : sure ? "repaired" : "scan",
    });
  }
}
