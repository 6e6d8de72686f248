/** How a kernel protocol's knowledge reads from outside: the state of one net, and one route of the kernel. */

import type { Channel } from "../../nest/channel.ts";
import type { KernelReport, KernelRouteStatus, KernelRouteView, KernelState } from "../../nest/protocol.ts";
import { NONE, type NodeId } from "../../nest/route.ts";
import { INFLIGHT, INSTALLED, QUEUED, SYNCED } from "../../nest/sync-flags.ts";
import type { KernelRoute } from "../../sysdep/os.ts";
import type { ExportQueue } from "./export-queue.ts";
import { judgeOwn } from "./judge-own.ts";
import { type Failure, failureState } from "./retry.ts";
import { describeRival } from "./rival.ts";
import type { ScanCycle } from "./scan-cycle.ts";
import type { SyncState } from "./sync-state.ts";
import { classify } from "./verdict.ts";

/** Our protocol number, and 1 for every number that is ours, now or formerly. */
export interface OwnNumbers {
  readonly own: number;
  readonly ours: Uint8Array;
}

const CONTESTED = "Somebody keeps changing this route: krtd waits before it puts it right again";
const OBSERVING = "observe mode: krtd writes nothing";

export function routeStatus(options: {
  readonly state: SyncState;
  readonly channel: Channel;
  readonly queue: ExportQueue;
  readonly initialized: boolean;
  readonly observe: boolean;
  /** Wall clock of the next try of a contested net. */
  readonly contestedUntil: (node: NodeId) => number;
  readonly node: NodeId;
}): KernelRouteStatus {
  const { state, queue, node } = options;
  const failure = state.failures.get(state.failure[node]!);
  const rival = describeRival(state, node);
  const kernelState = stateOf(options, failure);
  const pendingReason = options.observe && kernelState === "pending" ? OBSERVING : null;
  return {
    state: kernelState,
    metric: state.wantedMetric(node),
    errno: failure === null || failure.errno === 0 ? null : failure.errno,
    message:
      failure?.class === "rival" && rival !== null
        ? `Key held by ${rival}`
        : (failure?.message ?? (kernelState === "contested" ? CONTESTED : pendingReason)),
    attempts: state.attempts[node]!,
    nextRetryAt:
      kernelState === "contested"
        ? options.contestedUntil(node)
        : failure?.class === "load"
          ? queue.overload.dueAt
          : null,
    rival,
  };
}

export function kernelReport(of: {
  readonly kernelTable: number;
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly cycle: ScanCycle;
  readonly learned: number;
}): KernelReport {
  const { kernelTable, state, queue, cycle, learned } = of;
  const { counters, repaired } = queue.outcomes;
  return {
    table: kernelTable,
    scan: cycle.report(),
    writes: {
      add: counters.add,
      replace: counters.replace,
      delete: counters.delete,
      errors: Object.fromEntries(counters.errors),
    },
    learned,
    contested: state.contest.size,
    repaired,
    queued: queue.size,
    withheld: cycle.guard.withheld?.deletions ?? 0,
    waiting: state.failing.waiting,
    failed: state.failing.failed,
  };
}

function stateOf(
  options: {
    readonly state: SyncState;
    readonly channel: Channel;
    readonly initialized: boolean;
    readonly node: NodeId;
  },
  failure: Failure | null,
): KernelState {
  const { state, channel, node } = options;
  const { table } = state;
  const best = table.best(node);
  if (best === NONE) return "none";
  const flags = table.fib.flags[node]!;
  if ((flags & INSTALLED) === 0) return table.sourceOf(best) === channel.source ? "learned" : "filtered";
  const asWanted =
    state.sentAttrs[node] === state.wantedAttrs(node) && state.sentMetric[node] === state.wantedMetric(node);
  const synced = options.initialized && (flags & SYNCED) !== 0 && asWanted;
  if (state.contest.has(node) && !synced) return "contested";
  if (failure !== null) return failureState(failure.class);
  return synced ? "synced" : "pending";
}

/** A route of the kernel as it is, with what a scan would make of it at this moment. */
export function viewKernelRoute(
  state: SyncState,
  route: KernelRoute,
  numbers: OwnNumbers,
  learn: boolean | "all",
): KernelRouteView {
  const { family, w0, w1, w2, w3, length, table, protocol, type, scope, tos, metric, rtmFlags } = route;
  const routeClass = classify(protocol, type, tos, table, rtmFlags, numbers.ours);
  return {
    prefix: { family, w0, w1, w2, w3, length },
    table,
    protocol,
    type,
    scope,
    tos,
    metric,
    attrs: state.attrs.describeDraft(route.attrs),
    class: routeClass,
    verdict: verdictText(state, route, routeClass, numbers.own, learn),
  };
}

function verdictText(
  state: SyncState,
  route: KernelRoute,
  routeClass: KernelRouteView["class"],
  ownProtocol: number,
  learn: boolean | "all",
): string {
  if (routeClass === "ours") {
    const node = state.table.fib.find(route.w0, route.w1, route.w2, route.w3, route.length);
    const flags = node === 0 ? 0 : state.table.fib.flags[node]!;
    if ((flags & (QUEUED | INFLIGHT)) !== 0) return "changed during scan";
    const judged = judgeOwn(state, node, flags & INSTALLED, route, ownProtocol);
    return judged !== "seen" && state.safety.protectsPrefix(route) ? "protected" : judged;
  }
  if (routeClass === "alien") return learn === false ? "ignore" : "learn";
  return routeClass === "kernel" && learn === "all" ? "learn" : "ignore";
}
