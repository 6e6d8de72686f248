import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fib } from "../../src/nest/fib.ts";
import { WALK_SLICE, walkNodes } from "../../src/nest/walk.ts";

function filled(count: number): Fib {
  const fib = new Fib(4);
  for (let n = 0; n < count; n++) fib.insert(n << 8, 0, 0, 0, 24);
  return fib;
}

/** A clock whose yields run `between` and count. */
function yielding(between: () => void = () => {}): { yields: number; yield(): Promise<void> } {
  return {
    yields: 0,
    async yield() {
      this.yields++;
      between();
    },
  };
}

describe("walkNodes", () => {
  it("visits all nodes in id order and yields after every slice", async () => {
    const visited: number[] = [];
    const clock = yielding();
    expect(await walkNodes(filled(2500), (node) => visited.push(node), clock)).toBe(true);
    expect(visited).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
    expect(clock.yields).toBe(Math.floor(2500 / WALK_SLICE));
  });

  it("ends with false when stopped between slices, and with true on an empty table", async () => {
    let visited = 0;
    const stopped = (): boolean => visited >= 20;
    expect(await walkNodes(filled(100), () => visited++, yielding(), { slice: 10, stopped })).toBe(false);
    expect(visited).toBe(20);
    expect(await walkNodes(new Fib(6), () => visited++, yielding())).toBe(true);
  });

  it("rejects with what visit throws", async () => {
    const failing = walkNodes(
      filled(3),
      () => {
        throw new Error("seen");
      },
      yielding(),
    );
    await expect(failing).rejects.toThrow("seen");
  });

  it("visits every survivor exactly once, whatever is inserted and removed between and within slices", async () => {
    const changes = fc.array(fc.record({ insert: fc.boolean(), pick: fc.nat(10_000) }), { maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(fc.nat(100), fc.integer({ min: 1, max: 20 }), changes, async (start, slice, todo) => {
        const fib = filled(start);
        const survivors = new Set(Array.from({ length: start }, (_, i) => i + 1));
        let newest = start;
        const change = (): void => {
          const c = todo.pop();
          if (c === undefined) return;
          if (c.insert) fib.insert(newest++ << 8, 0, 0, 0, 24);
          else if (fib.size > 0) {
            let victim = fib.next(c.pick % fib.capacity);
            if (victim === 0) victim = fib.next(0);
            fib.remove(victim);
            survivors.delete(victim);
          }
        };
        const visits = new Map<number, number>();
        const visit = (node: number): void => {
          expect(fib.isLive(node)).toBe(true);
          visits.set(node, (visits.get(node) ?? 0) + 1);
          if (node % 3 === 0) change();
        };
        await walkNodes(fib, visit, yielding(change), { slice });
        for (const node of survivors) expect(visits.get(node)).toBe(1);
        for (const times of visits.values()) expect(times).toBe(1);
      }),
      { numRuns: 200 },
    );
  });

  it("ends, though the table grows with every step", async () => {
    const fib = filled(3000);
    let newest = 3000;
    let visits = 0;
    const visit = (): void => {
      visits++;
      fib.insert(++newest << 8, 0, 0, 0, 24);
    };
    expect(
      await walkNodes(
        fib,
        visit,
        yielding(() => {}),
      ),
    ).toBe(true);
    expect(visits).toBe(3000);
  });
});
