import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import { prefixContains } from "../../../src/lib/prefix.ts";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { PLAIN_ORIGIN } from "../../../src/nest/origin.ts";
import { Rtable } from "../../../src/nest/rtable.ts";
import { FollowedAddresses } from "../../../src/proto/static/followed-addresses.ts";
import { draftOf } from "../../support/draft.ts";
import { ip, prefixOf, specOf } from "./fixture.ts";

describe("FollowedAddresses", () => {
  /** Addresses, and a table to which routes come and go, all of one source. */
  function setUp(addresses: readonly string[]) {
    const attrs = new AttrsTable();
    const table = new Rtable("master", ip(addresses[0]!).family, attrs, systemClock);
    const source = table.addSource("other", "inherit");
    const followed = new FollowedAddresses(addresses.map((to) => specOf(`recursive ${to}`)));
    const add = (text: string): void => {
      const { w0, w1, w2, w3, length } = prefixOf(text);
      table.update(source, w0, w1, w2, w3, length, attrs.intern(draftOf({})), 1, 0, PLAIN_ORIGIN);
    };
    const drop = (text: string): void => {
      const { w0, w1, w2, w3, length } = prefixOf(text);
      table.withdraw(source, w0, w1, w2, w3, length);
    };
    const followAll = (): void => {
      for (let i = 0; i < followed.count; i++) followed.follow(i, table, () => false);
    };
    /** Addresses that may go another way when the routes of the net change. */
    const covered = (text: string): string[] => {
      const { w0, w1, w2, w3, length } = prefixOf(text);
      const node = table.fib.insert(w0, w1, w2, w3, length);
      const found: string[] = [];
      followed.coveredBy(table.fib, node, (spec) => found.push(addresses[spec]!));
      return found.sort();
    };
    return { add, drop, followAll, covered };
  }

  it("tells a change to those it covers that no longer prefix answered, once until they were looked up", () => {
    const { add, drop, followAll, covered } = setUp(["10.1.0.1", "10.2.0.1"]);
    expect(covered("10.0.0.0/8")).toEqual(["10.1.0.1", "10.2.0.1"]);
    expect(covered("10.0.0.0/8")).toEqual([]);
    add("10.1.0.0/16");
    followAll();
    expect(covered("10.0.0.0/8")).toEqual(["10.2.0.1"]);
    expect(covered("10.1.0.0/16")).toEqual(["10.1.0.1"]);
    expect(covered("10.1.0.0/24")).toEqual(["10.1.0.1"]);
    expect(covered("10.1.1.0/24")).toEqual([]);
    drop("10.1.0.0/16");
    followAll();
    expect(covered("10.0.0.0/8")).toEqual(["10.1.0.1", "10.2.0.1"]);
  });

  it("covers the same as a look at every address", () => {
    const word = fc.constantFrom(0, 1, -1, 0x7fffffff, -0x80000000, 0x0a000000, 0x0a000001);
    const address = fc.tuple(word, word, word, word);
    fc.assert(
      fc.property(
        fc.array(address, { minLength: 1, maxLength: 30 }),
        address,
        fc.integer({ min: 0, max: 128 }),
        (addresses, base, length) => {
          const specs = addresses.map(([w0, w1, w2, w3]) => ({
            ...specOf("recursive ::1"),
            recursive: { family: 6 as const, w0, w1, w2, w3 },
          }));
          const followed = new FollowedAddresses(specs);
          const { fib } = new Rtable("master", 6, new AttrsTable(), systemClock);
          const masked = base.map((value, i) => {
            const bits = Math.min(32, Math.max(0, length - 32 * i));
            return bits === 0 ? 0 : value & (-1 << (32 - bits));
          });
          const [w0, w1, w2, w3] = masked as [number, number, number, number];
          const node = fib.insert(w0, w1, w2, w3, length);
          const found: number[] = [];
          followed.coveredBy(fib, node, (spec) => found.push(spec));
          const slow = specs.flatMap(({ recursive }, i) =>
            prefixContains(fib.prefix(node), { ...recursive, length: 128 }) ? [i] : [],
          );
          expect(found.sort((a, b) => a - b)).toEqual(slow);
        },
      ),
      { numRuns: 500 },
    );
  });
});
