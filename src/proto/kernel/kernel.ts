/**
 * The kernel protocol: keeps one kernel table equal to one table of ours. Here are the hooks of the protocol
 * and the scan cycle; judging is in verdict.ts and scan.ts, acting in prune.ts and export-queue.ts.
 *
 *   init ──sourcesFed──► first-scan ──complete──► pruning ──► idle ◄──────────┐
 *                          ▲  │ incomplete                     │ timer, event,│
 *                          └──┘ (backoff)                      ▼ command      │
 *                                                          scanning ──► pruning
 *
 * Nothing is written before the first complete scan: exports only set flags. The first prune then adopts what
 * is already right, so that a restart with an unchanged configuration writes nothing.
 */

import { Alarm } from "../../lib/alarm.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { Channel, type ExportSink } from "../../nest/channel.ts";
import type { InterfaceEvent, Interfaces } from "../../nest/iface.ts";
import type {
  KernelFacet,
  KernelReport,
  KernelRouteStatus,
  KernelRouteView,
  Protocol,
  ScanState,
  StopOptions,
} from "../../nest/protocol.ts";
import { NONE, type NodeId, type RouteId } from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import { DIRTY, INSTALLED, SENT } from "../../nest/sync-flags.ts";
import type { KernelRoute, Os } from "../../sysdep/os.ts";
import type { KernelConfig } from "./config.ts";
import { ExportQueue } from "./export-queue.ts";
import { flush } from "./flush.ts";
import { AlienRoutes } from "./learn.ts";
import { prune } from "./prune.ts";
import { RouteScan } from "./scan.ts";
import { routeStatus, viewKernelRoute } from "./status.ts";
import { SyncState } from "./sync-state.ts";

/** BIRD's preference of learned routes: anything configured wins. */
const LEARNED_PREFERENCE = 10;
/** An interface list older than this is read again before routes are judged. */
const INTERFACE_MAX_AGE_MS = 2000;
/** Events within this time lead to one scan. */
const COALESCE_MS = 50;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;
/** After so many IPv6 dumps in a row that proved nothing, absence is believed: an ADD that is wrong changes nothing. */
const UNPROVEN_LIMIT = 3;

export interface KernelOptions {
  readonly config: KernelConfig;
  readonly table: Rtable;
  readonly os: Os;
  readonly interfaces: Interfaces;
  /** Reads the interfaces again unless that was done less than `maxAgeMs` ago. */
  readonly refreshInterfaces: (maxAgeMs: number) => Promise<unknown>;
  readonly protocolId: number;
  /** Observe mode: nothing is ever written. */
  readonly observe: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the kernel refuses writes for want of privilege. */
  readonly onFatal: (message: string) => void;
}

export class KernelProtocol implements Protocol, KernelFacet, ExportSink {
  readonly name: string;
  readonly type = "kernel" as const;
  readonly channel: Channel;
  readonly kernel: KernelFacet = this;
  readonly kernelTable: number;
  private readonly options: KernelOptions;
  private readonly state: SyncState;
  private readonly queue: ExportQueue;
  private readonly aliens: AlienRoutes | null;
  readonly firstSync: Promise<void>;
  private readonly markSynced: () => void;
  private scanState: ScanState = "init";
  private initialized = false;
  private lastComplete = false;
  private frozen = false;
  private stopping = false;
  private running: Promise<boolean> | null = null;
  private again: Promise<boolean> | null = null;
  private readonly alarm: Alarm;
  private unlisten: (() => void) | null = null;
  private failedScans = 0;
  private unproven = 0;
  /** Foreign route events of this family: they can make an IPv6 dump omit routes. */
  private routeEvents = 0;
  private repaired = 0;
  private scanCount = 0;
  private incompleteCount = 0;
  private lastAt: number | null = null;
  private lastDurationMs: number | null = null;
  private lastProblem: string | null = null;
  private lastRoutes = 0;

