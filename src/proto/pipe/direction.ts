/**
 * HOT PATH. One way of a pipe: what the channel of one table exports, the channel of the other imports.
 *
 *   from ─ best ─► exporter ─ takes(): not back, not in a circle ─► importer ─ filter ─► to
 *
 * The direction's filter stands at the importer, which lets it set the preference as well; the exporter lets all
 * through, or nothing when the filter rejects all, so that a closed direction costs nothing. The counters follow
 * from that: what the trail forbids is "rejected" at the exporter, what the filter says is counted at the importer
 * (but at the exporter when it rejects all).
 *
 * A net that is just being announced over there is not touched but deferred. The exporter's flag (isExported) and the
 * table's best route say at any time outside of an announcement what the other side should have; so what is deferred
 * needs no memory of the change itself.
 */

import type { Clock } from "../../lib/clock.ts";
import type { Channel } from "../../nest/channel.ts";
import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../../nest/filter.ts";
import { NONE, type NodeId, type RouteId } from "../../nest/route.ts";
import { walkNodes } from "../../nest/walk.ts";
import { DeferredNets } from "./deferred-nets.ts";
import { NO_WAY, Trails } from "./trails.ts";

/** What the exporter is to let through when this is the direction's filter. */
export function exportOf(filter: Filter): Filter {
  return filter.rejectsAll ? REJECT_ALL : ACCEPT_ALL;
}

export class PipeDirection {
  private readonly exporter: Channel;
  private readonly importer: Channel;
  private readonly clock: Clock;
  private readonly trails: Trails;
  private readonly deferred: DeferredNets;
  private stopped = false;

  constructor(exporter: Channel, importer: Channel, clock: Clock) {
    this.exporter = exporter;
    this.importer = importer;
    this.clock = clock;
    this.trails = new Trails(exporter.table.name, importer.table.name);
    this.deferred = new DeferredNets(clock, (w0, w1, w2, w3, length) =>
      this.bringInLine(w0, w1, w2, w3, length),
    );
  }

  /** What is wrong, in words, or "". */
  get problem(): string {
    if (this.trails.full) return "there are too many ways through pipes: some routes are not passed on";
    if (this.deferred.restless)
      return "routes go round without end: the filters of pipes contradict each other";
    return "";
  }

  /** The exporter's veto. */
  takes(route: RouteId): boolean {
    return this.trails.beyond(this.exporter.table.origin(route)) !== NO_WAY;
  }

  /** The exporter's sink. */
  exported(node: NodeId, best: RouteId): void {
    const { fib } = this.exporter.table;
    const { table: to, source } = this.importer;
    const w0 = fib.word(node, 0);
    const w1 = fib.word(node, 1);
    const w2 = fib.word(node, 2);
    const w3 = fib.word(node, 3);
    const length = fib.length(node);
    const there = to.fib.find(w0, w1, w2, w3, length);
    // Two channels cannot come up at once: what the first feeds before the second is up waits, too.
    if (source === 0 || (there !== NONE && to.isAnnouncing(there))) {
      this.deferred.add(w0, w1, w2, w3, length);
    } else if (best === NONE) {
      this.importer.withdrawRoute(w0, w1, w2, w3, length);
    } else {
      this.pass(best, w0, w1, w2, w3, length);
    }
  }

  /** Another filter; unless `soft`, for the routes that stand, too. Resolves when they are judged. */
  async refilter(filter: Filter, soft: boolean): Promise<void> {
    const changed = this.importer.importing.key !== filter.key;
    this.importer.setImport(filter);
    this.exporter.setExport(exportOf(filter));
    if (changed && !soft) await this.again();
  }

  /** Judges all routes again. Resolves when that is done, or it was stopped. */
  async again(): Promise<void> {
    const { exporter, importer } = this;
    const held = exporter.stats.exported > 0;
    // Only what the exporter lets through now and did not before, or the other way round, is passed by this one …
    await exporter.reexport();
    // … and this one takes what it let through before to a filter that may be another.
    if (held && !importer.importing.rejectsAll) await this.resend();
    await this.deferred.settled();
  }

  settled(): Promise<void> {
    return this.deferred.settled();
  }

  stop(): void {
    this.stopped = true;
    this.deferred.stop();
  }

  private async resend(): Promise<void> {
    const { exporter } = this;
    const { table } = exporter;
    const visit = (node: NodeId): void => {
      if (exporter.isExported(node)) this.exported(node, table.best(node));
    };
    await walkNodes(table.fib, visit, this.clock, { stopped: () => this.stopped });
  }

  /** No announcement is under way: gives the other table's net what this one has. */
  private bringInLine(w0: number, w1: number, w2: number, w3: number, length: number): void {
    const { table } = this.exporter;
    const node = table.fib.find(w0, w1, w2, w3, length);
    if (node !== NONE && this.exporter.isExported(node)) {
      this.pass(table.best(node), w0, w1, w2, w3, length);
    } else {
      this.importer.withdrawRoute(w0, w1, w2, w3, length);
    }
  }

  private pass(route: RouteId, w0: number, w1: number, w2: number, w3: number, length: number): void {
    const { table } = this.exporter;
    const attrs = table.attrsOf(route);
    table.attrs.retain(attrs);
    this.importer.importRoute(
      w0,
      w1,
      w2,
      w3,
      length,
      attrs,
      table.metricOf(route),
      this.trails.beyond(table.origin(route)),
      table.preferenceOf(route),
      table.source(table.sourceOf(route)),
    );
  }
}
