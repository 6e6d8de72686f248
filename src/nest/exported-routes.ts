/**
 * HOT PATH. What an export makes of the routes of each net: the filter may change the best one, and merging joins
 * the nexthops of all that are equally good. Only nets whose exported route differs from their best one cost
 * anything; the columns are made when the first such net comes.
 *
 *   attrsIds[node]  attributes after filter and merging, 1 reference; 0: those of the best route
 *   metrics[node]   kernel metric after the filter (valid with attrsIds)
 */

import {
  ATTRS_FLOW,
  ATTRS_HEADER_WORDS,
  ATTRS_NEXTHOPS,
  ATTRS_TYPE,
  AttrsDraft,
  NEXTHOP_FAMILY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
} from "./attrs-draft.ts";
import { emptyFilteredRoute, type Filter, type FilterContext, type FilteredRoute } from "./filter.ts";
import { originOf } from "./origin.ts";
import { type AttrsId, NONE, type NodeId, type RouteId } from "./route.ts";
import type { Rtable } from "./rtable.ts";

const RTN_UNICAST = 1;

export class ExportedRoutes {
  filter: Filter;
  mergePaths: number;
  private readonly table: Rtable;
  private readonly context: FilterContext;
  private readonly mayExport: (route: RouteId) => boolean;
  private readonly route: FilteredRoute;
  private readonly draft = new AttrsDraft();
  private attrsIds = new Int32Array(0);
  private metrics = new Uint32Array(0);

  /** `mayExport` says whether a route is to be joined with the best one at all, before the filter is asked. */
  constructor(
    table: Rtable,
    context: FilterContext,
    filter: Filter,
    mergePaths: number,
    mayExport: (route: RouteId) => boolean,
  ) {
    this.table = table;
    this.context = context;
    this.mayExport = mayExport;
    this.filter = filter;
    this.mergePaths = mergePaths;
    this.route = emptyFilteredRoute(table.family, "", "static");
  }

  /** For what make() is asked from now on. */
  configure(filter: Filter, mergePaths: number): void {
    this.filter = filter;
    this.mergePaths = mergePaths;
  }

  attrs(node: NodeId): AttrsId {
    const made = this.attrsIds[node] ?? 0;
    if (made !== 0) return made;
    const best = this.table.best(node);
    return best === NONE ? NONE : this.table.attrsOf(best);
  }

  metric(node: NodeId): number {
    if ((this.attrsIds[node] ?? 0) !== 0) return this.metrics[node]!;
    const best = this.table.best(node);
    return best === NONE ? 0 : this.table.metricOf(best);
  }

  /** Whether the best route passes; then attrs() and metric() tell what it is made into. */
  make(node: NodeId, best: RouteId): boolean {
    const { filter, table } = this;
    if (filter.rejectsAll) return false;
    if (filter.name === "all" && this.mergePaths <= 1) {
      this.forget(node);
      return true;
    }
    const natural = table.attrsOf(best);
    const passed = this.pass(node, best);
    if (passed === NONE) return false;
    const metric = this.route.metric;
    const merged = this.mergePaths > 1 ? this.merge(node, best, passed) : passed;
    if (merged === natural && metric === table.metricOf(best)) this.forget(node);
    else this.keep(node, merged, metric);
    if (merged !== passed) table.attrs.release(merged);
    if (passed !== natural) table.attrs.release(passed);
    return true;
  }

  forget(node: NodeId): void {
    const made = this.attrsIds[node] ?? 0;
    if (made === 0) return;
    this.attrsIds[node] = 0;
    this.table.attrs.release(made);
  }

  clear(): void {
    for (const made of this.attrsIds) if (made !== 0) this.table.attrs.release(made);
    this.attrsIds = new Int32Array(0);
    this.metrics = new Uint32Array(0);
  }

  /** The attributes the filter gives the route (with a reference if they are others than its own), or 0: rejected. */
  private pass(node: NodeId, id: RouteId): AttrsId {
    const { table, route } = this;
    const { fib } = table;
    route.w0 = fib.word(node, 0);
    route.w1 = fib.word(node, 1);
    route.w2 = fib.word(node, 2);
    route.w3 = fib.word(node, 3);
    route.length = fib.length(node);
    route.attrs = table.attrsOf(id);
    route.metric = table.metricOf(id);
    route.preference = table.preferenceOf(id);
    const source = table.source(table.sourceOf(id));
    route.source = source.name;
    route.sourceType = source.sourceType;
    route.protocol = originOf(table.origin(id)).protocol;
    return this.filter.apply(route, this.context) ? route.attrs : NONE;
  }

