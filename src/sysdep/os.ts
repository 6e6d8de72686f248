/**
 * The PORT: all that the portable half of krtd needs of an operating system. Two implementations exist,
 * sysdep/linux (the real kernel) and sysdep/model (an in-memory kernel); one compliance suite holds both.
 * One Os object serves one network namespace. Types only.
 *
 * Hot path: scanRoutes hands out ONE reused KernelRoute per message; a RouteBatch is struct-of-arrays.
 * Addresses are four signed 32-bit words in network order (IPv4 uses word 0 only, the rest are 0), signed
 * because V8 keeps those unboxed.
 */

import type { Family } from "../lib/ip.ts";
import type { AttrsDraft } from "../nest/attrs-draft.ts";
import type { AddressInfo, LinkInfo } from "../nest/iface.ts";

export type { AddressInfo, LinkInfo } from "../nest/iface.ts";

/** One route of the kernel, as one dump message shows it. Valid only during the sink call: copy what you keep. */
export interface KernelRoute {
  readonly family: Family;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /** Prefix length, 0–32 or 0–128. */
  readonly length: number;
  /** Full table id (RTA_TABLE wins over rtm_table). */
  readonly table: number;
  /** rtm_protocol, 0–255. */
  readonly protocol: number;
  /** rtm_type (RTN_UNICAST 1, RTN_BLACKHOLE 6, …). */
  readonly type: number;
  readonly scope: number;
  readonly tos: number;
  /** RTA_PRIORITY as unsigned 32 bit; 0 when absent. */
  readonly metric: number;
  /** rtm_flags (RTM_F_CLONED 0x200, RTNH_F_DEAD 1, RTNH_F_LINKDOWN 16, …). */
  readonly rtmFlags: number;
  /** Everything else, finished (canonical), in a draft that the next message overwrites. */
  readonly attrs: AttrsDraft;
}

export interface RouteSink {
  route(route: KernelRoute): void;
  /**
   * A route to this prefix is in the frame whose routes come next; no more than a chance to fetch from memory what it
   * will be compared with. Not every implementation calls it, nor for every route, and the route may be of another table.
   */
  ahead?(w0: number, w1: number, w2: number, w3: number, length: number): void;
}

/** How a dump ended. Only `complete: true` may prune. */
export interface ScanOutcome {
  readonly complete: boolean;
  /** Why it is not complete, in words, or null. */
  readonly reason: string | null;
  /** Messages parsed. */
  readonly messages: number;
}

export interface RouteQuery {
  readonly family: Family;
  /** Full table id. The implementation filters in the kernel when it can and always again by itself. */
  readonly table: number;
  /** Only routes of this rtm_protocol; absent: of all. */
  readonly protocol?: number;
}

export interface InterfaceSink {
  link(link: LinkInfo): void;
  address(address: AddressInfo): void;
}

/**
 * new: RTM_NEWROUTE. replaced: RTM_NEWROUTE with NLM_F_REPLACE: the first route of the key (IPv4), whoever owned it, or
 * of its class (IPv6), siblings and all, is gone in favour of this one. gone: RTM_DELROUTE; of an IPv6 multipath route
 * perhaps only the nexthop shown. What the request was called does not matter: a replace of nothing is new, except that
 * IPv6 calls a replace by several nexthops a replacement in any case. A replace by the very same is silent in IPv4.
 */
export type RouteChange = "new" | "replaced" | "gone";

/** What a monitor reports. Every event is a hint that something changed; a scan tells the truth. */
export interface MonitorSink extends InterfaceSink {
  linkGone(ifindex: number): void;
  addressGone(address: AddressInfo): void;
  /** A nexthop object is gone: routes by it, or by a group it was in, went or lost a way without a word (IPv4). */
  nexthopGone(): void;
  /**
   * A route changed: own echoes (by port id) are already left out. `port` is the netlink port of whoever did it
   * (mostly its process id), 0 when the kernel acted by itself.
   */
  route(route: KernelRoute, change: RouteChange, port: number): void;
  /**
   * Notifications were lost (ENOBUFS, truncation, bad frame): anything may have changed. Events go on, stale ones too,
   * unless the monitor is paused.
   */
  lost(reason: string): void;
}

export interface Monitor {
  /** Tells nothing more until resume(): after a loss, what still comes is older than the loss. */
  pause(): void;
  /**
   * While it is paused: throws away what waits, up to a moment at which nothing waited and since the last loss before
   * it nothing was lost. Never rejects. Of what happens after that moment nothing is lost without being told.
   */
  drain(): Promise<Drained>;
  /** Goes on with what came since the end of drain(). */
  resume(): void;
  close(): Promise<void>;
}

