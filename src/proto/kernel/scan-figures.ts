/** What the scans of one kernel protocol came to, as told to whoever asks. */

import type { KernelReport, ScanState } from "../../nest/protocol.ts";

export class ScanFigures {
  count = 0;
  incomplete = 0;
  /** Since the last complete one. */
  failedInRow = 0;
  /** Wall clock. */
  lastAt: number | null = null;
  lastDurationMs: number | null = null;
  /** Why the last one was not complete, or null. */
  lastProblem: string | null = null;
  /** Messages of the last one. */
  routes = 0;

  failed(problem: string): void {
    this.incomplete++;
    this.failedInRow++;
    this.lastProblem = problem;
  }

  succeeded(): void {
    this.failedInRow = 0;
    this.lastProblem = null;
  }

  report(state: ScanState): KernelReport["scan"] {
    const { count, incomplete, lastAt, lastDurationMs, lastProblem, routes } = this;
    return { state, count, incomplete, lastAt, lastDurationMs, lastProblem, routes };
  }
}
