/**
 * Whether routes of ours may stand in the kernel under another number than that of now: a former one, or that of the
 * instance before. The next instance has to take them for ours as long as that is so, and no longer: somebody else may
 * use the number then.
 */

import type { WriteCounters } from "./write-counters.ts";

/** What a dump showed. */
interface Shown {
  /** Some route of ours has another number. */
  readonly renumbered: boolean;
  /** One of those is never written to. */
  readonly keepsNumber: boolean;
}

export class Renumbering {
  private readonly counters: WriteCounters;
  private state: "none" | "writing" | "sure-to-be-some" = "none";
  /** When they were shown. */
  private failedBefore = 0;

  constructor(counters: WriteCounters) {
    this.counters = counters;
  }

  /** A complete dump is about to be acted on; that may yet be broken off. `proven`: what it does not show is not there. */
  begin({ renumbered }: Shown, proven: boolean): void {
    if (!renumbered && !proven) return;
    this.failedBefore = this.counters.failed;
    this.state = renumbered ? "sure-to-be-some" : "none";
  }

  /** All that the dump calls for is queued. */
  queued({ renumbered, keepsNumber }: Shown): void {
    if (renumbered) this.state = keepsNumber ? "sure-to-be-some" : "writing";
  }

  /** For a time when nothing is queued: what waits, or has failed, was deleted under the other number at least. */
  get possible(): boolean {
    if (this.state !== "writing") return this.state !== "none";
    return this.counters.failed > this.failedBefore;
  }
}
