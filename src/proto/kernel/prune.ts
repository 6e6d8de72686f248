/**
 * Acts on the verdicts of one complete scan, in slices: what is missing is reinstalled, what differs replaced,
 * what nobody wants deleted, alien routes that vanished withdrawn. Only a complete dump gets here.
 *
 * A dump during which routes changed may omit others, so what it did not show needs a proof (Absence).
 */

import type { Clock } from "../../lib/clock.ts";
import { EEXIST } from "../../lib/errno.ts";
import type { NodeId } from "../../nest/route.ts";
import {
  DIRTY,
  DRIFTED,
  INFLIGHT,
  INSTALLED,
  MISSED,
  QUEUED,
  RIVAL,
  SENT,
  VERDICT_CREATE,
  VERDICT_DELETE,
  VERDICT_MASK,
  VERDICT_UPDATE,
} from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { ExportQueue } from "./export-queue.ts";
import type { AlienRoutes } from "./learn.ts";
import { isProbed } from "./retry.ts";
import { KEY_TAKEN } from "./rival.ts";
import type { RouteScan } from "./scan.ts";
import type { SyncState } from "./sync-state.ts";

const SLICE = 1024;

/**
 * What a complete dump says of a route it did not show. assumed: it may be added, which changes nothing when it is
 * there after all. unknown: not even that, yet.
 */
export type Absence = "proven" | "assumed" | "unknown";

export interface PruneOptions {
  readonly scan: RouteScan;
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly aliens: AlienRoutes | null;
  readonly absence: Absence;
  /** What was found changed may be the kernel's own doing, and is no quarrel with anybody. */
  readonly disturbed: () => boolean;
  /** The first prune: changes made while the scan ran were not queued yet. */
  readonly first: boolean;
  /** Called at the first prune for each net that came to be wanted while the scan ran: it may stand there or not. */
  readonly unjudged: () => void;
  readonly clock: Clock;
  readonly stopped: () => boolean;
  /** Called for each own route the kernel should have had and did not show, while it is still on record. */
  readonly missing: (node: NodeId) => void;
}

/** Resolves when all is queued (not yet written), with false when `stopped` cut it short. */
export async function prune(options: PruneOptions): Promise<boolean> {
  const { scan, state, queue, aliens, clock, stopped } = options;
  const { fib } = state.table;
  scan.publishRivals();
  scan.judgeTwins(options.absence === "proven");
  const whole = await walkNodes(fib, (node) => pruneNode(options, node), clock, { slice: SLICE, stopped });
  if (!whole) return false;
  queue.wake();
  queue.take(scan);
  if (aliens === null) return true;
  // In IPv6 events tell of every removal: without proof there is no need to believe one.
  const drops = options.absence === "proven" ? "unseen" : fib.family === 6 ? "none" : "unseen-twice";
  let count = 0;
  for (let node = aliens.next(0); node !== 0; node = aliens.next(node)) {
    if (!aliens.prune(node, drops)) options.scan.doubtful = true;
    if (++count % SLICE !== 0) continue;
    await clock.yield();
    if (stopped()) return false;
  }
  return true;
}

function pruneNode(options: PruneOptions, node: NodeId): void {
  const { state, queue } = options;
  const flags = state.table.fib.flags[node]!;
  if ((flags & (INSTALLED | SENT)) === 0) return;
  if ((flags & DIRTY) !== 0) {
    options.scan.postponed = true;
    if (!options.first) return;
    if ((flags & (INSTALLED | SENT)) === INSTALLED) options.unjudged();
    else queue.push(node);
    return;
  }
  const verdict = flags & VERDICT_MASK;
  if (verdict === VERDICT_UPDATE) queueUpdate(options, node);
  else if (verdict === VERDICT_CREATE) notShown(options, node, flags);
  else if (verdict === VERDICT_DELETE) {
    // The list of stale routes has all that its deletion needs.
    state.clearSent(node);
    state.releaseIfIdle(node, QUEUED | INFLIGHT);
  }
}

/** Adding what is there after all changes nothing; taking it for gone does. So what was sent must be missed twice. */
function notShown(options: PruneOptions, node: NodeId, flags: number): void {
  const { fib } = options.state.table;
  if (options.absence !== "proven" && (flags & (SENT | MISSED)) === SENT) {
    fib.flags[node]! |= MISSED;
    options.scan.doubtful = true;
  } else if (options.absence !== "unknown") {
    queueMissing(options, node, flags);
  }
}

/** A different route of ours stands there, at the wanted key or at an older one. */
function queueUpdate(options: PruneOptions, node: NodeId): void {
  const { state, queue } = options;
  const sameKey = state.sentMetric[node] === state.wantedMetric(node);
  if (!sameKey && keyTaken(state, node)) return;
  // Of what was refused only the old content is of interest: the queue deletes it.
  if (state.isRefused(node) && !state.isOutdated(node)) return;
  if (mayRepair(options, node)) queue.push(node);
}

function queueMissing(options: PruneOptions, node: NodeId, flags: number): void {
  const { state, queue } = options;
  if ((flags & SENT) !== 0) {
    if ((flags & INSTALLED) !== 0) options.missing(node);
    state.clearSent(node);
  }
  if ((flags & INSTALLED) === 0) {
    state.releaseIfIdle(node, QUEUED | INFLIGHT);
    return;
  }
  if (keyTaken(state, node)) return;
  state.table.fib.flags[node]! &= ~RIVAL;
  const failure = state.failures.get(state.failure[node]!);
  if (failure?.class === "permanent") return;
  // Waiting routes are tried one per group, by wake(); only one whose route vanished starts over.
  if (isProbed(failure?.class) && (flags & SENT) === 0) return;
  if (!state.contest.has(node)) queue.push(node);
}

/** A net that was found changed: others may be at it faster than scans are. */
function mayRepair({ state, disturbed }: PruneOptions, node: NodeId): boolean {
  const { fib } = state.table;
  if ((fib.flags[node]! & DRIFTED) === 0 || disturbed()) return !state.contest.has(node);
  return state.contest.mayRepair(node, fib.capacity);
}

/** Whether the scan saw a foreign route at the key we would add: then nothing is sent, and the route has failed. */
function keyTaken(state: SyncState, node: NodeId): boolean {
  if (!state.rivals.has(node)) return false;
  const failure = state.failures.intern({ errno: EEXIST, message: KEY_TAKEN, class: "rival" });
  if (state.failure[node] !== failure) state.recordFailure(node, failure);
  return true;
}
