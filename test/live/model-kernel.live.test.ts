/**
 * The model kernel equals the real one: random command sequences run on both, and every command must get the
 * same answer (the kernel's text included), tell listeners the same (what changed, how, and whether somebody
 * asked for it), and leave the same routes. Where they differ, the kernel is right.
 *
 * KRTD_PROPERTY_RUNS=5000 for a long run, KRTD_PROPERTY_SEED to repeat one.
 */

import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { ModelKernel, modelOs } from "../../src/sysdep/model/index.ts";
import { command, UNIVERSE } from "../support/ip-commands.ts";
import { modelIp } from "../support/model-ip.ts";
import { runReal } from "../support/real-ip.ts";
import { linuxDump, modelDump } from "../support/route-dump.ts";
import { RouteEvents } from "../support/route-events.ts";

const RUNS = Number(process.env["KRTD_PROPERTY_RUNS"] ?? 300);
const SEED = process.env["KRTD_PROPERTY_SEED"];
/** A run of this many takes about ten seconds. */
const RUNS_PER_SECOND = 20;

/** The model has no work queues: when the two differ, Linux is asked again with time to finish its own. */
const SETTLE_MS = [2, 10, 50];

interface Observed {
  readonly answers: readonly string[];
  readonly events: readonly string[];
  readonly routes: readonly string[];
}

/** `ip -batch` gives up altogether when a device inside "nexthop" does not exist: such a command is left out. */
function endsIpBatch(kernel: ModelKernel, text: string): boolean {
  return text.includes("nexthop") && text.includes("dev d1") && kernel.links.byName("d1") === undefined;
}

async function compare(commands: readonly string[]): Promise<void> {
  const kernel = new ModelKernel({ loopbackUp: false });
  const events = new RouteEvents();
  await modelOs(kernel, new AttrsTable()).monitor(events);
  const run: string[] = [];
  const answers: string[] = [];
  for (const text of [...UNIVERSE, ...commands]) {
    if (endsIpBatch(kernel, text)) continue;
    run.push(text);
    answers.push(`${text} → ${modelIp(kernel, text).text}`);
  }
  // The model tells its events in a later microtask.
  await Promise.resolve();
  const model = { answers, events: events.lines(), routes: modelDump(kernel) };
  let real = await observe(run, 0);
  for (const settleMs of SETTLE_MS) {
    if (isDeepStrictEqual(model, real)) return;
    real = await observe(run, settleMs);
  }
  expect(model).toEqual(real);
}

async function observe(commands: readonly string[], settleMs: number): Promise<Observed> {
  const { texts, events, routes } = await runReal(commands, settleMs);
  return { answers: commands.map((text, i) => `${text} → ${texts[i]}`), events, routes: linuxDump(routes) };
}

describe("ModelKernel and Linux", () => {
  it(
    "answer alike, tell the same and keep the same routes for any sequence of commands",
    async () => {
      const sequence = fc.array(command, { minLength: 1, maxLength: 40, size: "max" });
      const seed = SEED === undefined ? {} : { seed: Number(SEED) };
      await fc.assert(fc.asyncProperty(sequence, compare), { numRuns: RUNS, ...seed });
    },
    60_000 + (RUNS / RUNS_PER_SECOND) * 1000,
  );
});
