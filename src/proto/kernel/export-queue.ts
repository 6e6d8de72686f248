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
import { ENODEV } from "../../lib/errno.ts";
import { escapeName } from "../../lib/escape-name.ts";
import { type AttrsId, NONE, type NodeId } from "../../nest/route.ts";
import { DIRTY, DUPLICATE, INFLIGHT, INSTALLED, QUEUED, SYNCED } from "../../nest/sync-flags.ts";
import type { Os } from "../../sysdep/os.ts";
import { LoadRetry } from "./load-retry.ts";
import { NodeRing } from "./node-ring.ts";
import { type ExportEvents, Outcomes } from "./outcomes.ts";
import { isProbed, isTimed, ReleasedGroups, WaitingRoutes } from "./retry.ts";
import { PROTECTED } from "./safety.ts";
import { StaleRoutes } from "./stale-routes.ts";
import type { SyncState } from "./sync-state.ts";
import { KEPT, missingDevice, WriteBatch } from "./write-batch.ts";

/** Changes per batch: the kernel is busy with them for some milliseconds. */
const BATCH = 1024;
/** Several times what filling one takes. */
const LONG_FILL_MS = 4;
/** Nodes looked at before the event loop has its turn: most of a dead gateway's need no message at all. */
const EXAMINED_PER_TURN = 4096;
interface SentBatch {
  readonly batch: WriteBatch;
  /** How much news there was when it was sent. */
  readonly news: number;
  readonly answered: Promise<void>;
}

export class ExportQueue {
  /** Routes of ours without a node, to be deleted by their exact key after all that is in the ring. */
  readonly stale: StaleRoutes;
  /** What is to go from keys that are otherwise wanted: nexthops of IPv6 routes, duplicates in IPv4. */
  readonly extra: StaleRoutes;
  readonly waiting: WaitingRoutes;
  /** What came of the writes so far. */
  readonly outcomes: Outcomes;
  readonly overload: LoadRetry;
  private readonly state: SyncState;
  private readonly os: Os;
  private readonly events: ExportEvents;
  private readonly deviceName: (device: number) => string;
  /** False: nothing is ever sent. */
  readonly writable: boolean;
  private readonly ring = new NodeRing();
  private readonly free: WriteBatch[];
  /** Batches without an answer, the oldest first. */
  private readonly underway: SentBatch[] = [];
  /** Nodes that are to be tried for the group of these attributes, until they are filled in. */
  private readonly probes = new Map<NodeId, AttrsId>();
  private readonly released: ReleasedGroups;
  private readonly clock: Clock;
  private running: Promise<void> | null = null;
  private held = false;
  /** How often something happened that may let in what was refused. */
  private news = 0;

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
    this.outcomes = new Outcomes({
      state: options.state,
      waiting: this.waiting,
      released: this.released,
      stale: this.stale,
      overload: this.overload,
      events: options.events,
      push: (node) => this.push(node),
      finish: (node) => this.finish(node),
    });
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

  /** The nodes that are queued or under way, each once, when no more than `few` are queued; otherwise null. */
  busyNodes(few: number): ReadonlySet<NodeId> | null {
    if (this.ring.size > few) return null;
    const nodes = new Set<NodeId>();
    for (let i = 0; i < this.ring.size; i++) nodes.add(this.ring.at(i));
    for (const { batch } of this.underway) {
      for (let i = 0; i < batch.routes.count; i++) nodes.add(batch.node[i]!);
    }
    nodes.delete(0);
    return nodes;
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
    this.probes.clear();
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
    this.news++;
    this.tryGroups();
  }

  /** Something happened that may let in what is refused: an answer that was on its way then says nothing of it. */
  outrun(): void {
    this.news++;
  }

  /** Sends nothing until release(): of a net that comes and goes meanwhile only the outcome counts. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.run();
  }

  /** Sends what is queued, in the background. */
  run(): void {
    if (this.writable && !this.held && this.running === null && this.waitingToBeSent > 0) {
      // Not before the changes that come in one go are all there: several of one prefix are one write.
      this.running = Promise.resolve()
        .then(() => this.pump())
        .finally(() => {
          this.running = null;
          this.run();
        });
    }
  }

  /** Resolves when all that is queued was sent and answered; what is held, or waits for load to pass, does not count. */
  async drained(): Promise<void> {
    this.run();
    while (this.running !== null) await this.running;
  }

