/**
 * HOT PATH. What has to be written to the kernel, in order, and what came of it. Nodes wait in a ring of ids,
 * each at most once, however often it changes; what is sent is decided when a batch is filled, from the node as
 * it then is. Two batches take turns, so one is filled while the kernel works on the other.
 *
 *   change of a node            QUEUED ──fill──► INFLIGHT ──settle──► SENT | SYNCED, or a failure
 *   change while INFLIGHT       QUEUED is set again, and settle() puts the node back into the ring
 *
 * Same key: one REPLACE. Another metric: ADD the new, and only when that worked DELETE the old (as a stale
 * route), so there is never a hole. IPv6 swaps by DELETE + ADD when device routes are involved, as REPLACE
 * there works within the class of gateway routes only. REPLACE overwrites the first route of the key, whoever
 * owns it: behind a foreign one it is never sent.
 */

import type { Clock } from "../../lib/clock.ts";
import { ENODEV, errnoText } from "../../lib/errno.ts";
import { type AttrsId, NONE, type NodeId } from "../../nest/route.ts";
import {
  DIRTY,
  DRIFTED,
  DUPLICATE,
  INFLIGHT,
  INSTALLED,
  QUEUED,
  RIVAL,
  SENT,
} from "../../nest/sync-flags.ts";
import {
  type Os,
  ROUTE_ADD,
  ROUTE_DELETE,
  ROUTE_DELETE_EXACT,
  type RouteBatch,
  UNKNOWN_OUTCOME,
} from "../../sysdep/os.ts";
import { LoadRetry } from "./load-retry.ts";
import { NodeRing } from "./node-ring.ts";
import { isProbed, ReleasedGroups, type RetryClass, retryClass, WaitingRoutes } from "./retry.ts";
import { StaleRoutes } from "./stale-routes.ts";
import type { SyncState } from "./sync-state.ts";
import { hasGateway, hasOnlyGateways, hasPrefsrc, missingDevice, WriteBatch } from "./write-batch.ts";
import { WriteCounters } from "./write-counters.ts";

/** Changes per batch: the kernel is busy with them for some milliseconds. */
const BATCH = 1024;
/** Nodes looked at before the event loop has its turn: most of a dead gateway's need no message at all. */
const EXAMINED_PER_TURN = 4096;
/** How often a refusal leads to a scan at once; after that the periodic one must do. */
const QUICK_VERIFIES = 3;

export interface ExportEvents {
  /** The fate of a write is unknown, or a rival showed up: the kernel must be looked at again soon. */
  verify(reason: string): void;
  /** A route that others may be reached by was installed. */
  installed(): void;
  /** Writes are refused for want of privilege; nothing will ever work. */
  fatal(message: string): void;
}

export class ExportQueue {
  readonly counters: WriteCounters = new WriteCounters();
  /** Routes of ours without a node, to be deleted by their exact key after all that is in the ring. */
  readonly stale: StaleRoutes;
  /** What is to go from keys that are otherwise wanted: nexthops of IPv6 routes, duplicates in IPv4. */
  readonly extra: StaleRoutes;
  readonly waiting: WaitingRoutes;
  /** Successful deletions so far: they can make an IPv6 dump that runs meanwhile omit other routes. */
  deletions = 0;
  /** Own routes that were missing or changed in the kernel and put right. */
  repaired = 0;
  readonly overload: LoadRetry;
  private readonly state: SyncState;
  private readonly os: Os;
  private readonly events: ExportEvents;
  private readonly deviceName: (device: number) => string;
  /** False: nothing is ever sent. */
  readonly writable: boolean;
  private readonly ring = new NodeRing();
  private readonly free: WriteBatch[];
  private readonly probes = new Set<NodeId>();
  private refusedDeletions = 0;
  private readonly released: ReleasedGroups;
  private readonly clock: Clock;
  private running: Promise<void> | null = null;

