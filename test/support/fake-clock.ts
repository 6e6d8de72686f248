/** A clock that moves only when a test says so. Timers fire in order of their due time. */

import type { Clock } from "../../src/lib/clock.ts";

interface Timer {
  readonly dueAt: number;
  readonly fn: () => void;
}

export class FakeClock implements Clock {
  private time = 0;
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }

  wall(): number {
    return 1_700_000_000_000 + this.time;
  }

  after(delayMs: number, fn: () => void): () => void {
    const timer = { dueAt: this.time + delayMs, fn };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves on by `ms`, firing what becomes due, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = [...this.timers].filter(({ dueAt }) => dueAt <= end).sort((a, b) => a.dueAt - b.dueAt)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.time = Math.max(this.time, due.dueAt);
      due.fn();
      await settle();
    }
    this.time = end;
  }
}

/** Lets everything that is ready run: promises, and chains that yield to the event loop a few times. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
