/**
 * HOT PATH. What a kernel protocol knows of each node of its table beyond the flags: the record of what was
 * sent, and why the last write failed. Columns run along the FIB's node ids.
 *
 *   fib.flags   INSTALLED we want it · SENT it may stand in the kernel · SYNCED it surely does, as sent ·
 *               QUEUED it waits for the writer · INFLIGHT the kernel has not answered yet ·
 *               RIVAL a foreign route precedes ours at our key · DUPLICATE there is a second one of ours
 *   sentMetric  metric of what was sent                 (valid with SENT)
 *   sentAttrs   attributes of what was sent, 1 reference (valid with SENT)
 *   failure     id in `failures`, 0 none
 *   attempts    failed writes in a row, stops at 255
 *
 *
 * Flush and key changes go by this record, never by what the configuration says now. What is wanted is what the
 * channel exports: the best route of the net after filter and merging.
 */

import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import type { Channel } from "../../nest/channel.ts";
import { type AttrsId, NONE, type NodeId } from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import {
  DIRTY,
  INFLIGHT,
  INSTALLED,
  MISSED,
  QUEUED,
  RIVAL,
  SENT,
  SYNC_ERROR,
  SYNCED,
} from "../../nest/sync-flags.ts";
import { WALK_SLICE } from "../../nest/walk.ts";
import type { Contest } from "./contest.ts";
import { type Failure, Failures, failureState, isProbed, type RetryClass } from "./retry.ts";
import type { Safety } from "./safety.ts";
import { FOREIGN_NEXTHOPS } from "./siblings.ts";

/** How many routes are not where they should be. */
class FailingCount {
  waiting = 0;
  failed = 0;
  private told = "0 0";

  /** A line at the trouble, one at its end. */
  tell(log: Log, protocol: string): void {
    const { waiting, failed } = this;
    if (this.told === `${waiting} ${failed}`) return;
    this.told = `${waiting} ${failed}`;
    log.info("routes not in the kernel", { protocol, waiting, failed });
  }
}

export class SyncState {
  readonly table: Rtable;
  readonly attrs: AttrsTable;
  readonly safety: Safety;
  readonly failures: Failures = new Failures();
  sentMetric: Uint32Array;
  sentAttrs: Int32Array;
  failure: Uint16Array;
  attempts: Uint8Array;
  /** Routes that wait and that have failed, now. */
  readonly failing: FailingCount = new FailingCount();
  /** Foreign routes at a key we want, packed (rival.ts); from the last scan. */
  rivals: Map<NodeId, number> = new Map();
  /** Notifications were lost, or wait in a queue: a foreign route may have come before ours at any key. */
  unheard = false;
  /** Nodes whose route in the kernel still has a former protocol number of ours. */
  private readonly formerProtocol = new Map<NodeId, number>();
  private readonly ownProtocol: number;
  private readonly channel: Channel;
  readonly contest: Contest;
  /** Nodes that would have been forgotten since the running scan began; null: none runs. */
  private gone: Set<NodeId> | null = null;
  private readonly forgetGrowth: () => void;
  private defaultMetric: number;
  private readonly onFailure: (node: NodeId, failure: Failure) => void;

  /** `onFailure` hears of a route that begins to fail, not of further attempts. */
  constructor(options: {
    readonly channel: Channel;
    readonly contest: Contest;
    readonly safety: Safety;
    readonly defaultMetric: number;
    readonly ownProtocol: number;
    readonly onFailure: (node: NodeId, failure: Failure) => void;
  }) {
    const { table } = options.channel;
    this.table = table;
    this.channel = options.channel;
    this.contest = options.contest;
    this.safety = options.safety;
    this.onFailure = options.onFailure;
    this.attrs = table.attrs;
    this.defaultMetric = options.defaultMetric;
    this.ownProtocol = options.ownProtocol;
    const { capacity } = table.fib;
    this.sentMetric = new Uint32Array(capacity);
    this.sentAttrs = new Int32Array(capacity);
    this.failure = new Uint16Array(capacity);
    this.attempts = new Uint8Array(capacity);
    this.forgetGrowth = table.fib.onGrow((grown) => {
      this.sentMetric = widen(this.sentMetric, new Uint32Array(grown));
      this.sentAttrs = widen(this.sentAttrs, new Int32Array(grown));
      this.failure = widen(this.failure, new Uint16Array(grown));
      this.attempts = widen(this.attempts, new Uint8Array(grown));
    });
  }

  /** Attributes wanted in the kernel for the node, 0 when it has no route. */
  wantedAttrs(node: NodeId): AttrsId {
    return this.channel.exportedAttrs(node);
  }

  /** Metric wanted in the kernel for the node. */
  wantedMetric(node: NodeId): number {
    return this.channel.exportedMetric(node) || this.defaultMetric;
  }

  /** For routes without a metric of their own, from now on: whoever calls this queues them. */
  setDefaultMetric(metric: number): void {
    this.defaultMetric = metric;
  }

  /**
   * Notes that `attrs` stand in the kernel at `metric`, or may. Takes its own reference. `protocol` is a former
   * number of ours when the route still has that.
   */
  recordSent(
    node: NodeId,
    metric: number,
    attrs: AttrsId,
    synced: boolean,
    protocol: number = this.ownProtocol,
  ): void {
    if (protocol !== this.ownProtocol) this.formerProtocol.set(node, protocol);
    else if (this.formerProtocol.size > 0) this.formerProtocol.delete(node);
    const { flags } = this.table.fib;
    const before = flags[node]!;
    if ((before & SENT) === 0) {
      this.attrs.retain(attrs);
      this.sentAttrs[node] = attrs;
    } else if (this.sentAttrs[node] !== attrs) {
      this.attrs.retain(attrs);
      this.attrs.release(this.sentAttrs[node]!);
      this.sentAttrs[node] = attrs;
    }
    this.sentMetric[node] = metric;
    const known = (before & ~MISSED) | SENT;
    flags[node] = synced ? known | SYNCED : known & ~SYNCED;
  }

