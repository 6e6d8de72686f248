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

describe("Lookahead.next()", () => {
  it("tells the node that find() tells, of what was added or not, in that order or another", async () => {
    f = await fixture();
    for (let n = 0; n < 20; n++) f.want(NETS[4](n), { nexthops: [{ via: VIA[4] }] });
    await f.start();
    const { fib } = f.table;
    const column = new Int32Array(fib.capacity);
    const state = {
      table: f.table,
      sentAttrs: column,
      sentMetric: column,
      failure: column,
    } as unknown as SyncState;
    const some = fc.array(fc.nat(25), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(fc.tuple(some, some), { maxLength: 5 }), (frames) => {
        const lookahead = new Lookahead(state);
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
