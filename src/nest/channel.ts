/**
 * HOT PATH. The link between a protocol and a table: counts and filters what goes in (import) and what comes
 * out (export). Going up feeds the whole table to the sink in slices, while changes go straight through; one
 * byte per node tells what the sink holds now, so the feed skips what a change already brought, a withdrawal
 * of what was never exported stays silent, and the counters are exact.
 *
 *            importRoute ─► policy ─► table ─► bestChanged ─┐
 *                                       │                   ├─► exportable? ─► exportedNodes[node] ─► sink
 *                       up(): walk in slices of nodes ──────┘
 */

import type { Clock } from "../lib/clock.ts";
import type { AttrsId, NodeId, RouteId, RouteSourceType } from "./route.ts";
import type { Rtable, RtableListener } from "./rtable.ts";
import { walkNodes } from "./walk.ts";

/** The filters built in. */
export type Policy = "all" | "none";

export interface ExportSink {
  /** The net's exported route is now `best`, or there is none (0) where there was one. Not to throw. */
  exported(node: NodeId, best: RouteId): void;
}

/** Changes offered, and what became of them: received is the sum of the other four. */
export interface ChangeCounters {
  readonly received: number;
  /** Import: the channel was down. Export: the route came from this very channel. */
  readonly rejected: number;
  /** The policy said no. */
  readonly filtered: number;
  /** It changed nothing. */
  readonly ignored: number;
  readonly accepted: number;
}

export interface ChannelStats {
  readonly importUpdates: ChangeCounters;
  readonly importWithdraws: ChangeCounters;
  readonly exportUpdates: ChangeCounters;
  readonly exportWithdraws: ChangeCounters;
  /** Routes in the table now that came through this channel. */
  readonly imported: number;
  /** Nets whose best route the sink holds now. */
  readonly exported: number;
  /** Nets whose best route came through this channel. */
  readonly preferred: number;
}

export interface ChannelOptions {
  /** Name of the route source in the table: that of the protocol. */
  readonly name: string;
  readonly table: Rtable;
  readonly sourceType: RouteSourceType;
  /** Preference of imported routes that bring none of their own. */
  readonly preference: number;
  readonly import: Policy;
  readonly export: Policy;
  /** Gets the exported routes; without it nothing is exported nor counted. */
  readonly sink?: ExportSink;
  readonly clock: Clock;
}

class Counters implements ChangeCounters {
  received = 0;
  rejected = 0;
  filtered = 0;
  ignored = 0;
  accepted = 0;
}

