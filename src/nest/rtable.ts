/**
 * HOT PATH. A routing table: several routes per net (at most one per source), best first, and announcements
 * of every change of the best one. Routes are ids into RouteStore, nets are nodes of the Fib.
 *
 *   fib.head[node] ──► best route ──next──► second ──next──► … ──► 0        order: best-route.ts
 *
 * The tricky parts are what a listener may see and do:
 * - `previous` is always readable and holds the old content. When the best route changes in place (same id),
 *   its old content is copied to a route of its own for the time of the call.
 * - replaced attributes are released, and emptied nets freed, only after all listeners ran.
 * - a listener may change other nets of this table; changing the net that is being announced throws, since
 *   the listeners after it would see the two changes in the wrong order.
 */

import { assert } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Family } from "../lib/ip.ts";
import type { AttrsTable } from "./attrs.ts";
import { isBetter } from "./best-route.ts";
import { Fib } from "./fib.ts";
import { PLAIN_ORIGIN } from "./origin.ts";
import type { AttrsId, NodeId, RouteId, RouteSourceType } from "./route.ts";
import { RouteStore } from "./route-store.ts";
import { walkNodes } from "./walk.ts";

export interface RtableListener {
  /**
   * The best route of the net is now `best` (0: none), before it was `previous` (0: none; readable during
   * the call only). Also called when the best route kept its id but changed its content.
   */
  bestChanged(node: NodeId, best: RouteId, previous: RouteId): void;
  /** Another route of the net came, went or changed, and the best one is as it was. */
  othersChanged?(node: NodeId, best: RouteId): void;
}

/** Who puts routes into a table: one per channel. */
export interface RouteSource {
  readonly id: number;
  readonly name: string;
  readonly sourceType: RouteSourceType;
}

const MAX_SOURCES = 0xffff;

export class Rtable {
  readonly name: string;
  readonly family: Family;
  readonly fib: Fib;
  readonly attrs: AttrsTable;
  private readonly clock: Clock;
  private readonly routes = new RouteStore();
  private readonly sources: (RouteSource | null)[] = [null];
  /** By source id: its routes, and of these the best ones of their net. */
  private readonly sourceRoutes: number[] = [0];
  private readonly sourceBest: number[] = [0];
  /** By source id: its place among the sources, for routes that are equally good otherwise. */
  private readonly sourceRank: number[] = [0];
  private nets = 0;
  private total = 0;
  /** Replaced as a whole on every change, so that a running announcement is not disturbed. */
  private listeners: readonly RtableListener[] = [];
  /** Nets being announced now, innermost last. */
  private readonly announcing: NodeId[] = [];

  constructor(name: string, family: Family, attrs: AttrsTable, clock: Clock) {
    this.name = name;
    this.family = family;
    this.fib = new Fib(family);
    this.attrs = attrs;
    this.clock = clock;
  }

  /** Nets with at least one route. The Fib may hold more nodes: those with flags. */
  get netCount(): number {
    return this.nets;
  }

  get routeCount(): number {
    return this.total;
  }

  /** Registers a source and returns its id (1–65535, the lowest free one). */
  addSource(name: string, sourceType: RouteSourceType): number {
    let id = 1;
    while (this.sources[id] != null) id++;
    if (id > MAX_SOURCES) throw new RangeError(`Cannot add source ${name} to table ${this.name}: too many`);
    this.sources[id] = { id, name, sourceType };
    this.sourceRoutes[id] = 0;
    this.sourceBest[id] = 0;
    this.rankSources();
    return id;
  }

  /** Unregisters a source whose routes are all withdrawn. */
  removeSource(id: number): void {
    const { name } = this.source(id);
    assert(this.sourceRoutes[id] === 0, `source ${name} leaves table ${this.name} without routes`);
    this.sources[id] = null;
  }

  /** A registered source. */
  source(id: number): RouteSource {
    const source = this.sources[id];
    if (source == null) throw new RangeError(`No source ${id} in table ${this.name}`);
    return source;
  }

  /** Routes of this source now. */
  routeCountOf(source: number): number {
    return this.sourceRoutes[source] ?? 0;
  }

  /** Nets whose best route is of this source now. */
  preferredCountOf(source: number): number {
    return this.sourceBest[source] ?? 0;
  }

  /** Calls `listener` from now on for every change. Returns a function that ends that. */
  listen(listener: RtableListener): () => void {
    this.listeners = [...this.listeners, listener];
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }

