/**
 * Prints an answer of the daemon that is a list: as it comes for --json and --ndjson, else record by record as
 * text. Nothing is gathered but the rows that measure the columns.
 */

import type { Reply } from "../control/client.ts";
import { Columns, type Row } from "./columns.ts";
import type { Output } from "./output.ts";

/** How one kind of record is shown. */
export interface ListView<T> {
  /** Null: no headings. */
  readonly headings: readonly string[] | null;
  row(record: T): Row;
  /** The last line, without line end; null: none. Called after all rows. */
  footer(): string | null;
}

/** The longest record we would keep while waiting for its end. */
const LONGEST_RECORD = 64 * 1024 * 1024;

/** Copies an answer as it is. */
export async function copy(reply: Reply, output: Output): Promise<void> {
  for await (const chunk of reply.chunks()) await output.write(chunk);
}

/** The whole of a short answer. */
export async function readJson<T>(reply: Reply): Promise<T> {
  let text = "";
  for await (const chunk of reply.chunks()) text += chunk;
  return JSON.parse(text) as T;
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
  let rest = "";
  for await (const chunk of reply.chunks()) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_RECORD) throw new Error("Cannot read the answer: a record has no end");
    let text = head;
    head = "";
    for (const line of lines) text += columns.add(view.row(JSON.parse(line) as T));
    await output.write(text);
  }
  const footer = options.legend ? view.footer() : null;
  await output.write(head + columns.end() + (footer === null ? "" : `${footer}\n`));
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