export class Channel {
  readonly table: Rtable;
  private readonly options: ChannelOptions;
  private readonly sink: ExportSink | null;
  private readonly importUpdates = new Counters();
  private readonly importWithdraws = new Counters();
  private readonly exportUpdates = new Counters();
  private readonly exportWithdraws = new Counters();
  private readonly listener: RtableListener = {
    bestChanged: (node, best) => {
      // An announcement that was under way when down() was called may still arrive.
      if (this.open) this.offer(node, best);
    },
  };
  /** 1 for every node whose route the sink holds; grown when a node beyond its end is met. */
  private exportedNodes = new Uint8Array(0);
  private exportedCount = 0;
  private sourceId = 0;
  /** Routes may pass: set by up(), cleared at the start of down(). */
  private open = false;
  private unlisten: (() => void) | null = null;
  private feeding: Promise<boolean> | null = null;
  private closing: Promise<void> | null = null;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.table = options.table;
    this.sink = options.sink ?? null;
  }

  /** Source id in the table while up, 0 while down. */
  get source(): number {
    return this.sourceId;
  }

  get stats(): ChannelStats {
    return {
      importUpdates: this.importUpdates,
      importWithdraws: this.importWithdraws,
      exportUpdates: this.exportUpdates,
      exportWithdraws: this.exportWithdraws,
      imported: this.table.routeCountOf(this.sourceId),
      exported: this.exportedCount,
      preferred: this.table.preferredCountOf(this.sourceId),
    };
  }

  /**
   * Registers with the table and feeds it to the sink. Imports may start at once; the promise resolves when
   * the feed is complete, or was ended by down(). Idempotent; waits for a down() that is under way.
   */
  async up(): Promise<void> {
    while (this.closing !== null) await this.closing;
    if (!this.open) {
      this.open = true;
      this.sourceId = this.table.addSource(this.options.name, this.options.sourceType);
      if (this.sink !== null) {
        this.exportedNodes = new Uint8Array(this.table.fib.capacity);
        this.unlisten = this.table.listen(this.listener);
        this.feeding = this.feed();
      }
    }
    await this.feeding;
  }

  /**
   * Stops exporting at once, without telling the sink about each net, and withdraws all imported routes in
   * slices. Idempotent.
   */
  async down(): Promise<void> {
    if (this.open) {
      this.open = false;
      this.closing = this.close().finally(() => {
        this.closing = null;
      });
    }
    await this.closing;
  }

  /** Offers a route to the table. Takes over the caller's reference to `attrs`, whatever becomes of it. */
  importRoute(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    attrs: AttrsId,
    metric: number,
    preference: number = this.options.preference,
  ): void {
    const counters = this.importUpdates;
    counters.received++;
    if (!this.open || this.options.import === "none") {
      if (this.open) counters.filtered++;
      else counters.rejected++;
      this.table.attrs.release(attrs);
      return;
    }
    const result = this.table.update(this.sourceId, w0, w1, w2, w3, length, attrs, preference, metric);
    if (result === "unchanged") counters.ignored++;
    else counters.accepted++;
  }

  /** Withdraws this channel's route of a net, if there is one. */
  withdrawRoute(w0: number, w1: number, w2: number, w3: number, length: number): void {
    const counters = this.importWithdraws;
    counters.received++;
    if (!this.open) counters.rejected++;
    else if (this.table.withdraw(this.sourceId, w0, w1, w2, w3, length)) counters.accepted++;
    else counters.ignored++;
  }

  /** Whether the export policy lets the route through; never one that this channel imported. */
  exportable(route: RouteId): boolean {
    return route !== 0 && this.options.export === "all" && this.table.sourceOf(route) !== this.sourceId;
  }

  private feed(): Promise<boolean> {
    const visit = (node: NodeId): void => {
      const best = this.table.best(node);
      if (best !== 0 && this.exportedNodes[node] !== 1) this.offer(node, best);
    };
    return walkNodes(this.table.fib, visit, this.options.clock, { stopped: () => !this.open });
  }

  private async close(): Promise<void> {
    this.unlisten?.();
    this.unlisten = null;
    // A feed that failed has told up() already; here it only matters that it no longer runs.
    await this.feeding?.catch(() => false);
    this.feeding = null;
    this.exportedNodes = new Uint8Array(0);
    this.exportedCount = 0;
    await this.table.withdrawAll(this.sourceId);
    this.table.removeSource(this.sourceId);
    this.sourceId = 0;
  }

  /** The net's best route is `best`: brings the sink up to date. */
  private offer(node: NodeId, best: RouteId): void {
    if (best === 0) {
      this.retract(node);
      return;
    }
    const counters = this.exportUpdates;
    counters.received++;
    if (this.exportable(best)) {
      counters.accepted++;
      this.markExported(node);
      this.sink?.exported(node, best);
      return;
    }
    if (this.table.sourceOf(best) === this.sourceId) counters.rejected++;
    else counters.filtered++;
    if (this.exportedNodes[node] === 1) this.retract(node);
  }

  private retract(node: NodeId): void {
    const counters = this.exportWithdraws;
    counters.received++;
    if (this.exportedNodes[node] !== 1) {
      counters.ignored++;
      return;
    }
    counters.accepted++;
    this.exportedNodes[node] = 0;
    this.exportedCount--;
    this.sink?.exported(node, 0);
  }

  private markExported(node: NodeId): void {
    if (node >= this.exportedNodes.length) {
      const grown = new Uint8Array(this.table.fib.capacity);
      grown.set(this.exportedNodes);
      this.exportedNodes = grown;
    }
    if (this.exportedNodes[node] === 1) return;
    this.exportedNodes[node] = 1;
    this.exportedCount++;
  }
}
