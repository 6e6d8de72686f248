/**
 * HOT PATH. One reading of the kernel table: every route is judged as it arrives and the verdict kept in the
 * node's flags, stale ones in a list, alien ones with the learner. Nothing is acted on here: whether the dump
 * was complete is known only at its end, and prune.ts acts.
 */

import { assertNever } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import { ATTRS_NEXTHOPS, AttrsDraft } from "../../nest/attrs-draft.ts";
import type { NodeId } from "../../nest/route.ts";
import {
  DIRTY,
  DRIFTED,
  DUPLICATE,
  INFLIGHT,
  INSTALLED,
  MISSED,
  QUEUED,
  RIVAL,
  SENT,
  SYNCED,
  VERDICT_CREATE,
  VERDICT_DELETE,
  VERDICT_MASK,
  VERDICT_SEEN,
  VERDICT_UPDATE,
} from "../../nest/sync-flags.ts";
import type { KernelRoute, RouteSink } from "../../sysdep/os.ts";
import { judgeOwn } from "./judge-own.ts";
import type { AlienRoutes } from "./learn.ts";
import { Lookahead } from "./lookahead.ts";
import { packRival } from "./rival.ts";
import { PROTECTED } from "./safety.ts";
import { extraNexthops, FOREIGN_NEXTHOPS } from "./siblings.ts";
import { StaleRoutes } from "./stale-routes.ts";
import type { SyncState } from "./sync-state.ts";
import { classify } from "./verdict.ts";

export interface ScanOptions {
  readonly state: SyncState;
  readonly ownProtocol: number;
  /** 1 for every protocol number that is ours, now or formerly. */
  readonly ours: Uint8Array;
  /** Collects alien routes, or null when nothing is learned. */
  readonly aliens: AlienRoutes | null;
  /** Learn routes of protocol kernel too. */
  readonly learnKernel: boolean;
  /** Whether this redirect is to be deleted. */
  readonly unwelcome: (redirect: KernelRoute) => boolean;
  /** Our route of this net is not what was sent, which is still on record. `sure`: it can be put right now. */
  readonly drifted: (node: NodeId, shown: KernelRoute, sure: boolean) => void;
  /** The protocol is stopping: what is wanted no longer counts, so nothing is judged. */
  readonly stopped: () => boolean;
}

export class RouteScan implements RouteSink {
  /** Routes of ours to delete, by exact key. */
  readonly stale: StaleRoutes;
  /** Nexthops that may be ours beyond those of a wanted IPv6 route: to be deleted one by one. */
  readonly extra: StaleRoutes;
  /** Routes of ours that the dump showed. */
  standing = 0;
  /** Some of them have another number than that of now; one of those is protected. */
  renumbered = false;
  keepsNumber = false;
  /** Routes of ours that were different from what we had sent. */
  changed = 0;
  /** One prune does not settle it all: of duplicates one of each key goes, and what else it may find is unknown. */
  lookAgain = false;
  /** A stale route may hide somebody else's, which comes to light when it goes. */
  unveils = false;
  /** It cannot say everything: nets changed meanwhile, or what it did not show may be there all the same. */
  postponed = false;
  /** What it did not show may be gone; the next dump decides. */
  doubtful = false;
  private readonly options: ScanOptions;
  private readonly rivals = new Map<number, number>();
  /** IPv4 nets of which the dump showed one route of ours twice, as far as we can tell. */
  private readonly twins: NodeId[] = [];
  private readonly extraDraft = new AttrsDraft();
  private readonly lookahead: Lookahead;

  /** Starts a scan: forgets the verdicts of the last one, and which nodes changed before this moment. */
  constructor(options: ScanOptions) {
    this.options = options;
    this.stale = new StaleRoutes(options.state.attrs);
    this.extra = new StaleRoutes(options.state.attrs);
    this.lookahead = new Lookahead(options.state);
    forgetVerdicts(options.state.table.fib.flags);
    options.state.beginScan();
    options.aliens?.beginScan();
  }

  /** The dump was complete: its rivals are the rivals. */
  publishRivals(): void {
    this.options.state.rivals = this.rivals;
  }

  /**
   * A dump begins a net anew when others change it just then; in a `quiet` one there are two of ours indeed, that differ
   * in the order of their nexthops.
   */
  judgeTwins(quiet: boolean): void {
    const { state } = this.options;
    const { flags } = state.table.fib;
    for (const node of this.twins) {
      if (!quiet || (flags[node]! & DIRTY) !== 0 || (flags[node]! & SENT) === 0) this.doubtful = true;
      else this.markDuplicate(node);
    }
  }

