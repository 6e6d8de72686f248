/**
 * From any configuration to any other, and back, with whatever an operator does in between: the kernel then holds what
 * a daemon that starts with the configuration would put there, what is wanted before and after in the same place saw
 * nothing of it, and nothing foreign did. At the end every reference to attributes is given back.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import { ENOBUFS } from "../../src/lib/errno.ts";
import { configurations, FOREIGN, type Universe } from "./configurations.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const RUNS = Number(process.env["KRTD_PROPERTY_RUNS"] ?? 40);

type Step =
  | { readonly do: "configure" | "soft" | "check" | "plan"; readonly to: KrtInput }
  | { readonly do: "undo" | "break" }
  /** Several at once, none waited for, while reading and writing of routes goes wrong. */
  | { readonly do: "hurry"; readonly to: readonly KrtInput[]; readonly faults: number }
  | { readonly do: "restart" | "reload" | "disable" | "enable"; readonly name: number };

const act = fc.constantFrom("restart" as const, "reload" as const, "disable" as const, "enable" as const);
const look = fc.constantFrom("soft" as const, "check" as const, "plan" as const);

function stepsIn(universe: Universe): fc.Arbitrary<Step[]> {
  const to = configurations(universe);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("configure" as const), to }) },
    { weight: 1, arbitrary: fc.record({ do: look, to }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("undo" as const, "break" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: act, name: fc.nat(20) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("hurry" as const),
        to: fc.array(to, { minLength: 2, maxLength: 3 }),
        faults: fc.nat(2),
      }),
    },
  );
  return fc.array(step, { minLength: 1, maxLength: 5 });
}

/** The key a line of own() starts with, as writes() spells it: "254 10.5.0.0/16 metric 32". */
function keyOf(line: string): string {
  return /^.* metric \d+/.exec(line.replace(/ proto .*/, ""))![0];
}

async function take(d: ModelDaemon, wanted: Step): Promise<void> {
  const { configuration: running, backend } = d.daemon;
  switch (wanted.do) {
    case "configure":
      await d.configure(wanted.to);
      return;
    case "soft":
      await d.configure(wanted.to, { mode: "soft" });
      for (const { protocol } of backend.protocols()) await d.during(backend.act("reload", protocol.name));
      break;
    case "check":
    case "plan": {
      const before = running.current;
      await d.configure(wanted.to, { mode: wanted.do });
      expect(running.current).toBe(before);
      break;
    }
    case "undo":
      await d.during(running.undo());
      break;
    case "break": {
      await d.write("kernel: {k: {table: nosuch}}");
      const request = { file: d.file, mode: "apply", undoAfterMs: null } as const;
      expect(await d.during(running.configure(request))).toMatchObject({ ok: false });
      break;
    }
    case "hurry": {
      const files = await Promise.all(wanted.to.map((input, i) => d.write(input, `${i}.yaml`)));
      d.os.faults.injectIncompleteScan(wanted.faults);
      d.os.faults.loseAcknowledgements(2 * wanted.faults);
      for (let i = 0; i < wanted.faults; i++) d.os.faults.failNextWrite(ENOBUFS);
      await d.during(
        Promise.all(files.map((file) => running.configure({ file, mode: "apply", undoAfterMs: null }))),
      );
      break;
    }
    default: {
      const all = backend.protocols();
      await d.during(backend.act(wanted.do, all[wanted.name % all.length]!.protocol.name));
    }
  }
  await d.synced();
}

describe.each<Universe>(["metrics change", "gateways out of reach"])(
  "a daemon that is reconfigured, %s",
  (universe) => {
    it("ends where one that starts with the configuration would, and touches nothing that stays", async () => {
      await fc.assert(
        fc.asyncProperty(stepsIn(universe), async (steps) => {
          const d = await startDaemon({}, { before: FOREIGN });
          try {
            const foreign = d.foreign();
            for (const one of steps) {
              const before = new Set(d.own());
              d.journal.length = 0;
              await take(d, one);
              const after = d.own();
              const stayed = new Set(after.filter((line) => before.has(line)).map(keyOf));
              const touched = d.writes().filter((write) => stayed.has(write.replace(/^\w+ | !.*$/g, "")));
              if (one.do !== "hurry") expect(touched, one.do).toEqual([]);
              expect(d.foreign()).toEqual(foreign);
            }
            for (const { protocol, disabled } of d.daemon.backend.protocols()) {
              if (disabled) await d.during(d.daemon.backend.act("enable", protocol.name));
            }
            await d.synced();
            await expectAsFresh(d);
            await d.stop();
            expect(d.own()).toEqual([]);
            expect(d.foreign()).toEqual(foreign);
            expect(d.attrs.size).toBe(0);
            const complaints = d.logged.filter(({ level }) => level === "error");
            expect(complaints.filter(({ message }) => !REFUSED.includes(message))).toEqual([]);
          } finally {
            await d.stop();
          }
        }),
        { numRuns: RUNS },
      );
    }, 300_000);
  },
);

const REFUSED = ["the configuration was refused: the old one goes on", "a static protocol was not reloaded"];

async function expectAsFresh(d: ModelDaemon): Promise<void> {
  const fresh = await startDaemon({}, { before: FOREIGN, config: d.daemon.configuration.current });
  try {
    expect(d.own()).toEqual(fresh.own());
  } finally {
    await fresh.stop();
  }
}
