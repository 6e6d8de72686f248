/** How long the event loop kept others waiting, over the last minute or two. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "../lib/clock.ts";

/** Sampling step; the histogram counts it in. */
const RESOLUTION_MS = 10;
const WINDOW_MS = 60_000;

export class LoopLag {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private readonly clock: Clock;
  private windowAt: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.windowAt = clock.now();
  }

  start(): void {
    this.histogram.enable();
  }

  stop(): void {
    this.histogram.disable();
  }

  /** 99th percentile of the delay beyond the sampling step, ms. */
  p99Ms(): number {
    const p99 = Math.max(0, this.histogram.percentile(99) / 1e6 - RESOLUTION_MS);
    if (this.clock.now() - this.windowAt > WINDOW_MS) {
      this.histogram.reset();
      this.windowAt = this.clock.now();
    }
    return Math.round(p99 * 10) / 10;
  }
}
