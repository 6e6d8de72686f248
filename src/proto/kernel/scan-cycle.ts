/**
 * When a kernel protocol scans, and what it makes of how the scan ended.
 *
 *   init ──run()──► first-scan ──complete──► pruning ──► idle ◄──────────┐
 *                     ▲  │ incomplete                     │ timer, event,│
 *                     └──┘ (backoff)                      ▼ command      │
 *                                                     scanning ──► pruning
 *
 * Nothing is written before the first complete scan: exports only set flags. The first prune then adopts what
 * is already right, so that a restart with an unchanged configuration writes nothing. An incomplete dump
 * deletes nothing and withdraws nothing. A scan asked for while one runs results in exactly one more.
 *
 * Routes of ours that nobody wants are deleted only when every source of routes has fed, those that must scan first
 * (learning, over a pipe) too: until then a prune "holds" them, and one more scan follows when all have fed. What is
 * exported meanwhile, or while the first scan runs, may stand in the kernel already, so that scan, or one asked for,
 * installs or adopts it.
 */

import { Alarm } from "../../lib/alarm.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { OneMore } from "../../lib/one-more.ts";
import type { KernelReport, ScanState } from "../../nest/protocol.ts";
import { DRIFTED } from "../../nest/sync-flags.ts";
import type { KernelRoute, Os, RouteChange } from "../../sysdep/os.ts";
import type { KernelConfig } from "./config.ts";
import { DeletionGuard } from "./deletion-guard.ts";
import type { DriftLog } from "./drift.ts";
import { EarlyEnd } from "./early-end.ts";
import type { ExportQueue } from "./export-queue.ts";
import type { AlienRoutes } from "./learn.ts";
import { type Absence, prune } from "./prune.ts";
import type { Redirects } from "./redirects.ts";
import { Renumbering } from "./renumbering.ts";
import { RouteScan } from "./scan.ts";
import { ScanDrift } from "./scan-drift.ts";
import { ScanFigures } from "./scan-figures.ts";
import type { OwnNumbers } from "./status.ts";
import type { SyncState } from "./sync-state.ts";

/** An interface list older than this is read again before routes are judged. */
const INTERFACE_MAX_AGE_MS = 2000;
/** Events within this time lead to one scan. */
const COALESCE_MS = 50;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;
/** A scan waits so long for what is being written. */
const QUIET_MAX_MS = 1000;
/**
 * After so many dumps in a row that prove nothing, own routes that were not shown are added again: an ADD that
 * is wrong changes nothing.
 */
const UNPROVEN_LIMIT = 3;

const LOST = "notifications were lost while the table was read";

export interface ScanCycleOptions {
  readonly name: string;
  readonly config: () => KernelConfig;
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly aliens: () => AlienRoutes | null;
  readonly os: Os;
  readonly numbers: OwnNumbers;
  readonly redirects: Redirects;
  readonly drift: DriftLog;
  /** Reads the interfaces again unless that was done less than `maxAgeMs` ago. */
  readonly refreshInterfaces: (maxAgeMs: number) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  /** The first scan that may delete anything deletes all that nobody wants, however much. */
  readonly forced: boolean;
  /** Called when the first scan whose absences are proven was pruned: what is to be learned has been announced. */
  readonly onLearned: () => void;
  /** Called once, when `settled` becomes true. */
  readonly onSettled: () => void;
}

export class ScanCycle {
  /** A complete scan was seen: from then on the kernel may be written to. */
  initialized = false;
  /** True once a dump that proves absence was pruned: only then has all that is wanted been queued. */
  settled = false;
  readonly guard: DeletionGuard;
  private readonly options: ScanCycleOptions;
  private readonly alarm: Alarm;
  private readonly drift: ScanDrift;
  private state: ScanState = "init";
  private stopping = false;
  private readonly scans = new OneMore<boolean>();
  /** Foreign route events of this family: they can make a dump omit routes. */
  private routeEvents = 0;
  /** How often notifications were lost. */
  private losses = 0;
  /** Notifications were lost, and those from now on may be missing too: what a dump shows proves nothing. */
  private deaf = false;
  private unproven = 0;
  private readonly figures = new ScanFigures();
  private readonly earlyEnd: EarlyEnd;
  private released = false;
  private provenOnce = false;
  /** Scans in a row that asked for one more. */
  private looksInRow = 0;
  /** Some nets that are wanted have met no scan yet. */
  private unjudged = false;
  /** Monotonic. */
  private lastEnd = Number.NEGATIVE_INFINITY;
  /**
   * Something happened to an interface since the last scan that has judged all began: what is missing or different may
   * be the kernel's own doing, which is no drift.
   */
  private disturbed = false;
  private readonly renumbering: Renumbering;
  /** Since the last scan began something called for one: what the next one cannot judge, one more does. */
  private asked = false;

  constructor(options: ScanCycleOptions) {
    this.options = options;
    this.drift = new ScanDrift(options);
    this.earlyEnd = new EarlyEnd(options);
    const { queue, state } = options;
    this.renumbering = new Renumbering(queue.outcomes.counters);
    this.guard = new DeletionGuard({ ...options, safety: state.safety, writable: queue.writable });
    this.alarm = new Alarm(options.clock, () => void this.run());
  }

