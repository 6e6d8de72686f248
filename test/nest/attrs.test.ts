import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../src/lib/ip.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  AttrsDraft,
  NEXTHOP_WORDS,
} from "../../src/nest/attrs-draft.ts";
import { type AttrsText, draftOf, type NexthopText } from "../support/draft.ts";

const nexthop: fc.Arbitrary<NexthopText> = fc
  .record({
    via: fc.constantFrom("10.0.0.1", "10.0.0.2", "fe80::1", ""),
    device: fc.integer({ min: -1, max: 3 }),
    weight: fc.integer({ min: 1, max: 2 }),
    onlink: fc.boolean(),
  })
  .map(({ via, ...rest }) => (via === "" ? rest : { via, ...rest }));

const attrsText: fc.Arbitrary<AttrsText> = fc.record({
  nexthops: fc.array(nexthop, { maxLength: 4 }),
  scope: fc.constantFrom(-1, 0, 253),
  metrics: fc.constantFrom<Record<number, number>>({}, { 2: 1400 }, { 2: 1500 }, { 2: 1400, 8: 10 }),
  flow: fc.nat(1),
});

/** The canonical words as text, computed from the description and not by the draft under test. */
function canonical(attrs: AttrsText): string {
  const hops = (attrs.nexthops ?? []).map((hop) =>
    JSON.stringify([hop.via, hop.device, hop.weight, hop.onlink]),
  );
  return JSON.stringify([hops.sort(), attrs.scope, attrs.metrics, attrs.flow]);
}

function wordsOf(table: AttrsTable, id: number): number[] {
  const at = table.offset(id);
  const { words } = table;
  const metrics = words[at + ATTRS_METRICS]!.toString(2).replaceAll("0", "").length;
  const count = ATTRS_HEADER_WORDS + words[at + ATTRS_NEXTHOPS]! * NEXTHOP_WORDS + metrics;
  return [...words.subarray(at, at + count)];
}