  constructor(options: KernelOptions) {
    const { config, table, os, clock, log } = options;
    this.options = options;
    let resolveSync: () => void = () => {};
    this.firstSync = new Promise((resolve) => {
      resolveSync = resolve;
    });
    this.markSynced = () => resolveSync();
    this.name = config.name;
    this.alarm = new Alarm(clock, () => void this.cycle());
    this.kernelTable = config.kernelTable;
    this.channel = new Channel({
      name: config.name,
      table,
      sourceType: "inherit",
      preference: LEARNED_PREFERENCE,
      import: config.import,
      export: config.export,
      sink: this,
      clock,
    });
    this.state = new SyncState(table, config.metric);
    this.aliens = config.learn === false ? null : new AlienRoutes(table.attrs, this.channel);
    this.queue = new ExportQueue({
      state: this.state,
      os,
      kernelTable: config.kernelTable,
      protocolId: options.protocolId,
      writable: !options.observe,
      deviceName: (device) => options.interfaces.deviceName(device),
      clock,
      events: {
        verify: (reason) => this.requestScan(reason),
        fatal: options.onFatal,
        refused: (node, errno, message) => {
          if (!log.enabled("debug")) return;
          log.debug("kernel refused route", { prefix: table.fib.formatNode(node), errno, answer: message });
        },
      },
    });
  }

  get family(): 4 | 6 {
    return this.state.table.family;
  }

  get inSync(): boolean {
    return this.initialized && this.lastComplete && this.queue.idle;
  }

  async start(): Promise<void> {
    this.unlisten = this.options.interfaces.listen((event) => this.interfaceEvent(event));
    await this.channel.up();
  }

  sourcesFed(): void {
    void this.cycle();
  }

  freeze(): void {
    this.frozen = true;
    this.stopping = true;
    this.alarm.cancel();
  }

  /** Deletes what was sent, unless `keep` or `persist` say otherwise or nothing was ever judged. */
  async stop(options: StopOptions): Promise<void> {
    this.freeze();
    this.unlisten?.();
    this.unlisten = null;
    await this.running;
    await this.queue.drained();
    const { config, os, log, protocolId, observe, clock } = this.options;
    if (this.initialized && !observe && !options.keep && !config.persist) {
      const { state, queue, kernelTable } = this;
      const left = await flush({ state, queue, os, kernelTable, protocolId, clock });
      if (left > 0)
        log.warn("routes of ours are left in the kernel", { table: this.kernelTable, routes: left });
    }
    this.aliens?.clear();
    await this.channel.down();
  }

  info(): string {
    if (!this.initialized) return this.lastProblem ?? "waiting for the first scan";
    if (!this.lastComplete) return `last scan incomplete: ${this.lastProblem}`;
    return this.options.observe ? "observing" : "";
  }

  /** The channel's export: what the kernel should have for this net, 0 for no route. */
  exported(node: NodeId, best: RouteId): void {
    if (this.frozen) return;
    const { flags } = this.state.table.fib;
    const before = flags[node]!;
    if (best === NONE && (before & (INSTALLED | SENT)) === 0) return;
    flags[node] = (best === NONE ? before & ~INSTALLED : before | INSTALLED) | DIRTY;
    this.state.clearFailure(node);
    if (!this.initialized) {
      if (best === NONE) this.state.releaseIfIdle(node, 0);
      return;
    }
    this.queue.push(node);
    this.queue.run();
  }

  /** A route of this family changed in the kernel, not by our hand. */
  routeEvent(): void {
    this.routeEvents++;
  }

  /** Asks for a scan soon; many requests within COALESCE_MS, or during a scan, are one. */
  requestScan(reason: string): void {
    if (!this.initialized && this.scanState === "init") return;
    this.options.log.debug("scan requested", { protocol: this.name, reason });
    this.wakeIn(COALESCE_MS);
  }

  async scan(): Promise<boolean> {
    const complete = await this.cycle();
    await this.queue.drained();
    return complete;
  }

  /** One scan with its prune; asked for while one runs, exactly one more follows. */
  private cycle(): Promise<boolean> {
    if (this.stopping) return Promise.resolve(false);
    if (this.running === null) {
      this.running = this.runScan().finally(() => {
        this.running = null;
      });
      return this.running;
    }
    this.again ??= this.running.then(() => {
      this.again = null;
      return this.cycle();
    });
    return this.again;
  }

  status(node: NodeId): KernelRouteStatus {
    return routeStatus({
      state: this.state,
      channel: this.channel,
      queue: this.queue,
      initialized: this.initialized,
      observe: this.options.observe,
      node,
    });
  }

  async dump(onRoute: (route: KernelRouteView) => void): Promise<string | null> {
    const { protocolId, config } = this.options;
    const outcome = await this.options.os.scanRoutes(
      { family: this.family, table: this.kernelTable },
      {
        route: (route: KernelRoute) => onRoute(viewKernelRoute(this.state, route, protocolId, config.learn)),
      },
    );
    return outcome.complete ? null : (outcome.reason ?? "incomplete");
  }

