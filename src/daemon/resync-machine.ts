/**
 * What to do when notifications were lost, as a pure machine: resync.ts carries its actions out and tells it how they
 * ended.
 *
 *            lost                 waited           drained: empty, deaf           dumped              replayed
 *   live ─────────────► lost ─────────────► drain ─────────────────────► dump ─────────────► replay ──────────► live
 *                        ▲ ▲                  │ storm                    │ lost, overflow,     │ lost, overflow
 *                        │ └──────────────────┘                          │ incomplete          │
 *                        └───────────────────────────────────────────────┴─────────────────────┘
 *
 *   lost    nothing is listened to; the delay lets a storm pass
 *   drain   what the socket still holds is older than the loss: thrown away
 *   dump    notifications are queued while everything is read
 *   replay  the queued ones are told, in order
 *
 * Whatever ends in `lost` waits longer the next time. A dump belongs to its round: the end of one that a loss has
 * overtaken is no news. `deaf`: the socket cannot be had again, so everything is read at short intervals instead.
 */

import { assertNever } from "../lib/assert.ts";
import type { Drained } from "../sysdep/os.ts";

/** Delay before the second attempt in a row; doubled for each further one. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;
/** Between two readings of everything while there are no notifications at all. */
const DEAF_DELAY_MS = 5_000;
/** Without a loss for so long, the next one is the first in a row. */
const CALM_MS = 10_000;
/**
 * After so many attempts an incomplete dump is left to whoever made it, who tries again by himself: one table that
 * cannot be read must not keep the news from all others.
 */
const MOST_INCOMPLETE = 5;

export type ResyncState =
  /** `losses`: in a row. `round`: grows with each attempt. */
  | { readonly name: "live"; readonly losses: number; readonly round: number }
  | { readonly name: "lost"; readonly losses: number; readonly round: number }
  | { readonly name: "drain"; readonly losses: number; readonly round: number }
  | { readonly name: "dump"; readonly losses: number; readonly round: number; readonly deaf: boolean }
  | { readonly name: "replay"; readonly losses: number; readonly round: number }
  | { readonly name: "closed" };

export type ResyncInput =
  | { readonly kind: "lost" }
  /** The delay that was asked for last is over. */
  | { readonly kind: "waited"; readonly round: number }
  | { readonly kind: "drained"; readonly round: number; readonly result: Drained }
  | { readonly kind: "dumped"; readonly round: number; readonly complete: boolean }
  /** The queue is full: what did not fit is lost. */
  | { readonly kind: "overflow" }
  | { readonly kind: "replayed"; readonly round: number }
  /** Nothing was lost for as long as `calm` said. */
  | { readonly kind: "calm"; readonly round: number }
  | { readonly kind: "close" };

export type ResyncAction =
  /** Throw away what is queued and what comes; no dump that is under way may be acted on. */
  | { readonly do: "discard" }
  | { readonly do: "wait"; readonly ms: number; readonly round: number }
  | { readonly do: "drain"; readonly round: number }
  /** From now on what comes is queued. */
  | { readonly do: "queue" }
  | { readonly do: "dump"; readonly round: number }
  | { readonly do: "replay"; readonly round: number }
  /** From now on what comes is told at once. */
  | { readonly do: "pass" }
  | { readonly do: "calm"; readonly ms: number; readonly round: number };

export interface ResyncStep {
  readonly state: ResyncState;
  readonly actions: readonly ResyncAction[];
}

export const RESYNC_START: ResyncState = { name: "live", losses: 0, round: 0 };

/** Delay before attempt `losses` (1: the first). */
function delayMs(losses: number): number {
  return losses <= 1 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** Math.min(losses - 2, 16), LONGEST_DELAY_MS);
}

/** The next state, and what is to be done on the way there. An input that does not fit the state changes nothing. */
export function resync(state: ResyncState, input: ResyncInput): ResyncStep {
  if (state.name === "closed") return stay(state);
  switch (input.kind) {
    case "close":
      return { state: { name: "closed" }, actions: [{ do: "discard" }] };
    case "lost":
      return lost(state);
    case "overflow":
      return state.name === "dump" || state.name === "replay" ? lost(state) : stay(state);
    case "calm": {
      const { name, round } = state;
      return stay(name === "live" && input.round === round ? { name, losses: 0, round } : state);
    }
    case "waited": {
      if (state.name !== "lost" || input.round !== state.round) return stay(state);
      const { losses, round } = state;
      return { state: { name: "drain", losses, round }, actions: [{ do: "drain", round }] };
    }
    case "drained":
      return state.name === "drain" && input.round === state.round
        ? drained(state, input.result)
        : stay(state);
    case "dumped":
      return state.name === "dump" && input.round === state.round
        ? dumped(state, input.complete)
        : stay(state);
    case "replayed": {
      if (state.name !== "replay" || input.round !== state.round) return stay(state);
      const { losses, round } = state;
      return {
        state: { name: "live", losses, round },
        actions: [{ do: "pass" }, { do: "calm", ms: CALM_MS, round }],
      };
    }
    default:
      return assertNever(input);
  }
}

type Living = Exclude<ResyncState, { readonly name: "closed" }>;

function stay(state: ResyncState): ResyncStep {
  return { state, actions: [] };
}

function lost(state: Living): ResyncStep {
  // Before the drain nothing is believed that could be lost once more.
  if (state.name === "lost" || state.name === "drain") return stay(state);
  return begin(state, delayMs(state.losses + 1));
}

function begin(state: Living, ms: number): ResyncStep {
  const losses = state.losses + 1;
  const round = state.round + 1;
  return { state: { name: "lost", losses, round }, actions: [{ do: "discard" }, { do: "wait", ms, round }] };
}

function drained(state: Extract<ResyncState, { name: "drain" }>, result: Drained): ResyncStep {
  if (result === "storm") return begin(state, delayMs(state.losses + 1));
  const { losses, round } = state;
  return {
    state: { name: "dump", losses, round, deaf: result === "deaf" },
    actions: [{ do: "queue" }, { do: "dump", round }],
  };
}

function dumped(state: Extract<ResyncState, { name: "dump" }>, complete: boolean): ResyncStep {
  const { losses, round, deaf } = state;
  if (deaf) return begin(state, DEAF_DELAY_MS);
  if (!complete && losses < MOST_INCOMPLETE) return begin(state, delayMs(losses + 1));
  return { state: { name: "replay", losses, round }, actions: [{ do: "replay", round }] };
}
