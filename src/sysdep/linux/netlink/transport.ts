/**
 * The netlink port: how the Linux backend talks to rtnetlink, whatever carries the bytes. Two transports
 * implement it: socket-transport.ts (koffi, the default) and node-netlink-transport.ts. Types only.
 *
 * Three logical channels per network namespace: dump (one at a time, queued), command (batches, in order)
 * and notify (groups only). The transport checks the sender, sequence numbers and message framing; what
 * reaches a handler is one whole message of the kernel.
 */

import type { Monitor, NetlinkCounters } from "../../os.ts";

/**
 * Receives one message in place: `bytes[start..end)` is the payload after nlmsghdr (start is 4-aligned
 * relative to the frame), `view` covers the same memory as `bytes`. Valid only during the call. Must not throw.
 */
export type MessageHandler = (
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  type: number,
  flags: number,
) => void;

/** Sees the messages of a frame before the first of them is handed out. Not every transport calls it. */
export type AheadHandler = (view: DataView, start: number, end: number, type: number) => void;

export interface DumpRequest {
  /** RTM_GET*. */
  readonly type: number;
  /** The family header (ifinfomsg, ifaddrmsg, rtmsg) and filter attributes, without nlmsghdr. */
  readonly payload: Uint8Array;
}

export interface DumpReply {
  /** DONE arrived without error, truncation, overrun or NLM_F_DUMP_INTR. */
  readonly complete: boolean;
  /** errno in DONE or NLMSG_ERROR (positive), 0 if none. -ENOENT for a table that does not exist arrives here as 2. */
  readonly errno: number;
  /** NLM_F_DUMP_INTR was seen. */
  readonly interrupted: boolean;
  /** Why it is not complete, or null. */
  readonly reason: string | null;
  readonly messages: number;
}

/** Result of a command batch; index i = i-th message of the batch. */
export interface BatchReply {
  /** errno by message index, only of those that failed. */
  readonly errors: ReadonlyMap<number, { readonly errno: number; readonly message: string | null }>;
  /** First index whose fate is unknown (lost ACK), or null when all are known. */
  readonly unknownFrom: number | null;
}

/** Pauses, drains, resumes and ends as a Monitor does. */
export type Subscription = Monitor;

export interface NetlinkTransport {
  readonly name: "socket" | "node-netlink";
  /** Whether subscribe() works. */
  readonly supportsMonitor: boolean;
  readonly counters: Omit<NetlinkCounters, "routeWrites">;
  open(): Promise<void>;
  close(): Promise<void>;
  dump(request: DumpRequest, onMessage: MessageHandler, onAhead?: AheadHandler): Promise<DumpReply>;
  /** Reserves `count` consecutive sequence numbers (never 0) for a batch and returns the first. */
  reserveSequence(count: number): number;
  /**
   * Sends `bytes[0..length)`: `count` complete messages (nlmsghdr included) numbered firstSequence…, of which
   * the LAST has NLM_F_ACK and the others may not. Resolves when the last one is answered or given up on.
   * Batches are sent in the order of the calls; a second may be handed in while the first is under way.
   */
  batch(bytes: Uint8Array, length: number, count: number, firstSequence: number): Promise<BatchReply>;
  /**
   * Resolves when all notifications that wait now have been handed on: at once while there is no subscription or it is
   * paused, and after a second of a storm that does not end.
   */
  catchUp(): Promise<void>;
  /** Joins the multicast groups (RTNLGRP_*). `port`: nlmsg_pid; `ownEcho`: that of this transport's command socket. */
  subscribe(
    groups: readonly number[],
    onMessage: (
      bytes: Uint8Array,
      view: DataView,
      start: number,
      end: number,
      type: number,
      flags: number,
      port: number,
      ownEcho: boolean,
    ) => void,
    onLost: (reason: string) => void,
  ): Promise<Subscription>;
}
