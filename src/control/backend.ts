/**
 * What control needs of the daemon, as types only: main.ts implements ControlBackend over nest objects and
 * hands it to the server. Control knows no protocol and no operating system.
 *
 * Small answers (status, protocols, interfaces, tables) are plain objects in exactly the shape of their JSON.
 * Routes are never objects: a million of them must not be held, so control reads the Rtable by ids and asks
 * the backend only for what the table does not know, and kernel routes arrive one by one through onRoute.
 * Interface names are latin1-decoded bytes everywhere; only the text side of krtctl escapes them.
 */

import type { Family } from "../lib/ip.ts";
import type { AttrsDraft } from "../nest/attrs-draft.ts";
import type { NodeId, RouteId, RouteType } from "../nest/route.ts";
import type { Rtable } from "../nest/rtable.ts";

export type DaemonState = "starting" | "syncing" | "in-sync" | "degraded" | "stopping";

export interface StatusReport {
  readonly version: string;
  readonly state: DaemonState;
  readonly "router-id": string | null;
  readonly pid: number;
  /** ISO 8601, as every time here. */
  readonly started: string;
  readonly "uptime-seconds": number;
  /** True under `krtd --observe`: nothing is ever written to the kernel. */
  readonly observe: boolean;
  readonly config: {
    readonly file: string;
    readonly loaded: string;
    readonly ok: boolean;
    readonly error: string | null;
    readonly "undo-in-seconds": number | null;
  };
  readonly counts: {
    readonly protocols: number;
    readonly routes: number;
    readonly nets: number;
    readonly interfaces: number;
  };
  readonly netlink: {
    readonly transport: string;
    readonly overruns: number;
    readonly resyncs: number;
    readonly forged: number;
    readonly truncated: number;
  };
  readonly "event-loop": { readonly "lag-p99-ms": number };
}

export interface TableReport {
  readonly name: string;
  readonly family: "ipv4" | "ipv6";
  readonly routes: number;
  readonly nets: number;
  /** The kernel protocol attached to it and its kernel table (`name` as configured: "main"), or null. */
  readonly kernel: {
    readonly protocol: string;
    readonly table: number;
    readonly name: string | null;
  } | null;
}

export interface ChangeCountersReport {
  readonly received: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly ignored: number;
  readonly accepted: number;
}

export interface ProtocolReport {
  readonly name: string;
  readonly type: "device" | "kernel" | "static";
  /** Null for a protocol without a table (device). */
  readonly table: string | null;
  readonly state: "down" | "starting" | "up" | "stopping";
  readonly since: string;
  readonly info: string;
  /** Absent without a table. */
  readonly routes?: { readonly imported: number; readonly exported: number; readonly preferred: number };
  readonly changes?: {
    readonly "import-updates": ChangeCountersReport;
    readonly "import-withdraws": ChangeCountersReport;
    readonly "export-updates": ChangeCountersReport;
    readonly "export-withdraws": ChangeCountersReport;
  };
  /** Kernel protocols only. */
  readonly kernel?: {
    readonly table: number;
    readonly scan: {
      readonly state: string;
      readonly count: number;
      readonly incomplete: number;
      readonly "last-at": string | null;
      readonly "last-duration-ms": number | null;
      readonly routes: number;
    };
    readonly writes: {
      readonly add: number;
      readonly replace: number;
      readonly delete: number;
      /** Refusals by errno name: {"ENETUNREACH": 2}. */
      readonly errors: Readonly<Record<string, number>>;
    };
    readonly learned: number;
    readonly drift: { readonly repaired: number };
  };
}

export interface InterfaceReport {
  readonly ifindex: number;
  readonly name: string;
  readonly up: boolean;
  readonly "admin-up": boolean;
  readonly "link-up": boolean;
  readonly loopback: boolean;
  readonly mtu: number;
  readonly mac: string | null;
  readonly kind: string | null;
  /** Name of the master device, or null. */
  readonly master: string | null;
  readonly flags: readonly string[];
  readonly addresses: readonly {
    readonly address: string;
    readonly peer: string | null;
    readonly scope: string;
    readonly flags: readonly string[];
    readonly preferred: boolean;
  }[];
}

