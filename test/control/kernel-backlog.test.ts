import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BacklogSpace, type KernelRow } from "../../src/control/kernel-backlog.ts";
import { makeRouter, startRouter } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";

function row(i: number): KernelRow {
  const template = { family: 4 as const, table: "t", head: `h${i % 3}`, tail: `${i % 5}` };
  return { w0: i | 0, w1: ~i, w2: 1, w3: 2, length: i % 33, metric: (i * 0x9e3779b1) >>> 0, template };
}

/** Of 1 MiB of text, unlike any other. */
function wordy(i: number): KernelRow {
  return { ...row(1), template: { ...row(1).template, head: `${i}${"x".repeat(1024 * 1024)}` } };
}

describe("KernelBacklog", () => {
  it("gives back what was added, in order, whatever the pattern of adding and taking", () => {
    const steps = fc.array(fc.record({ add: fc.nat(6000), take: fc.nat(6000) }), { maxLength: 8 });
    fc.assert(
      fc.property(steps, (pattern) => {
        const backlog = new BacklogSpace().open();
        const into = row(0);
        let added = 0;
        let taken = 0;
        for (const { add, take } of pattern) {
          for (let i = 0; i < add; i++) expect(backlog.add(row(added++))).toBe(true);
          for (let i = 0; i < take && taken < added; i++) {
            if (!backlog.take(into)) throw new Error("rows were lost");
            const wanted = row(taken++);
            if (into.w0 !== wanted.w0 || into.metric !== wanted.metric)
              throw new Error(`row ${taken} differs`);
            if (into.template.head !== wanted.template.head || into.length !== wanted.length) {
              throw new Error(`row ${taken} differs`);
            }
          }
          expect(backlog.size).toBe(added - taken);
        }
        while (taken < added) taken += backlog.take(into) ? 1 : 0;
        expect(backlog.take(into)).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it("says no when too much text waits, and keeps nothing then", () => {
    const backlog = new BacklogSpace().open();
    let kept = 0;
    while (kept < 100 && backlog.add(wordy(kept))) kept++;
    expect(kept).toBeGreaterThan(50);
    expect(kept).toBeLessThan(70);
    expect(backlog).toMatchObject({ overflowed: true, size: 0, bytes: 0 });
    expect(backlog.take(row(0))).toBe(false);
  });

  it("of several, the largest makes room, and the space of closed ones is free again", () => {
    const space = new BacklogSpace();
    const [behind, reading] = [space.open(), space.open()];
    for (let i = 0; i < 50; i++) expect(behind.add(wordy(i))).toBe(true);
    for (let i = 0; i < 40; i++) expect(reading.add(wordy(i))).toBe(true);
    expect([behind.overflowed, reading.overflowed]).toEqual([true, false]);
    space.close(reading);
    const next = space.open();
    for (let i = 0; i < 50; i++) expect(next.add(wordy(i))).toBe(true);
  });
});

describe("GET /v1/kernel", () => {
  it("is whole and in order for a reader slower than the dump", async () => {
    const router = await makeRouter();
    const total = 20_000;
    for (let i = 0; i < total; i++) {
      const dst = `10.${i >> 8}.${i & 255}.0/24`;
      router.kernelRoute(router.kernel4, dst, { hops: [{ via: `192.0.2.${i % 7}`, device: 2 }], metric: i });
    }
    // All at once, as a dump that never waits for us.
    router.kernel4.dump = async (onRoute) => {
      for (const route of router.kernel4.dumped) onRoute(route);
      return null;
    };
    const running = await startRouter(router);
    const answer = await ask(running.path, "/v1/kernel?table=master4");
    const count = await ask(running.path, "/v1/kernel?count");
    await running.stop();
    const routes = JSON.parse(answer.text) as { dst: string; metric?: number; gateway: string }[];
    expect(routes.map(({ metric }) => metric ?? 0)).toEqual(Array.from({ length: total }, (_, i) => i));
    expect(routes[700]).toMatchObject({ dst: "10.2.188.0/24", gateway: "192.0.2.0", class: "ours" });
    expect(count.text).toBe(`{"count":${total}}\n`);
  });
});
