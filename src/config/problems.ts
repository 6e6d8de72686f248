/**
 * What is wrong with a configuration, and how that is shown:
 *
 *   krt.yaml:12:5: Unknown key "scan-tme" in kernel.kernel4
 *      12 |     scan-tme: 20s
 *         |     ^
 *     did you mean "scan-time"?
 *
 * The text comes from a file that anybody may have written: control characters are shown, never sent to the
 * terminal, and long lines are cut around the caret.
 */

export interface Problem {
  readonly file: string;
  /** From 1; 0 when the problem concerns the file as a whole. */
  readonly line: number;
  /** From 1, in characters (code points, a tab is one); 0 when `line` is. */
  readonly column: number;
  /** One sentence without a full stop. */
  readonly message: string;
  /** What was probably meant or what to do, or null. */
  readonly hint: string | null;
  /** The whole offending line, or null. */
  readonly sourceLine: string | null;
}

/** The most problems renderProblems() writes out: more help nobody. */
export const SHOWN_PROBLEMS = 200;

/** Checking goes on to about this many problems: a megabyte of mistakes must not cost a minute. */
export const TOO_MANY_PROBLEMS = 500;

const LINE_WIDTH = 120;

/** A problem of the file as a whole. */
export function fileProblem(file: string, message: string, hint: string | null = null): Problem {
  return { file, line: 0, column: 0, message, hint, sourceLine: null };
}

/** By line, then column; stable. For problems of one file. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** All problems for a person, in the order given, ending with a newline; "" for none. */
export function renderProblems(problems: readonly Problem[]): string {
  let text = "";
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) text += renderProblem(problem);
  const more = problems.length - SHOWN_PROBLEMS;
  if (more > 0) text += `… and ${more} more problem${more === 1 ? "" : "s"}\n`;
  return text;
}

function renderProblem({ file, line, column, message, hint, sourceLine }: Problem): string {
  const place = line === 0 ? "" : `:${line}:${column}`;
  let text = `${printable(file)}${place}: ${printable(message)}\n`;
  if (sourceLine !== null && line > 0) {
    const { shown, pad } = excerpt(sourceLine, column);
    const number = String(line).padStart(5);
    text += `${number} | ${shown}\n${" ".repeat(number.length)} | ${pad}^\n`;
  }
  if (hint !== null) text += `  ${printable(hint)}\n`;
  return text;
}

/** The part of the line around the caret, and what to print before the caret to stand under its character. */
function excerpt(sourceLine: string, column: number): { shown: string; pad: string } {
  // A code point may take two units: cut generously before splitting into characters.
  const near = 2 * (column + LINE_WIDTH);
  const characters = Array.from(sourceLine.slice(0, near));
  const from = column > LINE_WIDTH - 20 ? column - 40 : 0;
  const before = characters.slice(from, column - 1);
  const after = characters.slice(column - 1, from + LINE_WIDTH);
  const cut = characters.length > from + LINE_WIDTH || sourceLine.length > near;
  const head = (from > 0 ? "…" : "") + printable(before.join(""), true);
  return {
    shown: head + printable(after.join(""), true) + (cut ? "…" : ""),
    pad: Array.from(head, (c) => (c === "\t" ? "\t" : " ")).join(""),
  };
}

/** `text` with control and invisible direction-changing characters written as escapes. */
export function printable(text: string, keepTabs = false): string {
  return text.replace(UNPRINTABLE, (c) => {
    if (keepTabs && c === "\t") return c;
    const code = c.codePointAt(0)!;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return `\\u{${code.toString(16)}}`;
  });
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A value as a message shows it: quoted and short. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value !== "string") return String(value);
  return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
}

/** "did you mean …" for a suggestion, null for none. */
export function didYouMean(suggestion: string | null): string | null {
  return suggestion === null ? null : `did you mean "${suggestion}"?`;
}
