import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance, suggest } from "../../src/config/suggest.ts";

describe("editDistance()", () => {
  it.each([
    ["", "", 0],
    ["abc", "abc", 0],
    ["abc", "abd", 1],
    ["abc", "ab", 1],
    ["abc", "acb", 1],
    ["master4", "mastre4", 1],
    ["kitten", "sitting", 3],
    ["", "abc", 3],
  ])("from %j to %j is %d, both ways", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });

  it("stops at its limit", () => {
    expect(editDistance("aaaa", "bbbb", 2)).toBe(2);
    expect(editDistance("a", "aaaaaaaa", 3)).toBe(3);
  });

  it("is 0 for equal words only", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => (editDistance(a, b) === 0) === (a === b)));
  });
});

describe("suggest()", () => {
  const words = ["scan-time", "metric", "learn", "table", "kernel-table"];
  it.each([
    ["scan-tme", "scan-time"],
    ["scantime", "scan-time"],
    ["Metric", "metric"],
    ["laern", "learn"],
    ["tabel", "table"],
    ["kernel_table", "kernel-table"],
    ["colour", null],
    ["x", null],
    ["", null],
    ["x".repeat(100_000), null],
  ])("for %j", (word, expected) => {
    expect(suggest(word, words)).toBe(expected);
  });

  it("looks at a bounded number of candidates", () => {
    const many = Array.from({ length: 100_000 }, (_, i) => `word${i}`);
    expect(suggest("word0", many)).toBe("word0");
    expect(suggest("worx99999", many)).toBeNull();
  });
});
