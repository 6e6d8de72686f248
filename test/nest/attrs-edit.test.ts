/** Edits of interned attributes: what they change and leave, whose references are whose, and what the memo keeps. */

import { describe, expect, it } from "vitest";
import { type Family, parseIp } from "../../src/lib/ip.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { type AttrsChanges, AttrsEdit, changesNothing, EditMemo } from "../../src/nest/attrs-edit.ts";
import { type AttrsText, draftOf } from "../support/draft.ts";

const LOCK = 1;
const MTU = 2;
const RTT = 4;
const ADVMSS = 8;
const RTO_MIN = 13;
const lockOf = (...metrics: number[]): number => metrics.reduce((bits, rtax) => bits | (1 << rtax), 0);

const ip = (text: string) => parseIp(text)!;
const hop = { via: "10.0.0.1", device: 3 };
const two = [hop, { via: "10.0.0.2", device: 4, weight: 7, onlink: true }];

interface Row {
  readonly why: string;
  readonly family?: Family;
  readonly before: AttrsText;
  readonly changes: AttrsChanges;
  readonly after: AttrsText;
}

const metrics = (...pairs: [number, number][]): AttrsChanges => ({ metrics: new Map(pairs) });

const rows: Row[] = [
  {
    why: "a metric comes, everything else stays",
    before: { nexthops: two, scope: 253, prefsrc: "10.0.0.9", flow: 5, metrics: { [ADVMSS]: 1200 } },
    changes: metrics([MTU, 1400]),
    after: {
      nexthops: two,
      scope: 253,
      prefsrc: "10.0.0.9",
      flow: 5,
      metrics: { [MTU]: 1400, [ADVMSS]: 1200 },
    },
  },
  {
    why: "a metric changes",
    before: { nexthops: [hop], metrics: { [MTU]: 1500, [RTT]: 80 } },
    changes: metrics([MTU, 1400]),
    after: { nexthops: [hop], metrics: { [MTU]: 1400, [RTT]: 80 } },
  },
  {
    why: "0 takes a metric away, those after it move up",
    before: { nexthops: [hop], metrics: { [MTU]: 1500, [RTT]: 80 } },
    changes: metrics([MTU, 0]),
    after: { nexthops: [hop], metrics: { [RTT]: 80 } },
  },
  {
    why: "taking away what is not there changes nothing",
    before: { nexthops: [hop] },
    changes: metrics([MTU, 0]),
    after: { nexthops: [hop] },
  },
  {
    why: "a value of 32 bits is kept whole",
    before: {},
    changes: metrics([3, 0xffff_ffff]),
    after: { metrics: { 3: 0xffff_ffff } },
  },
  {
    why: "a type without nexthops can have metrics",
    before: { type: "blackhole" },
    changes: metrics([MTU, 1400]),
    after: { type: "blackhole", metrics: { [MTU]: 1400 } },
  },
  {
    why: "what krtd does not understand stays",
    before: { opaque: 77, nexthops: [{ ...hop, encap: 9 }] },
    changes: { realm: 1 },
    after: { opaque: 77, nexthops: [{ ...hop, encap: 9 }], flow: 1 },
  },
  {
    why: "IPv6 takes no MTU below 1280",
    family: 6,
    before: { metrics: { [MTU]: 1500 } },
    changes: metrics([MTU, 1279], [RTT, 8]),
    after: { metrics: { [MTU]: 1500, [RTT]: 8 } },
  },
  {
    why: "IPv6 takes one of 1280",
    family: 6,
    before: {},
    changes: metrics([MTU, 1280]),
    after: { metrics: { [MTU]: 1280 } },
  },
  {
    why: "removing the MTU works for IPv6 too",
    family: 6,
    before: { metrics: { [MTU]: 1500 } },
    changes: metrics([MTU, 0]),
    after: {},
  },
  {
    why: "a preferred source of the family",
    before: { prefsrc: "10.0.0.9" },
    changes: { prefsrc: ip("10.0.0.8") },
    after: { prefsrc: "10.0.0.8" },
  },
  {
    why: "one of the other family leaves the route's own",
    family: 6,
    before: { prefsrc: "2001:db8::1" },
    changes: { prefsrc: ip("10.0.0.8") },
    after: { prefsrc: "2001:db8::1" },
  },
  {
    why: "an IPv6 source sets all its words, and removal clears them",
    family: 6,
    before: { prefsrc: "2001:db8::1" },
    changes: { prefsrc: null },
    after: {},
  },
  {
    why: "scope and realm of IPv4",
    before: { scope: 0 },
    changes: { scope: 253, realm: 10 },
    after: { scope: 253, flow: 10 },
  },
  {
    why: "no scope, no realm",
    before: { scope: 253, flow: 10 },
    changes: { scope: null, realm: 0 },
    after: {},
  },
  {
    why: "IPv6 has neither: the kernel would not show them, and krtd replace the route for ever",
    family: 6,
    before: {},
    changes: { scope: 253, realm: 10 },
    after: {},
  },
  {
    why: "the shortest timeout is always locked: the kernel heeds no other",
    before: { metrics: { [LOCK]: lockOf(MTU), [MTU]: 1400 } },
    changes: metrics([RTO_MIN, 50]),
    after: { metrics: { [LOCK]: lockOf(MTU, RTO_MIN), [MTU]: 1400, [RTO_MIN]: 50 } },
  },
  {
    why: "its lock goes with it",
    before: { metrics: { [LOCK]: lockOf(RTO_MIN), [RTO_MIN]: 50 } },
    changes: metrics([RTO_MIN, 0]),
    after: {},
  },
  {
    why: "new locks replace the old ones",
    before: { metrics: { [LOCK]: lockOf(MTU, RTT), [MTU]: 1400 } },
    changes: metrics([LOCK, lockOf(ADVMSS)]),
    after: { metrics: { [LOCK]: lockOf(ADVMSS), [MTU]: 1400 } },
  },
  {
    why: "but for that of a timeout the route has",
    before: { metrics: { [LOCK]: lockOf(RTO_MIN), [RTO_MIN]: 50 } },
    changes: metrics([LOCK, 0]),
    after: { metrics: { [LOCK]: lockOf(RTO_MIN), [RTO_MIN]: 50 } },
  },
  {
    why: "no locks",
    before: { metrics: { [LOCK]: lockOf(MTU), [MTU]: 1400 } },
    changes: metrics([LOCK, 0]),
    after: { metrics: { [MTU]: 1400 } },
  },
  {
    why: "other changes leave the locks alone",
    before: { metrics: { [LOCK]: lockOf(MTU), [MTU]: 1400 } },
    changes: metrics([RTT, 80]),
    after: { metrics: { [LOCK]: lockOf(MTU), [MTU]: 1400, [RTT]: 80 } },
  },
];

