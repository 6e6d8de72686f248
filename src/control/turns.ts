/**
 * Fairness between the clients of the control server, and between all of them and the daemon: whatever a client
 * causes (a piece of its request is parsed, a slice of its list is made) waits for a turn, turns are given in the order
 * they were asked for, and there is one in each round of the event loop. However many clients push, netlink, timers
 * and everybody else are served after each single piece.
 */

import type { Clock } from "../lib/clock.ts";

export class Turns {
  private readonly clock: Pick<Clock, "yield">;
  private readonly waiting: (() => void)[] = [];
  private running = false;

  constructor(clock: Pick<Clock, "yield">) {
    this.clock = clock;
  }

  /** Resolves in a later round of the event loop, when those who asked before had theirs. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      await this.clock.yield();
      this.waiting.shift()?.();
    }
    this.running = false;
  }
}
