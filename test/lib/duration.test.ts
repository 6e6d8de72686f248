import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "../../src/lib/duration.ts";

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["10", 10_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["0s", 0],
    [10, 10_000],
    [0.5, 500],
    [0, 0],
  ])("reads %j as %d ms", (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });

  it.each<[value: string | number, why: string]>([
    ["", "empty"],
    ["s", "no number"],
    ["-1s", "negative"],
    [-1, "negative"],
    ["1.5s", "a fraction"],
    ["1 s", "a space"],
    ["1m30s", "two units"],
    ["10S", "an unknown unit"],
    ["1e3", "an exponent"],
    ["25d", "longer than a timer can wait"],
    ["99999999999s", "far too long"],
    [Number.NaN, "not a number"],
    [Number.POSITIVE_INFINITY, "infinite"],
    [0.0001, "less than a millisecond"],
  ])("refuses %j: %s", (value) => {
    expect(parseDuration(value)).toBeNull();
  });

  it("reads back what formatDuration() writes", () => {
    fc.assert(
      fc.property(fc.nat(MAX_DURATION_MS), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0s"],
    [999, "999ms"],
    [20_000, "20s"],
    [90_000, "90s"],
    [120_000, "2m"],
    [86_400_000, "1d"],
  ])("writes %d as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
