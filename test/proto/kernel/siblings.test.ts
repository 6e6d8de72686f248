import { describe, expect, it } from "vitest";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { AttrsDraft } from "../../../src/nest/attrs-draft.ts";
import { extraNexthops } from "../../../src/proto/kernel/siblings.ts";
import { type AttrsText, draftOf } from "../../support/draft.ts";

const A = { via: "2001:db8::a", device: 3 };
const B = { via: "2001:db8::b", device: 3 };
const C = { via: "2001:db8::c", device: 4 };
const ANY_A = { via: "2001:db8::a" };

describe("extraNexthops()", () => {
  const rows: readonly {
    why: string;
    wanted: AttrsText;
    shown: AttrsText;
    devices: readonly number[] | null;
  }[] = [
    { why: "one more", wanted: { nexthops: [A] }, shown: { nexthops: [A, C] }, devices: [4] },
    { why: "two more", wanted: { nexthops: [A] }, shown: { nexthops: [C, B, A] }, devices: [3, 4] },
    { why: "any device of ours", wanted: { nexthops: [ANY_A] }, shown: { nexthops: [A, C] }, devices: [4] },
    {
      why: "our gateway twice",
      wanted: { nexthops: [ANY_A] },
      shown: { nexthops: [A, { ...A, device: 9 }] },
      devices: [9],
    },
    { why: "equal is not more", wanted: { nexthops: [A, B] }, shown: { nexthops: [A, B] }, devices: null },
    {
      why: "one of ours is missing",
      wanted: { nexthops: [A, B] },
      shown: { nexthops: [A, C] },
      devices: null,
    },
    { why: "as many, all others", wanted: { nexthops: [A] }, shown: { nexthops: [B, C] }, devices: null },
    {
      why: "a device route has no siblings",
      wanted: { nexthops: [{ device: 3 }] },
      shown: { nexthops: [A, B] },
      devices: null,
    },
    { why: "nor has a blackhole", wanted: { type: "blackhole" }, shown: { nexthops: [A, B] }, devices: null },
  ];
  it.each(rows)("$why", ({ wanted, shown, devices }) => {
    const attrs = new AttrsTable();
    const id = attrs.intern(draftOf(wanted));
    const extra = new AttrsDraft();
    const found = extraNexthops(attrs, id, draftOf(shown), extra);
    expect(found).toBe(devices !== null);
    if (!found) return;
    const nexthops = attrs.describeDraft(extra).nexthops.map(({ device }) => device);
    expect(nexthops.sort()).toEqual([...(devices ?? [])].sort());
  });
});