/** How the kernel stands to a route; see interfaces.md §2. A route that is not the best of its net: "none". */
export type KernelState =
  | "synced"
  | "pending"
  | "waiting"
  | "failed"
  | "contested"
  | "filtered"
  | "learned"
  | "none";

/** The `kernel` member of a Route. Hand out the same object for equal states: control caches its JSON by identity. */
export interface RouteKernelReport {
  /** Name of the kernel protocol, or null when the table has none. */
  readonly protocol: string | null;
  readonly table: number | null;
  /** The metric it has, or would have, in the kernel. */
  readonly metric: number | null;
  readonly state: KernelState;
  /** Linux errno of the last refusal (positive), or null. */
  readonly errno: number | null;
  /** The kernel's own text, or krtd's sentence (names the rival), or null. */
  readonly message: string | null;
  readonly attempts: number;
  /** ISO 8601, or null: no timer runs. */
  readonly "next-retry": string | null;
}

export interface RouteTableView {
  readonly rtable: Rtable;
  /** Called for shown routes only; `route` is live. */
  kernel(node: NodeId, route: RouteId): RouteKernelReport;
}

/** One configured static route. */
export interface StaticRouteView {
  readonly protocol: string;
  readonly table: string;
  /** "203.0.113.0/24"; "0.0.0.0/0" for the default route. */
  readonly dst: string;
  readonly type: RouteType;
  readonly nexthops: readonly {
    readonly gateway: string | null;
    readonly dev: string | null;
    readonly weight: number;
    readonly flags: readonly string[];
  }[];
  readonly prefsrc: string | null;
  readonly mtu: number | null;
  readonly metric: number | null;
  readonly preference: number;
  readonly state: KernelState;
  readonly message: string | null;
  /** "krt.yaml:12". */
  readonly where: string;
}

/** One message of a kernel dump: KernelRoute of the OS port satisfies it. Valid only during the call. */
export interface KernelRouteView {
  readonly family: Family;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly length: number;
  readonly table: number;
  readonly protocol: number;
  readonly type: number;
  readonly scope: number;
  readonly tos: number;
  readonly metric: number;
  readonly rtmFlags: number;
  readonly attrs: AttrsDraft;
}

/** Source class of semantics §1; "skipped" is its last row. */
export type KernelRouteClass = "own" | "kernel" | "redirect" | "alien" | "skipped";

/** What the verdict machine would say now (semantics §3), or null where it has none (alien, skipped). */
export type KernelRouteVerdict = "create" | "seen" | "update" | "delete" | "ignore" | null;

export interface KernelRouteSink {
  /**
   * Takes one route. A returned promise means that the reader is slow: read on only when it resolved (the
   * rest of the current message buffer may still be handed in). When it rejects, the reader is gone: end.
   */
  (
    route: KernelRouteView,
    routeClass: KernelRouteClass,
    verdict: KernelRouteVerdict,
  ): Promise<void> | undefined;
}

export interface KernelQuery {
  /** Kernel table id, or null: every table a kernel protocol is attached to. */
  readonly table: number | null;
  /** Null: both. */
  readonly family: Family | null;
}

export interface KernelDumpOutcome {
  readonly complete: boolean;
  /** Why not, in words, or null. */
  readonly reason: string | null;
}

export interface ControlBackend {
  status(): StatusReport;
  tables(): readonly TableReport[];
  protocols(): readonly ProtocolReport[];
  interfaces(): readonly InterfaceReport[];
  /** Configured static routes, lazily: there may be a million. `protocol` null: of all static protocols. */
  statics(protocol: string | null): Iterable<StaticRouteView>;
  routeTables(): readonly RouteTableView[];
  /** Interfaces.deviceName: the name behind a nexthop's device (not 0). */
  deviceName(device: number): string;
  /** A fresh dump of the kernel's own view. Never rejects for what the kernel says: see the outcome. */
  kernelRoutes(query: KernelQuery, onRoute: KernelRouteSink): Promise<KernelDumpOutcome>;
  /** Asks the protocol for a scan now. False when it has none to do (static). `name` is one of protocols(). */
  scan(name: string): boolean;
  /** Starts the orderly stop; `keep`: the kernel's routes stay. Called after the answer was sent. */
  shutdown(options: { readonly keep: boolean }): void;
}
