/** While notifications are lost, or wait in a queue, a foreign route may come before ours at any key, unheard. */

import { expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import { modelIp } from "../support/model-ip.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const A = "10.5.0.0/16";
const B = "10.6.0.0/16";
const config = (...routes: [string, string][]): KrtInput => configOf("k4", ...routes);
const configOf = (kernel: string, ...routes: [string, string][]): KrtInput => ({
  kernel: { [kernel]: { table: "master4", "scan-time": 0 } },
  static: { s: { table: "master4", routes: routes.map(([prefix, via]) => ({ prefix, via })) } },
});
const change = async (d: ModelDaemon, to: KrtInput): Promise<void> => {
  await d.write(to);
  await d.during(d.daemon.configuration.configure({ file: d.file, mode: "apply", undoAfterMs: null }));
};
const state = (d: ModelDaemon) => d.daemon.backend.status().netlink.resync.state;

/** Everything is read once; then it takes 5 s until notifications are tried again. */
async function deafen(d: ModelDaemon): Promise<void> {
  d.os.faults.injectDrained("deaf");
  d.os.loseEvents();
  for (let i = 0; d.daemon.backend.status().netlink.resyncs < 1 || state(d) !== "lost"; i++) {
    if (i > 50) throw new Error(String(state(d)));
    await d.clock.advance(10);
  }
}

it("LOST: a route added while nothing is heard is not replaced in place", async () => {
  await using d = await startDaemon(config([A, "10.0.0.2"]));
  await deafen(d);
  await change(d, config([A, "10.0.0.2"], [B, "10.0.0.2"]));
  await d.clock.advance(10);
  expect(d.own()).toHaveLength(2);
  expect(["lost", "drain"]).toContain(state(d));
  modelIp(d.kernel, `route prepend ${B} via 10.0.0.9 metric 32 proto 12`);
  const before = d.foreign();
  expect(before).toHaveLength(1);
  d.writes();
  await change(d, config([A, "10.0.0.2"], [B, "10.0.0.3"]));
  await d.clock.advance(10);
  expect(["lost", "drain"]).toContain(state(d));
  expect(d.foreign()).toEqual(before);
});

it("LOST: nor is it by a kernel protocol that came meanwhile", async () => {
  await using d = await startDaemon(config([A, "10.0.0.2"]));
  await deafen(d);
  await change(d, configOf("k5", [A, "10.0.0.2"], [B, "10.0.0.2"]));
  await d.clock.advance(100);
  expect(d.own()).toHaveLength(2);
  modelIp(d.kernel, `route prepend ${B} via 10.0.0.9 metric 32 proto 12`);
  const before = d.foreign();
  await change(d, configOf("k5", [A, "10.0.0.2"], [B, "10.0.0.3"]));
  await d.clock.advance(10);
  expect([state(d), d.foreign()]).toEqual(["lost", before]);
  await d.synced();
  expect([state(d), d.foreign()]).toEqual(["live", before]);
  // Once all is heard a change is one replace again, where nobody else is.
  d.writes();
  await change(d, configOf("k5", [A, "10.0.0.4"], [B, "10.0.0.3"]));
  await d.clock.advance(10);
  expect(d.writes()).toEqual([`replace 254 ${A} metric 32`]);
});

it("DUMP: a foreign route that came behind the reader, its news still queued, is not replaced", async () => {
  const many = Array.from(
    { length: 4000 },
    (_, i) => `route add 172.${16 + (i >> 8)}.${i & 255}.0/24 via 10.1.0.9 proto 12`,
  );
  await using d = await startDaemon(config([A, "10.0.0.2"]), { before: many });
  await d.write(config([A, "10.0.0.3"]));
  d.writes();
  let done: Promise<unknown> | null = null;
  let when = "";
  d.os.faults.duringScan(1500, () => {
    modelIp(d.kernel, `route prepend ${A} via 10.0.0.9 metric 32 proto 12`);
    when = state(d)!;
    done = d.daemon.configuration.configure({ file: d.file, mode: "apply", undoAfterMs: null });
  });
  d.os.loseEvents();
  await d.synced();
  await done;
  expect(when).toBe("dump");
  expect(d.foreign().filter((r) => r.includes(A))).toHaveLength(1);
});