  /** `writable` false: nothing is ever sent (observe mode). */
  constructor(options: {
    readonly state: SyncState;
    readonly os: Os;
    readonly kernelTable: number;
    readonly protocolId: number;
    readonly writable: boolean;
    readonly deviceName: (device: number) => string;
    readonly events: ExportEvents;
    readonly clock: Clock;
  }) {
    this.state = options.state;
    this.os = options.os;
    this.events = options.events;
    this.clock = options.clock;
    this.deviceName = options.deviceName;
    this.writable = options.writable;
    this.stale = new StaleRoutes(options.state.attrs);
    this.extra = new StaleRoutes(options.state.attrs);
    this.waiting = new WaitingRoutes(options.state.attrs);
    this.released = new ReleasedGroups(options.state.attrs);
    this.overload = new LoadRetry(options.clock, (nodes) => this.retryOverloaded(nodes));
    const { family } = options.state.table;
    this.free = [1, 2].map(() => new WriteBatch(BATCH, family, options.kernelTable, options.protocolId));
  }

  get size(): number {
    return this.waitingToBeSent + this.overload.size;
  }

  /** Everything that is to be sent was sent and answered. */
  get idle(): boolean {
    return this.running === null && this.size === 0;
  }

  private get waitingToBeSent(): number {
    return this.ring.size + this.stale.size + this.extra.size + this.released.size;
  }

  /** Queues a node whose wanted or sent state changed. */
  push(node: NodeId): void {
    const { flags } = this.state.table.fib;
    const before = flags[node]!;
    if (!this.writable || (before & QUEUED) !== 0) return;
    flags[node] = before | QUEUED | DIRTY;
    if ((before & INFLIGHT) === 0) this.ring.push(node);
  }

  /** Forgets what was not sent yet. For a stop: what stands in the kernel is on record. */
  discard(): void {
    const { flags } = this.state.table.fib;
    for (let node = this.ring.shift(); node !== 0; node = this.ring.shift()) {
      flags[node]! &= ~QUEUED;
      this.state.releaseIfIdle(node, INFLIGHT);
    }
    this.released.clear();
    this.stale.clear();
    this.extra.clear();
  }

  /** The last call, when nothing runs any more: gives up what is still held. */
  close(): void {
    this.discard();
    this.waiting.clear();
    this.overload.close();
  }

  /** Takes over what a scan found to delete. In observe mode it stays there: nothing would ever take it away. */
  take({ stale, extra }: { readonly stale: StaleRoutes; readonly extra: StaleRoutes }): void {
    if (!this.writable) return;
    stale.moveTo(this.stale);
    extra.moveTo(this.extra);
    this.run();
  }

  /** Tries one route of every waiting group again. */
  wake(): void {
    if (this.waiting.groupCount === 0) return;
    const { state } = this;
    this.waiting.probe(
      (node, attrs) => this.isWaiting(node, attrs),
      (node) => {
        this.probes.add(node);
        this.push(node);
      },
    );
    if (state.table.netCount > 0) this.run();
  }

  /** Sends what is queued, in the background. */
  run(): void {
    if (this.writable && this.running === null && this.waitingToBeSent > 0) {
      this.running = this.pump().finally(() => {
        this.running = null;
        this.run();
      });
    }
  }

  /** Resolves when all that is queued was sent and answered; what waits for load to pass does not count. */
  async drained(): Promise<void> {
    this.run();
    while (this.running !== null) await this.running;
  }

  private async pump(): Promise<void> {
    const underway: { readonly batch: WriteBatch; readonly answered: Promise<void> }[] = [];
    for (;;) {
      while (this.free.length > 0) {
        const batch = this.free.at(-1)!;
        this.fill(batch);
        if (batch.routes.count === 0) break;
        this.free.pop();
        underway.push({ batch, answered: this.os.writeRoutes(batch.routes) });
      }
      const oldest = underway.shift();
      if (oldest === undefined) {
        if (this.waitingToBeSent === 0) return;
        await this.clock.yield();
        continue;
      }
      await oldest.answered;
      this.settle(oldest.batch);
      this.free.push(oldest.batch);
    }
  }

  private fill(batch: WriteBatch): void {
    batch.clear();
    let examined = 0;
    while (batch.roomForNode && this.ring.size > 0 && examined++ < EXAMINED_PER_TURN) {
      this.fillNode(batch, this.ring.shift());
    }
    while (batch.roomForNode && this.released.size > 0 && examined++ < EXAMINED_PER_TURN) {
      this.released.take((node, attrs) => {
        if (!this.isWaiting(node, attrs)) return;
        this.probes.add(node);
        this.fillNode(batch, node);
      });
    }
    while (batch.roomForNode && this.extra.size > 0) batch.takeStale(this.state, this.extra, true);
    while (batch.roomForNode && this.ring.size === 0 && this.stale.size > 0) {
      batch.takeStale(this.state, this.stale, false);
    }
  }

