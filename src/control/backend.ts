/**
 * What control needs of the daemon: main.ts hands one ControlBackend to the server. It is small because control
 * reads the nest itself (tables by ids, protocols through nest/protocol.ts, interfaces): a route is never
 * turned into an object for an answer, and no rule is told twice. Only what belongs to the process as a whole
 * (status, configuration, shutdown) and the life of protocols is asked of the daemon.
 */

import type { ConfigPlan } from "../config/plan.ts";
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
    /** Routes of krtd's that nobody wants and that are too many to be deleted unasked. */
    readonly withheld: number;
    readonly interfaces: number;
  };
  readonly netlink: {
    readonly transport: string;
    readonly overruns: number;
    readonly resyncs: number;
    readonly forged: number;
    readonly truncated: number;
    /** What is done about lost notifications: live is nothing. */
    readonly resync: {
      readonly state: "live" | "lost" | "drain" | "dump" | "replay" | "closed";
      /** Why everything was read again the last time. */
      readonly "last-reason": string | null;
      readonly "last-at": string | null;
      /** From the loss until notifications were told again. */
      readonly "last-ms": number | null;
    };
  };
  readonly "event-loop": { readonly "lag-p99-ms": number };
  /** Present when other network namespaces than the daemon's own are served; the own one (null) is among them. */
  readonly namespaces?: readonly { readonly name: string | null; readonly problem: string | null }[];
}

/** One network namespace that is served. */
export interface NamespaceView {
  /** As the configuration names it; null: the daemon's own. */
  readonly name: string | null;
  /** Empty while there is no such namespace. */
  readonly interfaces: Interfaces;
  /** Why it cannot be served now, or null. */
  readonly problem: string | null;
}

export interface ConfigureRequest {
  /** Path as given, or null: the running file. */
  readonly file: string | null;
  /**
   * check: only read. plan: only say what would change. soft: changed filters apply to routes that change from now on.
   */
  readonly mode: "apply" | "soft" | "check" | "plan";
  /** Go back by itself after this time unless confirmed; null: never. */
  readonly undoAfterMs: number | null;
  /** However much it deletes from the kernel. Default: false. */
  readonly force?: boolean;
}

export type ConfigureResult =
  | { readonly ok: true; readonly file: string; readonly plan: ConfigPlan; readonly applied: boolean }
  /**
   * The file cannot be used: all of its problems, rendered. No text of a file other than the running one may be quoted
   * there: krtd can read files that the one who asks cannot.
   */
  | { readonly ok: false; readonly file: string; readonly problems: string }
  /** It is good, but would delete too much (safety.max-delete-percent): nothing was changed. */
  | { readonly ok: false; readonly file: string; readonly tooMany: RefusedDeletions };

/** Why a change was not made, and how to have it all the same. */
export interface RefusedDeletions {
  readonly message: string;
  readonly hint: string | null;
}

export type ProtocolAction = "enable" | "disable" | "restart" | "reload";

/** Why something was not done to a protocol. */
export interface ActRefusal {
  /**
   * already: it is as was asked for. bad-config: what would be read again cannot be used; the reason are all of its
   * problems, rendered, in lines. too-many-deletions: it would delete too much from the kernel. refused: anything else.
   */
  readonly code: "already" | "bad-config" | "too-many-deletions" | "refused";
  readonly reason: string;
  /** How to have what would delete too much. */
  readonly hint?: string;
}

export interface ControlBackend {
  status(): StatusReport;
  /** Every table, master4 and master6 first. */
  tables(): readonly Rtable[];
  /** ProtoManager.all(). A kernel protocol belongs to the table of its channel. */
  protocols(): readonly ProtocolEntry[];
  /** Those of the daemon's own network namespace. */
  readonly interfaces: Interfaces;
  /** Every namespace served, the daemon's own (null) first. */
  namespaces(): readonly NamespaceView[];
  /** The interfaces of one of namespaces(). */
  interfacesOf(netns: string | null): Interfaces;
  /** Reads a configuration and does with it what the mode says. Never rejects for what stands in the file. */
  configure(request: ConfigureRequest): Promise<ConfigureResult>;
  /** Goes back to the configuration before the last one; null: there is nothing to go back to. */
  undo(): Promise<ConfigureResult | null>;
  /** Keeps the configuration that would be undone by itself; false: nothing waits for it. */
  confirm(): boolean;
  /**
   * Does it to the protocol of that name. Resolves when it is done: with null, or with why it was not done. `force`: a
   * reload deletes from the kernel however much it is.
   */
  act(action: ProtocolAction, name: string, force?: boolean): Promise<ActRefusal | null>;
  /** Starts the orderly stop; `keep`: the kernel's routes stay. Called after the answer was sent. */
  shutdown(options: { readonly keep: boolean }): void;
}
