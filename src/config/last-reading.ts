/**
 * The last krt.yaml that was right, and what it means. A reload of one static protocol reads krt.yaml again, which is
 * nearly always what it was: then only the protocol's route files are new. What is compared is the bytes, for no time
 * stamp of a file is fine enough.
 */

import type { Reading } from "./reading.ts";

/** What is kept of a larger file, forty times its size, would be too much for what it saves. */
const KEPT_BYTES = 64 * 1024;

/** What stays true as long as the bytes are the same. */
export type Understood = Pick<Reading, "input" | "tree" | "tables" | "filters">;

export class LastReading {
  private last: { file: string; bytes: Uint8Array; understood: Understood } | null = null;

  /** What the same bytes meant under the same name; null: they have to be understood. */
  find(file: string, bytes: Uint8Array): Understood | null {
    const { last } = this;
    if (last === null || last.file !== file || Buffer.compare(last.bytes, bytes) !== 0) return null;
    return last.understood;
  }

  /** For a reading without problems. */
  keep(file: string, bytes: Uint8Array, { input, tree, tables, filters }: Reading): void {
    const small = bytes.length <= KEPT_BYTES;
    this.last = small ? { file, bytes, understood: { input, tree, tables, filters } } : null;
  }
}