  /** Makes room for so many more nets of each prefix length, while moving is cheap. */
  reserve(lengths: Int32Array): void {
    this.routes.reserve(this.fib.reserve(lengths));
  }

  /**
   * Adds or replaces the source's route of a net. Takes over the caller's one reference to `attrs`, whatever
   * the result. `preference` is 0–65535; `metric` is unsigned 32 bit, 0 = not set.
   */
  update(
    source: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    attrs: AttrsId,
    preference: number,
    metric: number,
    origin: number = PLAIN_ORIGIN,
  ): "created" | "updated" | "unchanged" {
    if (preference !== (preference & 0xffff))
      throw new RangeError(`Preference ${preference} is out of range`);
    if (this.sources[source] == null) throw new RangeError(`No source ${source} in table ${this.name}`);
    const { fib, routes } = this;
    const node = fib.insert(w0, w1, w2, w3, length);
    this.mustNotAnnounce(node);
    const wanted = metric >>> 0;
    let before: RouteId = 0;
    let route = fib.head[node]!;
    while (route !== 0 && routes.source[route] !== source) {
      before = route;
      route = routes.next[route]!;
    }
    if (route === 0) {
      this.create(node, routes.allocate(node, attrs, source, preference, origin, wanted, this.clock.wall()));
      return "created";
    }
    const sameRank = routes.preference[route] === preference && routes.metric[route] === wanted;
    if (sameRank && routes.attrs[route] === attrs && routes.origin[route] === origin) {
      this.attrs.release(attrs);
      return "unchanged";
    }
    const wasBest = before === 0;
    const oldAttrs = routes.attrs[route]!;
    const previous = wasBest ? routes.copy(route) : fib.head[node]!;
    routes.attrs[route] = attrs;
    routes.origin[route] = origin;
    routes.since[route] = this.clock.wall();
    if (!sameRank) {
      this.unlink(node, route, before);
      routes.preference[route] = preference;
      routes.metric[route] = wanted;
      this.link(node, route);
    }
    try {
      if (wasBest || fib.head[node] === route) this.announce(node, previous);
      else this.announceOthers(node);
    } finally {
      if (wasBest) routes.release(previous);
      this.attrs.release(oldAttrs);
    }
    return "updated";
  }

  /** Removes the source's route of a net; false when there was none. */
  withdraw(source: number, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const node = this.fib.find(w0, w1, w2, w3, length);
    return node !== 0 && this.withdrawFrom(node, source);
  }

  /** Withdraws all routes of a source in slices; resolves to their number. The source must not add meanwhile. */
  async withdrawAll(source: number): Promise<number> {
    let removed = 0;
    const visit = (node: NodeId): void => {
      if (this.withdrawFrom(node, source)) removed++;
    };
    const stopped = (): boolean => this.routeCountOf(source) === 0;
    await walkNodes(this.fib, visit, this.clock, { stopped });
    return removed;
  }

  /** Reads what will be asked about the best routes of these nodes (lookahead.ts); the sum means nothing. */
  preload(nodes: Int32Array, count: number): number {
    return this.routes.preload(this.fib.head, nodes, count);
  }

  /** The best route of a live node, 0 none. */
  best(node: NodeId): RouteId {
    return this.fib.head[node]!;
  }

  /** The next worse route of the same net, 0 at the end. */
  nextRoute(route: RouteId): RouteId {
    return this.routes.next[route]!;
  }

  /** The source's route of a live node, 0 none. */
  routeOf(node: NodeId, source: number): RouteId {
    let route = this.fib.head[node]!;
    while (route !== 0 && this.routes.source[route] !== source) route = this.routes.next[route]!;
    return route;
  }

  /** The net of a live route. */
  netOf(route: RouteId): NodeId {
    return this.routes.net[route]!;
  }

  attrsOf(route: RouteId): AttrsId {
    return this.routes.attrs[route]!;
  }

  sourceOf(route: RouteId): number {
    return this.routes.source[route]!;
  }

  preferenceOf(route: RouteId): number {
    return this.routes.preference[route]!;
  }

  /** The route's own kernel metric, 0 = not set. */
  metricOf(route: RouteId): number {
    return this.routes.metric[route]!;
  }

  /** Where the route comes from (origin.ts). */
  origin(route: RouteId): number {
    return this.routes.origin[route]!;
  }

  /** Wall-clock milliseconds of the last change of the route; for display. */
  sinceOf(route: RouteId): number {
    return this.routes.since[route]!;
  }

