/**
 * Prints an answer of the daemon that is a list: as it comes for --json and --ndjson, else record by record as
 * text. Nothing is gathered but the rows that measure the columns.
 */

import type { Reply } from "../control/client.ts";
import { ALIKE_RECORDS } from "../control/list-type.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import { type Cell, Columns, painted, type Row } from "./columns.ts";
import type { Output } from "./output.ts";

/** How one kind of record is shown. */
export interface ListView<T> {
  /** Null: no headings. */
  readonly headings: readonly string[] | null;
  row(record: T): Row;
  /**
   * For lists of routes: the first cell of a record that differs in nothing but `dst` from one already shown. The daemon
   * then tells once what such records share, which is nearly all of a long list. Absent: every record comes whole.
   */
  again?(record: T, dst: string): Cell;
  /** The last line, without line end; null: none. Called after all rows. */
  footer(): string | null;
}

/** A chunk of short records makes several of text. */
const PIECE_CHARS = 64 * 1024;
/** Of a record that cannot be read. */
const LONGEST_QUOTED = 80;
/** The longest record we would keep while waiting for its end. */
const LONGEST_RECORD = 64 * 1024 * 1024;

/** Copies an answer as it is. */
export async function copy(reply: Reply, output: Output): Promise<void> {
  for await (const chunk of reply.chunks()) await output.write(chunk);
}

/** The whole of a short answer, as it came and read. Throws KrtdError "bad-answer". */
export async function readJson<T>(reply: Reply): Promise<{ readonly text: string; readonly value: T }> {
  let text = "";
  for await (const chunk of reply.chunks(true)) {
    text += chunk;
    if (text.length > LONGEST_RECORD) throw badAnswer("it has no end");
  }
  return { text, value: parseRecord<T>(text) };
}

/** Throws KrtdError "bad-answer" when `text` is not JSON. */
function parseRecord<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw badAnswer(errorText(error));
  }
}

/** What came is not an answer of krtd's. */
export function badAnswer(why: string): KrtdError {
  return new KrtdError("bad-answer", `Cannot read the daemon's answer: ${why}`, {
    hint: "Does krtd listen on that socket, and is it of this version?",
  });
}

/** `legend`: headings and footer too. */
export async function printList<T>(
  reply: Reply,
  view: ListView<T>,
  options: { readonly terminal: boolean; readonly legend: boolean },
  output: Output,
): Promise<void> {
  const columns = new Columns(options.terminal);
  let head =
    options.legend && view.headings !== null
      ? columns.add({ cells: view.headings.map((text) => ({ text })) })
      : "";
  const lines = new LineMaker(view, columns);
  let rest = "";
  for await (const chunk of reply.chunks()) {
    const records = (rest + chunk).split("\n");
    rest = records.pop() ?? "";
    if (rest.length > LONGEST_RECORD) throw badAnswer("a record has no end");
    let text = head;
    head = "";
    for (const record of records) {
      text += lines.of(record);
      if (text.length < PIECE_CHARS) continue;
      await output.write(text);
      text = "";
    }
    await output.write(text);
  }
  const footer = options.legend ? view.footer() : null;
  await output.write(head + columns.end() + (footer === null ? "" : `${footer}\n`));
}

interface Remembered<T> {
  readonly record: T;
  readonly row: Row;
  /** What columns.rest() says of the row. */
  readonly rest: string | null;
}

const BRACKET = 0x5b;
/** `[7,"10.0.0.0/8"]`: the object before it that has the number 7, with another `dst`. See control/list-type.ts. */
const REFERENCE = /^\[(\d+),"([^"\\]*)"\]$/;

/** Turns records into lines of text. */
class LineMaker<T> {
  private readonly view: ListView<T>;
  private readonly columns: Columns;
  /** By number. */
  private readonly remembered: Remembered<T>[] = [];
  private objects = 0;

  constructor(view: ListView<T>, columns: Columns) {
    this.view = view;
    this.columns = columns;
  }

  /** The text that is ready with this record. */
  of(text: string): string {
    const { view, columns } = this;
    if (text.charCodeAt(0) === BRACKET) return this.again(text);
    const record = parseRecord<T>(text);
    const row = view.row(record);
    if (view.again !== undefined) {
      this.remembered[this.objects % ALIKE_RECORDS] = { record, row, rest: columns.rest(row) };
      this.objects++;
    }
    return columns.add(row);
  }

  private again(text: string): string {
    const { view, columns } = this;
    const [, number, dst] = REFERENCE.exec(text) ?? [];
    const known = this.remembered[Number(number)];
    if (view.again === undefined || known === undefined || dst === undefined) {
      throw badAnswer(`it refers to a record that did not come: ${text.slice(0, LONGEST_QUOTED)}`);
    }
    const first = view.again(known.record, dst);
    if (known.rest !== null) return painted(first) + known.rest;
    return columns.add({ ...known.row, cells: [first, ...known.row.cells.slice(1)] });
  }
}

/** Counts records by a word each, for a footer: "8 routes: 6 synced, 2 waiting". */
export class Tally {
  private total = 0;
  private readonly counts = new Map<string, number>();
  private readonly one: string;
  private readonly many: string;

  constructor(one: string, many: string) {
    this.one = one;
    this.many = many;
  }

  add(word: string | null): void {
    this.total++;
    if (word !== null) this.counts.set(word, (this.counts.get(word) ?? 0) + 1);
  }

  toString(): string {
    const parts = [...this.counts].sort((a, b) => b[1] - a[1]).map(([word, count]) => `${count} ${word}`);
    const sum = `${this.total} ${this.total === 1 ? this.one : this.many}`;
    return parts.length === 0 ? sum : `${sum}: ${parts.join(", ")}`;
  }
}
