import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { type AttrsText, draftOf, type NexthopText } from "../support/draft.ts";

function matches(wanted: AttrsText, kernel: AttrsText): boolean {
  const table = new AttrsTable();
  // Something before it, so that the wanted words do not start at 0.
  table.intern(draftOf({ flow: 99 }));
  return table.matches(table.intern(draftOf(wanted)), draftOf({ scope: 0, ...kernel }));
}

const a1 = { via: "10.0.0.1", device: 1 };
const b2 = { via: "10.0.0.2", device: 2 };
const aAny = { via: "10.0.0.1" };

interface Row {
  readonly why: string;
  readonly wanted: AttrsText;
  readonly kernel: AttrsText;
  readonly equal: boolean;
}

const rows: Row[] = [
  { why: "everything equal", wanted: { nexthops: [a1] }, kernel: { nexthops: [a1] }, equal: true },
  {
    why: "scope not set matches any",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [a1], scope: 253 },
    equal: true,
  },
  {
    why: "scope set and equal",
    wanted: { nexthops: [a1], scope: 253 },
    kernel: { nexthops: [a1], scope: 253 },
    equal: true,
  },
  {
    why: "scope set and different",
    wanted: { nexthops: [a1], scope: 253 },
    kernel: { nexthops: [a1] },
    equal: false,
  },
  {
    why: "scope set, but IPv6 has none",
    wanted: { nexthops: [a1], scope: 253 },
    kernel: { nexthops: [a1], scope: -1 },
    equal: true,
  },
  {
    why: "realm set, but IPv6 has none",
    wanted: { nexthops: [a1], flow: 5 },
    kernel: { nexthops: [a1], scope: -1 },
    equal: true,
  },
  ...([2, 8, 10] as const).map((rtax) => ({
    why: `metric ${rtax} cut to the largest the kernel keeps`,
    wanted: { nexthops: [a1], metrics: { 1: 4, [rtax]: 0xffff_ffff, 17: 3 } },
    kernel: { nexthops: [a1], metrics: { 1: 4, [rtax]: { 2: 65520, 8: 65495, 10: 255 }[rtax], 17: 3 } },
    equal: true,
  })),
  {
    why: "a metric smaller than the largest, which is there",
    wanted: { nexthops: [a1], metrics: { 2: 1500 } },
    kernel: { nexthops: [a1], metrics: { 2: 65520 } },
    equal: false,
  },
  {
    why: "a metric that is not cut",
    wanted: { nexthops: [a1], metrics: { 2: 70000 } },
    kernel: { nexthops: [a1], metrics: { 2: 1500 } },
    equal: false,
  },
  {
    why: "a large value of a metric that knows no limit",
    wanted: { nexthops: [a1], metrics: { 3: 70000 } },
    kernel: { nexthops: [a1], metrics: { 3: 65520 } },
    equal: false,
  },
  { why: "type differs", wanted: { type: "blackhole" }, kernel: { type: "unreachable" }, equal: false },
  {
    why: "unicast wanted, blackhole there",
    wanted: { nexthops: [a1] },
    kernel: { type: "blackhole" },
    equal: false,
  },
  {
    why: "gateway differs",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [{ ...a1, via: "10.0.0.9" }] },
    equal: false,
  },
  {
    why: "last gateway word differs",
    wanted: { nexthops: [{ via: "fe80::1", device: 1 }] },
    kernel: { nexthops: [{ via: "fe80::2", device: 1 }] },
    equal: false,
  },
  {
    why: "gateway of the other family, same words",
    wanted: { nexthops: [{ via: "0.0.0.1", device: 1 }] },
    kernel: { nexthops: [{ via: "0:1::", device: 1 }] },
    equal: false,
  },
  {
    why: "device differs",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [{ ...a1, device: 2 }] },
    equal: false,
  },
  {
    why: "a gateway without device: the kernel chose one",
    wanted: { nexthops: [aAny] },
    kernel: { nexthops: [a1] },
    equal: true,
  },
  {
    why: "a device that does not exist is nowhere",
    wanted: { nexthops: [{ ...a1, device: -3 }] },
    kernel: { nexthops: [a1] },
    equal: false,
  },
  {
    why: "nor does it equal itself",
    wanted: { nexthops: [{ device: -3 }] },
    kernel: { nexthops: [{ device: -3 }] },
    equal: false,
  },
  {
    why: "device only",
    wanted: { nexthops: [{ device: 1 }] },
    kernel: { nexthops: [{ device: 1 }] },
    equal: true,
  },
  {
    why: "no gateway and no device is not any device",
    wanted: { nexthops: [{}] },
    kernel: { nexthops: [{ device: 1 }] },
    equal: false,
  },
  {
    why: "a gateway where none is wanted",
    wanted: { nexthops: [{ device: 1 }] },
    kernel: { nexthops: [a1] },
    equal: false,
  },
  {
    why: "onlink wanted, not there",
    wanted: { nexthops: [{ ...a1, onlink: true }] },
    kernel: { nexthops: [a1] },
    equal: false,
  },
  {
    why: "onlink there, not wanted",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [{ ...a1, onlink: true }] },
    equal: false,
  },
  {
    why: "the kernel does not keep the weight of an only nexthop",
    wanted: { nexthops: [{ ...a1, weight: 5 }] },
    kernel: { nexthops: [a1] },
    equal: true,
  },
  {
    why: "weights of several count",
    wanted: { nexthops: [{ ...a1, weight: 5 }, b2] },
    kernel: { nexthops: [a1, b2] },
    equal: false,
  },
  {
    why: "order of nexthops does not count",
    wanted: { nexthops: [a1, b2] },
    kernel: { nexthops: [b2, a1] },
    equal: true,
  },
  { why: "one nexthop missing", wanted: { nexthops: [a1, b2] }, kernel: { nexthops: [a1] }, equal: false },
  { why: "one nexthop too many", wanted: { nexthops: [a1] }, kernel: { nexthops: [a1, b2] }, equal: false },
  {
    why: "a multiset, not a set",
    wanted: { nexthops: [a1, a1, b2] },
    kernel: { nexthops: [a1, b2, b2] },
    equal: false,
  },
  {
    why: "equal nexthops twice",
    wanted: { nexthops: [a1, a1] },
    kernel: { nexthops: [a1, a1] },
    equal: true,
  },
  {
    why: "the wildcard must not take what the exact one needs",
    wanted: { nexthops: [aAny, { via: "10.0.0.1", device: 1 }] },
    kernel: {
      nexthops: [
        { via: "10.0.0.1", device: 1 },
        { via: "10.0.0.1", device: 7 },
      ],
    },
    equal: true,
  },
  {
    why: "one wildcard stands for one nexthop",
    wanted: { nexthops: [aAny, b2] },
    kernel: {
      nexthops: [
        { via: "10.0.0.1", device: 1 },
        { via: "10.0.0.1", device: 7 },
      ],
    },
    equal: false,
  },
  {
    why: "an encapsulation krtd does not understand",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [{ ...a1, encap: 1 }] },
    equal: false,
  },
  {
    why: "an attribute krtd does not understand",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [a1], opaque: 1 },
    equal: false,
  },
  {
    why: "opaque never equals, not even itself",
    wanted: { nexthops: [a1], opaque: 1 },
    kernel: { nexthops: [a1], opaque: 1 },
    equal: false,
  },
  {
    why: "reject types: nexthops mean nothing",
    wanted: { type: "blackhole" },
    kernel: { type: "blackhole", nexthops: [{ device: 1 }] },
    equal: true,
  },
  {
    why: "and metrics are found behind them",
    wanted: { type: "prohibit", metrics: { 2: 1400 } },
    kernel: { type: "prohibit", nexthops: [{ device: 1 }], metrics: { 2: 1400 } },
    equal: true,
  },
  {
    why: "and compared",
    wanted: { type: "throw", metrics: { 2: 1400 } },
    kernel: { type: "throw", nexthops: [{ device: 1 }], metrics: { 2: 1401 } },
    equal: false,
  },
  {
    why: "MTU equal",
    wanted: { nexthops: [a1], metrics: { 2: 1400 } },
    kernel: { nexthops: [a1], metrics: { 2: 1400 } },
    equal: true,
  },
  {
    why: "MTU differs",
    wanted: { nexthops: [a1], metrics: { 2: 1400 } },
    kernel: { nexthops: [a1], metrics: { 2: 1500 } },
    equal: false,
  },
  {
    why: "MTU missing",
    wanted: { nexthops: [a1], metrics: { 2: 1400 } },
    kernel: { nexthops: [a1] },
    equal: false,
  },
  {
    why: "MTU of 0 is no MTU",
    wanted: { nexthops: [a1], metrics: { 2: 0 } },
    kernel: { nexthops: [a1] },
    equal: true,
  },
  {
    why: "the second metric differs",
    wanted: { nexthops: [a1], metrics: { 2: 1400, 8: 1 } },
    kernel: { nexthops: [a1], metrics: { 2: 1400, 8: 2 } },
    equal: false,
  },
  {
    why: "prefsrc equal",
    wanted: { nexthops: [a1], prefsrc: "10.0.0.5" },
    kernel: { nexthops: [a1], prefsrc: "10.0.0.5" },
    equal: true,
  },
  {
    why: "prefsrc missing",
    wanted: { nexthops: [a1], prefsrc: "10.0.0.5" },
    kernel: { nexthops: [a1] },
    equal: false,
  },
  {
    why: "prefsrc not wanted",
    wanted: { nexthops: [a1] },
    kernel: { nexthops: [a1], prefsrc: "10.0.0.5" },
    equal: false,
  },
  { why: "realm differs", wanted: { nexthops: [a1], flow: 3 }, kernel: { nexthops: [a1] }, equal: false },
];

