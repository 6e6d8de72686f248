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
  /** Resolves in a later turn of the event loop, after pending I/O was served: the yield of a sliced walk. */
  yield(): Promise<void>;
}

/** The clock of the running process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs);
    return () => clearTimeout(timer);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};
