/**
 * What control needs of the daemon: main.ts hands one ControlBackend to the server. It is small because control
 * reads the nest itself (tables by ids, protocols through nest/protocol.ts, interfaces): a route is never
 * turned into an object for an answer, and no rule is told twice. Only what belongs to the process as a whole
 * (status, shutdown) is asked of main.
 */

import type { Interfaces } from "../nest/iface.ts";
import type { ProtocolEntry } from "../nest/protocol.ts";
import type { Rtable } from "../nest/rtable.ts";

export type DaemonState = "starting" | "syncing" | "in-sync" | "degraded" | "stopping";

/** GET /v1/status as it is sent. Times are ISO 8601. */
export interface StatusReport {
  readonly version: string;
  readonly state: DaemonState;
  readonly "router-id": string | null;
  readonly pid: number;
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
    /** Routes that should be in a kernel table and are not: waiting for an event, or failed. */
    readonly waiting: number;
    readonly failed: number;
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

export interface ControlBackend {
  status(): StatusReport;
  /** Every table, master4 and master6 first. */
  tables(): readonly Rtable[];
  /** ProtoManager.all(). A kernel protocol belongs to the table of its channel. */
  protocols(): readonly ProtocolEntry[];
  readonly interfaces: Interfaces;
  /** Starts the orderly stop; `keep`: the kernel's routes stay. Called after the answer was sent. */
  shutdown(options: { readonly keep: boolean }): void;
}