  /** It ended without being complete. */
  abandon(): void {
    this.options.aliens?.endScan();
  }

  /** The end: gives up what was found, as the dump was incomplete, or prune has taken it. */
  async discard(clock: Pick<Clock, "yield">): Promise<void> {
    this.stale.clear();
    this.extra.clear();
    await this.options.state.endScan(clock);
  }

  ahead(w0: number, w1: number, w2: number, w3: number, length: number): void {
    this.lookahead.add(w0, w1, w2, w3, length);
  }

  route(route: KernelRoute): void {
    const { ours, stopped } = this.options;
    if (this.lookahead.waiting > 0) this.lookahead.fetch();
    if (stopped()) return;
    const node = this.lookahead.next(route);
    const routeClass = classify(route.protocol, route.type, route.tos, route.table, route.rtmFlags, ours);
    if (routeClass === "ours") {
      this.judge(node, route);
      return;
    }
    if (route.tos === 0 && node !== 0) this.noteRival(node, route);
    if (routeClass === "redirect" && this.options.unwelcome(route)) this.pushExtra(route);
    const { aliens, learnKernel } = this.options;
    if (aliens === null) return;
    if (routeClass === "alien" || (learnKernel && routeClass === "kernel")) aliens.seen(route);
    else if (route.tos === 0) aliens.noteOther(route);
  }

  private judge(node: NodeId, route: KernelRoute): void {
    const { state } = this.options;
    const { fib } = state.table;
    this.standing++;
    if (route.protocol !== this.options.ownProtocol) {
      this.renumbered = true;
      this.keepsNumber ||= state.safety.protectsPrefix(route);
    }
    if (node !== 0) {
      fib.flags[node]! &= ~MISSED;
      this.retireOldKey(node, route.metric);
    }
    const flags = node === 0 ? 0 : fib.flags[node]!;
    const judged = judgeOwn(state, node, flags, route, this.options.ownProtocol);
    switch (judged) {
      case "seen":
        this.adopt(node, route);
        return;
      case "update": {
        const merged = this.hasSiblings(node, route);
        const kept = state.safety.protectsPrefix(route);
        if (this.isDrift(node, route)) {
          this.changed++;
          if (!merged && !kept) fib.flags[node]! |= DRIFTED;
          this.options.drifted(node, route, !merged);
        }
        this.forgetRival(node);
        if (merged) {
          this.judgeSiblings(node, route);
          return;
        }
        if (kept) {
          this.keep(node, flags, route);
          return;
        }
        // What we sent and nobody has touched keeps its SYNCED: the change of it can be a REPLACE.
        if ((flags & SYNCED) === 0 || !this.isAsSent(node, route)) this.recordShown(node, route);
        fib.flags[node]! |= VERDICT_UPDATE;
        return;
      }
      case "duplicate":
        if (state.safety.protectsPrefix(route)) return;
        if (this.isAsSent(node, route)) {
          const several = route.attrs.words[ATTRS_NEXTHOPS]! > 1;
          if (several && route.family === 4 && !this.rivals.has(node)) this.twins.push(node);
          return;
        }
        if (this.rivals.has(node)) {
          this.judgeSecond(node, route);
          return;
        }
        this.recordShown(node, route);
        this.markDuplicate(node);
        return;
      case "delete":
        this.judgeUnwanted(node, flags, route);
        return;
      case "changed":
        // Neither what we sent nor what we want: no write of ours may ever touch it.
        if (!this.isAsSent(node, route) && !this.isAsWanted(node, route)) this.lookAgain = true;
        return;
      case "ignore":
      case "learn":
        return;
      default:
        assertNever(judged);
    }
  }

  /** One of the two goes and the other is overwritten; the next scan has to find just one. */
  private markDuplicate(node: NodeId): void {
    const { flags } = this.options.state.table.fib;
    this.lookAgain = true;
    flags[node] = (flags[node]! & ~(VERDICT_MASK | SYNCED)) | VERDICT_UPDATE | DUPLICATE;
  }

  private isAsWanted(node: NodeId, route: KernelRoute): boolean {
    const { state } = this.options;
    if ((state.table.fib.flags[node]! & INSTALLED) === 0) return false;
    return (
      state.wantedMetric(node) === route.metric && state.attrs.matches(state.wantedAttrs(node), route.attrs)
    );
  }

