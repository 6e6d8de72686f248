/**
 * The clock port. Everything that waits or measures takes a Clock, so that tests run on a fake one and
 * no timer in the daemon ever depends on the wall clock (which an operator or NTP may set at any time).
 */

export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin; never goes back. For intervals, deadlines, ages. */
  now(): number;
  /** Wall-clock milliseconds since the Unix epoch. For display only: it may jump. */
  wall(): number;
  /** Runs `fn` once after `delayMs` (≥ 0) on the monotonic clock. Returns a function that cancels it. */
  after(delayMs: number, fn: () => void): () => void;
  /**
   * Resolves in a later turn of the event loop, after pending I/O was served: the yield of a sliced walk. Of several that
   * walk at the same time one goes on in each turn, so that a turn is as long as the longest slice, not as their sum.
   */
  yield(): Promise<void>;
}

/** After so many milliseconds a walk that asks the clock yields. */
export const LONG_TURN_MS = 2;

/** Those that yield, each waiting for its turn of the event loop. */
class Turns {
  private readonly waiting: (() => void)[] = [];
  private scheduled = false;

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    // An immediate that is set by another one runs in the next turn.
    setImmediate(() => {
      this.scheduled = false;
      this.waiting.shift()?.();
      if (this.waiting.length > 0) this.schedule();
    });
  }
}

const turns = new Turns();

/** The clock of the running process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs);
    return () => clearTimeout(timer);
  },
  yield: () => turns.next(),
};
