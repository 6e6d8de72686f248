/** The trie of prefix patterns, row by row and against strings of bits. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../src/lib/ip.ts";
import { isPrefix, maxLength, type Prefix, parsePrefix } from "../../src/lib/prefix.ts";
import { type PrefixPattern, PrefixPatterns } from "../../src/nest/prefix-patterns.ts";
import { maskedPrefix, textOf } from "../support/reference-fib.ts";
import { takes } from "../support/reference-filter.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!isPrefix(parsed)) throw new Error(parsed.message);
  return parsed;
}

const pattern = (text: string, from: number, to: number): PrefixPattern => ({ ...prefix(text), from, to });

function fits(patterns: PrefixPatterns, { w0, w1, w2, w3, length }: Prefix): boolean {
  return patterns.fits(w0, w1, w2, w3, length);
}

describe("PrefixPatterns.fits()", () => {
  const exact = [pattern("10.0.0.0/8", 8, 8)];
  const within = [pattern("10.0.0.0/8", 8, 32)];
  const over = [pattern("10.1.0.0/16", 0, 16)];
  const range = [pattern("10.0.0.0/8", 24, 28)];
  const around = [pattern("10.128.0.0/9", 8, 10)];
  const none: PrefixPattern[] = [];
  const all = [pattern("0.0.0.0/0", 0, 32)];
  const v6 = [pattern("2001:db8::/32", 32, 128), pattern("::/0", 0, 0)];

  it.each<[why: string, patterns: PrefixPattern[], net: string, fits: boolean]>([
    ["the prefix itself", exact, "10.0.0.0/8", true],
    ["not one within", exact, "10.0.0.0/9", false],
    ["not one around", exact, "10.0.0.0/7", false],
    ["not its neighbour", exact, "11.0.0.0/8", false],
    ["the prefix itself is within", within, "10.0.0.0/8", true],
    ["a host within", within, "10.255.255.255/32", true],
    ["one around is not within", within, "8.0.0.0/5", false],
    ["a neighbour's host is not within", within, "11.0.0.1/32", false],
    ["the prefix contains itself", over, "10.1.0.0/16", true],
    ["the default route contains it", over, "0.0.0.0/0", true],
    ["a shorter one that contains it", over, "10.0.0.0/15", true],
    ["a shorter one beside it", over, "10.2.0.0/15", false],
    ["a longer one does not contain it", over, "10.1.0.0/17", false],
    ["a length in the range", range, "10.20.30.0/24", true],
    ["the end of the range", range, "10.20.30.16/28", true],
    ["a length before the range", range, "10.20.30.0/23", false],
    ["the prefix itself is not in the range", range, "10.0.0.0/8", false],
    ["a length after the range", range, "10.20.30.0/29", false],
    ["a range on both sides: shorter", around, "10.0.0.0/8", true],
    ["a range on both sides: longer", around, "10.192.0.0/10", true],
    ["a range on both sides: not the other half", around, "10.0.0.0/10", false],
    ["nothing fits no pattern", none, "10.0.0.0/8", false],
    ["the default route is in all", all, "0.0.0.0/0", true],
    ["a host is in all", all, "255.255.255.255/32", true],
    ["IPv6 within", v6, "2001:db8:0:1::/64", true],
    ["an IPv6 host within", v6, "2001:db8::ffff:ffff:ffff:ffff/128", true],
    ["IPv6 beside", v6, "2001:db9::/32", false],
    ["the IPv6 default route, exactly", v6, "::/0", true],
    ["one bit is not exactly that", v6, "8000::/1", false],
  ])("%s", (_why, patterns, net, expected) => {
    const wanted = prefix(net);
    expect(fits(new PrefixPatterns(wanted.family, patterns), wanted)).toBe(expected);
  });

  it("joins what several patterns of one prefix take", () => {
    const both = new PrefixPatterns(4, [pattern("10.0.0.0/8", 8, 8), pattern("10.0.0.0/8", 24, 24)]);
    const lengths = [7, 8, 9, 23, 24, 25].filter((length) =>
      fits(both, maskedPrefix(4, [10 << 24, 0, 0, 0], length)),
    );
    expect(lengths).toEqual([8, 24]);
  });

  it("leaves patterns of the other family out", () => {
    const patterns = [pattern("0.0.0.0/0", 0, 32), pattern("2001:db8::/32", 32, 32)];
    expect(fits(new PrefixPatterns(6, patterns), prefix("::/0"))).toBe(false);
    expect(fits(new PrefixPatterns(6, patterns), prefix("2001:db8::/32"))).toBe(true);
  });

  /** Addresses that share their beginnings, and lengths around the ends of words. */
  const words = fc
    .tuple(fc.constantFrom(0, -1, 0x0a000000), fc.nat(31), fc.integer())
    .map(([start, flip, tail]): [number, number, number, number] => [
      start ^ (1 << flip),
      start,
      start ^ (1 << flip),
      tail,
    ]);
  const length = fc.oneof(
    fc.nat(128),
    fc.constantFrom(0, 1, 8, 30, 31, 32, 33, 63, 64, 65, 96, 97, 127, 128),
  );
  const prefixOf = (family: Family): fc.Arbitrary<Prefix> =>
    fc.tuple(words, length).map(([w, l]) => maskedPrefix(family, w, l));
  const patternOf = (family: Family): fc.Arbitrary<PrefixPattern> => {
    const limit = maxLength(family);
    return fc.tuple(prefixOf(family), fc.nat(limit), fc.nat(limit), fc.nat(3)).map(([p, a, b, kind]) => {
      if (kind === 0) return { ...p, from: p.length, to: p.length };
      if (kind === 1) return { ...p, from: p.length, to: limit };
      if (kind === 2) return { ...p, from: 0, to: p.length };
      return { ...p, from: Math.min(a, b), to: Math.max(a, b) };
    });
  };

  it.each<Family>([4, 6])("agrees with bits as text, IPv%i", (family) => {
    const nets = fc.array(prefixOf(family), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(patternOf(family), { maxLength: 30 }), nets, (patterns, others) => {
        const compiled = new PrefixPatterns(family, patterns);
        // The patterns' own prefixes and what is just around them are the likeliest to go wrong.
        const near = patterns.flatMap(({ w0, w1, w2, w3, length: l }) =>
          [l - 1, l, l + 1].filter((n) => n >= 0).map((n) => maskedPrefix(family, [w0, w1, w2, w3], n)),
        );
        for (const net of [...others, ...near]) {
          const expected = patterns.some((one) => takes(one, net));
          expect(fits(compiled, net), textOf(net)).toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("asks ten thousand patterns about as fast as ten", () => {
    const many = (count: number): PrefixPatterns =>
      new PrefixPatterns(
        4,
        Array.from({ length: count }, (_, i) => ({
          ...maskedPrefix(4, [Math.imul(i + 1, 0x9e3779b1), 0, 0, 0], 24),
          from: 24,
          to: 32,
        })),
      );
    const patterns = many(10_000);
    const rounds = 200_000;
    const start = performance.now();
    let found = 0;
    for (let i = 0; i < rounds; i++) {
      if (patterns.fits(Math.imul(i, 0x9e3779b1), 0, 0, 0, 32)) found++;
    }
    // One after the other these would be two thousand million comparisons, several seconds of work.
    expect(performance.now() - start).toBeLessThan(1500);
    expect(found).toBeGreaterThanOrEqual(10_000);
  });
});
