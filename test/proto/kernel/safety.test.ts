import { describe, expect, it } from "vitest";
import { deletionWords, isTooMany } from "../../../src/proto/kernel/safety.ts";

describe("isTooMany()", () => {
  it.each([
    { deletions: 9, standing: 9, percent: 1, asks: false, why: "fewer than ten are never asked about" },
    { deletions: 10, standing: 10, percent: 50, asks: true, why: "all of ten" },
    { deletions: 10, standing: 20, percent: 50, asks: false, why: "half is not more than half" },
    { deletions: 11, standing: 20, percent: 50, asks: true, why: "more than half" },
    { deletions: 10, standing: 999, percent: 1, asks: true, why: "just more than one percent" },
    { deletions: 10, standing: 1000, percent: 1, asks: false, why: "just one percent" },
    { deletions: 1_000_000, standing: 1_000_000, percent: 100, asks: false, why: "100 never asks" },
    { deletions: 1_000_000, standing: 1_000_000, percent: 99, asks: true, why: "99 does" },
    { deletions: 0, standing: 0, percent: 1, asks: false, why: "nothing" },
  ])("$asks for $deletions of $standing at $percent %: $why", ({ asks, percent, ...deletions }) => {
    expect(isTooMany(deletions, percent)).toBe(asks);
  });

  it("deletionWords() never reads as the limit", () => {
    expect(deletionWords({ deletions: 501, standing: 1000 })).toBe("501 of 1000 routes (51 %)");
    expect(deletionWords({ deletions: 10, standing: 10 })).toBe("10 of 10 routes (100 %)");
  });
});
