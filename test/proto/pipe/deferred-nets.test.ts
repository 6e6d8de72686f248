import { describe, expect, it } from "vitest";
import { DeferredNets } from "../../../src/proto/pipe/deferred-nets.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

function setUp(apply?: (net: number, nets: DeferredNets) => void) {
  const clock = new FakeClock();
  const done: string[] = [];
  const nets = new DeferredNets(clock, (w0, w1, w2, w3, length) => {
    done.push([w0, w1, w2, w3, length].join());
    apply?.(w0, nets);
  });
  return { clock, done, nets };
}

/** Turns of the event loop enough for a net to be told restless. */
async function manyTurns(): Promise<void> {
  for (let i = 0; i < 10; i++) await settle();
}

describe("DeferredNets", () => {
  it("hands over each net as it was given, soon, but not at once", async () => {
    const { done, nets } = setUp();
    nets.add(1, -2, 3, -4, 128);
    nets.add(5, 0, 0, 0, 24);
    expect(done).toEqual([]);
    await nets.settled();
    expect(done).toEqual(["1,-2,3,-4,128", "5,0,0,0,24"]);
    await nets.settled();
  });

  it("takes nets while it works, and yields between", async () => {
    const { done, nets } = setUp((net, self) => {
      if (net < 50) self.add(net + 1, 0, 0, 0, 24);
    });
    nets.add(1, 0, 0, 0, 24);
    await Promise.resolve();
    expect(done.length).toBeLessThan(3);
    await nets.settled();
    expect(done).toHaveLength(50);
  });

  it("works off a large lot in slices, and what is added between them", async () => {
    const { clock, done, nets } = setUp();
    for (let net = 0; net < 5000; net++) nets.add(net, 0, 0, 0, 32);
    await clock.yield();
    expect(done.length).toBeLessThan(3000);
    nets.add(-1, 0, 0, 0, 32);
    await nets.settled();
    expect([done.length, done.at(-1)]).toEqual([5001, "-1,0,0,0,32"]);
    expect(nets.restless).toBe(false);
  });

  it("makes a net wait that comes again and again, and no other", async () => {
    const { clock, done, nets } = setUp((net, self) => {
      if (net === 7) self.add(net, 0, 0, 0, 24);
    });
    nets.add(7, 0, 0, 0, 24);
    await manyTurns();
    const first = done.length;
    expect(first).toBeLessThan(100);
    expect(nets.restless).toBe(true);
    nets.add(8, 0, 0, 0, 24);
    await nets.settled();
    expect(done.length).toBe(first + 1);
    await clock.advance(1000);
    expect(done.length).toBeGreaterThan(first + 1);
  });

  it("forgets that a net was restless", async () => {
    let again = true;
    const { clock, nets } = setUp((net, self) => {
      if (again) self.add(net, 0, 0, 0, 24);
    });
    nets.add(7, 0, 0, 0, 24);
    await manyTurns();
    again = false;
    await clock.advance(1000);
    expect(nets.restless).toBe(true);
    await clock.advance(3000);
    expect(nets.restless).toBe(false);
  });

  it("drops all when it stops, what waits for a second too", async () => {
    const { clock, done, nets } = setUp((net, self) => self.add(net, 0, 0, 0, 24));
    nets.add(7, 0, 0, 0, 24);
    await manyTurns();
    nets.add(8, 0, 0, 0, 24);
    nets.stop();
    nets.add(9, 0, 0, 0, 24);
    const before = done.length;
    await clock.advance(5000);
    expect(done.length).toBe(before);
  });
});
