/**
 * Holds the hot paths: none may become twice as slow, measured against the obvious way to do the same, in the same
 * process and in turns. baseline.json has the ratios of a quiet machine. The shortest of several runs counts, as
 * nothing can make a run shorter than the work takes; while a ratio is too high more are made, before that is believed.
 * What disturbs most, the collector of garbage, disturbs the other side only, and so lowers the ratio.
 *
 * After a change that is meant to be faster: KRTD_PRINT_RATIOS=1 npm test -- test/performance, and what it prints on a
 * quiet machine goes into baseline.json.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Compiled, compileSource } from "../support/compile.ts";
import type { Measured } from "./measure.ts";

const baseline = JSON.parse(readFileSync(new URL("./baseline.json", import.meta.url), "utf8")) as Readonly<
  Record<string, number>
>;
const TOLERANCE = 2;
const ATTEMPTS = 5;

let compiled: Compiled;
/** The shortest of all attempts. */
const shortest = new Map<string, { ours: number; reference: number; results: Measured["results"] }>();

function ratio(name: string): number {
  const { ours, reference } = shortest.get(name) ?? { ours: 1, reference: 0 };
  return ours / reference;
}

function measure(): void {
  const program = join(compiled.directory, "test", "performance", "measure.js");
  // On a busy machine the compiler's own thread may not get its turn while short runs last.
  const command = ["--no-concurrent-recompilation", program];
  const lines = execFileSync(process.execPath, command, { encoding: "utf8", timeout: 60_000 });
  for (const { name, ours, reference, results } of JSON.parse(lines) as Measured[]) {
    const before = shortest.get(name) ?? { ours, reference, results };
    shortest.set(name, {
      ours: Math.min(ours, before.ours),
      reference: Math.min(reference, before.reference),
      results,
    });
  }
}

beforeAll(() => {
  compiled = compileSource(["test/performance/measure.ts"], ".");
  for (let i = 0; i < ATTEMPTS; i++) {
    measure();
    if (Object.entries(baseline).every(([name, known]) => ratio(name) <= known * TOLERANCE)) break;
  }
  if (process.env["KRTD_PRINT_RATIOS"] === undefined) return;
  const ratios = [...shortest.keys()].map((name) => [name, Number(ratio(name).toFixed(3))]);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(ratios), null, 2)}\n`);
}, 120_000);

afterAll(() => compiled.remove());

describe("hot paths against the obvious way", () => {
  it("measures just what is in baseline.json", () => {
    expect([...shortest.keys()].sort()).toEqual(Object.keys(baseline).sort());
  });

  it.each(Object.keys(baseline))("%s: does the same work", (name) => {
    const [ours, reference] = shortest.get(name)!.results;
    expect([ours, Math.abs(ours) > 1000]).toEqual([reference, true]);
  });

  it.each(Object.entries(baseline))("%s: not twice as slow as it was", (name, known) => {
    expect(ratio(name)).toBeLessThanOrEqual(known * TOLERANCE);
  });
});
