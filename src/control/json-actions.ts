/** The answers to what is asked by POST, as types: what was done, or would be. json.ts has those of the lists. */

import type { ConfigPlan } from "../config/plan.ts";
import type { ProtocolType } from "../nest/protocol.ts";
import type { ActRefusal, ProtocolAction } from "./backend.ts";

export interface ScanJson {
  readonly started: readonly string[];
}

export interface ShutdownJson {
  readonly stopping: true;
  readonly keep: boolean;
  /** It only observed: nothing in the kernel is its own, and nothing changes there. */
  readonly observe: boolean;
}

export interface PlanJson {
  readonly file: string;
  readonly plan: ConfigPlan;
}

export interface ConfigureJson extends PlanJson {
  readonly mode: "apply" | "soft" | "check" | "undo";
  /** False: nothing was changed. */
  readonly applied: boolean;
  /** It is undone after this time unless confirmed; null: it stays. */
  readonly "undo-in-seconds": number | null;
}

export interface ConfirmJson {
  readonly confirmed: true;
}

/** What became of each protocol. */
export interface ActJson {
  readonly action: ProtocolAction;
  readonly protocols: readonly {
    readonly name: string;
    readonly type: ProtocolType;
    readonly done: boolean;
    /** Why it was not done, or null: a sentence, with bad-config the problems in lines. */
    readonly reason: string | null;
    /** What kind of reason it is; absent when it was done. */
    readonly code?: ActRefusal["code"];
  }[];
}
