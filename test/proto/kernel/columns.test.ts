/** The small arrays of the kernel protocol against the obvious thing. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { NodeRing } from "../../../src/proto/kernel/node-ring.ts";
import { StaleRoutes } from "../../../src/proto/kernel/stale-routes.ts";
import { draftOf } from "../../support/draft.ts";

describe("NodeRing", () => {
  it("equals an array used as a queue, through growth", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }), (bursts) => {
        const ring = new NodeRing();
        const model: number[] = [];
        let next = 1;
        bursts.forEach((size, i) => {
          for (let k = 0; k < size; k++) {
            if (i % 3 === 2) expect(ring.shift()).toBe(model.shift() ?? 0);
            else {
              ring.push(next);
              model.push(next++);
            }
          }
          expect(ring.size).toBe(model.length);
        });
        while (model.length > 0) expect(ring.shift()).toBe(model.shift());
        expect(ring.shift()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe("StaleRoutes", () => {
  it("gives back what was put in, in order, and ends with no reference held", () => {
    const attrs = new AttrsTable();
    const first = new StaleRoutes(attrs);
    const second = new StaleRoutes(attrs);
    for (let i = 1; i <= 1000; i++) {
      first.push(
        i,
        -i,
        i,
        -i,
        i % 33,
        i,
        attrs.intern(draftOf({ nexthops: [{ device: (i % 7) + 1 }] })),
        120,
      );
    }
    first.moveTo(second);
    expect([first.size, second.size]).toEqual([0, 1000]);
    for (let i = 1; i <= 500; i++) {
      const at = second.peek();
      expect([second.word(at, 0), second.word(at, 1), second.length(at), second.metric(at)]).toEqual([
        i,
        -i,
        i % 33,
        i,
      ]);
      expect(attrs.describe(second.attrs(at)).nexthops[0]?.device).toBe((i % 7) + 1);
      second.drop();
    }
    second.clear();
    expect(second.size).toBe(0);
    expect(attrs.size).toBe(0);
  });
});