  /** As drained(), but `ms` at most. */
  async drainedWithin(ms: number): Promise<void> {
    if (this.running === null) return;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.clock.after(ms, resolve);
    });
    await Promise.race([this.drained(), late]);
    cancel();
  }

  private async pump(): Promise<void> {
    const { underway } = this;
    for (;;) {
      while (this.free.length > 0 && !this.held) {
        const batch = this.free.at(-1)!;
        const began = this.clock.now();
        this.fill(batch);
        if (batch.routes.count === 0) break;
        this.free.pop();
        underway.push({ batch, news: this.news, answered: this.os.writeRoutes(batch.routes) });
        // Before it is compiled it takes long: others have their turn before the next.
        if (this.clock.now() - began >= LONG_FILL_MS) break;
      }
      const [oldest] = underway;
      if (oldest === undefined) {
        if (this.waitingToBeSent === 0 || this.held) return;
        await this.clock.yield();
        continue;
      }
      await oldest.answered.finally(() => underway.shift());
      const { refusals } = this.outcomes;
      if (this.outcomes.settle(oldest.batch)) {
        this.wake();
        this.events.installed();
      }
      if (oldest.news !== this.news && this.outcomes.refusals !== refusals) this.events.outrun();
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
        this.probes.set(node, attrs);
        this.fillNode(batch, node);
      });
    }
    while (batch.roomForNode && this.extra.size > 0) batch.takeStale(this.state, this.extra, true);
    while (batch.roomForNode && this.ring.size === 0 && this.stale.size > 0) {
      if (!batch.takeStale(this.state, this.stale, false)) {
        this.events.verify("the key of a stale route came to be wanted");
      }
    }
  }

  private fillNode(batch: WriteBatch, node: NodeId): void {
    const { state } = this;
    const { flags } = state.table.fib;
    flags[node]! &= ~QUEUED;
    let installable = true;
    if ((flags[node]! & INSTALLED) === 0) {
      this.takeProbe(node, NONE);
    } else {
      // While the daemon stops, tables empty under a frozen protocol: what stands in the kernel is for flush to say.
      if (state.table.best(node) === NONE) return;
      const attrs = state.wantedAttrs(node);
      const probe = this.takeProbe(node, attrs);
      const missing = missingDevice(state.attrs, attrs);
      const blocked = probe || missing !== 0 ? 0 : this.waiting.failureOf(attrs);
      if (blocked !== 0 && state.failure[node] !== blocked) state.recordFailure(node, blocked, true);
      if (!probe && missing === 0 && this.state.isRefused(node)) {
        if (isProbed(this.state.failureClass(node))) this.waiting.add(node, attrs, state.failure[node]!);
        // What is wanted cannot be: what it was before is not wanted either, and must not go on carrying traffic.
        if (state.isOutdated(node)) installable = false;
        else if (blocked !== 0) return;
      }
      if (missing !== 0) {
        installable = false;
        const message = `Device "${escapeName(this.deviceName(missing))}" does not exist`;
        state.recordFailure(node, state.failures.intern({ errno: ENODEV, message, class: "wait" }));
      }
    }
    const planned = batch.planNode(state, node, installable);
    if (planned > 0) {
      flags[node]! |= INFLIGHT;
      for (let i = batch.routes.count - 1; i >= 0 && batch.node[i] === node; i--) {
        state.attrs.retain(batch.routes.attrs[i]!);
      }
    } else {
      if (planned === KEPT) this.keep(node);
      state.releaseIfIdle(node, QUEUED | INFLIGHT);
    }
  }

  /** Whether the node, which wants `attrs`, is to be sent for their group. For the one it has left another is tried. */
  private takeProbe(node: NodeId, attrs: AttrsId): boolean {
    const group = this.probes.get(node);
    if (group === undefined) return false;
    this.probes.delete(node);
    if (group !== attrs) this.waiting.probeOne(group, this.isWaiting, this.tryFor);
    return group === attrs;
  }

  /** What stands there must stay. Unless it is what we sent, a scan tells whether it is as wanted. */
  private keep(node: NodeId): void {
    const { state, events } = this;
    if (state.isOutdated(node)) state.recordFailure(node, state.failures.intern(PROTECTED));
    if ((state.table.fib.flags[node]! & SYNCED) === 0) events.verify("a protected route may be as wanted");
  }

  /** Tries again what safety.protect kept from being written. */
  retryProtected(node: NodeId): void {
    const { state } = this;
    if (state.failure[node] === 0 || state.failure[node] !== state.failures.intern(PROTECTED)) return;
    state.clearFailure(node);
    this.push(node);
  }

  /** All of the node's changes in a batch have their outcome. */
  private finish(node: NodeId): void {
    const { flags } = this.state.table.fib;
    flags[node] = (flags[node]! & ~(INFLIGHT | DUPLICATE)) | DIRTY;
    // Its group may have been tried, and given up for empty, while a deletion for the node was under way. (While the
    // daemon stops, tables empty under a frozen protocol.)
    const attrs = (flags[node]! & INSTALLED) === 0 ? NONE : this.state.wantedAttrs(node);
    if (attrs !== NONE && isProbed(this.state.failureClass(node))) {
      this.waiting.add(node, attrs, this.state.failure[node]!);
    }
    if ((flags[node]! & QUEUED) !== 0) this.ring.push(node);
    else this.state.releaseIfIdle(node, QUEUED | INFLIGHT);
  }

  private retryOverloaded(nodes: readonly NodeId[]): void {
    for (const node of nodes) {
      if (isTimed(this.state.failureClass(node))) this.push(node);
    }
    // They may have been tried for others, and join those now.
    this.tryGroups();
    this.run();
  }

  private tryGroups(): void {
    this.waiting.probe(this.isWaiting, this.tryFor, (node, attrs) => this.probes.get(node) === attrs);
    if (this.state.table.netCount > 0) this.run();
  }

  private readonly tryFor = (node: NodeId, attrs: AttrsId): void => {
    this.probes.set(node, attrs);
    this.push(node);
  };

  private readonly isWaiting = (node: NodeId, attrs: AttrsId): boolean => {
    const flags = this.state.table.fib.flags[node]!;
    if ((flags & (INSTALLED | QUEUED | INFLIGHT)) !== INSTALLED) return false;
    return isProbed(this.state.failureClass(node)) && this.state.wantedAttrs(node) === attrs;
  };
}
