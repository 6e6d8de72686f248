/**
 * HOT PATH. What came of a batch of writes, change by change: the record of what was sent, the failures and who will
 * wake them, the counters. Every failure is in exactly one class (retry.ts); an acknowledgement that was lost means
 * "unknown", and the kernel is asked.
 */

import { errnoText } from "../../lib/errno.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";
import { DRIFTED, INSTALLED, RIVAL, SENT, SYNCED } from "../../nest/sync-flags.ts";
import {
  ROUTE_ADD,
  ROUTE_DELETE,
  ROUTE_DELETE_EXACT,
  type RouteBatch,
  UNKNOWN_OUTCOME,
} from "../../sysdep/os.ts";
import type { LoadRetry } from "./load-retry.ts";
import {
  isProbed,
  isTimed,
  type ReleasedGroups,
  type RetryClass,
  retryClass,
  type WaitingRoutes,
} from "./retry.ts";
import type { StaleRoutes } from "./stale-routes.ts";
import type { SyncState } from "./sync-state.ts";
import { hasGateway, hasOnlyGateways, hasPrefsrc, type WriteBatch } from "./write-batch.ts";
import { WriteCounters } from "./write-counters.ts";

/** How soon a refused deletion of what nobody wants is looked at again: later and later while that goes on. */
const DELETION_RETRY_MS = 50;
const DELETION_RETRY_MAX_MS = 10_000;
/** How often a refusal leads to a scan at once; after that the periodic one must do. */
const QUICK_VERIFIES = 3;

export interface ExportEvents {
  /** The fate of a write is unknown, or a rival showed up: the kernel must be looked at again soon. */
  verify(reason: string, delayMs?: number): void;
  /** A route that others may be reached by was installed. */
  installed(): void;
  /** A route was refused for want of what may have come meanwhile: it is to be tried again soon. */
  outrun(): void;
  /** Writes are refused for want of privilege; nothing will ever work. */
  fatal(message: string): void;
}

interface OutcomesParts {
  readonly state: SyncState;
  readonly waiting: WaitingRoutes;
  readonly released: ReleasedGroups;
  readonly stale: StaleRoutes;
  readonly overload: LoadRetry;
  readonly events: ExportEvents;
  /** Queues a node again. */
  readonly push: (node: NodeId) => void;
  /** All changes of the node are settled. */
  readonly finish: (node: NodeId) => void;
}

export class Outcomes {
  readonly counters: WriteCounters = new WriteCounters();
  /** Successful deletions so far: they can make a dump that runs meanwhile omit other routes. */
  deletions = 0;
  /** Own routes that were missing or changed in the kernel and put right. */
  repaired = 0;
  /** Writes so far that were refused for want of something that may come. */
  refusals = 0;
  private readonly parts: OutcomesParts;
  private refusedDeletions = 0;

  constructor(parts: OutcomesParts) {
    this.parts = parts;
  }

  /** Takes in the outcome of a whole batch. True: gateways may be reached now that could not be before. */
  settle(batch: WriteBatch): boolean {
    const { routes } = batch;
    const { state, overload, events, finish } = this.parts;
    let reachable = false;
    let stuck: NodeId = 0;
    for (let i = 0; i < routes.count; i++) {
      const node = batch.node[i]!;
      const errno = routes.errno[i]!;
      const op = routes.op[i]!;
      this.counters.note(op, errno);
      if (errno === 0) overload.succeeded();
      if (errno === UNKNOWN_OUTCOME) events.verify("acknowledgement lost");
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
      if (node !== 0 && (i + 1 === routes.count || batch.node[i + 1] !== node)) finish(node);
    }
    return reachable;
  }

  private settleDelete(node: NodeId, errno: number, text: string | undefined): boolean {
    if (errno === 0) {
      this.deletions++;
      this.refusedDeletions = 0;
      if (node !== 0) {
        this.mayHaveHidden(node);
        this.parts.state.clearSent(node);
      }
    } else if (errno > 0) {
      const failureClass = retryClass(errno, { prefsrc: false, gateway: false });
      this.recordRefusal(node, errno, failureClass, text);
      // No event wakes what nobody wants; the next scan finds it again.
      if (node !== 0 && !isTimed(failureClass) && !this.isWanted(node)) this.lookLater();
    } else if (node !== 0) {
      // It may be gone. Should it come to be wanted again meanwhile, it must not be taken for synced.
      this.parts.state.table.fib.flags[node]! &= ~SYNCED;
    }
    return errno === 0;
  }

