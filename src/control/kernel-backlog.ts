/**
 * Kernel routes that wait for a slow reader. A dump cannot be held back: the socket it runs on is the one the
 * daemon scans with, and a forgotten client must not keep scans from starting. So what the reader does not take
 * at once is kept here, small: 28 bytes a route, and its text once per distinct set of attributes.
 *
 *   row (Int32 × 7)   w0 w1 w2 w3   length   metric   template ──► "family … head … tail" (KernelTemplate)
 *
 * First in, first out, in blocks, so that taken rows are given back. Bounded; beyond the bound the reader is lost.
 */

import type { Family } from "../lib/ip.ts";

const ROW_WORDS = 7;
const BLOCK_ROWS = 4096;
const MAX_ROWS = 4_000_000;
const MAX_TEMPLATE_CHARS = 32 * 1024 * 1024;

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

export class KernelBacklog {
  private readonly blocks: Int32Array[] = [];
  private readonly templates: KernelTemplate[] = [];
  private readonly templateIds = new Map<string, number>();
  private templateChars = 0;
  /** Rows of the first block that were taken, and of the last block that are filled. */
  private taken = 0;
  private filled = BLOCK_ROWS;
  private rows = 0;

  get size(): number {
    return this.rows;
  }

  /** False: it is full, the row was not kept. */
  add(row: KernelRow): boolean {
    if (this.rows >= MAX_ROWS) return false;
    const template = this.intern(row.template);
    if (template < 0) return false;
    if (this.filled === BLOCK_ROWS) {
      this.blocks.push(new Int32Array(BLOCK_ROWS * ROW_WORDS));
      this.filled = 0;
    }
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
    }
    return true;
  }

  private intern(template: KernelTemplate): number {
    const key = `${template.table}\n${template.head}\n${template.tail}`;
    const known = this.templateIds.get(key);
    if (known !== undefined) return known;
    if (this.templateChars > MAX_TEMPLATE_CHARS) return -1;
    this.templateChars += key.length;
    const id = this.templates.push(template) - 1;
    this.templateIds.set(key, id);
    return id;
  }
}
