/**
 * Takes everything of ours out of the kernel at a stop, but for what is protected. The record of what was sent decides,
 * not the filters of today; the deletions are acknowledged, and a last scan proves that none is left. It asks for our
 * numbers alone: such a dump passes over a foreign route that would end it (early-end.ts), and is short.
 */

import type { Clock } from "../../lib/clock.ts";
import { INSTALLED, SENT } from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { Os, RouteSink } from "../../sysdep/os.ts";
import type { ExportQueue } from "./export-queue.ts";
import { StaleRoutes } from "./stale-routes.ts";
import type { SyncState } from "./sync-state.ts";
import { classify } from "./verdict.ts";

/** The last scan may find what was in flight, refused for load, or put back; more rounds would be a fight. */
const PAUSES_MS = [0, 50, 200, 1000];

/** Resolves with the number of routes that could not be removed, and of those that safety.protect keeps. */
export async function flush(options: {
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly os: Os;
  readonly kernelTable: number;
  /** 1 for every protocol number that is ours, now or formerly. */
  readonly ours: Uint8Array;
  readonly clock: Clock;
}): Promise<{ readonly left: number; readonly kept: number }> {
  const { state, queue, os, kernelTable, ours, clock } = options;
  const { fib } = state.table;
  const withdraw = (node: number): void => {
    fib.flags[node]! &= ~INSTALLED;
    if ((fib.flags[node]! & SENT) !== 0) queue.push(node);
  };
  await walkNodes(fib, withdraw, clock);
  await queue.drained();
  let left = 0;
  let kept = 0;
  for (const pauseMs of PAUSES_MS) {
    if (pauseMs > 0) await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
    const stale = new StaleRoutes(state.attrs);
    kept = 0;
    const sink: RouteSink = {
      route(route) {
        const { protocol, type, tos, table, rtmFlags } = route;
        if (classify(protocol, type, tos, table, rtmFlags, ours) !== "ours") return;
        const { w0, w1, w2, w3, length, metric } = route;
        if (state.safety.protectsPrefix(route)) kept++;
        else stale.push(w0, w1, w2, w3, length, metric, state.attrs.intern(route.attrs), protocol);
      },
    };
    let complete = true;
    for (let protocol = 0; protocol < ours.length; protocol++) {
      if (ours[protocol] === 0) continue;
      const outcome = await os.scanRoutes({ family: state.table.family, table: kernelTable, protocol }, sink);
      complete &&= outcome.complete;
    }
    left = stale.size;
    if (left === 0 && complete) return { left, kept };
    if (queue.outcomes.counters.errors.has("EPERM")) {
      stale.clear();
      return { left, kept };
    }
    stale.moveTo(queue.stale);
    await queue.drained();
  }
  return { left, kept };
}
