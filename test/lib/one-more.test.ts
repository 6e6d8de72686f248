import { describe, expect, it } from "vitest";
import { OneMore } from "../../src/lib/one-more.ts";

describe("OneMore", () => {
  it("begins at once, and once more for all who ask meanwhile", async () => {
    const again = new OneMore<number>();
    let running = 0;
    let runs = 0;
    const work = async (): Promise<number> => {
      expect(++running).toBe(1);
      const run = ++runs;
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return run;
    };
    const first = again.run(work);
    expect(runs).toBe(1);
    const others = Array.from({ length: 10 }, () => again.run(work));
    expect(await first).toBe(1);
    expect(await Promise.all(others)).toEqual(others.map(() => 2));
    expect(await again.run(work)).toBe(3);
  });

  it("goes on after work that failed", async () => {
    const again = new OneMore<string>();
    const failing = again.run(() => Promise.reject(new Error("no")));
    const next = again.run(async () => "yes");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("yes");
    expect(await again.run(async () => "again")).toBe("again");
  });
});
