/** How a static protocol walks over many routes: in slices, yielding to the event loop between them. */

import type { Clock } from "../../lib/clock.ts";

/** What may be spent between two yields; a look at an array costs 1. */
const SLICE = 0x10000;

export interface Pace {
  readonly clock: Pick<Clock, "yield">;
  /** Asked after every yield; true ends the walk. */
  readonly stopped: () => boolean;
}

/** Calls `step` with 0 … count-1, in slices; it returns what it cost. Resolves with false when stopped. */
export async function inSlices(count: number, step: (i: number) => number, pace: Pace): Promise<boolean> {
  let left = SLICE;
  for (let i = 0; i < count; i++) {
    if (left <= 0) {
      await pace.clock.yield();
      if (pace.stopped()) return false;
      left = SLICE;
    }
    left -= step(i);
  }
  return true;
}