  /** Notes that nothing of ours stands in the kernel for this node. */
  clearSent(node: NodeId): void {
    const { flags } = this.table.fib;
    if ((flags[node]! & SENT) === 0) return;
    flags[node]! &= ~(SENT | SYNCED | MISSED);
    if (this.formerProtocol.size > 0) this.formerProtocol.delete(node);
    this.attrs.release(this.sentAttrs[node]!);
    this.sentAttrs[node] = NONE;
  }

  /** The class of the node's failure, undefined when it has none. */
  failureClass(node: NodeId): RetryClass | undefined {
    return this.failures.get(this.failure[node]!)?.class;
  }

  /** What the node wants was refused, and trying it again is not for now. */
  isRefused(node: NodeId): boolean {
    const failureClass = this.failureClass(node);
    return isProbed(failureClass) || failureClass === "permanent";
  }

  /** Whether another route than the wanted one stands, or may, at the wanted key. */
  isOutdated(node: NodeId): boolean {
    if ((this.table.fib.flags[node]! & SENT) === 0) return false;
    return (
      this.sentMetric[node] === this.wantedMetric(node) && this.sentAttrs[node] !== this.wantedAttrs(node)
    );
  }

  /** rtm_protocol of what stands in the kernel for the node: ours, or a former one of ours. */
  sentProtocol(node: NodeId): number {
    return this.formerProtocol.get(node) ?? this.ownProtocol;
  }

  /** The attributes that were sent, with a reference for the caller. */
  retainedSentAttrs(node: NodeId): AttrsId {
    const attrs = this.sentAttrs[node]!;
    this.attrs.retain(attrs);
    return attrs;
  }

  /** `quiet`: one of many that fail for a reason already told. */
  recordFailure(node: NodeId, failure: number, quiet = false): void {
    this.tally(node, -1);
    this.failure[node] = failure;
    this.tally(node, 1);
    this.table.fib.flags[node]! |= SYNC_ERROR;
    if (this.attempts[node]! < 255) this.attempts[node]!++;
    const known = this.failures.get(failure);
    if (this.attempts[node] === 1 && known !== null && !quiet) this.onFailure(node, known);
  }

  /** How many routes are wanted and were sent. Counts them. */
  wantedCount(): number {
    let count = 0;
    for (const flags of this.table.fib.flags)
      if ((flags & (SENT | INSTALLED)) === (SENT | INSTALLED)) count++;
    return count;
  }

  /** A foreign route may have come before ours at any key: until a scan has looked nothing is replaced in place. */
  eventsLost(): void {
    this.unheard = true;
    const { flags } = this.table.fib;
    for (let node = 0; node < flags.length; node++) {
      if ((flags[node]! & SENT) === 0) continue;
      flags[node]! |= RIVAL;
      this.mayHaveNexthops(node);
    }
  }

  /** Something may have come to the node's route: nexthops that were foreign ones so far may be ours now. */
  mayHaveNexthops(node: NodeId): void {
    if (this.failures.get(this.failure[node]!) === FOREIGN_NEXTHOPS) this.clearFailure(node);
  }

  clearFailure(node: NodeId): void {
    if (this.failure[node] === 0) return;
    this.tally(node, -1);
    this.failure[node] = 0;
    this.attempts[node] = 0;
    this.table.fib.flags[node]! &= ~SYNC_ERROR;
  }

  /** Gives up all that is known of the node, whatever stands in the kernel. For a protocol that has stopped. */
  forget(node: NodeId): void {
    this.clearSent(node);
    this.table.fib.flags[node] = 0;
    this.releaseIfIdle(node, 0);
  }

  /** The last call: the columns no longer grow with the table. */
  close(): void {
    this.forgetGrowth();
  }

  private tally(node: NodeId, by: 1 | -1): void {
    const failure = this.failures.get(this.failure[node]!);
    if (failure === null) return;
    const state = failureState(failure.class);
    if (state !== "pending") this.failing[state] += by;
  }

  /** Forgets a node nobody wants and the kernel does not have; the FIB may then reuse its id. */
  releaseIfIdle(node: NodeId, keepMask: number): void {
    const { flags } = this.table.fib;
    if ((flags[node]! & (INSTALLED | SENT | keepMask)) !== 0) return;
    this.clearFailure(node);
    this.rivals.delete(node);
    this.contest.forget(node);
    if (this.gone !== null) {
      this.gone.add(node);
      flags[node] = DIRTY;
      return;
    }
    flags[node] = 0;
    this.table.releaseNode(node);
  }

  /** From now on until endScan() nothing is forgotten: what the dump still shows of it is old. */
  beginScan(): void {
    this.gone ??= new Set();
  }

  /** Forgets, in slices, what waited for the end of the scan. */
  async endScan(clock: Pick<Clock, "yield">): Promise<void> {
    const { gone } = this;
    this.gone = null;
    let count = 0;
    for (const node of gone ?? []) {
      this.releaseIfIdle(node, QUEUED | INFLIGHT);
      if (++count % WALK_SLICE === 0) await clock.yield();
    }
  }
}

function widen<T extends Uint32Array | Int32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
