/**
 * Routes as objects, for everything that is not hot: configuration, control, logs, explain. The hot path
 * holds the same facts as words (attrs-draft.ts) and ids.
 */

import type { IpAddress } from "../lib/ip.ts";

/** Ids count from 1; 0 is "none", so that zeroed arrays mean nothing. */
export type NodeId = number;
export type RouteId = number;
export type AttrsId = number;

export const NONE = 0;

export type RouteType = "unicast" | "blackhole" | "unreachable" | "prohibit" | "throw";

/** linux/rtnetlink.h: RTN_* */
export const ROUTE_TYPE_NUMBERS: Readonly<Record<RouteType, number>> = {
  unicast: 1,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
};

/** The name of an RTN_* number krtd handles, or null. */
export function routeTypeName(type: number): RouteType | null {
  switch (type) {
    case 1:
      return "unicast";
    case 6:
      return "blackhole";
    case 7:
      return "unreachable";
    case 8:
      return "prohibit";
    case 9:
      return "throw";
    default:
      return null;
  }
}

export interface Nexthop {
  readonly gateway: IpAddress | null;
  /** > 0: ifindex; 0: none given, the kernel chooses; < 0: a named device that does not exist (Interfaces.deviceName). */
  readonly device: number;
  /** 1–256. */
  readonly weight: number;
  readonly onlink: boolean;
  /** It has an encapsulation krtd does not understand. */
  readonly opaque: boolean;
}

export interface RouteAttrs {
  readonly type: RouteType;
  readonly nexthops: readonly Nexthop[];
  readonly prefsrc: IpAddress | null;
  /** rt_scope, or null when not set. */
  readonly scope: number | null;
  /** Realm, 0 = none. */
  readonly flow: number;
  /** By RTAX_* number: 2 is the MTU. */
  readonly metrics: ReadonlyMap<number, number>;
  /** It carries something krtd does not understand. */
  readonly opaque: boolean;
}

/** How a route came into a table. */
export type RouteSourceType = "static" | "direct" | "inherit" | "pipe";
