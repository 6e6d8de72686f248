/** The whole transition table, and what must hold whatever happens in which order. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  RESYNC_START,
  type ResyncAction,
  type ResyncInput,
  type ResyncState,
  resync,
} from "../../src/daemon/resync-machine.ts";

const live: ResyncState = { name: "live", losses: 0, round: 6 };
const lost: ResyncState = { name: "lost", losses: 1, round: 7 };
const drain: ResyncState = { name: "drain", losses: 1, round: 7 };
const dump: ResyncState = { name: "dump", losses: 1, round: 7, deaf: false };
const deaf: ResyncState = { ...dump, deaf: true };
const tired: ResyncState = { ...dump, losses: 5 };
const replay: ResyncState = { name: "replay", losses: 1, round: 7 };
const closed: ResyncState = { name: "closed" };
const STATES: readonly ResyncState[] = [live, lost, drain, dump, deaf, tired, replay, closed];

const LOST: ResyncInput = { kind: "lost" };
const OVERFLOW: ResyncInput = { kind: "overflow" };
const CLOSE: ResyncInput = { kind: "close" };
const waited = (round = 7): ResyncInput => ({ kind: "waited", round });
const drained = (result: "empty" | "storm" | "deaf", round = 7): ResyncInput => ({
  kind: "drained",
  round,
  result,
});
const dumped = (complete: boolean, round = 7): ResyncInput => ({ kind: "dumped", round, complete });
const replayed = (round = 7): ResyncInput => ({ kind: "replayed", round });
const calm = (round = 6): ResyncInput => ({ kind: "calm", round });
const INPUTS: readonly ResyncInput[] = [
  LOST,
  OVERFLOW,
  CLOSE,
  waited(),
  waited(6),
  drained("empty"),
  drained("storm"),
  drained("deaf"),
  drained("empty", 6),
  dumped(true),
  dumped(false),
  dumped(true, 6),
  replayed(),
  replayed(6),
  calm(),
  calm(5),
];

const begin = (losses: number, round: number, ms: number) => ({
  state: { name: "lost", losses, round },
  actions: [{ do: "discard" }, { do: "wait", ms, round }],
});

/** Every pair that changes something; all others leave the state as it is and do nothing. */
const TABLE: readonly [why: string, ResyncState, ResyncInput, ReturnType<typeof resync> | object][] = [
  ["the first loss does not wait", live, LOST, begin(1, 7, 0)],
  ["the delay is over", lost, waited(), { state: drain, actions: [{ do: "drain", round: 7 }] }],
  [
    "the socket is empty",
    drain,
    drained("empty"),
    { state: dump, actions: [{ do: "queue" }, { do: "dump", round: 7 }] },
  ],
  [
    "there is no socket",
    drain,
    drained("deaf"),
    { state: deaf, actions: [{ do: "queue" }, { do: "dump", round: 7 }] },
  ],
  ["the storm goes on", drain, drained("storm"), begin(2, 8, 100)],
  ["everything was read", dump, dumped(true), { state: replay, actions: [{ do: "replay", round: 7 }] }],
  ["a dump was incomplete", dump, dumped(false), begin(2, 8, 100)],
  [
    "a dump is incomplete for ever",
    tired,
    dumped(false),
    {
      state: { ...replay, losses: 5 },
      actions: [{ do: "replay", round: 7 }],
    },
  ],
  [
    "everything was read, often enough",
    tired,
    dumped(true),
    {
      state: { ...replay, losses: 5 },
      actions: [{ do: "replay", round: 7 }],
    },
  ],
  ["without news everything is read again", deaf, dumped(true), begin(2, 8, 5000)],
  ["and again", deaf, dumped(false), begin(2, 8, 5000)],
  ["loss in a dump", dump, LOST, begin(2, 8, 100)],
  ["loss in a dump without news", deaf, LOST, begin(2, 8, 100)],
  ["loss in a late dump", tired, LOST, begin(6, 8, 1600)],
  ["overflow in a dump", dump, OVERFLOW, begin(2, 8, 100)],
  ["overflow in a dump without news", deaf, OVERFLOW, begin(2, 8, 100)],
  ["overflow in a late dump", tired, OVERFLOW, begin(6, 8, 1600)],
  ["loss in a replay", replay, LOST, begin(2, 8, 100)],
  ["overflow in a replay", replay, OVERFLOW, begin(2, 8, 100)],
  [
    "all was told",
    replay,
    replayed(),
    {
      state: { name: "live", losses: 1, round: 7 },
      actions: [{ do: "pass" }, { do: "calm", ms: 10_000, round: 7 }],
    },
  ],
  ["calm", live, calm(), { state: live, actions: [] }],
  ...STATES.filter((state) => state !== closed).map((state): (typeof TABLE)[number] => [
    `close in ${state.name}`,
    state,
    CLOSE,
    { state: closed, actions: [{ do: "discard" }] },
  ]),
];

describe("resync()", () => {
  it.each(TABLE)("%s", (_why, state, input, expected) => {
    expect(resync(state, input)).toEqual(expected);
  });

  it("does nothing in every other pair of state and input", () => {
    let others = 0;
    for (const state of STATES) {
      for (const input of INPUTS) {
        if (TABLE.some(([, from, by]) => from === state && JSON.stringify(by) === JSON.stringify(input)))
          continue;
        others++;
        expect([state, input, resync(state, input)]).toEqual([state, input, { state, actions: [] }]);
      }
    }
    expect(others).toBe(STATES.length * INPUTS.length - TABLE.length);
  });

  it("waits 0, 100 ms, and doubles that up to 2 s; a time without losses begins anew", () => {
    let state: ResyncState = RESYNC_START;
    const waits: number[] = [];
    const take = (input: ResyncInput): void => {
      const step = resync(state, input);
      state = step.state;
      for (const action of step.actions) if (action.do === "wait") waits.push(action.ms);
    };
    const round = (): number => (state.name === "closed" ? 0 : state.round);
    for (let i = 0; i < 8; i++) {
      take(LOST);
      take(waited(round()));
      take(drained("empty", round()));
    }
    expect(waits).toEqual([0, 100, 200, 400, 800, 1600, 2000, 2000]);
    take(dumped(true, round()));
    take(replayed(round()));
    expect(state).toMatchObject({ name: "live", losses: 8 });
    take(calm(round()));
    take(LOST);
    expect(waits.at(-1)).toBe(0);
  });
});

