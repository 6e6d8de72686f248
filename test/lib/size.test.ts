import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatSize, parseSize } from "../../src/lib/size.ts";

describe("parseSize", () => {
  it.each([
    ["16MiB", 16 * 1024 * 1024],
    ["64KiB", 65_536],
    ["1GiB", 2 ** 30],
    ["512B", 512],
    ["1024", 1024],
    [1024, 1024],
    [0, 0],
  ])("reads %j as %d bytes", (value, bytes) => {
    expect(parseSize(value)).toBe(bytes);
  });

  it.each<[value: string | number, why: string]>([
    ["", "empty"],
    ["MiB", "no number"],
    ["16MB", "a unit with two meanings"],
    ["16mib", "an unknown unit"],
    ["1.5MiB", "a fraction"],
    [1.5, "a fraction"],
    ["-1B", "negative"],
    [-1, "negative"],
    ["16 MiB", "a space"],
    ["9999999999999999GiB", "beyond exact numbers"],
    [Number.NaN, "not a number"],
  ])("refuses %j: %s", (value) => {
    expect(parseSize(value)).toBeNull();
  });

  it("reads back what formatSize() writes", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});

describe("formatSize", () => {
  it.each([
    [0, "0B"],
    [1000, "1000B"],
    [1536, "1536B"],
    [65_536, "64KiB"],
    [16 * 1024 * 1024, "16MiB"],
  ])("writes %d as %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
