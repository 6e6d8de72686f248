/**
 * The commands and how abbreviated words find one. A command is a path of words; every word may be shortened,
 * and what decides is the whole line: `sh` alone may be show or shutdown, `sh ro` can only be `show routes`,
 * because shutdown takes no words.
 */

import { UsageError } from "./exit-code.ts";
import { ambiguous } from "./words.ts";

export type CommandName =
  | "show status"
  | "show routes"
  | "show kernel"
  | "show protocols"
  | "show interfaces"
  | "show static"
  | "show tables"
  | "show drift"
  | "explain"
  | "diff"
  | "configure"
  | "plan"
  | "enable"
  | "disable"
  | "restart"
  | "reload"
  | "scan"
  | "shutdown"
  | "help";

export interface CommandSpec {
  readonly name: CommandName;
  /** Spellings of the path; the first is the one shown. */
  readonly paths: readonly (readonly string[])[];
  /** How many words may follow. */
  readonly operands: { readonly min: number; readonly max: number };
  /** What follows, for the help. */
  readonly usage: string;
  readonly summary: string;
}

const ANY = Number.POSITIVE_INFINITY;
const NAMES = "NAME|glob|all";

export const COMMANDS: readonly CommandSpec[] = [
  spec("show status", [["show", "status"]], 0, 0, "", "whether krtd is in sync, and its counters"),
  spec(
    "show routes",
    [
      ["show", "routes"],
      ["show", "route"],
    ],
    0,
    ANY,
    "[PREFIX | for IP | in PREFIX] [table NAME|all] [protocol NAME] [state STATE] [type TYPE] [dev IF] [via IP] [count] [all]",
    "routes of krtd's tables and how the kernel stands to each",
  ),
  spec(
    "show kernel",
    [["show", "kernel"]],
    0,
    ANY,
    "[PREFIX | for IP | in PREFIX] [table N|NAME] [protocol NAME] [class CLASS] [type TYPE] [dev IF] [via IP] [count]",
    "the kernel's own routes, read now, with class and verdict",
  ),
  spec(
    "show protocols",
    [["show", "protocols"]],
    0,
    2,
    "[all] [NAME|glob]",
    "protocols, with all: and their counters",
  ),
  spec(
    "show interfaces",
    [["show", "interfaces"]],
    0,
    4,
    "[summary] [NAME] [netns NAME]",
    "interfaces and addresses",
  ),
  spec("show static", [["show", "static"]], 0, 2, "[NAME] [count]", "configured static routes"),
  spec("show tables", [["show", "tables"]], 0, 0, "", "tables and the kernel tables attached to them"),
  spec(
    "show drift",
    [["show", "drift"]],
    0,
    ANY,
    "[PREFIX] [protocol NAME] [count]",
    "what others did to krtd's routes in the kernel, and what krtd did about it",
  ),
  spec(
    "explain",
    [["explain"]],
    1,
    3,
    "PREFIX|IP [table NAME]",
    "why a route is, or is not, in the kernel, and what to do",
  ),
  spec("diff", [["diff"]], 0, 2, "[table NAME]", "what is wanted against what the kernel has, now"),
  spec(
    "configure",
    [["configure"]],
    0,
    4,
    "[FILE] [check|soft|undo|confirm] [timeout SECONDS] [--force]",
    "read the configuration again, or FILE (./check for a file called check), and apply what has changed; check: say " +
      "what is wrong with it; soft: changed filters are for routes that change from now on; timeout: go back after " +
      "that time unless confirmed; --force: though it deletes more than safety.max-delete-percent allows",
  ),
  spec("plan", [["plan"]], 0, 1, "[FILE]", "what configure would change, without changing it"),
  spec("enable", [["enable"]], 1, 1, NAMES, "start protocols that were disabled"),
  spec("disable", [["disable"]], 1, 1, NAMES, "stop protocols until they are enabled again"),
  spec("restart", [["restart"]], 1, 1, NAMES, "stop protocols and start them afresh"),
  spec(
    "reload",
    [["reload"]],
    1,
    1,
    `${NAMES} [--force]`,
    "read routes of static protocols again, and pass all routes through the filters; --force as for configure",
  ),
  spec(
    "scan",
    [["scan"]],
    1,
    1,
    `${NAMES} [--force]`,
    "read interfaces or kernel routes now; --force: and delete what nobody wants, however much it is",
  ),
  spec("shutdown", [["shutdown"]], 0, 0, "[--keep]", "stop krtd; with --keep its routes stay in the kernel"),
  spec("help", [["help"]], 0, ANY, "[COMMAND]", "this text, or that of one command"),
];

