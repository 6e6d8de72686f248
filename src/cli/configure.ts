/**
 * `configure` and `plan`. The words after `configure` come in any order; one that is a keyword, or begins one, is
 * that keyword, and anything else is the file, so a file called check is written ./check.
 */

import { resolve } from "node:path";
import type { ConfigureJson, ConfirmJson, PlanJson } from "../control/json-actions.ts";
import { parseDuration } from "../lib/duration.ts";
import { escapeText } from "./escape.ts";
import { EXIT_DIFFERENT, EXIT_OK, UsageError } from "./exit-code.ts";
import { planText } from "./format-plan.ts";
import { undoText } from "./format-words.ts";
import type { Output } from "./output.ts";
import { atWork, type Session, showValue } from "./session.ts";
import { candidates } from "./words.ts";

const MODES = ["check", "soft", "undo", "confirm"] as const;
const KEYWORDS = [...MODES, "timeout"] as const;

type Mode = "apply" | (typeof MODES)[number];

export interface ConfigureWords {
  /** As typed; null: the file krtd runs with. */
  readonly file: string | null;
  readonly mode: Mode;
  /** Go back after so long unless confirmed; null: never. */
  readonly undoAfterSeconds: number | null;
}

/** Throws UsageError. */
export function parseConfigure(words: readonly string[]): ConfigureWords {
  let file: string | null = null;
  let mode: Mode = "apply";
  let undoAfterSeconds: number | null = null;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const keyword = keywordOf(word);
    if (keyword === null) {
      if (file !== null)
        throw new UsageError(`Two files: "${file}" and "${word}"`, `Keywords are ${list()}.`);
      file = word;
    } else if (keyword === "timeout") {
      if (undoAfterSeconds !== null) throw new UsageError(`"timeout" is given twice`);
      undoAfterSeconds = seconds(words[++i]);
    } else {
      if (mode !== "apply") throw new UsageError(`"${mode}" and "${keyword}" exclude each other`);
      mode = keyword;
    }
  }
  if (file !== null && (mode === "undo" || mode === "confirm")) {
    throw new UsageError(`"${mode}" takes no file: "${file}"`);
  }
  if (undoAfterSeconds !== null && mode !== "apply" && mode !== "soft") {
    throw new UsageError(`"timeout" does not go with "${mode}"`);
  }
  return { file, mode, undoAfterSeconds };
}

/** The keyword a word stands for; null: it is a file. */
function keywordOf(word: string): (typeof KEYWORDS)[number] | null {
  if (word === "") throw new UsageError("The name of the file is empty");
  const found = candidates(word, KEYWORDS);
  if (found.length <= 1) return found[0] ?? null;
  throw new UsageError(
    `"${word}" is ambiguous`,
    `It may be ${found.join(" or ")}; a file of that name is ./${word}`,
  );
}

function list(): string {
  return KEYWORDS.join(", ");
}

function seconds(word: string | undefined): number {
  if (word === undefined) throw new UsageError(`"timeout" needs a time after it`, "Such as 300, 30s or 5m.");
  const ms = parseDuration(word);
  if (ms === null || ms === 0) {
    throw new UsageError(`"${word}" is not a time to go back after`, "Give timeout as 300, 30s or 5m.");
  }
  return ms / 1000;
}

export async function configure(session: Session, output: Output): Promise<number> {
  const { file, mode, undoAfterSeconds } = parseConfigure(session.operands);
  const { force } = session.options;
  if (force && mode !== "apply" && mode !== "soft")
    throw new UsageError(`--force does not go with "${mode}"`);
  const body = {
    mode,
    ...(file === null ? {} : { file: resolve(session.directory, file) }),
    ...(undoAfterSeconds === null ? {} : { "undo-after": undoAfterSeconds }),
    ...(force ? { force } : {}),
  };
  const request = { method: "POST", path: "/v1/configure", body, progress: atWork(session) } as const;
  if (mode === "confirm") {
    await showValue<ConfirmJson>(session, output, request, () => "confirmed: the configuration stays\n");
  } else {
    await showValue<ConfigureJson>(session, output, request, configuredText);
  }
  return EXIT_OK;
}

/** Exit code 5 when something would change. */
export async function plan(session: Session, output: Output): Promise<number> {
  const [file] = session.operands;
  if (file === "") throw new UsageError("The name of the file is empty");
  const body = file === undefined ? {} : { file: resolve(session.directory, file) };
  const request = { method: "POST", path: "/v1/plan", body, progress: atWork(session) } as const;
  const answer = await showValue<PlanJson>(session, output, request, (planned) =>
    planned.plan.empty
      ? `${escapeText(planned.file)}: nothing would change\n`
      : planText(planned.plan, false),
  );
  return answer.plan.empty ? EXIT_OK : EXIT_DIFFERENT;
}

function configuredText(answer: ConfigureJson): string {
  const changes = answer.applied ? planText(answer.plan, true) : "";
  const pending = answer["undo-in-seconds"];
  const undo = pending === null ? "" : `${undoText(pending)}\n`;
  return `${escapeText(answer.file)}: ${headline(answer)}\n${changes}${undo}`;
}

function headline({ mode, applied, plan: { empty } }: ConfigureJson): string {
  if (mode === "check") return "good";
  if (!applied) return empty ? "nothing has changed" : "not applied";
  switch (mode) {
    case "undo":
      return "back to what ran before";
    case "soft":
      return empty
        ? "nothing has changed"
        : "applied; changed filters are for routes that change from now on";
    default:
      return empty ? "nothing has changed" : "applied";
  }
}
