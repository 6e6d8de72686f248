import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RouteSet } from "../../../src/proto/static/config.ts";
import { BLACKHOLE } from "../../support/blackhole.ts";

describe("RouteSet.add() and find()", () => {
  it("agrees with a Map on which prefixes are there already", () => {
    // Few distinct words, so that many prefixes are equal and many differ in one word only.
    const word = fc.constantFrom(0, 1, -1, 0x01000000, 0x0a000000);
    const route = fc.tuple(word, word, word, word, fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(fc.array(route, { maxLength: 400 }), fc.array(route), (routes, asked) => {
        const set = new RouteSet(6);
        const model = new Map<string, number>();
        for (const [line, [w0, w1, w2, w3, length]] of routes.entries()) {
          const key = [w0, w1, w2, w3, length].join();
          const earlier = model.get(key);
          const index = set.add(w0, w1, w2, w3, length, 7, line + 1);
          expect(index).toBe(earlier === undefined ? model.size : -(1 + earlier));
          if (earlier === undefined) model.set(key, index);
        }
        expect(set.count).toBe(model.size);
        for (const [key, i] of model) {
          const found = [set.word(i, 0), set.word(i, 1), set.word(i, 2), set.word(i, 3), set.length[i]];
          expect(found.join()).toBe(key);
          expect(set.spec[i]).toBe(7);
        }
        for (const [w0, w1, w2, w3, length] of asked) {
          const at = model.get([w0, w1, w2, w3, length].join()) ?? -1;
          expect(set.find(w0, w1, w2, w3, length)).toBe(at);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("makes its index again, at once or in slices, after giving it up", async () => {
    for (const family of [4, 6] as const) {
      const set = new RouteSet(family);
      for (let i = 0; i < 10_000; i++) set.add(i << 8, 0, 0, 0, 24, 0, i + 1);
      const wrong = (): number => {
        let count = set.find(1, 0, 0, 0, 24) === -1 ? 0 : 1;
        for (let i = 0; i < 10_000; i++) if (set.find(i << 8, 0, 0, 0, 24) !== i) count++;
        return count;
      };
      set.dropIndex();
      expect(wrong()).toBe(0);
      let yields = 0;
      const clock = { now: () => 0, yield: async () => void yields++ };
      await set.makeIndex(clock);
      expect(yields, "it is there").toBe(0);
      set.dropIndex();
      await set.makeIndex(clock);
      expect([yields, wrong()]).toEqual([19, 0]);
      set.dropIndex();
      expect(set.add(5 << 8, 0, 0, 0, 24, 0, 1)).toBe(-6);
      expect(set.add(5 << 8, 0, 0, 0, 25, 0, 1)).toBe(10_000);
    }
  });

  it("keeps 200,000 prefixes apart", () => {
    const set = new RouteSet(4);
    let wrong = 0;
    for (let i = 0; i < 200_000; i++) if (set.add(i << 8, 0, 0, 0, 24, 0, i + 1) !== i) wrong++;
    expect(wrong).toBe(0);
    expect(set.add(5 << 8, 0, 0, 0, 24, 0, 1)).toBe(-6);
    expect(set.add(5 << 8, 0, 0, 0, 25, 0, 1)).toBe(200_000);
  });
});

describe("RouteSet.where()", () => {
  it("names the file and line a route came from", () => {
    const set = new RouteSet(4);
    set.from("a");
    set.from("b");
    for (let i = 0; i < 3; i++) set.add(i, 0, 0, 0, 32, 0, 10 + i);
    set.from("c");
    set.add(3, 0, 0, 0, 32, 0, 1);
    set.from("empty");
    expect([0, 2, 3].map((i) => set.where(i))).toEqual(["b:10", "b:12", "c:1"]);
  });
});

describe("RouteSet.internSpec()", () => {
  it("shares equal specs and keeps different ones apart", () => {
    const set = new RouteSet(4);
    expect(set.internSpec(BLACKHOLE)).toBe(0);
    expect(set.internSpec({ ...BLACKHOLE })).toBe(0);
    expect(set.internSpec({ ...BLACKHOLE, metric: 1 })).toBe(1);
    expect(set.internSpec({ ...BLACKHOLE, mtu: 1 })).toBe(2);
    expect(set.specs).toHaveLength(3);
  });
});
