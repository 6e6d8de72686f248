/**
 * What one kernel protocol needs to be told: the typed form of one entry under `kernel:` in krt.yaml.
 * The protocol's address family is that of its table.
 */

/** false: leave others' routes alone; true: learn those of other daemons; "all": the kernel's own (connected) too. */
export type Learn = false | true | "all";

export interface KernelConfig {
  readonly name: string;
  /** krtd's table, by name. */
  readonly table: string;
  /** The kernel's table id, 1–4294967295, never 255 (local). */
  readonly kernelTable: number;
  /** The name the operator gave instead of the number ("main"), or null. For display. */
  readonly kernelTableName: string | null;
  /** Milliseconds between two scans; 0: at start and on demand only. */
  readonly scanTimeMs: number;
  /** RTA_PRIORITY of routes that carry no metric of their own, 0–4294967295; never 0 for IPv6. */
  readonly metric: number;
  readonly learn: Learn;
  /** Leave the routes in the kernel at an orderly stop. */
  readonly persist: boolean;
  readonly import: "all" | "none";
  readonly export: "all" | "none";
}
