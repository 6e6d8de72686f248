import { describe, expect, it } from "vitest";
import { Turns } from "../../src/control/turns.ts";

describe("Turns", () => {
  it("gives one turn in each round, in the order they were asked for", async () => {
    const rounds: (() => void)[] = [];
    const turns = new Turns({ yield: () => new Promise((resolve) => rounds.push(resolve)) });
    const had: string[] = [];
    const walk = async (name: string): Promise<void> => {
      for (let i = 0; i < 2; i++) {
        await turns.next();
        had.push(name);
      }
    };
    const all = Promise.all(["a", "b", "c"].map(walk));
    for (let round = 1; round <= 6; round++) {
      expect(rounds).toHaveLength(round);
      rounds.at(-1)!();
      await new Promise((resolve) => setImmediate(resolve));
      expect(had).toHaveLength(round);
    }
    await all;
    expect(had.join("")).toBe("abcabc");
    // Nobody waits: the event loop may sleep.
    expect(rounds).toHaveLength(6);
  });
});