  /** Whether somebody changed the route: it is neither what was sent nor what an earlier scan failed to put right. */
  private isDrift(node: NodeId, route: KernelRoute): boolean {
    const { state } = this.options;
    if ((state.table.fib.flags[node]! & SENT) === 0 || state.failure[node] !== 0) return false;
    return !this.isAsSent(node, route);
  }

  /** Whether the route is just what we sent last: nobody has touched it since. */
  private isAsSent(node: NodeId, route: KernelRoute): boolean {
    const { state } = this.options;
    if ((state.table.fib.flags[node]! & SENT) === 0 || state.sentMetric[node] !== route.metric) return false;
    if (state.sentProtocol(node) !== route.protocol) return false;
    return state.attrs.matches(state.sentAttrs[node]!, route.attrs);
  }

  /** Ours is shown, and no foreign one before it in this dump. */
  private forgetRival(node: NodeId): void {
    if (!this.rivals.has(node)) this.options.state.table.fib.flags[node]! &= ~RIVAL;
  }

  /**
   * A second route of ours at a key that a foreign one shares. Here our first cannot be deleted and replaced, as the
   * foreign one may be in between; the wrong one of the two is deleted by its attributes.
   */
  private judgeSecond(node: NodeId, route: KernelRoute): void {
    const { state } = this.options;
    const { fib } = state.table;
    const { w0, w1, w2, w3, length, metric } = route;
    const firstIsRight = (fib.flags[node]! & VERDICT_MASK) === VERDICT_SEEN;
    const right = route.protocol === this.options.ownProtocol;
    if (!firstIsRight && !(right && state.attrs.matches(state.wantedAttrs(node), route.attrs))) return;
    const wrong = firstIsRight ? state.attrs.intern(route.attrs) : state.retainedSentAttrs(node);
    const protocol = firstIsRight ? route.protocol : state.sentProtocol(node);
    this.extra.push(w0, w1, w2, w3, length, metric, wrong, protocol);
    if (firstIsRight) return;
    fib.flags[node]! &= ~VERDICT_MASK;
    this.adopt(node, route);
  }

  /** Whether this IPv6 route has all we want and more nexthops, which are then in `extraDraft`. */
  private hasSiblings(node: NodeId, route: KernelRoute): boolean {
    const { state, ownProtocol } = this.options;
    // Of a former number of ours all goes: what else it has would not answer to the number of today.
    if (route.family === 4 || route.protocol !== ownProtocol) return false;
    return extraNexthops(state.attrs, state.wantedAttrs(node), route.attrs, this.extraDraft);
  }

  /** The extra nexthops go if they are ours; if they are not, the route has failed and is left alone. */
  private judgeSiblings(node: NodeId, route: KernelRoute): void {
    const { state } = this.options;
    const { fib } = state.table;
    const failure = state.failures.intern(FOREIGN_NEXTHOPS);
    const before = (fib.flags[node]! & SENT) === 0 ? 0 : state.sentAttrs[node]!;
    this.recordShown(node, route);
    fib.flags[node]! |= VERDICT_SEEN;
    // Asked once: what is still there in the next scan, unchanged, does not answer to our protocol number.
    if (state.failure[node] === failure && state.sentAttrs[node] === before) return;
    state.recordFailure(node, failure);
    this.lookAgain = true;
    const { w0, w1, w2, w3, length, metric } = route;
    this.extra.push(
      w0,
      w1,
      w2,
      w3,
      length,
      metric,
      state.attrs.intern(this.extraDraft),
      this.options.ownProtocol,
    );
  }

