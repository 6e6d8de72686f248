/**
 * HOT PATH. The columns of a table's routes, indexed by route id, with a free list. Knows nothing of order
 * or meaning: Rtable links the routes of a net into a list through `next`, best first.
 *
 *   id   net    next    attrs   source  preference  origin  metric  since
 *   1    →node  →route  →attrs  1       200         0       0       1.79e12    live
 *   2    0      (next free id)                                                 free
 */

import type { RouteId } from "./route.ts";

export class RouteStore {
  /** Node of the net; 0 = the id is free. All columns: re-read after allocate(). */
  net: Int32Array = new Int32Array(1024);
  /** Next worse route of the net, 0 at the end; of a free id: the next free id. */
  next: Int32Array = new Int32Array(1024);
  attrs: Int32Array = new Int32Array(1024);
  source: Uint16Array = new Uint16Array(1024);
  preference: Uint16Array = new Uint16Array(1024);
  /** Id of origin.ts. */
  origin: Uint16Array = new Uint16Array(1024);
  metric: Uint32Array = new Uint32Array(1024);
  /** Wall-clock milliseconds of the last change; for display. */
  since: Float64Array = new Float64Array(1024);
  private fresh = 1;
  private free: RouteId = 0;

  /** A new route with these contents, in no list. */
  allocate(
    net: number,
    attrs: number,
    source: number,
    preference: number,
    origin: number,
    metric: number,
    since: number,
  ): RouteId {
    let route = this.free;
    if (route !== 0) this.free = this.next[route]!;
    else {
      if (this.fresh === this.net.length) this.grow(this.fresh + (this.fresh >> 1));
      route = this.fresh++;
    }
    this.net[route] = net;
    this.next[route] = 0;
    this.attrs[route] = attrs;
    this.source[route] = source;
    this.preference[route] = preference;
    this.origin[route] = origin;
    this.metric[route] = metric;
    this.since[route] = since;
    return route;
  }

  /** A second route with the contents of a live one, in no list. */
  copy(route: RouteId): RouteId {
    return this.allocate(
      this.net[route]!,
      this.attrs[route]!,
      this.source[route]!,
      this.preference[route]!,
      this.origin[route]!,
      this.metric[route]!,
      this.since[route]!,
    );
  }

  /** Frees a live route that is in no list; its id may be given to another. */
  release(route: RouteId): void {
    this.net[route] = 0;
    this.next[route] = this.free;
    this.free = route;
  }

  /** Reads what stands about the routes head[nodes[…]], in loops whose reads overlap; the sum means nothing. */
  preload(head: Int32Array, nodes: Int32Array, count: number): number {
    const { attrs, metric } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= attrs[head[nodes[i]!]!]!;
    for (let i = 0; i < count; i++) sum ^= metric[head[nodes[i]!]!]!;
    return sum;
  }

  /** Makes room for so many more routes, while moving is cheap. */
  reserve(more: number): void {
    if (this.fresh + more > this.net.length) this.grow(this.fresh + more + (more >> 4));
  }

  private grow(capacity: number): void {
    const { net, next, attrs, source, preference, origin, metric, since } = this;
    this.net = new Int32Array(capacity);
    this.net.set(net);
    this.next = new Int32Array(capacity);
    this.next.set(next);
    this.attrs = new Int32Array(capacity);
    this.attrs.set(attrs);
    this.source = new Uint16Array(capacity);
    this.source.set(source);
    this.preference = new Uint16Array(capacity);
    this.preference.set(preference);
    this.origin = new Uint16Array(capacity);
    this.origin.set(origin);
    this.metric = new Uint32Array(capacity);
    this.metric.set(metric);
    this.since = new Float64Array(capacity);
    this.since.set(since);
  }
}
