import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import { RouteSet } from "../../../src/proto/static/config.ts";
import { sortRoutes } from "../../../src/proto/static/sort-routes.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { maskedPrefix } from "../../support/reference-fib.ts";

const word = fc.oneof(fc.constantFrom(0, 1, -1, 0x10000, 0x0a0000ff | 0, 0x20010db8), fc.integer());
const route = fc.tuple(word, word, fc.nat(128));

function setOf(family: Family, routes: readonly (readonly [number, number, number])[]): RouteSet {
  const set = new RouteSet(family);
  for (const [w0, w1, length] of routes) {
    const p = maskedPrefix(family, [w0, w1, 0, 0], length);
    set.add(p.w0, p.w1, p.w2, p.w3, p.length, 0, 1);
  }
  return set;
}

const never = { clock: { yield: async () => {} }, stopped: () => false };

describe("sortRoutes()", () => {
  it("orders by length, then by the first 32 bits as an unsigned number, then as they stood", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Family>(4, 6),
        fc.array(route, { maxLength: 300 }),
        async (family, routes) => {
          const set = setOf(family, routes);
          const sorted = await sortRoutes(set, never);
          const expected = Array.from({ length: set.count }, (_, i) => i).sort(
            (a, b) =>
              set.length[a]! - set.length[b]! || (set.word(a, 0) >>> 0) - (set.word(b, 0) >>> 0) || a - b,
          );
          expect([...sorted!.order]).toEqual(expected);
          for (let length = 0; length <= 128; length++) {
            const count = expected.filter((i) => set.length[i] === length).length;
            expect(sorted!.lengths[length]).toBe(count);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([
    { family: 4 as const, specs: 256, grouped: false },
    { family: 4 as const, specs: 257, grouped: true },
    { family: 6 as const, specs: 257, grouped: false },
  ])("IPv$family with $specs different nexthops: comes by those first: $grouped", async (row) => {
    const { family, specs, grouped } = row;
    const set = new RouteSet(family);
    const nothing = { type: "blackhole", nexthops: [], prefsrc: null, mtu: null, recursive: null } as const;
    for (let metric = 1; metric <= specs; metric++) set.internSpec({ ...nothing, metric });
    for (let i = 0; i < 1000; i++) {
      const length = i % 2 === 0 ? 24 : 16;
      set.add((1000 - i) << 16, 0, 0, 0, length, (i * 7) % specs, 1);
    }
    const sorted = await sortRoutes(set, never);
    const specOf = (i: number): number => (grouped ? set.spec[i]! : 0);
    const expected = Array.from({ length: set.count }, (_, i) => i).sort(
      (a, b) => specOf(a) - specOf(b) || set.length[a]! - set.length[b]! || set.word(a, 0) - set.word(b, 0),
    );
    expect([...sorted!.order]).toEqual(expected);
    expect([sorted!.lengths[16], sorted!.lengths[24]]).toEqual([500, 500]);
  });

  it("yields on the way, and gives up when stopped", async () => {
    const set = setOf(
      4,
      Array.from({ length: 40_000 }, (_, i) => [i << 8, 0, 24] as const),
    );
    const clock = new FakeClock();
    let yields = 0;
    const pace = {
      clock: {
        yield: () => {
          yields++;
          return clock.yield();
        },
      },
      stopped: () => yields > 2,
    };
    const sorting = sortRoutes(set, pace);
    await clock.advance(0);
    expect(await sorting).toBeNull();
    expect(yields).toBe(3);
  });
});
