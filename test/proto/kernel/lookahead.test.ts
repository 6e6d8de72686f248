import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import type { Prefix } from "../../../src/lib/prefix.ts";
import { Lookahead } from "../../../src/proto/kernel/lookahead.ts";
import type { SyncState } from "../../../src/proto/kernel/sync-state.ts";
import type { KernelRoute } from "../../../src/sysdep/os.ts";
import { type Fixture, fixture, prefixOf } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

const NETS = { 4: (n: number) => `10.1.${n}.0/24`, 6: (n: number) => `2001:db8:1${n}00::/48` } as const;
const VIA = { 4: "10.0.0.2", 6: "2001:db8:0:1::2" } as const;

describe("a scan", () => {
  it.each<[Family]>([[4], [6]])("looks the prefixes of IPv%i up ahead of the routes", async (family) => {
    f = await fixture({ family });
    for (let n = 0; n < 9; n++) f.want(NETS[family](n), { nexthops: [{ via: VIA[family] }] });
    await f.start();
    const findAll = vi.spyOn(f.table.fib, "findAll");
    await f.scan();
    const looked = findAll.mock.calls.reduce((sum, [, , , count]) => sum + count, 0);
    expect(looked).toBeGreaterThanOrEqual(9);
    expect(f.shown()).toHaveLength(9);
  });
});

function lookaheadOf({ table }: Fixture): Lookahead {
  const column = new Int32Array(table.fib.capacity);
  return new Lookahead({
    table,
    sentAttrs: column,
    sentMetric: column,
    failure: column,
  } as unknown as SyncState);
}

describe("Lookahead.next()", () => {
  it("has no need to look up what was added, though some that were added do not come", async () => {
    f = await fixture();
    for (let n = 0; n < 20; n++) f.want(NETS[4](n), { nexthops: [{ via: VIA[4] }] });
    await f.start();
    const lookahead = lookaheadOf(f);
    const nets = Array.from({ length: 25 }, (_, n) => prefixOf(NETS[4](n)));
    for (const { w0, w1, w2, w3, length } of nets) lookahead.add(w0, w1, w2, w3, length);
    lookahead.fetch();
    const find = vi.spyOn(f.table.fib, "find");
    // One comes that was not added, and every third that was added does not.
    lookahead.next(prefixOf("10.2.0.0/16") as KernelRoute);
    for (const net of nets.slice(0, 20).filter((_, n) => n % 3 !== 0)) lookahead.next(net as KernelRoute);
    expect(find).toHaveBeenCalledTimes(1);
  });

  it("tells the node that find() tells, of what was added or not, in that order or another", async () => {
    f = await fixture();
    for (let n = 0; n < 20; n++) f.want(NETS[4](n), { nexthops: [{ via: VIA[4] }] });
    await f.start();
    const { fib } = f.table;
    const some = fc.array(fc.nat(25), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(fc.tuple(some, some), { maxLength: 5 }), (frames) => {
        const lookahead = lookaheadOf(f);
        for (const [added, asked] of frames) {
          const prefixes = (list: readonly number[]): Prefix[] => list.map((n) => prefixOf(NETS[4](n)));
          for (const { w0, w1, w2, w3, length } of prefixes(added)) lookahead.add(w0, w1, w2, w3, length);
          expect(lookahead.waiting).toBe(added.length);
          lookahead.fetch();
          expect(lookahead.waiting).toBe(0);
          for (const prefix of prefixes([...added, ...asked])) {
            const { w0, w1, w2, w3, length } = prefix;
            expect(lookahead.next(prefix as KernelRoute)).toBe(fib.find(w0, w1, w2, w3, length));
          }
        }
      }),
    );
  });
});
