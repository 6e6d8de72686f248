/** A timer that keeps only its earliest due time: asking again for later than it is set changes nothing. */

import type { Clock } from "./clock.ts";

export class Alarm {
  private readonly clock: Clock;
  private readonly ring: () => void;
  private dueAt = Number.POSITIVE_INFINITY;
  private disarm: (() => void) | null = null;

  /** Calls `ring` when due; each time it has to be set again. */
  constructor(clock: Clock, ring: () => void) {
    this.clock = clock;
    this.ring = ring;
  }

  /** Rings in at most `delayMs`. */
  within(delayMs: number): void {
    const dueAt = this.clock.now() + delayMs;
    if (dueAt >= this.dueAt) return;
    this.disarm?.();
    this.dueAt = dueAt;
    this.disarm = this.clock.after(delayMs, () => {
      this.disarm = null;
      this.dueAt = Number.POSITIVE_INFINITY;
      this.ring();
    });
  }

  cancel(): void {
    this.disarm?.();
    this.disarm = null;
    this.dueAt = Number.POSITIVE_INFINITY;
  }
}
