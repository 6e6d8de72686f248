/**
 * The protocol contract: what the manager and the control API may ask of any protocol. Each hook is
 * documented here once; the folders under proto/ only implement them.
 *
 * Order of life: start() of every protocol in dependency order (device, kernel, then the route sources),
 * then sourcesFed() of all, which lets the kernel protocols judge: before that they would take routes for
 * stale that nobody had the time to announce. At a shutdown freeze() of all comes first, then stop() in
 * reverse order.
 */

import type { Family, IpAddress } from "../lib/ip.ts";
import type { Prefix } from "../lib/prefix.ts";
import type { Channel } from "./channel.ts";
import type { ProtocolState } from "./proto-state.ts";
import type { NodeId, RouteAttrs } from "./route.ts";
import type { Rtable } from "./rtable.ts";

export type ProtocolType = "device" | "kernel" | "static" | "direct" | "pipe";

export interface StopOptions {
  /** Leave what this protocol put into the kernel (planned restart, or another instance takes over). */
  readonly keep: boolean;
}

export interface Protocol {
  readonly name: string;
  readonly type: ProtocolType;
  /** The channels to its tables: none for a device protocol, two for a pipe (its own table first). */
  readonly channels: readonly Channel[];
  /** Network namespace whose kernel it deals with; null: the daemon's own. */
  readonly netns: string | null;
  /** Present on protocols that keep a kernel table in sync. */
  readonly kernel?: KernelFacet;
  /** Present on what stands for a kernel protocol whose network namespace is not there: it has no channel. */
  readonly absentKernel?: AbsentKernel;
  /** Present on protocols with configured routes. */
  readonly static?: StaticFacet;
  /** Begins work. Resolves when it has done its first part (device: interfaces read; static: routes fed). */
  start(): Promise<void>;
  /** Every route source has announced what it has. */
  sourcesFed?(): void;
  /** The daemon is about to stop: changes of the table are no longer to be followed. */
  freeze?(): void;
  /**
   * Resolves when it has announced all it has for the time being: a kernel protocol that learns, after its first
   * complete scan. Absent: that is so when start() resolves.
   */
  readonly fed?: Promise<void>;
  /** Every source of routes has fed, those that need a scan too: what the kernel has beyond may be deleted. */
  allFed?(): void;
  /** Announces its routes again and has its exports judged again, as after a change of a filter. */
  reload?(): Promise<void>;
  /** Ends work and undoes it as far as `options` ask. Idempotent. A stopped protocol is not started again. */
  stop(options: StopOptions): Promise<void>;
  /**
   * Scans now; resolves with whether the scan was complete. One more scan runs if one is under way. `force`: what nobody
   * wants is deleted, however much it is (safety.max-delete-percent).
   */
  scan?(options?: { readonly force: boolean }): Promise<boolean>;
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
  /**
   * What a scan would make of it now: "seen", "update", "delete", "protected" (that of these which safety.protect
   * forbids), "ignore", "learn" or "changed during scan".
   */
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
  /** Prefixes that somebody keeps changing, and krtd has stopped repairing for a while. */
  readonly contested: number;
  /** Own routes that were missing or changed in the kernel and put right. */
  readonly repaired: number;
  /** Routes of ours that nobody wants, and that are too many to be deleted unasked (safety.max-delete-percent). */
  readonly withheld: number;
  /** Changes that wait to be written. */
  readonly queued: number;
  /** Routes of ours that wait for an event, and that have failed, now. */
  readonly waiting: number;
  readonly failed: number;
}

/** A change of our routes by somebody else, as krtd met it. */
export interface DriftRecord {
  /** Wall clock, ms. */
  readonly at: number;
  /** Name of the kernel protocol. */
  readonly protocol: string;
  readonly prefix: Prefix;
  readonly metric: number;
  /** deleted: it was gone. changed: it had other attributes. taken: a foreign route replaced it. */
  readonly kind: "deleted" | "changed" | "taken";
  /** An event told of it, or a scan found it. */
  readonly seenBy: "event" | "scan";
  /** Netlink port of who did it (mostly a process id); null when not known. */
  readonly port: number | null;
  /** What stood there before and what stands there now; null: nothing, or not known. */
  readonly before: RouteAttrs | null;
  readonly after: RouteAttrs | null;
  /** What krtd did: put right at once, left to the next scan, or left alone (contested, foreign route, observing). */
  readonly reaction: "repaired" | "scan" | "left";
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
  /** The last changes of our routes by others, oldest first; at most 1,024. */
  readonly drift: readonly DriftRecord[];
  /** How the best route of the node stands with the kernel. */
  status(node: NodeId): KernelRouteStatus;
  /** Dumps the kernel table afresh. Resolves with null, or with why the dump was not complete. */
  dump(onRoute: (route: KernelRouteView) => void): Promise<string | null>;
}

/** Where a kernel protocol will work as soon as it can. */
export interface AbsentKernel {
  readonly table: Rtable;
  /** Full kernel table id. */
  readonly kernelTable: number;
}

export interface StaticRouteView {
  readonly prefix: Prefix;
  /**
   * What is announced. Null while a recursive route has no way, the link of its only nexthops is down, or the protocol
   * does not run.
   */
  readonly attrs: RouteAttrs | null;
  /** While `attrs` is null: what the configuration says of it, without nexthops for a recursive route. Else null. */
  readonly configured: RouteAttrs | null;
  /** The address a recursive route follows, or null. */
  readonly recursive: IpAddress | null;
  /** Own metric, or null for the kernel protocol's default. */
  readonly metric: number | null;
  readonly preference: number;
}

export interface StaticFacet {
  readonly count: number;
  /** The i-th configured route (0 ≤ i < count), in the order of the configuration. */
  route(i: number): StaticRouteView;
}

/** What is kept about a protocol beside the protocol itself. */
export interface ProtocolEntry {
  /** The instance that runs now; a restart makes another one. */
  readonly protocol: Protocol;
  /** Switched off by hand. */
  readonly disabled: boolean;
  readonly state: ProtocolState;
  /** Wall clock, ms, of the last change of state. */
  readonly since: number;
  /** Why it did not start, while it is down for that; else null or absent. */
  readonly problem?: string | null;
}