describe("AttrsTable.intern", () => {
  it("gives one id exactly to equal attributes, whatever the order of nexthops", () => {
    fc.assert(
      fc.property(attrsText, attrsText, fc.func(fc.nat()), (a, b, order) => {
        const table = new AttrsTable();
        const draft = new AttrsDraft();
        const id = table.intern(draftOf(a, draft));
        const shuffled = [...(a.nexthops ?? [])].sort((x, y) => order(x) - order(y));
        expect(table.intern(draftOf({ ...a, nexthops: shuffled }, draft))).toBe(id);
        expect(table.intern(draftOf(b, draft)) === id).toBe(canonical(a) === canonical(b));
      }),
      { numRuns: 500 },
    );
  });

  it("counts references and keeps content like a Map of strings, through growth and compaction", () => {
    const step = fc.record({
      op: fc.constantFrom("intern", "intern", "fill", "retain", "release", "release"),
      attrs: attrsText,
      pick: fc.nat(1_000_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const table = new AttrsTable();
        const model = new Map<number, { refs: number; words: string; stamp: number }>();
        let filler = 0;
        const intern = (attrs: AttrsText): void => {
          const draft = draftOf(attrs);
          const words = [...draft.words.subarray(0, draft.length)].join();
          const id = table.intern(draft);
          const known = model.get(id);
          if (known !== undefined) expect(known.words).toBe(words);
          else for (const other of model.values()) expect(other.words).not.toBe(words);
          model.set(id, { refs: (known?.refs ?? 0) + 1, words, stamp: table.stamp(id) });
        };
        for (const s of steps) {
          const ids = [...model.keys()];
          const id = ids[s.pick % Math.max(1, ids.length)];
          const known = id === undefined ? undefined : model.get(id);
          if (s.op === "intern") intern(s.attrs);
          else if (s.op === "fill") {
            for (let i = 0; i < 25; i++) intern({ nexthops: [{ device: ++filler }] });
          } else if (id === undefined || known === undefined) continue;
          else if (s.op === "retain") {
            table.retain(id);
            known.refs++;
          } else {
            table.release(id);
            if (--known.refs === 0) model.delete(id);
          }
        }
        expect(table.size).toBe(model.size);
        for (const [id, known] of model) {
          expect(table.references(id)).toBe(known.refs);
          expect(wordsOf(table, id).join()).toBe(known.words);
          expect(table.stamp(id)).toBe(known.stamp);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("gives a reused id another stamp, also to the same content", () => {
    const table = new AttrsTable();
    const first = table.intern(draftOf({ flow: 1 }));
    const stamp = table.stamp(first);
    expect(table.stamp(table.intern(draftOf({ flow: 1 })))).toBe(stamp);
    table.release(first);
    table.release(first);
    expect(table.intern(draftOf({ flow: 1 }))).toBe(first);
    expect(table.stamp(first)).not.toBe(stamp);
  });

  it("does not grow when content comes and goes for ever", () => {
    const table = new AttrsTable();
    for (let i = 1; i <= 20_000; i++) table.release(table.intern(draftOf({ nexthops: [{ device: i }] })));
    expect([table.size, table.words.length]).toEqual([0, 1024]);
  });

  it("throws on a draft that is not finished and on ids that are not live", () => {
    const table = new AttrsTable();
    const draft = new AttrsDraft();
    draft.reset(1);
    expect(() => table.intern(draft)).toThrow(RangeError);
    const id = table.intern(draftOf({}));
    table.release(id);
    for (const dead of [id, 0, 99, -1]) {
      expect(() => table.release(dead)).toThrow(RangeError);
      expect(() => table.retain(dead)).toThrow(RangeError);
      expect(() => table.describe(dead)).toThrow(RangeError);
    }
  });
});

describe("AttrsTable.describe", () => {
  it("shows what was interned, and the same for the draft itself", () => {
    const table = new AttrsTable();
    const draft = draftOf({
      nexthops: [
        { via: "fe80::2", device: 3, weight: 2 },
        { via: "192.0.2.1", device: 2, onlink: true },
        { device: 4, encap: 9 },
      ],
      scope: 253,
      prefsrc: "192.0.2.10",
      metrics: { 2: 1400, 13: 0xffffffff },
      flow: 7,
      opaque: 5,
    });
    const shown = table.describe(table.intern(draft));
    expect(table.describeDraft(draft)).toEqual(shown);
    expect(shown).toEqual({
      type: "unicast",
      nexthops: [
        { gateway: null, device: 4, weight: 1, onlink: false, opaque: true },
        { gateway: parseIp("192.0.2.1"), device: 2, weight: 1, onlink: true, opaque: false },
        { gateway: parseIp("fe80::2"), device: 3, weight: 2, onlink: false, opaque: false },
      ],
      prefsrc: parseIp("192.0.2.10"),
      scope: 253,
      flow: 7,
      metrics: new Map([
        [2, 1400],
        [13, 0xffffffff],
      ]),
      opaque: true,
    });
  });

  it("tells the family of a preferred source by the prefix, or by its words", () => {
    const table = new AttrsTable();
    const id = table.intern(draftOf({ type: "blackhole", prefsrc: "2001:db8::" }));
    expect(table.describe(id, 6).prefsrc).toEqual(parseIp("2001:db8::"));
    expect(table.describe(id).prefsrc?.family).toBe(4);
    const longer = table.intern(draftOf({ prefsrc: "2001:db8::1" }));
    expect(table.describe(longer)).toMatchObject({
      prefsrc: parseIp("2001:db8::1"),
      scope: null,
      opaque: false,
    });
  });

  it("shows a type krtd does not handle as opaque", () => {
    const draft = new AttrsDraft();
    draft.reset(2);
    draft.finish();
    expect(new AttrsTable().describeDraft(draft)).toMatchObject({ type: "unicast", opaque: true });
  });
});