  private fillNode(batch: WriteBatch, node: NodeId): void {
    const { state } = this;
    const { flags } = state.table.fib;
    flags[node]! &= ~QUEUED;
    const probe = this.probes.delete(node);
    let installable = true;
    if ((flags[node]! & INSTALLED) !== 0) {
      // While the daemon stops, tables empty under a frozen protocol: what stands in the kernel is for flush to say.
      if (state.table.best(node) === NONE) return;
      const attrs = state.wantedAttrs(node);
      const missing = missingDevice(state.attrs, attrs);
      const blocked = probe || missing !== 0 ? 0 : this.waiting.failureOf(attrs);
      if (blocked !== 0 && state.failure[node] !== blocked) state.recordFailure(node, blocked, true);
      if (!probe && missing === 0 && this.isRefused(node)) {
        if (isProbed(this.failureClass(node))) this.waiting.add(node, attrs, state.failure[node]!);
        // What is wanted cannot be: what it was before is not wanted either, and must not go on carrying traffic.
        if (state.isOutdated(node)) installable = false;
        else if (blocked !== 0) return;
      }
      if (missing !== 0) {
        installable = false;
        const message = `Device "${this.deviceName(missing)}" does not exist`;
        state.recordFailure(node, state.failures.intern({ errno: ENODEV, message, class: "wait" }));
      }
    }
    if (batch.planNode(state, node, installable) > 0) {
      flags[node]! |= INFLIGHT;
      for (let i = batch.routes.count - 1; i >= 0 && batch.node[i] === node; i--) {
        state.attrs.retain(batch.routes.attrs[i]!);
      }
    } else {
      state.releaseIfIdle(node, QUEUED | INFLIGHT);
    }
  }

  private settle(batch: WriteBatch): void {
    const { routes } = batch;
    const { state } = this;
    let reachable = false;
    let stuck: NodeId = 0;
    for (let i = 0; i < routes.count; i++) {
      const node = batch.node[i]!;
      const errno = routes.errno[i]!;
      const op = routes.op[i]!;
      this.counters.note(op, errno);
      if (errno === 0) this.overload.succeeded();
      if (errno === UNKNOWN_OUTCOME) this.events.verify("acknowledgement lost");
      if (op === ROUTE_DELETE || op === ROUTE_DELETE_EXACT) {
        // A route through another gateway may have hidden the one by which gateways are reached.
        reachable = this.settleDelete(node, errno, routes.errorText.get(i)) || reachable;
        if (errno > 0) stuck = node;
        else if (errno === 0 && node === 0) this.keyIsFree(routes, i);
      } else if (errno === 0) reachable = this.settleInstalled(node, op, batch, i) || reachable;
      else if (errno === UNKNOWN_OUTCOME) this.settleUnknown(node, routes.metric[i]!, routes.attrs[i]!);
      // What could not be deleted still holds the key: the failure to tell is that of the deletion.
      else if (node !== stuck) this.settleRefused(node, routes.attrs[i]!, errno, routes.errorText.get(i));
      state.attrs.release(routes.attrs[i]!);
      if (node !== 0 && (i + 1 === routes.count || batch.node[i + 1] !== node)) this.finish(node);
    }
    if (reachable) {
      this.wake();
      this.events.installed();
    }
  }

  private settleDelete(node: NodeId, errno: number, text: string | undefined): boolean {
    if (errno === 0) {
      this.deletions++;
      this.refusedDeletions = 0;
      if (node !== 0) this.state.clearSent(node);
    } else if (errno > 0) {
      this.recordRefusal(node, errno, retryClass(errno, { prefsrc: false, gateway: false }), text);
    }
    return errno === 0;
  }

  /** What had no node is gone from its key: a route that it kept out can come. */
  private keyIsFree({ key, length, metric }: RouteBatch, i: number): void {
    const { state } = this;
    const at = 4 * i;
    const node = state.table.fib.find(key[at]!, key[at + 1]!, key[at + 2]!, key[at + 3]!, length[i]!);
    if (node === 0 || this.failureClass(node) !== "rival" || state.wantedMetric(node) !== metric[i]) return;
    state.rivals.delete(node);
    state.clearFailure(node);
    this.push(node);
  }

