/** The table of medians and goals for people, and the record of everything for programs. */

import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import type { Mode } from "./modes.ts";
import { GOAL_NAMES, type Goal, type RowSpec, SECTIONS } from "./rows.ts";
import type { Samples } from "./samples.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
  };
}

/** Runnable tasks, averaged over a minute: above the number of cores, times are too long. */
export function load(): number {
  return Number(readFileSync("/proc/loadavg", "latin1").split(" ")[0]);
}

export interface Judged {
  readonly key: string;
  readonly text: string;
  readonly goal: string;
  /** Null: there is nothing to compare it with. */
  readonly met: boolean | null;
}

/** The table; rows and sections without values are left out, and the goals unless they are `judged`. */
export function renderTable(samples: Samples, wanted: ReadonlySet<Mode>, judged: boolean): string {
  const lines: string[][] = [];
  for (const { title, modes, rows } of SECTIONS) {
    const shown = rows.filter(({ key }) => samples.of(key).length > 0);
    if (shown.length === 0 || !modes.some((mode) => wanted.has(mode))) continue;
    if (lines.length > 0) lines.push([]);
    const head = (text: string, any: boolean): string => (any ? text : "");
    const related = shown.some(({ to }) => to !== undefined);
    const goals = judged && shown.some((row) => row.goals !== undefined);
    lines.push([title, "median", "least", "most", head("× C", related), head("goal", goals)]);
    for (const row of shown) lines.push(renderRow(judged ? row : { ...row, goals: [] }, samples));
  }
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  const pad = (cell: string, i: number): string =>
    i === 0 ? cell.padEnd(widths[0]!) : i > 4 ? cell : cell.padStart(widths[i]!);
  return lines.map((cells) => `${cells.map(pad).join("  ").trimEnd()}\n`).join("");
}

/** Every goal that can be judged. */
export function judge(samples: Samples, wanted: ReadonlySet<Mode>): Judged[] {
  return SECTIONS.filter(({ modes }) => modes.some((mode) => wanted.has(mode)))
    .flatMap(({ rows }) => rows)
    .filter(({ key }) => samples.of(key).length > 0)
    .flatMap((row) =>
      (row.goals ?? []).map((goal) => ({
        key: row.key,
        text: row.text.trim(),
        goal: describeGoal(goal, row.unit),
        met: isMet(goal, row, samples),
      })),
    );
}

function renderRow(row: RowSpec, samples: Samples): string[] {
  const { key, text, unit, to } = row;
  const values = samples.of(key);
  const median = samples.median(key)!;
  const base = to === undefined ? null : samples.median(to);
  return [
    `  ${text}`,
    format(median, unit),
    format(Math.min(...values), unit),
    format(Math.max(...values), unit),
    base === null ? "" : (median / base).toFixed(2),
    (row.goals ?? []).map((goal) => renderGoal(goal, row, samples)).join(" · "),
  ];
}

function renderGoal(goal: Goal, row: RowSpec, samples: Samples): string {
  const met = isMet(goal, row, samples);
  const is =
    goal.of === undefined || met === null
      ? ""
      : ` (${(samples.median(row.key)! / samples.median(goal.of)!).toFixed(2)})`;
  return `${describeGoal(goal, row.unit)}${is} ${met === null ? "—" : met ? "✓" : "✗ SHORT"}`;
}

function describeGoal({ most, of }: Goal, unit: RowSpec["unit"]): string {
  return of === undefined
    ? `≤ ${most}${unit === "" ? "" : ` ${unit}`}`
    : `≤ ${most} × ${GOAL_NAMES[of] ?? of}`;
}

function isMet({ most, of }: Goal, { key }: RowSpec, samples: Samples): boolean | null {
  const base = of === undefined ? 1 : samples.median(of);
  return base === null ? null : samples.median(key)! <= most * base;
}

function format(value: number, unit: RowSpec["unit"]): string {
  switch (unit) {
    case "s":
      return `${value.toFixed(3)} s`;
    case "ms":
      return `${value.toFixed(1)} ms`;
    case "µs":
      return `${value.toFixed(2)} µs`;
    case "":
      return value.toFixed(0);
    default:
      return `${value.toFixed(0)} ${unit}`;
  }
}
