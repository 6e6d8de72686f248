/**
 * What a notification about a route means. A route of ours that somebody deleted or changed is put right at once;
 * everything an event cannot prove is left to a scan, which is asked for. Nothing here ever replaces a foreign route:
 * an ADD that finds the key taken changes nothing, and a REPLACE is sent only when the event itself showed ours first.
 *
 *   ours, gone, just as we sent it        drift "deleted": ADD at once
 *   ours, replaced (IPv4: was the first)  drift "changed": REPLACE at once; IPv6: DELETE what is shown, ADD
 *   foreign, replaced ours                drift "taken": the route has failed with a rival, nothing is written
 *   foreign, gone from our key            ADD, if ours was kept out by it
 *   redirect                              deleted, never learned
 *   alien                                 learn.ts
 *   anything else at a key of ours        that net is DIRTY, and a scan looks
 */

import type { Clock } from "../../lib/clock.ts";
import { EEXIST } from "../../lib/errno.ts";
import type { Log } from "../../lib/log.ts";
import { formatPrefix } from "../../lib/prefix.ts";
import type { DriftRecord, KernelRouteClass } from "../../nest/protocol.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";
import { DIRTY, DRIFTED, INFLIGHT, INSTALLED, QUEUED, RIVAL, SENT, SYNCED } from "../../nest/sync-flags.ts";
import type { KernelRoute, RouteChange } from "../../sysdep/os.ts";
import type { DriftLog } from "./drift.ts";
import type { ExportQueue } from "./export-queue.ts";
import type { AlienRoutes } from "./learn.ts";
import { KEY_TAKEN, packRival } from "./rival.ts";
import type { OwnNumbers } from "./status.ts";
import type { SyncState } from "./sync-state.ts";
import { classify } from "./verdict.ts";

