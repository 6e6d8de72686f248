/** What `configure` with a time limit goes back to when other configurations follow before it is confirmed. */

import { describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const NETS = ["10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16"];
const [ONE, TWO, THREE] = [1, 2, 3].map(
  (count): KrtInput => ({
    kernel: { k4: { table: "master4", "scan-time": 0 } },
    static: {
      s: { table: "master4", routes: NETS.slice(0, count).map((prefix) => ({ prefix, via: "10.0.0.2" })) },
    },
  }),
) as [KrtInput, KrtInput, KrtInput];

const left = (d: ModelDaemon): number | null => d.daemon.backend.status().config["undo-in-seconds"];

describe("undo by itself", () => {
  it.each([
    { what: "the same once more, with a limit", next: TWO, undoAfterMs: 5000, seconds: 5 },
    { what: "the same once more, without (SIGHUP)", next: TWO, undoAfterMs: null, seconds: 60 },
    { what: "another one with a limit", next: THREE, undoAfterMs: 5000, seconds: 5 },
  ])("goes back to what was confirmed after $what", async ({ next, undoAfterMs, seconds }) => {
    await using d = await startDaemon(ONE);
    await d.configure(TWO, { undoAfterMs: 60_000 });
    await d.configure(next, { undoAfterMs });
    expect(left(d)).toBe(seconds);
    await d.clock.advance(seconds * 1000);
    await d.synced();
    expect(d.own()).toHaveLength(1);
    expect(left(d)).toBeNull();
    await d.clock.advance(300_000);
    expect(d.own()).toHaveLength(1);
  });

  it("is not promised by one that changes nothing", async () => {
    await using d = await startDaemon(ONE);
    await d.configure(ONE, { undoAfterMs: 1000 });
    expect(left(d)).toBeNull();
  });
});

describe("undo by hand", () => {
  it("goes back to the configuration before the last change, though one that changed nothing came after", async () => {
    await using d = await startDaemon(ONE);
    await d.configure(TWO);
    await d.configure(TWO);
    await d.during(d.daemon.configuration.undo());
    await d.synced();
    expect(d.own()).toHaveLength(1);
  });
});
