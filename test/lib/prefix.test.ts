import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../src/lib/ip.ts";
import {
  formatPrefix,
  isPrefix,
  maskWord,
  maxLength,
  type Prefix,
  parsePrefix,
  prefixContains,
} from "../../src/lib/prefix.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!isPrefix(parsed)) throw new Error(parsed.message);
  return parsed;
}

const anyPrefix: fc.Arbitrary<Prefix> = fc
  .tuple(fc.constantFrom<Family>(4, 6), fc.integer(), fc.integer(), fc.integer(), fc.integer(), fc.nat(128))
  .map(([family, w0, w1, w2, w3, any]) => {
    const length = any % (maxLength(family) + 1);
    return {
      family,
      w0: maskWord(w0, 0, length),
      w1: maskWord(w1, 1, length),
      w2: maskWord(w2, 2, length),
      w3: maskWord(w3, 3, length),
      length,
    };
  });

describe("parsePrefix", () => {
  it("reads what formatPrefix() writes, for every prefix", () => {
    fc.assert(
      fc.property(anyPrefix, (p) => {
        expect(parsePrefix(formatPrefix(p.family, p.w0, p.w1, p.w2, p.w3, p.length))).toEqual(p);
      }),
    );
  });

  it.each([
    ["10.0.0.1/8", "host-bits", "10.0.0.0/8"],
    ["192.0.2.128/24", "host-bits", "192.0.2.0/24"],
    ["1.2.3.4/0", "host-bits", "0.0.0.0/0"],
    ["2001:db8::1/32", "host-bits", "2001:db8::/32"],
    ["2001:db8:0:0:8000::/64", "host-bits", "2001:db8::/64"],
    ["10.0.0.0/33", "length", null],
    ["::/129", "length", null],
    ["::/99999999999999999999", "length", null],
    ["10.0.0.0", "syntax", "10.0.0.0/32"],
    ["2001:db8::1", "syntax", "2001:db8::1/128"],
    ["10.0.0.0/08", "syntax", "10.0.0.0/8"],
    ["10.0.0.0/", "syntax", null],
    ["10.0.0.0/-1", "syntax", null],
    ["10.0.0.0/+8", "syntax", null],
    ["10.0.0.0/8 ", "syntax", null],
    ["10.0.0.0/8/8", "syntax", null],
    ["10.0.0.0/255.0.0.0", "syntax", null],
    ["10/8", "syntax", null],
    ["", "syntax", null],
    ["default", "syntax", null],
  ])("refuses %j as a %s problem and suggests %j", (text, problem, suggestion) => {
    expect(parsePrefix(text)).toMatchObject({ problem, suggestion });
  });

  it("names a suggestion that is accepted for host bits, and never throws", () => {
    const near = fc.string({ unit: fc.constantFrom(..."0123456789af:./"), maxLength: 24 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        const parsed = parsePrefix(text);
        if (isPrefix(parsed) || parsed.problem !== "host-bits") return;
        expect(isPrefix(parsePrefix(parsed.suggestion ?? ""))).toBe(true);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(anyPrefix, fc.integer({ min: 1 }), (p, bits) => {
        fc.pre(p.family === 4 && p.length < 32);
        const host = p.w0 | (bits & ~(p.length === 0 ? 0 : -1 << (32 - p.length)));
        fc.pre(host !== p.w0);
        const masked = formatPrefix(4, p.w0, 0, 0, 0, p.length);
        expect(parsePrefix(formatPrefix(4, host, 0, 0, 0, p.length))).toMatchObject({ suggestion: masked });
      }),
    );
  });
});

describe("maskWord", () => {
  it("keeps exactly the first bits, as a string of bits shows", () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0, 1, 2, 3), fc.nat(128), (w, index, length) => {
        const keep = Math.min(32, Math.max(0, length - index * 32));
        const bits = (w >>> 0).toString(2).padStart(32, "0").slice(0, keep).padEnd(32, "0");
        expect(maskWord(w, index as 0 | 1 | 2 | 3, length)).toBe(Number.parseInt(bits, 2) | 0);
      }),
    );
  });
});

describe("prefixContains", () => {
  it.each([
    ["0.0.0.0/0", "10.0.0.0/8", true],
    ["10.0.0.0/8", "10.0.0.0/8", true],
    ["10.0.0.0/8", "10.255.0.0/16", true],
    ["10.0.0.0/8", "11.0.0.0/16", false],
    ["10.0.0.0/16", "10.0.0.0/8", false],
    ["2001:db8::/33", "2001:db8:8000::/48", false],
    ["2001:db8::/32", "2001:db8:8000::/48", true],
    ["::/0", "0.0.0.0/0", false],
  ])("%s contains %s: %s", (outer, inner, contained) => {
    expect(prefixContains(prefix(outer), prefix(inner))).toBe(contained);
  });
});