describe("AttrsTable.matches", () => {
  it.each(rows)("returns $equal: $why", ({ wanted, kernel, equal }) => {
    expect(matches(wanted, kernel)).toBe(equal);
  });

  it("finds a perfect matching of nexthops exactly when trying all permutations finds one", () => {
    const hop = (min: number): fc.Arbitrary<NexthopText> =>
      fc.record({
        via: fc.constantFrom("10.0.0.1", "10.0.0.2"),
        device: fc.integer({ min, max: 3 }),
        weight: fc.integer({ min: 1, max: 2 }),
      });
    const fits = (w: NexthopText, k: NexthopText): boolean =>
      w.via === k.via && w.weight === k.weight && (w.device === 0 || w.device === k.device);
    const perfect = (wanted: readonly NexthopText[], kernel: readonly NexthopText[]): boolean => {
      const [first, ...rest] = wanted;
      if (first === undefined) return kernel.length === 0;
      return kernel.some((k, i) => fits(first, k) && perfect(rest, kernel.toSpliced(i, 1)));
    };
    const several = { minLength: 2, maxLength: 5 };
    fc.assert(
      fc.property(
        fc.array(hop(0), several),
        fc.array(hop(1), several),
        fc.boolean(),
        (wanted, other, same) => {
          // Half of the time a set that fits, with devices filled in, so that both outcomes are common.
          const kernel = same
            ? wanted.map((w, i) => (w.device === 0 ? { ...w, device: (i % 3) + 1 } : w))
            : other;
          expect(matches({ nexthops: wanted }, { nexthops: kernel })).toBe(perfect(wanted, kernel));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
