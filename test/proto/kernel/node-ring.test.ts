import { describe, expect, it } from "vitest";
import { NodeRing } from "../../../src/proto/kernel/node-ring.ts";

describe("NodeRing", () => {
  it("gives ids back in the order they came, while it grows, empties and gives room back", () => {
    const ring = new NodeRing();
    const model: number[] = [];
    let id = 0;
    for (const [pushes, shifts] of [
      [10, 5],
      [3000, 2000],
      [200_000, 201_005],
      [2000, 1999],
      [5000, 5001],
    ] as const) {
      for (let i = 0; i < pushes; i++) {
        ring.push(++id);
        model.push(id);
      }
      expect(ring.size).toBe(model.length);
      expect(Array.from({ length: ring.size }, (_, i) => ring.at(i))).toEqual(model);
      const expected = model.splice(0, shifts);
      expect(Array.from({ length: shifts }, () => ring.shift())).toEqual(expected);
    }
    expect([ring.size, ring.shift()]).toEqual([0, 0]);
  });
});
