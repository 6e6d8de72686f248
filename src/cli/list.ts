/**
 * Prints an answer of the daemon that is a list: as it comes for --json and --ndjson, else record by record as
 * text. Nothing is gathered but the rows that measure the columns.
 */

import type { Reply } from "../control/client.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import { type Cell, Columns, painted, type Row } from "./columns.ts";
import type { Output } from "./output.ts";

/** How one kind of record is shown. */
export interface ListView<T> {
  /** Null: no headings. */
  readonly headings: readonly string[] | null;
  row(record: T): Row;
  /**
   * For records that differ in nothing but `dst` from one already shown: the first cell, which alone may differ. Long
   * lists are mostly such records, and reading their JSON is most of the work. Absent: every record is read.
   */
  again?(record: T, dst: string): Cell;
  /** The last line, without line end; null: none. Called after all rows. */
  footer(): string | null;
}

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
    for (const record of records) text += lines.of(record);
    await output.write(text);
  }
  const footer = options.legend ? view.footer() : null;
  await output.write(head + columns.end() + (footer === null ? "" : `${footer}\n`));
}

/** Each may keep the 64 KiB it was cut from alive. */
const REMEMBERED = 256;
const DST = '"dst":"';
/** So much of what follows `dst` tells most records apart (nexthop, metric); the rest is compared. */
const KEY_CHARS = 72;

interface Remembered<T> {
  readonly before: string;
  readonly after: string;
  readonly record: T;
  readonly row: Row;
  /** What columns.rest() says of the row. */
  readonly rest: string | null;
}

/** Turns records into lines of text, remembering the last ones by all of their text but `dst`. */
class LineMaker<T> {
  private readonly view: ListView<T>;
  private readonly columns: Columns;
  private readonly remembered = new Map<string, Remembered<T>>();

  constructor(view: ListView<T>, columns: Columns) {
    this.view = view;
    this.columns = columns;
  }

  /** The text that is ready with this record. */
  of(text: string): string {
    const { view, columns, remembered } = this;
    // A quote inside a string is escaped, so this is the key and nothing else.
    const at = view.again === undefined ? -1 : text.indexOf(DST);
    if (view.again === undefined || at < 0) return columns.add(view.row(parseRecord<T>(text)));
    const start = at + DST.length;
    const end = text.indexOf('"', start);
    const before = text.slice(0, start);
    const after = text.slice(end);
    const key = after.slice(0, KEY_CHARS);
    const known = remembered.get(key);
    if (known !== undefined && known.after === after && known.before === before) {
      const first = view.again(known.record, text.slice(start, end));
      if (known.rest !== null) return painted(first) + known.rest;
      return columns.add({ ...known.row, cells: [first, ...known.row.cells.slice(1)] });
    }
    const record = parseRecord<T>(text);
    const row = view.row(record);
    if (remembered.size >= REMEMBERED) remembered.clear();
    remembered.set(key, { before, after, record, row, rest: columns.rest(row) });
    return columns.add(row);
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
