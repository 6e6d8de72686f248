/** What the beginning of a scan makes of each net's flags. */

import { expect, it } from "vitest";
import { DIRTY, DUPLICATE, INFLIGHT, QUEUED, VERDICT_MASK } from "../../../src/nest/sync-flags.ts";
import { forgetVerdicts } from "../../../src/proto/kernel/scan.ts";

it("forgets the verdict of every net, but that of one with a write under way, which is DIRTY", () => {
  const flags = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
  const expected = flags.map((before) => {
    if ((before & QUEUED) !== 0 || (before & INFLIGHT) !== 0) return before | DIRTY;
    return before & ~VERDICT_MASK & ~DUPLICATE & ~DIRTY;
  });
  forgetVerdicts(flags);
  expect(Buffer.from(flags.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
});
