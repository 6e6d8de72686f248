import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import { RouteSet } from "../../../src/proto/static/config.ts";
import { sortRoutes } from "../../../src/proto/static/sort-routes.ts";
import { BLACKHOLE } from "../../support/blackhole.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { maskedPrefix } from "../../support/reference-fib.ts";

const word = fc.oneof(fc.constantFrom(0, 1, -1, 0x10000, 0x0a0000ff | 0, 0x20010db8), fc.integer());
const route = fc.tuple(word, word, fc.nat(128));

function setOf(family: Family, routes: readonly (readonly [number, number, number])[]): RouteSet {
  const set = new RouteSet(family);
  set.internSpec(BLACKHOLE);
  for (const [w0, w1, length] of routes) {
    const p = maskedPrefix(family, [w0, w1, 0, 0], length);
    set.add(p.w0, p.w1, p.w2, p.w3, p.length, 0, 1);
  }
  return set;
}

const never = { clock: { now: () => 0, yield: async () => {} }, stopped: () => false };

/** By `key`, length, first word, and as they stood. */
function inOrder(set: RouteSet, key: (i: number) => number): number[] {
  return Array.from({ length: set.count }, (_, i) => i).sort(
    (a, b) =>
      key(a) - key(b) ||
      set.length[a]! - set.length[b]! ||
      (set.word(a, 0) >>> 0) - (set.word(b, 0) >>> 0) ||
      a - b,
  );
}

describe("sortRoutes()", () => {
  it("orders by length, then by the first 32 bits as an unsigned number, then as they stood", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Family>(4, 6),
        fc.array(route, { maxLength: 300 }),
        async (family, routes) => {
          const set = setOf(family, routes);
          const sorted = await sortRoutes(set, never);
          const expected = inOrder(set, () => 0);
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
    { family: 4 as const, count: 65_536, specs: 64, grouped: false },
    { family: 4 as const, count: 65_536, specs: 65, grouped: true },
    { family: 4 as const, count: 65_535, specs: 3, grouped: true },
    { family: 6 as const, count: 65_536, specs: 65, grouped: false },
    { family: 6 as const, count: 2000, specs: 3, grouped: false },
  ])("IPv$family, $count routes with $specs different nexthops: by those first: $grouped", async (row) => {
    const { family, count, specs, grouped } = row;
    const set = new RouteSet(family);
    for (let metric = 1; metric <= specs; metric++) set.internSpec({ ...BLACKHOLE, metric });
    for (let i = 0; i < count; i++) {
      set.add(Math.imul(i, 0x9e3779b1) & ~0xff, 0, 0, 0, i % 2 === 0 ? 24 : 25, (i * 7) % specs, 1);
    }
    const sorted = await sortRoutes(set, never);
    expect([...sorted!.order]).toEqual(inOrder(set, (i) => (grouped ? set.spec[i]! : 0)));
    expect(sorted!.lengths[24]! + sorted!.lengths[25]!).toBe(set.count);
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
        now: () => 0,
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
