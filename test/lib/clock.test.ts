/** The clock of the running process: how those that yield share the event loop. */

import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";

describe("systemClock.yield()", () => {
  it("lets one of those that wait go on in each turn of the event loop, in their order", async () => {
    let turn = 0;
    let over = false;
    const count = (): void => {
      turn++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const seen: string[] = [];
    const walk = async (name: string): Promise<void> => {
      for (let i = 0; i < 4; i++) {
        await systemClock.yield();
        seen.push(`${name} ${turn}`);
      }
    };
    await Promise.all([walk("a"), walk("b"), walk("c")]);
    over = true;
    expect(seen.map((line) => line[0]).join("")).toBe("abcabcabcabc");
    expect(new Set(seen.map((line) => line.slice(2))).size).toBe(12);
  });

  it("serves I/O between two walks", async () => {
    let reads = 0;
    let over = false;
    const { readFile } = await import("node:fs/promises");
    const reader = async (): Promise<void> => {
      while (!over) {
        await readFile(new URL(import.meta.url));
        reads++;
      }
    };
    const reading = reader();
    const walk = async (): Promise<void> => {
      while (reads < 10) await systemClock.yield();
    };
    await Promise.all([walk(), walk()]);
    over = true;
    await reading;
    expect(reads).toBeGreaterThanOrEqual(10);
  });
});
