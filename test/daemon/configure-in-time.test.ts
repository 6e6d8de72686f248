/** What a configuration is, and is not, felt by, in the running daemon. */

import { describe, expect, it } from "vitest";
import type { KrtInput, RouteInput } from "../../src/config/input.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const NETS = ["10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16"] as const;
function config(routes: readonly RouteInput[], more: KrtInput = {}): KrtInput {
  return {
    kernel: { k4: { table: "master4", "scan-time": 0, ...more.kernel?.["k4"] } },
    static: { s: { table: "master4", routes: [...routes], ...(more.static?.["s"] ?? {}) } },
    ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== "kernel" && key !== "static")),
  };
}
const to = (prefix: string, via = "10.0.0.2"): RouteInput => ({ prefix, via });
const prefixes = (d: ModelDaemon): string[] => d.own().map((line) => line.split(" ")[1]!);

describe("configure", () => {
  it("a configuration that is being read when the time of the one before ends keeps its own time", async () => {
    await using d = await startDaemon(config([to(NETS[0])]));
    await d.configure(config([to(NETS[0]), to(NETS[1])]), { undoAfterMs: 5_000 });
    expect(prefixes(d)).toHaveLength(2);
    await d.clock.advance(4_000 - 1000);
    d.readingTakes(3_000);
    await d.write(config([to(NETS[0]), to(NETS[1]), to(NETS[2])]));
    const done = d.daemon.configuration.configure({ file: d.file, mode: "apply", undoAfterMs: 60_000 });
    await d.during(done);
    await d.synced();
    d.readingTakes(0);
    expect({
      undo: d.daemon.configuration.report()["undo-in-seconds"] !== null,
      routes: prefixes(d).length,
    }).toEqual({ undo: true, routes: 3 });
  });

  it("soft: the changed import filter of a static protocol is for routes that change from now on", async () => {
    const filters = {
      f: [{ match: { prefix: NETS[0] }, action: "reject" as const }, { action: "accept" as const }],
    };
    await using d = await startDaemon(config([to(NETS[0]), to(NETS[1])]));
    d.writes();
    await d.configure(config([to(NETS[0]), to(NETS[1])], { filters, static: { s: { import: "f" } } }), {
      mode: "soft",
    });
    expect(d.writes()).toEqual([]);
  });

  it("a change of graceful-restart is felt when it is told to be", async () => {
    await using d = await startDaemon(config([to(NETS[0])]));
    const result = await d.configure(config([to(NETS[0])], { "graceful-restart": { enabled: true } }));
    expect(result).toMatchObject({ plan: { settings: [{ key: "graceful-restart", effect: "restart" }] } });
  });

  it("what the direct protocol says is not doubled, though it comes over a pipe", async () => {
    await using d = await startDaemon({
      tables: { blue4: { family: "ipv4" } },
      kernel: { k4: { table: "master4", "scan-time": 0 } },
      direct: { d: { table: "blue4" } },
      pipe: { p: { table: "master4", "peer-table": "blue4" } },
    });
    expect(d.own()).toEqual([]);
  });
});
