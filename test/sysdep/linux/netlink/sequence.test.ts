/** Sequence numbers never are 0 and never run over their 32 bits inside a batch. */

import { describe, expect, it } from "vitest";
import { Sequences } from "../../../../src/sysdep/linux/netlink/sequence.ts";

describe("Sequences", () => {
  it("counts from 1 and reserves runs", () => {
    const sequences = new Sequences();
    expect([sequences.reserve(1), sequences.reserve(10), sequences.reserve(1)]).toEqual([1, 2, 12]);
  });

  it("starts over at 1 rather than run over", () => {
    const sequences = new Sequences();
    sequences.reserve(0xffff_fff0);
    expect([sequences.reserve(14), sequences.reserve(2)]).toEqual([0xffff_fff1, 1]);
  });
});
