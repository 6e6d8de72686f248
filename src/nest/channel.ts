/**
 * HOT PATH. The link between a protocol and a table: counts and filters what goes in (import) and what comes
 * out (export). Going up feeds the whole table to the sink in slices, while changes go straight through; one
 * byte per node tells what the sink holds now, so the feed skips what a change already brought, a withdrawal
 * of what was never exported stays silent, and the counters are exact.
 *
 *            importRoute ─► filter ─► table ─► bestChanged ─┐
 *                                       │                   ├─► exported-route.ts ─► exportedNodes[node] ─► sink
 *                       up(): walk in slices of nodes ──────┘
 *
 * A route the import filter turns away takes with it what it let through for the same net before.
 */

import type { Clock } from "../lib/clock.ts";
import { OneMore } from "../lib/one-more.ts";
import { ExportedRoutes } from "./exported-routes.ts";
import { emptyFilteredRoute, type Filter, type FilterContext, type FilteredRoute } from "./filter.ts";
import { originOf, PLAIN_ORIGIN } from "./origin.ts";
import type { AttrsId, NodeId, RouteId, RouteSourceType } from "./route.ts";
import type { RouteSource, Rtable, RtableListener } from "./rtable.ts";
import { walkNodes } from "./walk.ts";

export interface ExportSink {
  /**
   * The net's exported route is now made of `best`, or there is none (0) where there was one. What it is made into
   * say exportedAttrs() and exportedMetric() of the channel. Not to throw.
   */
  exported(node: NodeId, best: RouteId): void;
}

/** Changes offered, and what became of them: received is the sum of the other four. */
export interface ChangeCounters {
  readonly received: number;
  /** Import: the channel was down. Export: the protocol takes no such route (its own come back, or a veto). */
  readonly rejected: number;
  /** The filter said no. */
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
  readonly import: Filter;
  readonly export: Filter;
  /** Most nexthops of a route made of all equally good ones of a net; 1 (default): only the best counts. */
  readonly mergePaths?: number;
  /** Gets the exported routes; without it nothing is exported nor counted. */
  readonly sink?: ExportSink;
  /** Says no to what the protocol never takes, before the filter is asked. */
  readonly takes?: (route: RouteId) => boolean;
  /** The name behind a nexthop's device number, for filters that ask. */
  readonly deviceName: (device: number) => string;
  readonly clock: Clock;
}

