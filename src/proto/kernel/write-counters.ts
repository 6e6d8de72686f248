/** What came of the changes that were sent, for reports. */

import { errnoName } from "../../lib/errno.ts";
import { ROUTE_ADD, ROUTE_REPLACE, UNKNOWN_OUTCOME } from "../../sysdep/os.ts";

export class WriteCounters {
  /** Acknowledged. */
  add = 0;
  replace = 0;
  delete = 0;
  /** Refused, by errno name; "unknown": no answer came. */
  readonly errors: Map<string, number> = new Map();

  /** Refused, or without an answer. */
  get failed(): number {
    let failed = 0;
    for (const count of this.errors.values()) failed += count;
    return failed;
  }

  /** `op` is ROUTE_*, `errno` as in RouteBatch. */
  note(op: number, errno: number): void {
    if (errno !== 0) {
      const name = errno === UNKNOWN_OUTCOME ? "unknown" : errnoName(errno);
      this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
    } else if (op === ROUTE_ADD) this.add++;
    else if (op === ROUTE_REPLACE) this.replace++;
    else this.delete++;
  }
}
