/**
 * Runs every pair and prints one line of JSON: by name, the shortest time of each side in milliseconds, and what both
 * returned. A program of its own: a test runner's way to load modules slows the hot paths more than the others.
 */

import { PAIRS } from "./pairs.ts";

const RUNS = 12;
/** Short ones are disturbed, or compiled, more easily: several of ours for each of the others. */
const OURS_PER_RUN = 5;

export interface Measured {
  readonly name: string;
  readonly ours: number;
  readonly reference: number;
  readonly results: readonly [ours: number, reference: number];
}

function milliseconds(work: () => number): number {
  const before = performance.now();
  work();
  return performance.now() - before;
}

const measured = PAIRS.map(({ name, ours, reference }): Measured => {
  const results = [ours(), reference()] as const;
  let shortestOurs = Number.POSITIVE_INFINITY;
  let shortestReference = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    for (let k = 0; k < OURS_PER_RUN; k++) shortestOurs = Math.min(shortestOurs, milliseconds(ours));
    shortestReference = Math.min(shortestReference, milliseconds(reference));
  }
  return { name, ours: shortestOurs, reference: shortestReference, results };
});
process.stdout.write(`${JSON.stringify(measured)}\n`);
