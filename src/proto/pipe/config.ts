/** What one pipe protocol needs to be told: the typed form of one entry under `pipe:` in krt.yaml. */

import type { Filter } from "../../nest/filter.ts";

export interface PipeConfig {
  readonly name: string;
  /** krtd's tables, by name: different, of one family and one network namespace. */
  readonly table: string;
  readonly peerTable: string;
  /** peerTable → table. */
  readonly import: Filter;
  /** table → peerTable. */
  readonly export: Filter;
}