  report(): KernelReport {
    const { counters } = this.queue;
    return {
      table: this.kernelTable,
      scan: {
        state: this.scanState,
        count: this.scanCount,
        incomplete: this.incompleteCount,
        lastAt: this.lastAt,
        lastDurationMs: this.lastDurationMs,
        lastProblem: this.lastProblem,
        routes: this.lastRoutes,
      },
      writes: {
        add: counters.add,
        replace: counters.replace,
        delete: counters.delete,
        errors: Object.fromEntries(counters.errors),
      },
      learned: this.aliens?.size ?? 0,
      repaired: this.repaired,
      queued: this.queue.size,
    };
  }

  private async runScan(): Promise<boolean> {
    const { clock, log } = this.options;
    this.alarm.cancel();
    try {
      const complete = await this.scanOnce();
      if (!complete && !this.stopping) this.wakeIn(this.retryDelayMs());
      return complete;
    } catch (error) {
      this.lastProblem = error instanceof Error ? error.message : String(error);
      this.lastComplete = false;
      log.error("scan failed", { protocol: this.name, error });
      this.wakeIn(this.retryDelayMs());
      return false;
    } finally {
      this.scanState = this.initialized ? "idle" : "first-scan";
      this.lastAt = clock.wall();
      const { scanTimeMs } = this.options.config;
      if (scanTimeMs > 0) this.wakeIn(scanTimeMs);
    }
  }

  private async scanOnce(): Promise<boolean> {
    const { os, clock, log, refreshInterfaces, protocolId, config } = this.options;
    await refreshInterfaces(INTERFACE_MAX_AGE_MS);
    this.scanState = this.initialized ? "scanning" : "first-scan";
    const startedAt = clock.now();
    const { state, queue, aliens } = this;
    const changesBefore = this.routeEvents + queue.deletions;
    const scan = new RouteScan({
      state,
      ownProtocol: protocolId,
      aliens,
      learnKernel: config.learn === "all",
    });
    const outcome = await os.scanRoutes({ family: this.family, table: this.kernelTable }, scan);
    this.scanCount++;
    this.lastRoutes = outcome.messages;
    this.lastComplete = outcome.complete;
    if (!outcome.complete || this.stopping) {
      scan.stale.clear();
      this.incompleteCount++;
      this.failedScans++;
      this.lastProblem = outcome.reason ?? "stopped";
      if (!this.stopping)
        log.warn("scan incomplete, nothing pruned", { protocol: this.name, reason: outcome.reason });
      return false;
    }
    this.failedScans = 0;
    this.lastProblem = null;
    const provesAbsence = this.provesAbsence(changesBefore);
    const first = !this.initialized;
    this.scanState = "pruning";
    this.initialized = true;
    let missing = 0;
    const whole = await prune({
      scan,
      state,
      queue,
      aliens,
      provesAbsence,
      first,
      clock,
      stopped: () => this.stopping,
      missing: (node) => {
        missing++;
        if (log.enabled("debug")) log.debug("reinstalling", { prefix: state.table.fib.formatNode(node) });
      },
    });
    if (!whole) scan.stale.clear();
    if (missing + scan.changed > 0) {
      this.repaired += missing + scan.changed;
      log.info("repairing drift", { protocol: this.name, missing, changed: scan.changed });
    }
    this.lastDurationMs = clock.now() - startedAt;
    if (first) void this.queue.drained().then(this.markSynced);
    if (!provesAbsence) this.requestScan("IPv6 routes changed during the dump");
    return whole;
  }

  /** IPv6 dumps can omit stable routes when routes change meanwhile (kernel.md, IPv6). */
  private provesAbsence(changesBefore: number): boolean {
    if (this.family === 4 || this.routeEvents + this.queue.deletions === changesBefore) {
      this.unproven = 0;
      return true;
    }
    this.unproven++;
    if (this.unproven < UNPROVEN_LIMIT) return false;
    this.unproven = 0;
    return true;
  }

  private retryDelayMs(): number {
    return Math.min(RETRY_MIN_MS * 2 ** Math.max(0, this.failedScans - 1), RETRY_MAX_MS);
  }

  private wakeIn(delayMs: number): void {
    if (!this.stopping) this.alarm.within(delayMs);
  }

  /** Removals in IPv4 are silent: whatever happens to an interface, the table must be looked at again. */
  private interfaceEvent(event: InterfaceEvent): void {
    if (!this.initialized || this.frozen) return;
    if (event.kind === "up" || event.kind === "address-added" || event.kind === "changed") this.queue.wake();
    if (event.kind !== "created" && event.kind !== "changed") this.requestScan(`interface ${event.kind}`);
  }
}
