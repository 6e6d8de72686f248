/**
 * The protocol contract: what the manager and the control API may ask of any protocol. Each hook is
 * documented here once; the folders under proto/ only implement them.
 *
 * Order of life: start() of every protocol in dependency order (device, kernel, then the route sources),
 * then sourcesFed() of all, which lets the kernel protocols judge: before that they would take routes for
 * stale that nobody had the time to announce. At a shutdown freeze() of all comes first, then stop() in
 * reverse order.
 */

import type { Family } from "../lib/ip.ts";
import type { Prefix } from "../lib/prefix.ts";
import type { Channel } from "./channel.ts";
import type { ProtocolState } from "./proto-state.ts";
import type { NodeId, RouteAttrs } from "./route.ts";

export type ProtocolType = "device" | "kernel" | "static";

export interface StopOptions {
  /** Leave what this protocol put into the kernel (planned restart). */
  readonly keep: boolean;
}

export interface Protocol {
  readonly name: string;
  readonly type: ProtocolType;
  /** The channel to its table, or null for protocols without routes. */
  readonly channel: Channel | null;
  /** Present on protocols that keep a kernel table in sync. */
  readonly kernel?: KernelFacet;
  /** Present on protocols with configured routes. */
  readonly static?: StaticFacet;
  /** Begins work. Resolves when it has done its first part (device: interfaces read; static: routes fed). */
  start(): Promise<void>;
  /** Every route source has announced what it has. */
  sourcesFed?(): void;
  /** The daemon is about to stop: changes of the table are no longer to be followed. */
  freeze?(): void;
  /** Ends work and undoes it as far as `options` ask. Idempotent. */
  stop(options: StopOptions): Promise<void>;
  /** Scans now; resolves with whether the scan was complete. One more scan runs if one is under way. */
  scan?(): Promise<boolean>;
  /** A few words for `show protocols`: what it is doing or why it does not work; "" when all is well. */
  info(): string;
}

/** How a route stands with the kernel (interfaces.md §2, `kernel.state`). */
export type KernelState =
  | "synced"
  | "pending"
  | "waiting"
  | "failed"
  | "contested"
  | "filtered"
  | "learned"
  | "none";

export interface KernelRouteStatus {
  readonly state: KernelState;
  /** The metric it has, or would have, in the kernel. */
  readonly metric: number;
  /** errno of the last write, or null. */
  readonly errno: number | null;
  /** What the kernel said, or why krtd did not ask it; null when there is nothing to say. */
  readonly message: string | null;
  /** Failed writes since it last worked. */
  readonly attempts: number;
  /** Wall clock, ms; null when it waits for an event or is settled. */
  readonly nextRetryAt: number | null;
  /** The foreign route at our key, in words, or null. */
  readonly rival: string | null;
}

export type KernelRouteClass = "ours" | "redirect" | "kernel" | "alien" | "skipped";

/** A route of the kernel's own table, as `show kernel` tells it. */
export interface KernelRouteView {
  readonly prefix: Prefix;
  readonly table: number;
  /** rtm_protocol. */
  readonly protocol: number;
  /** rtm_type, rt_scope and tos as numbers: not every kernel route has a type krtd handles. */
  readonly type: number;
  readonly scope: number;
  readonly tos: number;
  readonly metric: number;
  readonly attrs: RouteAttrs;
  readonly class: KernelRouteClass;
  /** What a scan would make of it now: "seen", "update", "delete", "ignore", "learn" or "changed during scan". */
  readonly verdict: string;
}

export type ScanState = "init" | "first-scan" | "pruning" | "idle" | "scanning";

export interface KernelReport {
  readonly table: number;
  readonly scan: {
    readonly state: ScanState;
    readonly count: number;
    readonly incomplete: number;
    /** Wall clock, ms, or null before the first scan. */
    readonly lastAt: number | null;
    readonly lastDurationMs: number | null;
    /** Why the last scan was not complete, or null. */
    readonly lastProblem: string | null;
    /** Messages of the last scan. */
    readonly routes: number;
  };
  readonly writes: {
    readonly add: number;
    readonly replace: number;
    readonly delete: number;
    /** Failed writes by errno name. */
    readonly errors: Readonly<Record<string, number>>;
  };
  readonly learned: number;
  /** Own routes that were missing or changed in the kernel and put right. */
  readonly repaired: number;
  /** Changes that wait to be written. */
  readonly queued: number;
  /** Routes of ours that wait for an event, and that have failed, now. */
  readonly waiting: number;
  readonly failed: number;
}

/** What a protocol that syncs a kernel table can be asked. */
export interface KernelFacet {
  readonly family: Family;
  /** Full kernel table id. */
  readonly kernelTable: number;
  /** The first complete scan was pruned and all it asked for was written. */
  readonly inSync: boolean;
  /** Resolves when `inSync` was true for the first time. Pending for ever when that never happens. */
  readonly firstSync: Promise<void>;
  report(): KernelReport;
  /** How the best route of the node stands with the kernel. */
  status(node: NodeId): KernelRouteStatus;
  /** Dumps the kernel table afresh. Resolves with null, or with why the dump was not complete. */
  dump(onRoute: (route: KernelRouteView) => void): Promise<string | null>;
}

export interface StaticRouteView {
  readonly prefix: Prefix;
  readonly attrs: RouteAttrs;
  /** Own metric, or null for the kernel protocol's default. */
  readonly metric: number | null;
  readonly preference: number;
}

export interface StaticFacet {
  readonly count: number;
  /** The i-th configured route (0 ≤ i < count), in the order of the configuration. */
  route(i: number): StaticRouteView;
}

/** What is kept about a running protocol beside the protocol itself. */
export interface ProtocolEntry {
  readonly protocol: Protocol;
  readonly state: ProtocolState;
  /** Wall clock, ms, of the last change of state. */
  readonly since: number;
}