  /** A route of ours goes that was not just as we sent it: in IPv6 its siblings of others come to light, untold. */
  private mayHaveHidden(node: NodeId): void {
    const { state, events } = this.parts;
    if (state.table.family === 4 || (state.table.fib.flags[node]! & SYNCED) !== 0) return;
    events.verify("a route of ours is gone that may have hidden others");
  }

  /** What had no node is gone from its key: a route that it kept out can come. */
  private keyIsFree({ key, length, metric }: RouteBatch, i: number): void {
    const { state, push } = this.parts;
    const at = 4 * i;
    const node = state.table.fib.find(key[at]!, key[at + 1]!, key[at + 2]!, key[at + 3]!, length[i]!);
    if (node === 0) return;
    // With a route of ours there it was one of its nexthops, or of its doubles, that had to go.
    if ((state.table.fib.flags[node]! & SENT) !== 0 && state.sentMetric[node] === metric[i]) return;
    if (state.failureClass(node) !== "rival" || state.wantedMetric(node) !== metric[i]) return;
    state.rivals.delete(node);
    state.clearFailure(node);
    push(node);
  }

  /** Returns true when the new route can make gateways reachable. */
  private settleInstalled(node: NodeId, op: number, batch: WriteBatch, i: number): boolean {
    const { state, stale, waiting, released } = this.parts;
    const { routes } = batch;
    const { fib } = state.table;
    const metric = routes.metric[i]!;
    const attrs = routes.attrs[i]!;
    if (op === ROUTE_ADD && (fib.flags[node]! & SENT) !== 0) {
      this.mayHaveHidden(node);
      stale.pushSent(state, node);
    }
    if ((fib.flags[node]! & DRIFTED) !== 0) this.repaired++;
    fib.flags[node]! &= ~DRIFTED;
    state.recordSent(node, metric, attrs, true);
    state.clearFailure(node);
    if (waiting.failureOf(attrs) !== 0) {
      released.add(attrs, waiting.release(attrs));
    }
    return !hasOnlyGateways(state.attrs, attrs);
  }

  /** It may stand there, or a foreign route may have kept it out: until a scan has looked, nothing is replaced. */
  private settleUnknown(node: NodeId, metric: number, attrs: AttrsId): void {
    const { state } = this.parts;
    state.recordSent(node, metric, attrs, false);
    state.table.fib.flags[node]! |= RIVAL;
  }

  private settleRefused(node: NodeId, attrs: AttrsId, errno: number, text: string | undefined): void {
    const { state, events, push } = this.parts;
    const table = state.attrs;
    const has = { prefsrc: hasPrefsrc(table, attrs), gateway: hasGateway(table, attrs) };
    const failureClass = retryClass(errno, has);
    this.recordRefusal(node, errno, failureClass, text);
    if (state.isRefused(node) && state.isOutdated(node)) push(node);
    // A rival that no scan shows (a type krtd skips) must not make krtd scan for ever.
    else if (failureClass === "rival" && state.attempts[node]! <= QUICK_VERIFIES)
      events.verify("key is taken");
  }

  private recordRefusal(
    node: NodeId,
    errno: number,
    failureClass: RetryClass,
    text: string | undefined,
  ): void {
    const { state, events, overload } = this.parts;
    const message = text ?? errnoText(errno);
    if (failureClass === "fatal") events.fatal(message);
    if (node === 0) {
      // Stale routes have no node to remember it: the next scan finds them again.
      this.lookLater();
      return;
    }
    if (isProbed(failureClass)) this.refusals++;
    state.recordFailure(node, state.failures.intern({ errno, message, class: failureClass }));
    if (isTimed(failureClass)) overload.add(node);
  }

  private isWanted(node: NodeId): boolean {
    return (this.parts.state.table.fib.flags[node]! & INSTALLED) !== 0;
  }

  private lookLater(): void {
    const delayMs = Math.min(DELETION_RETRY_MS * 2 ** this.refusedDeletions++, DELETION_RETRY_MAX_MS);
    this.parts.events.verify("a deletion was refused", delayMs);
  }
}