describe("AttrsEdit.apply()", () => {
  it.each(rows)("$why", ({ family = 4, before, changes, after }) => {
    const table = new AttrsTable();
    const id = table.intern(draftOf(before));
    const made = new AttrsEdit(changes).apply(table, id, family);
    const expected = table.intern(draftOf(after));
    expect(made, JSON.stringify([...table.describe(made).metrics])).toBe(expected);
    table.release(expected);
    expect(table.references(id)).toBe(1);
    if (made !== id) table.release(made);
    table.release(id);
    expect(table.size).toBe(0);
  });

  it("copes with many nexthops and a table that moves its words", () => {
    const table = new AttrsTable();
    const edit = new AttrsEdit(metrics([MTU, 1400]));
    const hops = Array.from({ length: 128 }, (_, i) => ({ via: `10.0.${i}.1`, device: i + 1 }));
    for (let flow = 1; flow <= 40; flow++) {
      const id = table.intern(draftOf({ nexthops: hops, flow }));
      const made = edit.apply(table, id, 4);
      expect(made).toBe(table.intern(draftOf({ nexthops: hops, flow, metrics: { [MTU]: 1400 } })));
    }
  });
});

describe("changesNothing()", () => {
  it.each<[string, AttrsChanges, boolean]>([
    ["no key", {}, true],
    ["no metric", { metrics: new Map() }, true],
    ["a metric that goes", metrics([MTU, 0]), false],
    ["a source that goes", { prefsrc: null }, false],
    ["a scope that goes", { scope: null }, false],
    ["no realm", { realm: 0 }, false],
  ])("%s", (_what, changes, nothing) => {
    expect(changesNothing(changes)).toBe(nothing);
  });
});