type Announcer = Pick<RouteSource, "name" | "sourceType">;

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
    othersChanged: (node, best) => {
      if (this.open && this.made.mergePaths > 1) this.offer(node, best, true);
    },
  };
  private importFilter: Filter;
  private preference: number;
  /** What the export makes of the routes of each net. */
  private readonly made: ExportedRoutes;
  private readonly context: FilterContext;
  private readonly incoming: FilteredRoute;
  /** Who announces what is imported, unless importRoute() is told otherwise. */
  private readonly announcer: Announcer;
  /** 1 for every node whose route the sink holds; grown when a node beyond its end is met. */
  private exportedNodes = new Uint8Array(0);
  private exportedCount = 0;
  private sourceId = 0;
  /** Routes may pass: set by up(), cleared at the start of down(). */
  private open = false;
  private unlisten: (() => void) | null = null;
  private feeding: Promise<boolean> | null = null;
  private readonly reexporting = new OneMore<boolean>();
  private closing: Promise<void> | null = null;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.table = options.table;
    this.sink = options.sink ?? null;
    this.importFilter = options.import;
    this.preference = options.preference;
    const { table, name, sourceType, deviceName } = options;
    this.context = { attrs: table.attrs, deviceName };
    this.announcer = { name, sourceType };
    const may = (route: RouteId): boolean => this.mayExport(route);
    this.made = new ExportedRoutes(table, this.context, options.export, options.mergePaths ?? 1, may);
    this.incoming = emptyFilteredRoute(table.family, name, sourceType);
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

  /**
   * Offers a route to the table. Takes over the caller's reference to `attrs`, whatever becomes of it. `preference` is
   * that of routes that bring their own; `origin` is an id of origin.ts; `announcer` is whom the filter is to take for
   * the route's source (a pipe's is the one of the table the route comes from). False: it was not let in.
   */
  importRoute(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    attrs: AttrsId,
    metric: number,
    origin: number = PLAIN_ORIGIN,
    preference: number = this.preference,
    announcer: Announcer = this.announcer,
  ): boolean {
    const counters = this.importUpdates;
    counters.received++;
    const { table, importFilter } = this;
    if (!this.open) {
      counters.rejected++;
      table.attrs.release(attrs);
      return false;
    }
    let result: "created" | "updated" | "unchanged";
    if (importFilter.name === "all") {
      result = table.update(this.sourceId, w0, w1, w2, w3, length, attrs, preference, metric, origin);
    } else {
      const route = this.incoming;
      route.w0 = w0;
      route.w1 = w1;
      route.w2 = w2;
      route.w3 = w3;
      route.length = length;
      route.attrs = attrs;
      route.metric = metric;
      route.preference = preference;
      route.source = announcer.name;
      route.sourceType = announcer.sourceType;
      route.protocol = origin === PLAIN_ORIGIN ? 0 : originOf(origin).protocol;
      if (!importFilter.apply(route, this.context)) {
        counters.filtered++;
        table.attrs.release(attrs);
        table.withdraw(this.sourceId, w0, w1, w2, w3, length);
        return false;
      }
      if (route.attrs !== attrs) table.attrs.release(attrs);
      const { attrs: made, preference: rank } = route;
      result = table.update(this.sourceId, w0, w1, w2, w3, length, made, rank, route.metric, origin);
    }
    if (result === "unchanged") counters.ignored++;
    else counters.accepted++;
    return true;
  }

  /** Withdraws this channel's route of a net, if there is one. */
  withdrawRoute(w0: number, w1: number, w2: number, w3: number, length: number): void {
    const counters = this.importWithdraws;
    counters.received++;
    if (!this.open) counters.rejected++;
    else if (this.table.withdraw(this.sourceId, w0, w1, w2, w3, length)) counters.accepted++;
    else counters.ignored++;
  }

  get importing(): Filter {
    return this.importFilter;
  }

  get exporting(): Filter {
    return this.made.filter;
  }

  /** For routes that come from now on; those in the table change when their protocol announces them again. */
  setImport(filter: Filter, preference: number = this.preference): void {
    this.importFilter = filter;
    this.preference = preference;
  }

  /** For nets that change from now on; reexport() brings the others in line. */
  setExport(filter: Filter, mergePaths: number = this.made.mergePaths): void {
    this.made.configure(filter, mergePaths);
  }

  /**
   * Offers every net to the export again, in slices; the sink hears of those whose exported route differs from what it
   * holds. Resolves with false when the channel went down meanwhile.
   */
  async reexport(): Promise<boolean> {
    return this.sink === null || (await this.reexporting.run(() => this.offerAll()));
  }

  private offerAll(): Promise<boolean> {
    const visit = (node: NodeId): void => {
      const best = this.table.best(node);
      if (best !== 0) this.offer(node, best, true);
    };
    return walkNodes(this.table.fib, visit, this.options.clock, { stopped: () => !this.open });
  }

  /** Whether the sink holds a route of this net. */
  isExported(node: NodeId): boolean {
    return this.exportedNodes[node] === 1;
  }

  /** Attributes of what is exported for the net: those of its best route, or what filter and merging made of it. */
  exportedAttrs(node: NodeId): AttrsId {
    return this.made.attrs(node);
  }

  /** Kernel metric of what is exported for the net, 0 = not set. */
  exportedMetric(node: NodeId): number {
    return this.made.metric(node);
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
    this.made.clear();
    this.exportedNodes = new Uint8Array(0);
    this.exportedCount = 0;
    await this.table.withdrawAll(this.sourceId);
    this.table.removeSource(this.sourceId);
    this.sourceId = 0;
  }

  private mayExport(route: RouteId): boolean {
    return this.table.sourceOf(route) !== this.sourceId && this.options.takes?.(route) !== false;
  }

  /** Whether the protocol never takes this route, whatever its filter says. Its own are not meant. */
  refuses(route: RouteId): boolean {
    return this.options.takes?.(route) === false;
  }

  /** The net's best route is `best`: brings the sink up to date. `again`: silent when it holds just this already. */
  private offer(node: NodeId, best: RouteId, again = false): void {
    if (best === 0) {
      this.retract(node);
      return;
    }
    const { made } = this;
    const { attrs } = this.table;
    const counters = this.exportUpdates;
    counters.received++;
    const had = this.exportedNodes[node] === 1;
    const held = again && had ? made.attrs(node) : 0;
    const metric = held === 0 ? 0 : made.metric(node);
    // What was made of the route before must not be given to other attributes while the two are compared.
    if (held !== 0) attrs.retain(held);
    const may = this.mayExport(best);
    if (!may || !made.make(node, best)) {
      if (may) counters.filtered++;
      else counters.rejected++;
      if (had) this.retract(node);
    } else if (held !== 0 && made.attrs(node) === held && made.metric(node) === metric) {
      counters.ignored++;
    } else {
      counters.accepted++;
      this.markExported(node);
      this.sink?.exported(node, best);
    }
    if (held !== 0) attrs.release(held);
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
    this.made.forget(node);
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
