/**
 * Aligned columns for lists of any length. The widths are those of the first rows (up to 256, or what has come
 * when the list ends); later cells that are wider push their row to the right instead of making us hold all of it.
 * On a pipe there are no widths: one record a line, cells separated by one space.
 */

const MEASURED_ROWS = 256;
/** A single overlong cell should not push the whole list off the screen. */
const WIDEST = 60;

/** A piece of text and how it looks; colour is added after measuring. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

export interface Row {
  readonly cells: readonly Cell[];
  /** Lines below the row, on a terminal. */
  readonly below?: readonly string[];
}

export class Columns {
  private readonly aligned: boolean;
  private waiting: Row[] = [];
  private widths: number[] | null = null;

  constructor(aligned: boolean) {
    this.aligned = aligned;
  }

  /** Takes a row; returns the text that is ready, often "". */
  add(row: Row): string {
    if (!this.aligned) return lineOf(row, null);
    if (this.widths !== null) return lineOf(row, this.widths);
    this.waiting.push(row);
    return this.waiting.length >= MEASURED_ROWS ? this.end() : "";
  }

  /** What follows the first cell of the row, which is not empty, whatever its text: null where columns are aligned. */
  rest(row: Row): string | null {
    if (this.aligned) return null;
    const [, ...others] = row.cells;
    const line = lineOf({ ...row, cells: others }, null);
    return line.startsWith("\n") ? line : ` ${line}`;
  }

  /** The text still held back. */
  end(): string {
    if (!this.aligned) return "";
    this.widths ??= measure(this.waiting);
    const text = this.waiting.map((row) => lineOf(row, this.widths)).join("");
    this.waiting = [];
    return text;
  }
}

function measure(rows: readonly Row[]): number[] {
  const widths: number[] = [];
  for (const { cells } of rows) {
    for (const [i, { text }] of cells.entries()) {
      widths[i] = Math.max(widths[i] ?? 0, Math.min(text.length, WIDEST));
    }
  }
  return widths;
}

export function painted({ text, paint }: Cell): string {
  return paint === undefined ? text : paint(text);
}

function lineOf({ cells, below }: Row, widths: readonly number[] | null): string {
  let line = "";
  let gap = "";
  for (const [i, cell] of cells.entries()) {
    const { text } = cell;
    const width = widths?.[i] ?? 0;
    // A column that is empty in every row is left out, and so is an empty cell on a pipe.
    if (text === "" && width === 0) continue;
    line += gap + painted(cell);
    gap = widths === null ? " " : " ".repeat(Math.max(0, width - text.length) + 2);
  }
  let out = `${line.trimEnd()}\n`;
  for (const more of below ?? []) out += `${more}\n`;
  return out;
}