  /** Routes of ours stand in the kernel that may come to be wanted: what is exported must be looked for first. */
  get holding(): boolean {
    return this.guard.held || this.guard.withheld !== null;
  }

  /** Why the last scan was not complete, or null when it was (or none has ended yet). */
  get problem(): string | null {
    return this.figures.lastProblem;
  }

  /** Routes of ours may stand in the kernel under another number than that of now. */
  get mayBeRenumbered(): boolean {
    return this.guard.withheld !== null || this.renumbering.possible;
  }

  report(): KernelReport["scan"] {
    return this.figures.report(this.state);
  }

  /** Scans and prunes; resolves with whether the scan was complete. What it queued may not be written yet. */
  run(): Promise<boolean> {
    return this.scans.run(() => (this.stopping ? Promise.resolve(false) : this.runOnce()));
  }

  /** Asks for a scan soon; many requests within COALESCE_MS are one. */
  request(reason: string, delayMs = 0): void {
    if (this.state === "init") return;
    const { log, name } = this.options;
    log.debug("scan requested", { protocol: name, reason });
    this.asked = true;
    this.soon(delayMs);
  }

  /** An interface came, went or changed. */
  interfaceEvent(reason: string): void {
    this.disturbed = true;
    if (this.options.state.table.family === 4) this.earlyEnd.forgetFat();
    this.request(reason);
  }

  /** Every source of routes has fed: what nobody wants may go. */
  release(): void {
    this.released = true;
    if (this.guard.held) void this.run();
    else if (this.provenOnce && !this.unjudged) this.settle();
  }

  /** The time between scans has changed. */
  rearm(): void {
    const { scanTimeMs } = this.options.config();
    if (scanTimeMs > 0 && this.state !== "init") this.within(scanTimeMs);
  }

  /** A route of this family changed in the kernel, not by our hand: a dump under way may be incomplete. */
  routeEvent(): void {
    this.routeEvents++;
  }

  /** One of the protocol's own table. */
  tableEvent(route: KernelRoute, change: RouteChange): void {
    this.earlyEnd.event(route, change);
  }

  /** Notifications were lost: a scan under way is not acted on, and none begins before resync(). */
  eventsLost(): void {
    this.losses++;
    this.deaf = true;
    this.options.state.eventsLost();
    this.earlyEnd.forgetFat();
  }

  /** Notifications come again, and none will be missing. Resolves with whether all that can be seen was looked at. */
  async resync(): Promise<boolean> {
    this.deaf = false;
    // The first scan, which is still to come, looks at everything.
    if (this.state === "init" || this.stopping) return true;
    this.disturbed = true;
    this.asked = true;
    return (await this.run()) || this.earlyEnd.isCut;
  }

  /** No further scan begins, and one under way is not acted on. */
  cancel(): void {
    this.stopping = true;
    this.alarm.cancel();
  }

  /** Resolves when nothing runs any more. */
  async ended(): Promise<void> {
    await this.scans.latest;
  }

  /** Who changes routes all the time must not keep krtd scanning all the time: half of it at most. */
  private soon(delayMs: number): void {
    const rest = this.lastEnd + (this.figures.lastDurationMs ?? 0) - this.options.clock.now();
    this.within(Math.max(COALESCE_MS, rest, delayMs));
  }

  private within(delayMs: number): void {
    if (!this.stopping) this.alarm.within(delayMs);
  }

  private async runOnce(): Promise<boolean> {
    const { clock, log, name, state } = this.options;
    this.alarm.cancel();
    let complete = false;
    try {
      complete = await this.scan();
    } catch (error) {
      this.figures.failed(error instanceof Error ? error.message : String(error));
      log.error("scan failed", { protocol: name, error });
    }
    state.failing.tell(log, name);
    this.state = this.initialized ? "idle" : "first-scan";
    this.figures.lastAt = clock.wall();
    this.lastEnd = clock.now();
    const { scanTimeMs } = this.options.config();
    const { failedInRow } = this.figures;
    if (!complete) this.within(Math.min(RETRY_MIN_MS * 2 ** Math.min(failedInRow, 10), RETRY_MAX_MS));
    if (scanTimeMs > 0) this.within(scanTimeMs);
    return complete;
  }

