/** The answers of explain and diff as types (interfaces.md §2). Keys are final; more may be added. */

import type { RouteSourceType } from "../nest/route.ts";
import type { AnyRouteJson, KernelRouteJson, RouteJson, RouteKernelJson } from "./json.ts";

export type ExplainVerdict = "installed" | "not-installed" | "no-such-route";

export type ExplainStepName =
  | "source"
  | "import-filter"
  | "best"
  | "export-filter"
  | "nexthop"
  | "key"
  | "write"
  | "kernel";

/** One station on a route's way into the kernel. */
export interface ExplainStepJson {
  readonly step: ExplainStepName;
  readonly ok: boolean;
  readonly detail: string;
}

/** A route as the kernel is to have it: after the export filter and merging, with its kernel metric. */
export interface WantedJson extends AnyRouteJson {
  /** krtd's table. */
  readonly table: string;
  readonly source: string;
  readonly "source-type": RouteSourceType;
  readonly kernel: RouteKernelJson;
}

export interface ExplainJson {
  readonly dst: string;
  readonly table: string;
  /** The address that was asked for, when `dst` is its longest match. */
  readonly address: string | null;
  readonly verdict: ExplainVerdict;
  /** One sentence: why, and what to do. */
  readonly reason: string;
  /** As far as the route came; the last one is what the kernel shows. */
  readonly steps: readonly ExplainStepJson[];
  /** The best route of the net, or null. */
  readonly route: RouteJson | null;
  readonly wanted: WantedJson | null;
  /** Every route of the net in the kernel table, whoever owns it. */
  readonly "kernel-routes": readonly KernelRouteJson[];
  /** The foreign route at the very key that krtd wants. */
  readonly rival: KernelRouteJson | null;
  /**
   * What covers the net, or the address, with the longest other prefix: in krtd's table (only when that has no route of
   * the net) and in the kernel table.
   */
  readonly covering: { readonly route: RouteJson | null; readonly kernel: KernelRouteJson | null };
}

export interface DiffJson {
  readonly op: "add" | "replace" | "delete";
  /** Network namespace of the kernel table; absent: the daemon's own. */
  readonly netns?: string;
  /** Kernel table id. */
  readonly table: number;
  readonly dst: string;
  readonly wanted: WantedJson | null;
  readonly kernel: KernelRouteJson | null;
  readonly reason: string;
}
