/**
 * Kernel routes that wait for a slow reader. A dump cannot be held back: the socket it runs on is the one the
 * daemon scans with, and a forgotten client must not keep scans from starting. So what the reader does not take
 * at once is kept here, small: 28 bytes a route, and its text once per distinct set of attributes.
 *
 *   row (Int32 × 7)   w0 w1 w2 w3   length   metric   template ──► "family … head … tail" (KernelTemplate)
 *
 * First in, first out, in blocks, so that taken rows are given back. All backlogs together are bounded: beyond the bound
 * the largest is given up, that of the reader who is behind the most, and those who read go on.
 */

import type { Family } from "../lib/ip.ts";

const ROW_WORDS = 7;
const BLOCK_ROWS = 4096;
const BLOCK_BYTES = BLOCK_ROWS * ROW_WORDS * 4;
/** What a template takes beside its text. */
const TEMPLATE_BYTES = 200;
/** Of all backlogs: four million rows and a little text, or much text. */
const MAX_BYTES = 128 * 1024 * 1024;

/** All of a route's text but its prefix and metric. */
export interface KernelTemplate {
  readonly family: Family;
  /** Before the prefix, between prefix and metric, after the metric. */
  readonly table: string;
  readonly head: string;
  readonly tail: string;
}

/** A row taken out; reused by the next take(). */
export interface KernelRow {
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  length: number;
  /** Unsigned. */
  metric: number;
  template: KernelTemplate;
}

/** The space all backlogs share. */
export class BacklogSpace {
  private readonly backlogs = new Set<KernelBacklog>();
  private bytes = 0;

  open(): KernelBacklog {
    const backlog = new KernelBacklog((bytes) => this.reserve(bytes));
    this.backlogs.add(backlog);
    return backlog;
  }

  /** What it holds is forgotten. */
  close(backlog: KernelBacklog): void {
    if (this.backlogs.delete(backlog)) backlog.giveUp();
  }

  /** Takes so many bytes of the space (negative: gives them back), at the cost of the largest if need be. */
  private reserve(bytes: number): void {
    this.bytes += bytes;
    if (bytes < 0 || this.bytes <= MAX_BYTES) return;
    let largest: KernelBacklog | null = null;
    for (const backlog of this.backlogs) {
      if (largest === null || backlog.bytes > largest.bytes) largest = backlog;
    }
    largest?.giveUp();
  }
}

export class KernelBacklog {
  /** More came than could be kept: nothing is kept any more. */
  overflowed = false;
  /** Of the space. */
  bytes = 0;
  private blocks: Int32Array[] = [];
  private templates: KernelTemplate[] = [];
  private readonly templateIds = new Map<string, number>();
  private readonly reserve: (bytes: number) => void;
  /** Rows of the first block that were taken, and of the last block that are filled. */
  private taken = 0;
  private filled = BLOCK_ROWS;
  private rows = 0;

  /** By BacklogSpace.open(). */
  constructor(reserve: (bytes: number) => void) {
    this.reserve = reserve;
  }

  get size(): number {
    return this.rows;
  }

  /** False: it overflowed, the row was not kept. */
  add(row: KernelRow): boolean {
    const template = this.intern(row.template);
    if (this.filled === BLOCK_ROWS && !this.overflowed) {
      this.blocks.push(new Int32Array(BLOCK_ROWS * ROW_WORDS));
      this.filled = 0;
      this.hold(BLOCK_BYTES);
    }
    if (this.overflowed) return false;
    const block = this.blocks.at(-1)!;
    const at = this.filled++ * ROW_WORDS;
    block[at] = row.w0;
    block[at + 1] = row.w1;
    block[at + 2] = row.w2;
    block[at + 3] = row.w3;
    block[at + 4] = row.length;
    block[at + 5] = row.metric | 0;
    block[at + 6] = template;
    this.rows++;
    return true;
  }

  /** Fills `into` with the oldest row and forgets it. False: there is none. */
  take(into: KernelRow): boolean {
    if (this.rows === 0) return false;
    const block = this.blocks[0]!;
    const at = this.taken++ * ROW_WORDS;
    into.w0 = block[at]!;
    into.w1 = block[at + 1]!;
    into.w2 = block[at + 2]!;
    into.w3 = block[at + 3]!;
    into.length = block[at + 4]!;
    into.metric = block[at + 5]! >>> 0;
    into.template = this.templates[block[at + 6]!]!;
    this.rows--;
    if (this.taken === BLOCK_ROWS) {
      this.blocks.shift();
      this.taken = 0;
      this.hold(-BLOCK_BYTES);
    }
    return true;
  }

  /** Forgets all, for good. */
  giveUp(): void {
    this.overflowed = true;
    this.rows = 0;
    this.blocks = [];
    this.templates = [];
    this.templateIds.clear();
    this.hold(-this.bytes);
  }

  private intern(template: KernelTemplate): number {
    const key = `${template.table}\n${template.head}\n${template.tail}`;
    const known = this.templateIds.get(key);
    if (known !== undefined || this.overflowed) return known ?? -1;
    const id = this.templates.push(template) - 1;
    this.templateIds.set(key, id);
    // The key, the text it was made of, and the entries.
    this.hold(2 * key.length + TEMPLATE_BYTES);
    return id;
  }

  private hold(bytes: number): void {
    this.bytes += bytes;
    this.reserve(bytes);
  }
}