  /** Joins the nexthops of the routes as good as `best`. The result has a reference unless it is `first` itself. */
  private merge(node: NodeId, best: RouteId, first: AttrsId): AttrsId {
    const { table, draft } = this;
    const metric = this.route.metric;
    if (!this.isMergeable(first)) return first;
    let started = false;
    for (let id = table.nextRoute(best); id !== NONE; id = table.nextRoute(id)) {
      if (table.preferenceOf(id) !== table.preferenceOf(best)) break;
      if (table.metricOf(id) !== table.metricOf(best)) break;
      if (!this.mayExport(id)) continue;
      const passed = this.pass(node, id);
      if (passed === NONE) continue;
      if (this.route.metric === metric && this.isMergeable(passed)) {
        if (!started) this.begin(first);
        started = true;
        this.addNexthops(passed);
      }
      if (passed !== table.attrsOf(id)) table.attrs.release(passed);
    }
    if (!started) return first;
    draft.finish();
    const merged = table.attrs.intern(draft);
    if (merged !== first) return merged;
    table.attrs.release(merged);
    return first;
  }

  /** Whether the kernel takes its nexthops together with others: in IPv6 they need gateways, in IPv4 no realm. */
  private isMergeable(id: AttrsId): boolean {
    const { words } = this.table.attrs;
    const base = this.table.attrs.offset(id);
    const count = words[base + ATTRS_NEXTHOPS]!;
    if (words[base + ATTRS_TYPE] !== RTN_UNICAST || count === 0 || words[base + ATTRS_FLOW] !== 0)
      return false;
    if (this.table.family === 4) return true;
    const end = base + ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
    for (let at = base + ATTRS_HEADER_WORDS; at < end; at += NEXTHOP_WORDS) {
      if (words[at + NEXTHOP_FAMILY] === 0) return false;
    }
    return true;
  }

  /** Starts the draft with all that `id` has, be its nexthops more than others may join. */
  private begin(id: AttrsId): void {
    const { draft } = this;
    const { words } = this.table.attrs;
    const base = this.table.attrs.offset(id);
    draft.copyHeader(words, base);
    const count = words[base + ATTRS_NEXTHOPS]!;
    for (let k = 0; k < count; k++) {
      draft.addNexthopWords(words, base + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS);
    }
  }

  private addNexthops(id: AttrsId): void {
    const { draft } = this;
    const { words } = this.table.attrs;
    const base = this.table.attrs.offset(id);
    const count = words[base + ATTRS_NEXTHOPS]!;
    for (let k = 0; k < count; k++) {
      if (draft.words[ATTRS_NEXTHOPS]! >= this.mergePaths) return;
      const at = base + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS;
      if (!this.hasNexthop(words, at)) draft.addNexthopWords(words, at);
    }
  }

  /** Whether the draft has the nexthop already, whatever its weight. */
  private hasNexthop(words: Int32Array, at: number): boolean {
    const { draft } = this;
    const count = draft.words[ATTRS_NEXTHOPS]!;
    for (let k = 0; k < count; k++) {
      const other = ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS;
      let same = true;
      for (let w = 0; w < NEXTHOP_WORDS && same; w++) {
        same = w === NEXTHOP_WEIGHT || draft.words[other + w] === words[at + w];
      }
      if (same) return true;
    }
    return false;
  }

  private keep(node: NodeId, attrs: AttrsId, metric: number): void {
    if (node >= this.attrsIds.length) this.grow();
    this.table.attrs.retain(attrs);
    const before = this.attrsIds[node]!;
    if (before !== 0) this.table.attrs.release(before);
    this.attrsIds[node] = attrs;
    this.metrics[node] = metric;
  }

  private grow(): void {
    const { capacity } = this.table.fib;
    const attrsIds = new Int32Array(capacity);
    attrsIds.set(this.attrsIds);
    this.attrsIds = attrsIds;
    const metrics = new Uint32Array(capacity);
    metrics.set(this.metrics);
    this.metrics = metrics;
  }
}
