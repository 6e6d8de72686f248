/** Chance that can be had again: all that a fault leaves to chance comes from one seed. */

import { randomInt } from "node:crypto";

export interface Random {
  /** 0 ≤ result < 1. */
  next(): number;
  /** A whole number, from ≤ result < to. */
  between(from: number, to: number): number;
  pick<T>(of: readonly T[]): T;
  /** True in this share of all cases. */
  chance(share: number): boolean;
}

const LIMIT = 2 ** 31;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  /** mulberry32: 32 bits of state are enough to tell runs apart. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (from, to) => from + Math.floor(next() * (to - from)),
    pick: (of) => of[Math.floor(next() * of.length)]!,
    chance: (share) => next() < share,
  };
}

/**
 * $KRTD_SEED alone when it is set. Else 1 to `count`, or with `fresh` others each time: what must pass always does the
 * same, what looks for the unknown does not. Throws when the variable is no seed.
 */
export function seeds(count: number, fresh: boolean): readonly number[] {
  const given = process.env["KRTD_SEED"];
  if (given === undefined) return Array.from({ length: count }, (_, i) => (fresh ? randomInt(LIMIT) : i + 1));
  const seed = Number(given);
  if (!Number.isInteger(seed) || seed < 0 || seed >= LIMIT) {
    throw new Error(`KRTD_SEED must be a whole number from 0 to ${LIMIT - 1}, not "${given}"`);
  }
  return [seed];
}