export interface RouteEventsOptions {
  readonly name: string;
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly numbers: OwnNumbers;
  readonly drift: DriftLog;
  readonly aliens: () => AlienRoutes | null;
  /** Learn routes of protocol kernel too. */
  readonly learnsKernel: () => boolean;
  /** The kernel may be written to: a scan has been complete. */
  readonly initialized: () => boolean;
  readonly requestScan: (reason: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export class RouteEvents {
  /** Events that did not fit what was known: a scan was asked to look. */
  unexplained = 0;
  private readonly options: RouteEventsOptions;

  constructor(options: RouteEventsOptions) {
    this.options = options;
  }

  /** A route of the protocol's kernel table changed, not by our hand. */
  take(route: KernelRoute, change: RouteChange, port: number): void {
    const { protocol, type, tos, table, rtmFlags } = route;
    const routeClass = classify(protocol, type, tos, table, rtmFlags, this.options.numbers.ours);
    const node = this.nodeAtKey(route);
    if (routeClass === "ours") this.takeOurs(node, route, change, port);
    else this.takeForeign(node, route, routeClass, change, port);
    const aliens = this.options.aliens();
    if (aliens === null) return;
    if (this.isLearned(routeClass)) {
      if (!aliens.event(route, change)) this.look("an alien route changed in a way only a scan can tell");
      return;
    }
    if (routeClass !== "ours" && tos === 0 && change !== "gone") aliens.noteOther(route);
    if (change === "replaced" && aliens.hasAt(route)) {
      this.look("an alien route was replaced by one that is not learned");
    }
  }

  private isLearned(routeClass: KernelRouteClass): boolean {
    return routeClass === "alien" || (routeClass === "kernel" && this.options.learnsKernel());
  }

  /** The node that has, or wants, a route at just this key; 0: none. */
  private nodeAtKey(route: KernelRoute): NodeId {
    const { state } = this.options;
    const { fib } = state.table;
    if (route.tos !== 0) return 0;
    const node = fib.find(route.w0, route.w1, route.w2, route.w3, route.length);
    if (node === 0) return 0;
    const flags = fib.flags[node]!;
    if ((flags & SENT) !== 0 && state.sentMetric[node] === route.metric) return node;
    return (flags & INSTALLED) !== 0 && state.wantedMetric(node) === route.metric ? node : 0;
  }

  private takeOurs(node: NodeId, route: KernelRoute, change: RouteChange, port: number): void {
    if (node === 0) {
      // A route with our number that nobody wants: the scan deletes it by its exact key.
      if (change !== "gone") this.look("a route with our protocol number appeared");
      return;
    }
    const { state } = this.options;
    const flags = state.table.fib.flags[node]!;
    const atSent = (flags & SENT) !== 0 && state.sentMetric[node] === route.metric;
    if ((flags & INFLIGHT) !== 0 || !atSent || route.protocol !== this.options.numbers.own) {
      // The scan will repair it. Who is faster than the answers to our writes must not make it do so for ever.
      const quarrel = (flags & INFLIGHT) !== 0 && change === "gone" && port !== 0;
      if (quarrel) state.contest.mayRepair(node, state.table.fib.capacity);
      this.doubt(node, 0, "a route of ours changed");
    } else if (change === "gone") {
      if (state.attrs.matches(state.sentAttrs[node]!, route.attrs)) this.deleted(node, port);
      else this.doubt(node, 0, "a route of ours changed");
    } else if (change === "replaced") {
      this.replaced(node, route, port);
    } else {
      // IPv4: a second alias of ours. IPv6: perhaps a nexthop more.
      this.doubt(node, 0, "a second route of ours appeared at one key");
    }
  }

  private deleted(node: NodeId, port: number): void {
    const { state } = this.options;
    const before = state.retainedSentAttrs(node);
    const metric = state.sentMetric[node]!;
    state.clearSent(node);
    const { flags } = state.table.fib;
    flags[node]! |= DIRTY;
    const wanted = (flags[node]! & INSTALLED) !== 0;
    // The kernel takes routes away by itself when their link goes: that is no quarrel with anybody.
    const reaction = wanted ? this.repair(node, port !== 0) : "left";
    if (port !== 0 && wanted) this.report(node, "deleted", metric, before, 0, port, reaction);
    state.attrs.release(before);
    // The event may be older than a repair: what stands there then is nobody's, unless a scan finds it.
    if (!wanted) this.look("a route of ours that nobody wants any more was deleted");
    state.releaseIfIdle(node, QUEUED | INFLIGHT);
  }

  /** Somebody replaced what stood first at the key by a route with our protocol number. */
  private replaced(node: NodeId, route: KernelRoute, port: number): void {
    const { state } = this.options;
    const { flags } = state.table.fib;
    const hadRival = (flags[node]! & RIVAL) !== 0;
    const known = (flags[node]! & (SENT | SYNCED)) === (SENT | SYNCED);
    if (hadRival || !known) {
      this.doubt(node, 0, "a route of ours was replaced");
      return;
    }
    const before = state.retainedSentAttrs(node);
    const shown = state.attrs.intern(route.attrs);
    // IPv4 shows the whole route, and it stands first. IPv6 may show one nexthop of several.
    state.recordSent(node, route.metric, shown, route.family === 4);
    flags[node]! |= DIRTY;
    const equal = state.attrs.matches(state.wantedAttrs(node), route.attrs);
    if (before !== shown && !equal) {
      const reaction = this.repair(node, true);
      this.report(node, "changed", route.metric, before, shown, port, reaction);
    }
    if (route.family === 6) this.look("an IPv6 route of ours was replaced");
    else if (equal && state.failure[node] !== 0) this.look("a route of ours that had failed is as wanted");
    state.attrs.release(shown);
    state.attrs.release(before);
  }

  private takeForeign(
    node: NodeId,
    route: KernelRoute,
    routeClass: KernelRouteClass,
    change: RouteChange,
    port: number,
  ): void {
    if (node !== 0) this.foreignAtKey(node, route, change, port);
    if (routeClass === "redirect" && change !== "gone") this.deleteRedirect(route);
  }

  private foreignAtKey(node: NodeId, route: KernelRoute, change: RouteChange, port: number): void {
    const { state, queue } = this.options;
    const { flags } = state.table.fib;
    const before = flags[node]!;
    const sent = (before & SENT) !== 0 && state.sentMetric[node] === route.metric;
    if (change === "gone") {
      state.rivals.delete(node);
      if (!sent && (before & (INSTALLED | INFLIGHT)) === INSTALLED && this.options.initialized()) {
        // It kept ours out. If another one does so still, the ADD will say so. Who comes and goes all the time quarrels,
        // unless it only went with its link.
        flags[node]! &= ~RIVAL;
        state.clearFailure(node);
        const { contest } = state;
        if (port === 0 ? contest.has(node) : !contest.mayRepair(node, state.table.fib.capacity)) return;
        queue.push(node);
        queue.run();
      } else {
        this.doubt(node, 0, "a foreign route left a key of ours");
      }
      return;
    }
    // IPv6 replaces within a class first: with a foreign route beside ours it may have been that one.
    const alone = route.family === 4 || !state.rivals.has(node);
    const overwritten = change === "replaced" && sent && alone;
    if (!overwritten || (before & (SYNCED | RIVAL | INFLIGHT)) !== SYNCED) {
      this.doubt(node, RIVAL, "a foreign route came to a key of ours");
      return;
    }
    const old = state.retainedSentAttrs(node);
    const shown = state.attrs.intern(route.attrs);
    state.clearSent(node);
    flags[node]! |= DIRTY | RIVAL;
    state.rivals.set(node, packRival(route.protocol, route.type));
    if ((before & INSTALLED) !== 0) {
      state.recordFailure(node, state.failures.intern({ errno: EEXIST, message: KEY_TAKEN, class: "rival" }));
    }
    this.report(node, "taken", route.metric, old, shown, port, "left");
    this.look("a foreign route replaced one of ours");
    state.attrs.release(shown);
    state.attrs.release(old);
    state.releaseIfIdle(node, QUEUED | INFLIGHT);
  }

  /** A redirect is somebody on the wire telling this host where to send: never ours, never wanted. */
  private deleteRedirect(route: KernelRoute): void {
    const { queue, state, log, name } = this.options;
    if (!queue.writable || !this.options.initialized()) return;
    const { w0, w1, w2, w3, length, metric, protocol } = route;
    if (state.safety.protectsPrefix(route)) return;
    queue.extra.push(w0, w1, w2, w3, length, metric, state.attrs.intern(route.attrs), protocol);
    queue.run();
    log.info("deleting a redirect", {
      protocol: name,
      prefix: formatPrefix(route.family, w0, w1, w2, w3, length),
    });
  }

  /** Puts the net right now, if it may be written at all and nobody fights over it. */
  private repair(node: NodeId, counts: boolean): DriftRecord["reaction"] {
    const { state, queue } = this.options;
    const { fib } = state.table;
    if (!queue.writable) return "left";
    if (!this.options.initialized()) return "scan";
    if ((fib.flags[node]! & SENT) !== 0 && state.safety.protectsNode(fib, node)) {
      queue.push(node);
      queue.run();
      return "left";
    }
    if (counts ? !state.contest.mayRepair(node, fib.capacity) : state.contest.has(node)) return "left";
    if (counts) fib.flags[node]! |= DRIFTED;
    queue.push(node);
    queue.run();
    return "repaired";
  }

  /** What we believed of the net may be wrong: nothing is replaced there before a scan has looked. */
  private doubt(node: NodeId, more: number, reason: string): void {
    const { state } = this.options;
    const { flags } = state.table.fib;
    state.mayHaveNexthops(node);
    flags[node] = (flags[node]! & ~SYNCED) | DIRTY | more;
    this.look(reason);
  }

  private look(reason: string): void {
    this.unexplained++;
    this.options.requestScan(reason);
  }

  private report(
    node: NodeId,
    kind: DriftRecord["kind"],
    metric: number,
    before: AttrsId,
    after: AttrsId,
    port: number,
    reaction: DriftRecord["reaction"],
  ): void {
    const { state, drift, clock, log, name } = this.options;
    const { fib, attrs, family } = state.table;
    const record: DriftRecord = {
      at: clock.wall(),
      protocol: name,
      prefix: fib.prefix(node),
      metric,
      kind,
      seenBy: "event",
      port: port === 0 ? null : port,
      before: attrs.describe(before, family),
      after: after === 0 ? null : attrs.describe(after, family),
      reaction,
    };
    drift.add(record);
    log.warn(`a route of ours was ${kind} by somebody else`, {
      protocol: name,
      prefix: fib.formatNode(node),
      metric,
      port: record.port,
      reaction,
    });
  }
}
