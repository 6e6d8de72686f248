/**
 * Prints an answer of the daemon that is a list: as it comes for --json and --ndjson, else record by record as
 * text. Nothing is gathered but the rows that measure the columns.
 */

import type { Reply } from "../control/client.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import { Columns, type Row } from "./columns.ts";
import type { Output } from "./output.ts";

/** How one kind of record is shown. */
export interface ListView<T> {
  /** Null: no headings. */
  readonly headings: readonly string[] | null;
  row(record: T): Row;
  /**
   * For records that differ in nothing but `dst` from one already shown: its row, with the other `dst`. Long
   * lists are mostly such records, and reading their JSON is most of the work. Absent: every record is read.
   */
  again?(record: T, row: Row, dst: string): Row;
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
  const rows = new RowMaker(view);
  let rest = "";
  for await (const chunk of reply.chunks()) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_RECORD) throw badAnswer("a record has no end");
    let text = head;
    head = "";
    for (const line of lines) text += columns.add(rows.of(line));
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
}

/** Turns lines into rows, remembering the last ones by all of their text but `dst`. */
class RowMaker<T> {
  private readonly view: ListView<T>;
  private readonly remembered = new Map<string, Remembered<T>>();

  constructor(view: ListView<T>) {
    this.view = view;
  }

  of(line: string): Row {
    const { view, remembered } = this;
    // A quote inside a string is escaped, so this is the key and nothing else.
    const at = view.again === undefined ? -1 : line.indexOf(DST);
    if (view.again === undefined || at < 0) return view.row(parseRecord<T>(line));
    const start = at + DST.length;
    const end = line.indexOf('"', start);
    const before = line.slice(0, start);
    const after = line.slice(end);
    const key = after.slice(0, KEY_CHARS);
    const known = remembered.get(key);
    if (known !== undefined && known.after === after && known.before === before) {
      return view.again(known.record, known.row, line.slice(start, end));
    }
    const record = parseRecord<T>(line);
    const row = view.row(record);
    if (remembered.size >= REMEMBERED) remembered.clear();
    remembered.set(key, { before, after, record, row });
    return row;
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