describe("EditMemo", () => {
  const mtu = new AttrsEdit(metrics([MTU, 1400]));
  const small = new AttrsEdit(metrics([MTU, 1000]));

  /** Counts how often an edit was really made. */
  function counted(edit: AttrsEdit): { edit: AttrsEdit; made: () => number } {
    let made = 0;
    const apply: AttrsEdit["apply"] = (...args) => {
      made++;
      return edit.apply(...args);
    };
    return { edit: Object.assign(Object.create(edit) as AttrsEdit, { apply }), made: () => made };
  }

  it("gives each caller a reference of its own, and makes the edit once", () => {
    const table = new AttrsTable();
    const memo = new EditMemo();
    const { edit, made } = counted(mtu);
    const id = table.intern(draftOf({ flow: 1 }));
    const first = memo.apply(edit, 0, table, id, 4);
    expect(memo.apply(edit, 0, table, id, 4)).toBe(first);
    expect(memo.apply(edit, 0, table, id, 4)).toBe(first);
    expect([made(), table.references(first), table.references(id)]).toEqual([1, 3, 1]);
  });

  it("holds no reference itself", () => {
    const table = new AttrsTable();
    const memo = new EditMemo();
    const id = table.intern(draftOf({ flow: 1 }));
    table.release(memo.apply(mtu, 0, table, id, 4));
    table.release(id);
    expect(table.size).toBe(0);
  });

  it("forgets an edit that changed nothing no less", () => {
    const table = new AttrsTable();
    const memo = new EditMemo();
    const { edit, made } = counted(mtu);
    const id = table.intern(draftOf({ metrics: { [MTU]: 1400 } }));
    for (let i = 0; i < 3; i++) expect(memo.apply(edit, 0, table, id, 4)).toBe(id);
    expect([made(), table.references(id)]).toEqual([1, 1]);
  });

  it("is not fooled by an id that now has other attributes", () => {
    const table = new AttrsTable();
    const memo = new EditMemo();
    const id = table.intern(draftOf({ flow: 1 }));
    const first = memo.apply(mtu, 0, table, id, 4);
    table.release(id);
    const again = table.intern(draftOf({ flow: 2 }));
    expect(again).toBe(id);
    const second = memo.apply(mtu, 0, table, again, 4);
    expect(second).not.toBe(first);
    expect(table.describe(second).flow).toBe(2);
  });

  it("is not fooled by a result that died and came back as something else", () => {
    const table = new AttrsTable();
    const memo = new EditMemo();
    const id = table.intern(draftOf({ flow: 1 }));
    const first = memo.apply(mtu, 0, table, id, 4);
    table.release(first);
    expect(table.describe(memo.apply(mtu, 0, table, id, 4)).metrics.get(MTU)).toBe(1400);
    table.release(first);
    expect(table.intern(draftOf({ flow: 99 }))).toBe(first);
    const second = memo.apply(mtu, 0, table, id, 4);
    expect(second).not.toBe(first);
    expect(table.describe(second)).toMatchObject({ flow: 1, metrics: new Map([[MTU, 1400]]) });
  });

  it("knows steps, families and tables apart", () => {
    const tables = [new AttrsTable(), new AttrsTable()];
    const memo = new EditMemo();
    for (let round = 0; round < 3; round++) {
      for (const table of tables) {
        const id = table.intern(draftOf({ flow: 1 }));
        expect(table.describe(memo.apply(mtu, 0, table, id, 4)).metrics.get(MTU)).toBe(1400);
        expect(table.describe(memo.apply(small, 1, table, id, 4)).metrics.get(MTU)).toBe(1000);
        expect(memo.apply(small, 1, table, id, 6)).toBe(id);
      }
    }
  });

  it("is right for more attributes than it can hold, and leaves none behind", () => {
    const table = new AttrsTable();
    const memo = new EditMemo();
    const ids = Array.from({ length: 10_000 }, (_, i) => table.intern(draftOf({ flow: i + 1 })));
    for (let round = 0; round < 2; round++) {
      for (const [i, id] of ids.entries()) {
        const made = memo.apply(mtu, 0, table, id, 4);
        expect(table.describe(made).flow).toBe(i + 1);
        table.release(made);
      }
    }
    for (const id of ids) table.release(id);
    expect(table.size).toBe(0);
  });
});