/**
 * A driver of the machine that does one thing at a time, as asked: what is under way may end at any moment, in any
 * order, and any number of losses in between.
 */
class Simulation {
  state: ResyncState = RESYNC_START;
  queueing = false;
  discarding = false;
  /** Inputs that may come: ends of what was begun, of overtaken rounds too. */
  readonly pending: ResyncInput[] = [];
  /** Losses so far, and how many there were when each round's dump began. */
  losses = 0;
  readonly lossesAtDump = new Map<number, number>();
  readonly broken: string[] = [];
  dumps = 0;
  longestWait = 0;

  take(input: ResyncInput): void {
    const before = this.state;
    const { state, actions } = resync(before, input);
    this.state = state;
    for (const action of actions) this.act(action);
    if (input.kind !== "dumped" || before.name !== "dump" || state.name !== "replay") return;
    if (this.lossesAtDump.get(input.round) !== this.losses) this.broken.push("a dirty dump was believed");
  }

  private act(action: ResyncAction): void {
    switch (action.do) {
      case "discard":
        this.discarding = true;
        this.queueing = false;
        return;
      case "wait":
        this.longestWait = Math.max(this.longestWait, action.ms);
        this.pending.push({ kind: "waited", round: action.round });
        return;
      case "drain":
        if (!this.discarding) this.broken.push("drained while something was listened to");
        this.pending.push({ kind: "drained", round: action.round, result: "empty" });
        return;
      case "queue":
        this.discarding = false;
        this.queueing = true;
        return;
      case "dump":
        if (!this.queueing) this.broken.push("a dump began while nothing was queued");
        this.dumps++;
        this.lossesAtDump.set(action.round, this.losses);
        this.pending.push({ kind: "dumped", round: action.round, complete: true });
        return;
      case "replay":
        this.pending.push({ kind: "replayed", round: action.round });
        return;
      case "pass":
        if (this.discarding) this.broken.push("told again without a dump");
        this.queueing = false;
        return;
      case "calm":
        this.pending.push({ kind: "calm", round: action.round });
    }
  }

  lose(): void {
    this.losses++;
    this.take(LOST);
  }

  overflow(): void {
    if (!this.queueing) return;
    this.losses++;
    this.take(OVERFLOW);
  }
}

type Happening =
  | "lose"
  | "overflow"
  | "close"
  | { readonly end: number; readonly how: "well" | "storm" | "deaf" | "incomplete" };

const happenings = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom<Happening>("lose", "overflow") },
    {
      weight: 8,
      arbitrary: fc.record({
        end: fc.nat(50),
        how: fc.constantFrom(
          "well" as const,
          "well" as const,
          "storm" as const,
          "deaf" as const,
          "incomplete" as const,
        ),
      }),
    },
    { weight: 1, arbitrary: fc.constant<Happening>("close") },
  ),
  { maxLength: 60 },
);

function play(simulation: Simulation, happening: Happening): void {
  if (happening === "lose") simulation.lose();
  else if (happening === "overflow") simulation.overflow();
  else if (happening === "close") simulation.take(CLOSE);
  else if (simulation.pending.length > 0) {
    const [input] = simulation.pending.splice(happening.end % simulation.pending.length, 1);
    if (input === undefined) return;
    const { how } = happening;
    if (input.kind === "drained")
      simulation.take({ ...input, result: how === "incomplete" || how === "well" ? "empty" : how });
    else if (input.kind === "dumped") simulation.take({ ...input, complete: how !== "incomplete" });
    else simulation.take(input);
  }
}

describe("whatever happens in which order", () => {
  it("no dump with a loss in it is believed, and nothing is told before everything was read", () => {
    fc.assert(
      fc.property(happenings, (all) => {
        const simulation = new Simulation();
        for (const happening of all) play(simulation, happening);
        expect(simulation.broken).toEqual([]);
        expect(simulation.longestWait).toBeLessThanOrEqual(5000);
      }),
      { numRuns: 2000 },
    );
  });

  it("it lives again with one more dump once nothing is lost and no dump fails any more", () => {
    fc.assert(
      fc.property(happenings, (all) => {
        const simulation = new Simulation();
        for (const happening of all) if (happening !== "close") play(simulation, happening);
        const begun = simulation.dumps;
        for (let i = 0; i < 10_000 && simulation.pending.length > 0; i++) {
          simulation.take(simulation.pending.shift()!);
        }
        expect(simulation.state.name).toBe("live");
        expect(simulation.dumps - begun).toBeLessThanOrEqual(1);
        expect(simulation.broken).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it("after the end nothing happens", () => {
    fc.assert(
      fc.property(happenings, (all) => {
        const simulation = new Simulation();
        for (const happening of all) play(simulation, happening);
        simulation.take(CLOSE);
        const begun = simulation.dumps;
        while (simulation.pending.length > 0) simulation.take(simulation.pending.shift()!);
        simulation.lose();
        expect([simulation.state, simulation.dumps, simulation.pending]).toEqual([closed, begun, []]);
      }),
    );
  });
});
