/** PrefixBytes against lib/prefix.ts: it may not know, but it may never disagree. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PrefixBytes } from "../../src/config/prefix-bytes.ts";
import { formatPrefix, isPrefix, maskWord, parsePrefix } from "../../src/lib/prefix.ts";

type Read = { w0: number; w1: number; w2: number; w3: number; length: number; end: number };

function read(text: string, family: 4 | 6): Read | null {
  const bytes = Buffer.from(`${text}\n`);
  const prefix = new PrefixBytes();
  const end = family === 4 ? prefix.read4(bytes, 0) : prefix.read6(bytes, 0);
  if (end < 0) return null;
  const { w0, w1, w2, w3, length } = prefix;
  return { w0, w1, w2, w3, length, end };
}

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
/** Many zero groups, so that "::" occurs. */
const groups = fc.oneof(word, fc.constantFrom(0, 0, 0, 1, -1, 0x00010000, 0xffff));

describe("PrefixBytes", () => {
  it("reads every IPv4 prefix as formatPrefix() writes it", () => {
    fc.assert(
      fc.property(word, fc.integer({ min: 0, max: 32 }), (w, length) => {
        const w0 = maskWord(w, 0, length);
        const text = formatPrefix(4, w0, 0, 0, 0, length);
        expect(read(text, 4)).toEqual({ w0, w1: 0, w2: 0, w3: 0, length, end: text.length });
      }),
      { numRuns: 1000 },
    );
  });

  it("reads every IPv6 prefix as formatPrefix() writes it, but for dotted ones", () => {
    fc.assert(
      fc.property(groups, groups, groups, groups, fc.integer({ min: 0, max: 128 }), (a, b, c, d, length) => {
        const w0 = maskWord(a, 0, length);
        const w1 = maskWord(b, 1, length);
        const w2 = maskWord(c, 2, length);
        const w3 = maskWord(d, 3, length);
        const text = formatPrefix(6, w0, w1, w2, w3, length);
        const expected = text.includes(".") ? null : { w0, w1, w2, w3, length, end: text.length };
        expect(read(text, 6)).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it("accepts nothing that parsePrefix() refuses, and reads the same", () => {
    const piece = fc.constantFrom(
      "0",
      "1",
      "9",
      "10",
      "255",
      "256",
      "00",
      "f",
      "ff00",
      "12345",
      ":",
      "::",
      ".",
      "/",
      "32",
    );
    const text = fc.array(piece, { maxLength: 20 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.constantFrom(4 as const, 6 as const), (any, family) => {
        const fast = read(any, family);
        if (fast === null) return;
        const slow = parsePrefix(any.slice(0, fast.end));
        if (!isPrefix(slow)) throw new Error(`${any}: ${slow.message}`);
        const { w0, w1, w2, w3, length } = fast;
        expect(slow).toEqual({ family, w0, w1, w2, w3, length });
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    "10.0.0.1/8",
    "10.0.0.0/33",
    "010.0.0.0/8",
    "10.0.0.0/08",
    "10.0.0/8",
    "10.0.0.0",
    "256.0.0.0/8",
    "10.0.0.0/",
  ])("does not know %s", (text) => {
    expect(read(text, 4)).toBeNull();
  });

  it.each([
    "::1/127",
    "1::2::/64",
    ":1::/64",
    "1:/64",
    "1:2:3:4:5:6:7:8:9/128",
    "1:2:3:4:5:6:7::8/128",
    "::/129",
    "12345::/32",
  ])("does not know %s", (text) => {
    expect(read(text, 6)).toBeNull();
  });
});
