/** What one direct protocol needs to be told: the typed form of one entry under `direct:` in krt.yaml. */

import type { Filter } from "../../nest/filter.ts";

export interface DirectConfig {
  readonly name: string;
  /** krtd's tables, by name, at most one per family, all of one network namespace. */
  readonly tables: readonly string[];
  /**
   * Patterns of interface names, latin1, with * and ?; one that begins with "!" excludes. A name is
   * taken that fits some pattern and no exclusion; when all patterns exclude, any that fits none. Empty: every interface.
   */
  readonly interfaces: readonly string[];
  /** 0–65535. */
  readonly preference: number;
  readonly import: Filter;
}