  private async scan(): Promise<boolean> {
    const { clock, log, name, state, queue, numbers, redirects } = this.options;
    const config = this.options.config();
    const aliens = this.options.aliens();
    await this.options.refreshInterfaces(INTERFACE_MAX_AGE_MS);
    // Of an old key that is about to be deleted no node tells: a dump that shows it would have it deleted again.
    if (!this.deaf) await queue.drainedWithin(QUIET_MAX_MS);
    if (this.deaf) return false;
    this.state = this.initialized ? "scanning" : "first-scan";
    const startedAt = clock.now();
    const lossesBefore = this.losses;
    const changesBefore = this.changes();
    const before = this.disturbed;
    const disturbed = (): boolean => before || this.disturbed;
    const { asked } = this;
    this.disturbed = false;
    this.asked = false;
    this.drift.begin();
    const first = !this.initialized;
    const scan = new RouteScan({
      state,
      ownProtocol: numbers.own,
      ours: numbers.ours,
      aliens,
      learnKernel: config.learn === "all",
      unwelcome: (route) => redirects.unwelcome(route, first),
      drifted: (node, shown, sure) => {
        if (!disturbed()) this.drift.report(node, shown, sure);
      },
      stopped: () => this.stopping,
    });
    try {
      const lost = (): boolean => this.losses !== lossesBefore;
      const quiet = (): boolean => this.changes() === changesBefore;
      const read = await this.earlyEnd.read(scan, first, () => this.stopping || lost(), quiet);
      this.figures.count++;
      this.figures.routes = read.messages;
      if (this.stopping) return false;
      const outcome = lost() ? { ...read, complete: false, reason: LOST } : read;
      if (!outcome.complete) {
        scan.abandon();
        this.disturbed ||= before;
        this.asked ||= asked;
        this.figures.failed(outcome.reason ?? "incomplete");
        log.warn("scan incomplete, nothing pruned", { protocol: name, reason: outcome.reason });
        return false;
      }
      const problem = this.earlyEnd.conclude(outcome.cut);
      if (problem === null) this.figures.succeeded();
      else this.figures.failed(problem);
      const pruned = await this.prune(scan, this.absence(changesBefore), disturbed);
      // What the next one finds may still be the doing of what disturbed this one.
      if (scan.postponed || scan.doubtful) this.disturbed ||= before;
      // A route that came to be wanted by another source meanwhile, as it was, is not written: it may be gone all the same.
      if (scan.postponed && asked) this.soon(0);
      this.figures.lastDurationMs = clock.now() - startedAt;
      return pruned && !this.earlyEnd.isCut;
    } finally {
      scan.abandon();
      await scan.discard(clock);
    }
  }

  private async prune(scan: RouteScan, absence: Absence, disturbed: () => boolean): Promise<boolean> {
    const known = absence !== "unknown";
    if (!known) scan.postponed = true;
    const { state, queue, clock, log, name, onLearned } = this.options;
    const first = !this.initialized;
    // What is behind an early end is not shown, and not gone. Before the first scan nothing was known of it.
    const aliens = this.earlyEnd.isCut && !first ? null : this.options.aliens();
    const { losses } = this;
    this.state = "pruning";
    this.initialized = true;
    this.renumbering.begin(scan, absence === "proven");
    this.guard.sift(scan.stale, scan.standing, () => state.wantedCount(), this.released);
    let missing = 0;
    let unjudged = 0;
    const whole = await prune({
      scan,
      state,
      queue,
      aliens,
      absence,
      disturbed,
      first,
      unjudged: () => {
        unjudged++;
      },
      clock,
      stopped: () => this.stopping || this.losses !== losses,
      missing: (node) => {
        missing++;
        state.table.fib.flags[node]! |= DRIFTED;
        if (!disturbed()) this.drift.report(node, null);
        if (log.enabled("debug")) log.debug("reinstalling", { prefix: state.table.fib.formatNode(node) });
      },
    });
    if (whole) this.renumbering.queued(scan);
    if (missing + scan.changed > 0) {
      const what = disturbed() ? "reinstalling missing routes" : "repairing drift";
      log.info(what, { protocol: name, missing, changed: scan.changed });
    }
    if (whole && known) {
      if (!this.provenOnce) onLearned();
      this.provenOnce = true;
      this.unjudged = unjudged > 0;
      if (this.released && !this.guard.held && !this.unjudged) this.settle();
    }
    if (unjudged > 0) void this.run();
    const doubt = state.table.family === 6 ? absence !== "proven" : scan.doubtful;
    // Where nothing is written another look shows the same.
    const unveils = scan.unveils && this.guard.withheld === null;
    if (whole) this.guard.spent();
    if (doubt || ((scan.lookAgain || unveils) && queue.writable)) {
      const delayMs = Math.min(COALESCE_MS * 2 ** this.looksInRow++, RETRY_MAX_MS);
      this.request("one dump did not settle it", delayMs);
    } else {
      this.looksInRow = 0;
    }
    return whole;
  }

  private settle(): void {
    if (this.settled) return;
    this.settled = true;
    this.options.onSettled();
  }

  /** Grows with every change of a route that can make a dump omit others. */
  private changes(): number {
    return this.routeEvents + this.options.queue.outcomes.deletions;
  }

  /**
   * Dumps can omit stable routes when others change meanwhile, without saying so: the kernel goes on by a count of routes
   * of the net (IPv4) or the tree's node (IPv6) where it stopped.
   */
  private absence(changesBefore: number): Absence {
    const { state } = this.options;
    const quiet = this.changes() === changesBefore;
    this.unproven = quiet ? 0 : this.unproven + 1;
    if (quiet) return "proven";
    return state.table.family === 4 || this.unproven >= UNPROVEN_LIMIT ? "assumed" : "unknown";
  }
}