function spec(
  name: CommandName,
  paths: readonly (readonly string[])[],
  min: number,
  max: number,
  usage: string,
  summary: string,
): CommandSpec {
  return { name, paths, operands: { min, max }, usage, summary };
}

export interface Found {
  readonly command: CommandSpec;
  readonly operands: readonly string[];
}

/** Every command that `words` may stand for or lead to; throws UsageError when there is none. */
export function commandsLike(words: readonly string[]): readonly CommandSpec[] {
  const found = preferred(words);
  if (found.length === 0) throw noCommand(words);
  return found.map(({ command }) => command);
}

/** Finds the command that `words` stand for. Throws UsageError when there is none, or more than one. */
export function findCommand(words: readonly string[]): Found {
  const found = preferred(words);
  const [first, ...others] = found;
  if (first === undefined) throw noCommand(words);
  const names = found.map(({ command }) => command.name);
  // Also when only one is whole: what somebody began to type must not shut the daemon down.
  if (others.length > 0) throw ambiguous(words.join(" "), names);
  if (first.path.length > words.length) throw incomplete(words, names);
  checkOperands(first);
  return first;
}

interface Match extends Found {
  readonly path: readonly string[];
}

/** A word written out in full wins over words it begins: "route" is not "routes" cut short. */
function preferred(words: readonly string[]): Match[] {
  let found = COMMANDS.flatMap((command) => matchCommand(command, words));
  for (let i = 0; found.length > 1 && i < words.length; i++) {
    const exact = found.filter(({ path }) => path[i] === words[i]);
    if (exact.length > 0) found = exact;
  }
  return found;
}

/** At most one match per command: of two spellings the first that fits. The path may be longer than the words. */
function matchCommand(command: CommandSpec, words: readonly string[]): Match[] {
  for (const path of command.paths) {
    if (words.length - path.length > command.operands.max) continue;
    if (!words.every((word, i) => i >= path.length || beginsWith(path[i]!, word))) continue;
    return [{ command, path, operands: words.slice(path.length) }];
  }
  return [];
}

function incomplete(words: readonly string[], names: readonly string[]): UsageError {
  return new UsageError(`"${words.join(" ")}" is not a whole command`, `It may be ${names.join(" or ")}.`);
}

function beginsWith(word: string, text: string): boolean {
  return text !== "" && word.startsWith(text);
}

function checkOperands({ command, operands }: Match): void {
  if (operands.length >= command.operands.min) return;
  throw new UsageError(
    `"${command.name}" needs more words`,
    `Usage: krtctl ${command.name} ${command.usage}`,
  );
}

/** Says what would have been possible at the first word that leads nowhere. */
function noCommand(words: readonly string[]): UsageError {
  const paths = COMMANDS.flatMap(({ paths }) => paths);
  for (let i = 0; i < words.length; i++) {
    const alike = paths.filter((path) =>
      words.slice(0, i).every((word, k) => beginsWith(path[k] ?? "", word)),
    );
    const next = [...new Set(alike.flatMap((path) => path[i] ?? []))];
    if (next.length === 0 || next.some((word) => beginsWith(word, words[i]!))) continue;
    const before = words.slice(0, i).join(" ");
    return new UsageError(
      `Unknown command "${words.slice(0, i + 1).join(" ")}"`,
      `${before === "" ? "Commands" : `After "${before}"`}: ${next.join(", ")}.`,
    );
  }
  const begun = COMMANDS.filter(({ paths }) =>
    paths.some((path) => path.every((word, i) => beginsWith(word, words[i] ?? ""))),
  );
  return new UsageError(
    `Too many words: "${words.join(" ")}"`,
    `Usage: ${begun.map(({ name, usage }) => `krtctl ${name} ${usage}`.trimEnd()).join(", ")}`,
  );
}
