/** How to walk over many routes, or what is like them: in slices, yielding to the event loop between them. */

import { type Clock, LONG_TURN_MS } from "./clock.ts";

/** What may be spent between two yields; a look at an array costs 1. */
const SLICE = 0x10000;
/** After so much of a slice the clock is asked: what has yet to be compiled takes ten times as long. */
const PART = SLICE / 8;

export interface Pace {
  readonly clock: Pick<Clock, "yield" | "now">;
  /** Asked after every yield; true ends the walk. */
  readonly stopped: () => boolean;
}

/** Calls `step` with 0 … count-1, in slices; it returns what it cost. Resolves with false when stopped. */
export async function inSlices(count: number, step: (i: number) => number, pace: Pace): Promise<boolean> {
  const { clock } = pace;
  let left = SLICE;
  let next = SLICE - PART;
  let began = clock.now();
  for (let i = 0; i < count; i++) {
    if (left <= next) {
      if (left <= 0 || clock.now() - began >= LONG_TURN_MS) {
        await clock.yield();
        if (pace.stopped()) return false;
        left = SLICE;
        began = clock.now();
      }
      next = Math.max(0, left - PART);
    }
    left -= step(i);
  }
  return true;
}