/**
 * empty: as drain() says. storm: more came than could be thrown away in a second. deaf: there are no notifications now;
 * the next drain() tries again to have some.
 */
export type Drained = "empty" | "storm" | "deaf";

export const ROUTE_ADD = 1;
export const ROUTE_REPLACE = 2;
export const ROUTE_DELETE = 3;
/** Deletes only the route with just these attributes, where IPv4 has several of ours at one key. */
export const ROUTE_DELETE_EXACT = 4;

/**
 * Up to `capacity` route changes, applied in order. Index i of every column belongs to change i.
 *
 *   op[i]       ROUTE_ADD (CREATE|EXCL) | ROUTE_REPLACE (CREATE|REPLACE) | ROUTE_DELETE…
 *   key[4i..]   prefix words        length[i]  prefix length
 *   metric[i]   exact metric        attrs[i]   AttrsId: what to install, or for a delete what stands there
 *   protocol[i] rtm_protocol: ours, or for a deletion that of the route that is to go
 *   errno[i]    result: 0 = acknowledged, > 0 = errno, UNKNOWN_OUTCOME = no answer came
 */
export interface RouteBatch {
  readonly capacity: number;
  readonly family: Family;
  readonly table: number;
  count: number;
  readonly op: Uint8Array;
  readonly key: Int32Array;
  readonly length: Uint8Array;
  readonly metric: Uint32Array;
  readonly attrs: Int32Array;
  readonly protocol: Uint8Array;
  readonly errno: Int32Array;
  /** Extended-ACK text of failed changes, by index; absent when the kernel gave none. */
  readonly errorText: Map<number, string>;
}

/** The acknowledgement was lost (ENOBUFS, time-out): the change may or may not have happened. Verify by a dump. */
export const UNKNOWN_OUTCOME = -1;

/** Counters since the Os was opened; they only grow. */
export interface NetlinkCounters {
  readonly overruns: number;
  readonly truncated: number;
  /** Datagrams whose sender was not the kernel. */
  readonly forged: number;
  /** Messages refused by a decoder. */
  readonly malformed: number;
  /** Route changes sent (add, replace, delete), whatever their outcome. */
  readonly routeWrites: number;
}

export interface Os {
  readonly transport: "socket" | "node-netlink" | "model";
  readonly counters: NetlinkCounters;
  /** Opens the sockets. Throws KrtdError when the OS refuses. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** Whether this process may change routes here (CAP_NET_ADMIN), asked of the kernel without changing anything. */
  mayWrite(): Promise<boolean>;
  /**
   * Links first, then addresses of both families. Never rejects for what the kernel says: see the outcome. What a monitor
   * has to tell of the time before they were read it has told before the sink hears of the first, unless it is paused or
   * in a storm: a route that comes and goes with its link must not be heard of after it is known that the link went.
   */
  scanInterfaces(sink: InterfaceSink): Promise<ScanOutcome>;
  scanRoutes(query: RouteQuery, sink: RouteSink): Promise<ScanOutcome>;
  /**
   * Applies the batch and fills `errno` and `errorText`. The caller may hand in the next batch while one is
   * under way: they are applied in order, and the batch must not be touched until its promise resolves.
   */
  writeRoutes(batch: RouteBatch): Promise<void>;
  /** Starts notifications, or null when the transport has none (correctness then rests on scans). */
  monitor(sink: MonitorSink): Promise<Monitor | null>;
}

/** What the daemon needs to serve network namespaces. */
export interface OsProvider {
  /** An Os for the namespace (null: the process's own), not open yet. */
  create(netns: string | null): Os;
  /** Calls `changed` soon after the namespace of that name came, went, or was replaced by another one. */
  watch(netns: string, changed: () => void): NetnsWatch;
  /** What a watch of the process's own namespace would give as its identity; null: not known. */
  ownIdentity(): string | null;
}

export interface NetnsWatch {
  /**
   * Something that is another for another namespace of the same name, or null: there is none now. Sure to differ only
   * from that of a namespace that still exists, and one that an open Os serves does. So ask BEFORE open(): should the
   * namespace be replaced in between, the answer is then another than later on.
   */
  identity(): string | null;
  /** Idempotent; `changed` is not called any more. */
  close(): void;
}
