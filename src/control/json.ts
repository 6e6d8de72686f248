/**
 * The answers of the API as types: what krtctl and other programs read. Keys are final (interfaces.md §2); more
 * may be added. Times are ISO 8601. Interface names are bytes shown as the characters U+0000–U+00FF.
 */

import type { ProtocolState } from "../nest/proto-state.ts";
import type { KernelRouteClass, KernelState, ProtocolType, ScanState } from "../nest/protocol.ts";
import type { RouteSourceType } from "../nest/route.ts";

export type { KernelState };

export interface ErrorJson {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
}

/** Where a route leads; the keys are those of `ip -j route`. */
export interface HopJson {
  readonly gateway?: string;
  /** A gateway of the other family. */
  readonly via?: { readonly family: "inet" | "inet6"; readonly host: string };
  readonly dev?: string;
}

export interface NexthopJson extends HopJson {
  readonly weight: number;
  readonly flags: readonly string[];
}

/** What any kind of route has. gateway/via/dev for one nexthop, nexthops for several. */
export interface AnyRouteJson extends HopJson {
  readonly dst: string;
  readonly type: string;
  /** Absent: none set. */
  readonly metric?: number;
  readonly prefsrc?: string;
  readonly mtu?: number;
  /** RTAX metrics other than the MTU. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly realm?: number;
  readonly flags: readonly string[];
  readonly nexthops?: readonly NexthopJson[];
  /** It carries something krtd does not understand. */
  readonly opaque?: boolean;
}

export interface RouteKernelJson {
  readonly protocol: string | null;
  readonly table: number | null;
  readonly metric: number | null;
  readonly state: KernelState;
  readonly errno: number | null;
  readonly message: string | null;
  readonly attempts: number;
  readonly "next-retry": string | null;
  /** The foreign route that stands at our key. */
  readonly rival?: string;
}

export interface RouteJson extends AnyRouteJson {
  readonly table: string;
  readonly source: string;
  readonly "source-type": RouteSourceType;
  readonly preference: number;
  readonly best: boolean;
  readonly since: string;
  readonly kernel: RouteKernelJson;
}

export interface KernelRouteJson extends AnyRouteJson {
  readonly table: number;
  readonly protocol: string;
  readonly "protocol-id": number;
  readonly scope: string;
  readonly tos?: number;
  readonly class: KernelRouteClass;
  readonly verdict: string;
}

export interface StaticRouteJson extends AnyRouteJson {
  readonly protocol: string;
  readonly table: string;
  readonly preference: number;
  readonly "in-table": boolean;
  readonly best: boolean;
  /** Null when the route is not in the table. */
  readonly kernel: RouteKernelJson | null;
}

export interface CountJson {
  readonly count: number;
}

export interface TableJson {
  readonly name: string;
  readonly family: "ipv4" | "ipv6";
  readonly routes: number;
  readonly nets: number;
  readonly kernel: { readonly protocol: string; readonly table: number; readonly name: string | null } | null;
}

export interface ChangeCountersJson {
  readonly received: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly ignored: number;
  readonly accepted: number;
}

export interface KernelProtocolJson {
  readonly table: number;
  readonly scan: {
    readonly state: ScanState;
    readonly count: number;
    readonly incomplete: number;
    readonly "last-at": string | null;
    readonly "last-duration-ms": number | null;
    readonly "last-problem": string | null;
    readonly routes: number;
  };
  readonly writes: {
    readonly add: number;
    readonly replace: number;
    readonly delete: number;
    readonly errors: Readonly<Record<string, number>>;
  };
  readonly queued: number;
  readonly waiting: number;
  readonly failed: number;
  readonly learned: number;
  readonly drift: { readonly repaired: number };
}

export interface ProtocolJson {
  readonly name: string;
  readonly type: ProtocolType;
  readonly table: string | null;
  readonly state: ProtocolState;
  readonly since: string;
  readonly info: string;
  readonly routes?: { readonly imported: number; readonly exported: number; readonly preferred: number };
  readonly changes?: {
    readonly "import-updates": ChangeCountersJson;
    readonly "import-withdraws": ChangeCountersJson;
    readonly "export-updates": ChangeCountersJson;
    readonly "export-withdraws": ChangeCountersJson;
  };
  readonly kernel?: KernelProtocolJson;
}

export interface AddressJson {
  readonly address: string;
  readonly peer: string | null;
  readonly scope: string;
  readonly flags: readonly string[];
  readonly preferred: boolean;
}

export interface InterfaceJson {
  readonly ifindex: number;
  readonly name: string;
  readonly up: boolean;
  readonly "admin-up": boolean;
  readonly "link-up": boolean;
  readonly loopback: boolean;
  readonly mtu: number;
  readonly mac: string | null;
  readonly kind: string | null;
  readonly master: string | null;
  readonly flags: readonly string[];
  readonly addresses: readonly AddressJson[];
}

export interface ScanJson {
  readonly started: readonly string[];
}

export interface ShutdownJson {
  readonly stopping: true;
  readonly keep: boolean;
}