  /** Returns true when the new route can make gateways reachable. */
  private settleInstalled(node: NodeId, op: number, batch: WriteBatch, i: number): boolean {
    const { state } = this;
    const { routes } = batch;
    const { fib } = state.table;
    const metric = routes.metric[i]!;
    const attrs = routes.attrs[i]!;
    if (op === ROUTE_ADD && (fib.flags[node]! & SENT) !== 0) {
      this.stale.pushSent(state, node);
    }
    if ((fib.flags[node]! & DRIFTED) !== 0) this.repaired++;
    fib.flags[node]! &= ~DRIFTED;
    state.recordSent(node, metric, attrs, true);
    state.clearFailure(node);
    if (this.waiting.failureOf(attrs) !== 0) {
      this.released.add(attrs, this.waiting.release(attrs));
    }
    return !hasOnlyGateways(state.attrs, attrs);
  }

  /** It may stand there, or a foreign route may have kept it out: until a scan has looked, nothing is replaced. */
  private settleUnknown(node: NodeId, metric: number, attrs: AttrsId): void {
    this.state.recordSent(node, metric, attrs, false);
    this.state.table.fib.flags[node]! |= RIVAL;
  }

  private settleRefused(node: NodeId, attrs: AttrsId, errno: number, text: string | undefined): void {
    const table = this.state.attrs;
    const has = { prefsrc: hasPrefsrc(table, attrs), gateway: hasGateway(table, attrs) };
    const failureClass = retryClass(errno, has);
    this.recordRefusal(node, errno, failureClass, text);
    if (this.isRefused(node) && this.state.isOutdated(node)) this.push(node);
    // A rival that no scan shows (a type krtd skips) must not make krtd scan for ever.
    else if (failureClass === "rival" && this.state.attempts[node]! <= QUICK_VERIFIES)
      this.events.verify("key is taken");
  }

  private recordRefusal(
    node: NodeId,
    errno: number,
    failureClass: RetryClass,
    text: string | undefined,
  ): void {
    const { state } = this;
    const message = text ?? errnoText(errno);
    if (failureClass === "fatal") this.events.fatal(message);
    if (node === 0) {
      // Stale routes have no node to remember it: the next scan finds them again. Soon, but not for ever soon.
      if (++this.refusedDeletions <= QUICK_VERIFIES) this.events.verify("a deletion was refused");
      return;
    }
    state.recordFailure(node, state.failures.intern({ errno, message, class: failureClass }));
    if (failureClass === "load") this.overload.add(node);
  }

  private finish(node: NodeId): void {
    const { flags } = this.state.table.fib;
    flags[node] = (flags[node]! & ~(INFLIGHT | DUPLICATE)) | DIRTY;
    const wanted = (flags[node]! & INSTALLED) !== 0;
    // Its group may have been tried, and given up for empty, while a deletion for the node was under way.
    if (wanted && isProbed(this.failureClass(node))) {
      this.waiting.add(node, this.state.wantedAttrs(node), this.state.failure[node]!);
    }
    if ((flags[node]! & QUEUED) !== 0) this.ring.push(node);
    else this.state.releaseIfIdle(node, QUEUED | INFLIGHT);
  }

  private retryOverloaded(nodes: readonly NodeId[]): void {
    for (const node of nodes) {
      if (this.failureClass(node) === "load") this.push(node);
    }
    this.run();
  }

  private isWaiting(node: NodeId, attrs: AttrsId): boolean {
    const flags = this.state.table.fib.flags[node]!;
    if ((flags & (INSTALLED | QUEUED | INFLIGHT)) !== INSTALLED) return false;
    return isProbed(this.failureClass(node)) && this.state.wantedAttrs(node) === attrs;
  }

  /** What the node wants was refused, and trying it again is not for now. */
  private isRefused(node: NodeId): boolean {
    const failureClass = this.failureClass(node);
    return isProbed(failureClass) || failureClass === "permanent";
  }

  private failureClass(node: NodeId): RetryClass | undefined {
    return this.state.failures.get(this.state.failure[node]!)?.class;
  }
}
