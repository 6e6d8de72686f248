/**
 * The answers of the API as types: what krtctl and other programs read. Keys are final (interfaces.md §2); more
 * may be added. Times are ISO 8601. Interface names are bytes shown as the characters U+0000–U+00FF.
 */

import type { ProtocolState } from "../nest/proto-state.ts";
import type {
  DriftRecord,
  KernelRouteClass,
  KernelState,
  ProtocolType,
  ScanState,
} from "../nest/protocol.ts";
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

export interface MetricsJson {
  readonly [name: string]: number | string | readonly string[];
}

/** What a route says beside its prefix and metric. gateway/via/dev for one nexthop, nexthops for several. */
export interface RouteAttrsJson extends HopJson {
  readonly type: string;
  readonly prefsrc?: string;
  readonly mtu?: number;
  /** RTAX metrics other than the MTU, by iproute2's names; times in milliseconds. */
  readonly metrics?: MetricsJson;
  /** Absent: none set, or global. Kernel routes always have it. */
  readonly scope?: string;
  readonly realm?: number;
  readonly flags: readonly string[];
  readonly nexthops?: readonly NexthopJson[];
  /** It carries something krtd does not understand. */
  readonly opaque?: boolean;
}

/** What any kind of route has. */
export interface AnyRouteJson extends RouteAttrsJson {
  readonly dst: string;
  /** Absent: none set. */
  readonly metric?: number;
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
  /** What is exported instead of the route's own attributes: a filter or merging changed them. */
  readonly as?: RouteAttrsJson;
}

export interface RouteJson extends AnyRouteJson {
  readonly table: string;
  readonly source: string;
  readonly "source-type": RouteSourceType;
  readonly preference: number;
  readonly best: boolean;
  readonly since: string;
  /** rtm_protocol of a learned route, by name and number. */
  readonly protocol?: string;
  readonly "protocol-id"?: number;
  /** Its nexthops were found by looking up another route. */
  readonly recursive?: true;
  /** The tables it came through by pipes, first to last. */
  readonly trail?: readonly string[];
  readonly kernel: RouteKernelJson;
}

export interface KernelRouteJson extends AnyRouteJson {
  /** Absent: the daemon's own network namespace. */
  readonly netns?: string;
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
  /** The address whose way it goes. */
  readonly recursive?: string;
  /** It has no way now: the recursive address leads nowhere, or the links it needs are down. */
  readonly unresolved?: true;
  readonly preference: number;
  readonly "in-table": boolean;
  readonly best: boolean;
  /** Null when the route is not in the table. */
  readonly kernel: RouteKernelJson | null;
  /** Why it is not in the table; absent when it is. */
  readonly reason?: string;
}

export interface CountJson {
  readonly count: number;
}

export interface TableJson {
  readonly name: string;
  readonly family: "ipv4" | "ipv6";
  /** Network namespace its routes lead into; null: the daemon's own. */
  readonly netns: string | null;
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
  readonly withheld: number;
  readonly waiting: number;
  readonly failed: number;
  readonly learned: number;
  /** Prefixes that somebody keeps changing, and krtd has stopped repairing for a while. */
  readonly contested: number;
  readonly drift: { readonly repaired: number };
}

/** What passed through one channel, or through all of a protocol's. */
export interface TrafficJson {
  readonly routes: { readonly imported: number; readonly exported: number; readonly preferred: number };
  readonly changes: {
    readonly "import-updates": ChangeCountersJson;
    readonly "import-withdraws": ChangeCountersJson;
    readonly "export-updates": ChangeCountersJson;
    readonly "export-withdraws": ChangeCountersJson;
  };
}

export interface ChannelJson extends TrafficJson {
  readonly table: string;
  /** Names of the filters. */
  readonly import: string;
  readonly export: string;
}

/** `routes` and `changes` are the sums over all channels; absent without any. */
export interface ProtocolJson extends Partial<TrafficJson> {
  readonly name: string;
  readonly type: ProtocolType;
  /** That of its first channel, or null. */
  readonly table: string | null;
  readonly tables: readonly string[];
  /** Of a pipe: the table at its other end. */
  readonly "peer-table"?: string;
  /** Network namespace whose kernel it deals with; null: the daemon's own. */
  readonly netns: string | null;
  readonly state: ProtocolState;
  /** Switched off by hand. */
  readonly disabled: boolean;
  readonly since: string;
  readonly info: string;
  readonly channels?: readonly ChannelJson[];
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
  /** Present when several network namespaces are served; null: the daemon's own. */
  readonly netns?: string | null;
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

/** A change of a route of ours by somebody else. */
export interface DriftJson {
  readonly at: string;
  readonly protocol: string;
  readonly table: number;
  readonly dst: string;
  readonly metric: number;
  readonly kind: DriftRecord["kind"];
  readonly "seen-by": DriftRecord["seenBy"];
  /** Netlink port of who did it, mostly a process id; 0: the kernel itself; null: not known. */
  readonly port: number | null;
  /** What stood there before and after; null: nothing, or not known. */
  readonly before: RouteAttrsJson | null;
  readonly after: RouteAttrsJson | null;
  readonly reaction: DriftRecord["reaction"];
}
