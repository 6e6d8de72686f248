/**
 * What one kernel protocol needs to be told: the typed form of one entry under `kernel:` in krt.yaml.
 * The protocol's address family is that of its table.
 */

import type { Filter } from "../../nest/filter.ts";
import type { PrefixPattern } from "../../nest/prefix-patterns.ts";

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
  /** Applied to learned routes. */
  readonly import: Filter;
  readonly export: Filter;
  /** Most nexthops of an ECMP route made of equally good routes, 2–128 (IPv6: 64); 1: only the best route counts. */
  readonly mergePaths: number;
  /** Network namespace of the kernel table: a name of `ip netns` or a path; null: the daemon's own. */
  readonly netns: string | null;
}

/** What a kernel protocol must not do, whatever its table says: `safety:` in krt.yaml. */
export interface SafetyConfig {
  /** 1–100. More than this share of krtd's routes in one kernel table is not deleted at once unasked; 100: no limit. */
  readonly maxDeletePercent: number;
  /** Nothing is ever deleted or replaced at these prefixes; of both families. */
  readonly protect: readonly PrefixPattern[];
}
