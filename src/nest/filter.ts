/**
 * Filters: what passes through a channel, and how it is changed on the way. A filter sees a route through a
 * FilteredRoute that its channel fills again for every route, and may change attrs, metric and preference there.
 */

import type { Family } from "../lib/ip.ts";
import type { AttrsTable } from "./attrs.ts";
import type { AttrsId, RouteSourceType } from "./route.ts";

/** One route on its way through a channel; filled again for every route. */
export interface FilteredRoute {
  family: Family;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  length: number;
  attrs: AttrsId;
  /** Kernel metric of its own; 0: not set. */
  metric: number;
  preference: number;
  /** Name of the protocol that announced it to the table it comes from (import: that imports it). */
  source: string;
  sourceType: RouteSourceType;
  /** rtm_protocol of a learned route, else 0. */
  protocol: number;
}

/** One to be filled, for a channel of this family. */
export function emptyFilteredRoute(
  family: Family,
  source: string,
  sourceType: RouteSourceType,
): FilteredRoute {
  const none = { w0: 0, w1: 0, w2: 0, w3: 0, length: 0, attrs: 0, metric: 0, preference: 0, protocol: 0 };
  return { family, ...none, source, sourceType };
}

export interface FilterContext {
  readonly attrs: AttrsTable;
  /** The name (latin1) behind a nexthop's device number. */
  readonly deviceName: (device: number) => string;
}

export interface Filter {
  /** "all", "none", or the name under `filters:`. */
  readonly name: string;
  /** Equal for filters that treat every route the same. */
  readonly key: string;
  /** True: what it says can change when an interface gets another name. */
  readonly asksDevices: boolean;
  /** True: no route passes at all. */
  readonly rejectsAll: boolean;
  /**
   * Whether the route passes. What it changes is in `route` then; a changed `attrs` comes with one reference for the
   * caller, the one that came in keeps its own. Nothing is changed in a route that does not pass.
   */
  apply(route: FilteredRoute, context: FilterContext): boolean;
}

export const ACCEPT_ALL: Filter = {
  name: "all",
  key: "all",
  asksDevices: false,
  rejectsAll: false,
  apply: () => true,
};

export const REJECT_ALL: Filter = {
  name: "none",
  key: "none",
  asksDevices: false,
  rejectsAll: true,
  apply: () => false,
};
