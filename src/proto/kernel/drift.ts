/** The last changes that others made to our routes: a ring of records, for the log, `show drift` and `watch`. */

import type { DriftRecord } from "../../nest/protocol.ts";

const KEPT = 1024;

export class DriftLog {
  private readonly ring: DriftRecord[] = [];
  private next = 0;

  /** Oldest first. */
  get records(): readonly DriftRecord[] {
    return [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)];
  }

  add(record: DriftRecord): void {
    if (this.ring.length < KEPT) {
      this.ring.push(record);
      return;
    }
    this.ring[this.next] = record;
    this.next = (this.next + 1) % KEPT;
  }
}