  /**
   * A route of ours at a key nobody wants. When its net is wanted at another metric and not there yet, it is the
   * net's old key: it stays until the new one is installed, so that there is no hole.
   */
  private judgeUnwanted(node: NodeId, flags: number, route: KernelRoute): void {
    const { state } = this.options;
    const wanted = (flags & INSTALLED) !== 0;
    const installed = (flags & SENT) !== 0 && state.sentMetric[node] === state.wantedMetric(node);
    if (wanted && !installed && (flags & VERDICT_MASK) === VERDICT_CREATE) {
      this.recordShown(node, route);
      state.table.fib.flags[node]! |= VERDICT_UPDATE;
      return;
    }
    const kept = state.safety.protectsPrefix(route);
    if (!wanted && (flags & SENT) !== 0 && state.sentMetric[node] === route.metric) {
      state.table.fib.flags[node]! |= kept ? VERDICT_SEEN : VERDICT_DELETE;
    }
    if (kept) return;
    // An IPv6 route of several nexthops may hide somebody else's, which our deletion brings to light without an event.
    if (route.family === 6 && route.attrs.words[ATTRS_NEXTHOPS]! > 1) this.unveils = true;
    const { w0, w1, w2, w3, length, metric } = route;
    this.stale.push(w0, w1, w2, w3, length, metric, state.attrs.intern(route.attrs), route.protocol);
  }

  /** The wanted key is there after all: what is recorded at another one is stale. */
  private retireOldKey(node: NodeId, metric: number): void {
    const { state } = this.options;
    const { fib } = state.table;
    const flags = fib.flags[node]!;
    if ((flags & (INSTALLED | SENT | DIRTY)) !== (INSTALLED | SENT)) return;
    if (metric !== state.wantedMetric(node) || state.sentMetric[node] === metric) return;
    if (!state.safety.protectsNode(fib, node)) this.stale.pushSent(state, node);
    state.clearSent(node);
    fib.flags[node]! &= ~VERDICT_MASK;
  }

  /** Not as wanted, and not to be touched: the route has failed. */
  private keep(node: NodeId, flags: number, route: KernelRoute): void {
    const { state } = this.options;
    if ((flags & SYNCED) === 0 || !this.isAsSent(node, route)) this.recordShown(node, route);
    state.table.fib.flags[node]! |= VERDICT_SEEN;
    const failure = state.failures.intern(PROTECTED);
    if (state.failure[node] !== failure) state.recordFailure(node, failure);
  }

  private pushExtra(route: KernelRoute): void {
    if (this.options.state.safety.protectsPrefix(route)) return;
    const { w0, w1, w2, w3, length, metric, protocol } = route;
    this.extra.push(w0, w1, w2, w3, length, metric, this.options.state.attrs.intern(route.attrs), protocol);
  }

  private adopt(node: NodeId, route: KernelRoute): void {
    const { state } = this.options;
    this.forgetRival(node);
    const { flags } = state.table.fib;
    const before = flags[node]!;
    flags[node] = (before & ~DRIFTED) | VERDICT_SEEN;
    const wanted = state.wantedAttrs(node);
    if ((before & (SENT | SYNCED)) !== (SENT | SYNCED) || state.sentAttrs[node] !== wanted) {
      state.recordSent(node, route.metric, wanted, true);
    }
    state.clearFailure(node);
  }

  private recordShown(node: NodeId, route: KernelRoute): void {
    const { state } = this.options;
    const shown = state.attrs.intern(route.attrs);
    state.recordSent(node, route.metric, shown, false, route.protocol);
    state.attrs.release(shown);
  }

  /** Remembers a foreign route at a key we want: an ADD would fail, and a REPLACE hit it if it comes first. */
  private noteRival(node: NodeId, route: KernelRoute): void {
    const { state } = this.options;
    const { fib } = state.table;
    if ((fib.flags[node]! & INSTALLED) === 0) return;
    if (state.wantedMetric(node) !== route.metric) return;
    if (!this.rivals.has(node)) this.rivals.set(node, packRival(route.protocol, route.type));
    // A verdict may have come from an older key of ours, which says nothing of this one.
    const ours =
      (fib.flags[node]! & VERDICT_MASK) !== VERDICT_CREATE && state.sentMetric[node] === route.metric;
    if (!ours) fib.flags[node]! |= RIVAL;
  }
}

/**
 * A write that is under way may or may not show up in the dump: such a net is DIRTY, and keeps its verdict. RIVAL stays
 * until the dump gets to the net: a change meanwhile must not replace what an event has warned of. Without a branch, for
 * a million nodes are looked at in one turn: what was compiled while none was busy serves for all.
 */
export function forgetVerdicts(flags: Uint16Array): void {
  for (let node = 0; node < flags.length; node++) {
    const before = flags[node]!;
    const writes = before & (QUEUED | INFLIGHT);
    const busy = (writes | -writes) >> 31;
    flags[node] = (before & ~((VERDICT_MASK | DUPLICATE | DIRTY) & ~busy)) | (DIRTY & busy);
  }
}
