/** Walks in slices: how much of one goes on in a turn, when it is quick and when it is slow. */

import { describe, expect, it } from "vitest";
import { inSlices } from "../../src/lib/slices.ts";

/** Walks over `count` items of `cost` that take `ms` each; says how many were looked at when it yielded. */
async function walk(count: number, cost: number, ms: number, stopAt = Number.POSITIVE_INFINITY) {
  let now = 0;
  let done = 0;
  const yields: number[] = [];
  const clock = {
    now: () => now,
    yield: async () => void yields.push(done),
  };
  const step = (): number => {
    now += ms;
    done++;
    return cost;
  };
  const ended = await inSlices(count, step, { clock, stopped: () => done >= stopAt });
  return { ended, done, yields };
}

describe("inSlices()", () => {
  it("yields after a thousand changes, or after some ten thousand looks", async () => {
    expect(await walk(3000, 64, 0)).toEqual({ ended: true, done: 3000, yields: [1024, 2048] });
    expect((await walk(200, 1000, 0)).yields).toEqual([66, 132, 198]);
    expect(await walk(150_000, 1, 0)).toEqual({ ended: true, done: 150_000, yields: [65_536, 131_072] });
  });

  it("yields sooner when they take long, but not after each", async () => {
    expect((await walk(600, 64, 0.02)).yields).toEqual([128, 256, 384, 512]);
    expect((await walk(600, 64, 1)).yields).toEqual([128, 256, 384, 512]);
    expect((await walk(2000, 64, 0.004)).yields).toEqual([512, 1024, 1536]);
  });

  it("ends when it was stopped meanwhile", async () => {
    expect(await walk(3000, 64, 0, 1000)).toEqual({ ended: false, done: 1024, yields: [1024] });
  });
});
