/**
 * Differences that a dump brought, until they can be sent: the dump keeps its own pace (kernel-backlog.ts says why),
 * and a million of them must not be a million objects. A row of the backlog, and beside it the number of a note.
 */

import type { DiffJson } from "./explain-json.ts";
import type { KernelBacklog, KernelRow } from "./kernel-backlog.ts";
import { emptyRow } from "./kernel-query.ts";

export interface DiffNote {
  readonly op: DiffJson["op"];
  readonly reason: string;
  /** A change of the net was under way: whether it differs is known when it is sent. */
  readonly busy: boolean;
}

export class DiffRows {
  private readonly backlog: KernelBacklog;
  private readonly notes: DiffNote[] = [];
  private readonly noteIds = new Map<string, number>();
  /** By row, first to last. */
  private readonly noteOfRow: number[] = [];
  private taken = 0;
  private readonly row = emptyRow();

  constructor(backlog: KernelBacklog) {
    this.backlog = backlog;
  }

  add(row: KernelRow, note: DiffNote): void {
    if (this.backlog.add(row)) this.noteOfRow.push(this.intern(note));
  }

  /** More differences came than are kept: those here are not all. */
  get overflowed(): boolean {
    return this.backlog.overflowed;
  }

  /** The oldest row, valid until the next call, or null. */
  take(): { readonly row: KernelRow; readonly note: DiffNote } | null {
    if (!this.backlog.take(this.row)) return null;
    return { row: this.row, note: this.notes[this.noteOfRow[this.taken++]!]! };
  }

  private intern(note: DiffNote): number {
    const key = `${note.op} ${note.busy} ${note.reason}`;
    const known = this.noteIds.get(key);
    if (known !== undefined) return known;
    const id = this.notes.push(note) - 1;
    this.noteIds.set(key, id);
    return id;
  }
}