  /** Frees the node when it has no routes and no flags. For whoever cleared its flags; harmless otherwise. */
  releaseNode(node: NodeId): void {
    const { fib } = this;
    if (fib.head[node] !== 0 || fib.flags[node] !== 0 || !fib.isLive(node)) return;
    // A net being announced is freed by the withdrawal that announces it, after the last listener.
    if (this.announcing.length !== 0 && this.announcing.includes(node)) return;
    fib.remove(node);
  }

  private create(node: NodeId, route: RouteId): void {
    const previous = this.fib.head[node]!;
    const source = this.routes.source[route]!;
    this.sourceRoutes[source]!++;
    this.total++;
    if (previous === 0) this.nets++;
    this.link(node, route);
    if (this.fib.head[node] === route) this.announce(node, previous);
    else this.announceOthers(node);
  }

  private withdrawFrom(node: NodeId, source: number): boolean {
    const { fib, routes } = this;
    let before: RouteId = 0;
    let route = fib.head[node]!;
    while (route !== 0 && routes.source[route] !== source) {
      before = route;
      route = routes.next[route]!;
    }
    if (route === 0) return false;
    this.mustNotAnnounce(node);
    this.unlink(node, route, before);
    this.sourceRoutes[source]!--;
    this.total--;
    if (fib.head[node] === 0) this.nets--;
    try {
      if (before === 0) this.announce(node, route);
      else this.announceOthers(node);
    } finally {
      this.attrs.release(routes.attrs[route]!);
      routes.release(route);
      this.releaseNode(node);
    }
    return true;
  }

  /** Another source does not change how those that are there compare: lists of routes stay in order. */
  private rankSources(): void {
    const known = this.sources.filter((source) => source != null);
    known.sort(byRank);
    known.forEach(({ id }, rank) => {
      this.sourceRank[id] = rank;
    });
  }

  /** Puts a route that is in no list where its rank says. */
  private link(node: NodeId, route: RouteId): void {
    const { routes, sourceRank } = this;
    const { preference, metric, source, next } = routes;
    let before: RouteId = 0;
    let after = this.fib.head[node]!;
    while (
      after !== 0 &&
      isBetter(
        preference[after]!,
        metric[after]!,
        sourceRank[source[after]!]!,
        preference[route]!,
        metric[route]!,
        sourceRank[source[route]!]!,
      )
    ) {
      before = after;
      after = next[after]!;
    }
    next[route] = after;
    if (before === 0) this.fib.head[node] = route;
    else next[before] = route;
  }

  private unlink(node: NodeId, route: RouteId, before: RouteId): void {
    const { next } = this.routes;
    if (before === 0) this.fib.head[node] = next[route]!;
    else next[before] = next[route]!;
    next[route] = 0;
  }

  private announce(node: NodeId, previous: RouteId): void {
    const { listeners, routes } = this;
    const best = this.fib.head[node]!;
    if (previous !== 0) this.sourceBest[routes.source[previous]!]!--;
    if (best !== 0) this.sourceBest[routes.source[best]!]!++;
    if (listeners.length === 0) return;
    this.announcing.push(node);
    try {
      for (let i = 0; i < listeners.length; i++) listeners[i]!.bestChanged(node, best, previous);
    } finally {
      this.announcing.pop();
    }
  }

  private announceOthers(node: NodeId): void {
    const { listeners } = this;
    const best = this.fib.head[node]!;
    for (let i = 0; i < listeners.length; i++) {
      const { othersChanged } = listeners[i]!;
      if (othersChanged === undefined) continue;
      this.announcing.push(node);
      try {
        listeners[i]!.othersChanged?.(node, best);
      } finally {
        this.announcing.pop();
      }
    }
  }

  /** Whether the net is being announced now: then it must not be changed. */
  isAnnouncing(node: NodeId): boolean {
    return this.announcing.length !== 0 && this.announcing.includes(node);
  }

  private mustNotAnnounce(node: NodeId): void {
    if (this.announcing.length === 0) return;
    assert(!this.announcing.includes(node), "a listener does not change the net that is being announced");
  }
}

/** Pipes last, then by name. */
function byRank(a: RouteSource, b: RouteSource): number {
  const piped = Number(a.sourceType === "pipe") - Number(b.sourceType === "pipe");
  if (piped !== 0) return piped;
  return a.name === b.name ? a.id - b.id : a.name < b.name ? -1 : 1;
}
