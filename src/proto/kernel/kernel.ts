/**
 * The kernel protocol: keeps one kernel table equal to one table of ours. Here are the hooks of the protocol;
 * when to scan is in scan-cycle.ts, judging in verdict.ts and scan.ts, acting in prune.ts and export-queue.ts,
 * the record of what was sent in sync-state.ts.
 */

import { Alarm } from "../../lib/alarm.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Family } from "../../lib/ip.ts";
import type { Log } from "../../lib/log.ts";
import { Channel, type ExportSink } from "../../nest/channel.ts";
import type { InterfaceEvent, Interfaces } from "../../nest/iface.ts";
import type {
  DriftRecord,
  KernelFacet,
  KernelReport,
  KernelRouteStatus,
  KernelRouteView,
  Protocol,
  StopOptions,
} from "../../nest/protocol.ts";
import { NONE, type NodeId, type RouteId } from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import { DIRTY, INSTALLED, RIVAL, SENT, SYNCED } from "../../nest/sync-flags.ts";
import type { KernelRoute, Os, RouteChange } from "../../sysdep/os.ts";
import type { KernelConfig } from "./config.ts";
import { ExportQueue } from "./export-queue.ts";
import { flush } from "./flush.ts";
import { AlienRoutes } from "./learn.ts";
import { type Failure, failureState } from "./retry.ts";
import { ScanCycle } from "./scan-cycle.ts";
import { routeStatus, viewKernelRoute } from "./status.ts";
import { SyncState } from "./sync-state.ts";

/** Of learned routes: anything configured wins. */
const LEARNED_PREFERENCE = 10;
/** Route events within this time wake the waiting routes once. */
const WAKE_MS = 50;

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
  readonly channels: readonly Channel[];
  readonly netns: string | null;
  private readonly channel: Channel;
  readonly kernel: KernelFacet = this;
  readonly family: Family;
  readonly kernelTable: number;
  readonly firstSync: Promise<void>;
  readonly drift: readonly DriftRecord[] = [];
  private readonly options: KernelOptions;
  private readonly state: SyncState;
  private readonly queue: ExportQueue;
  private readonly aliens: AlienRoutes | null;
  private readonly cycle: ScanCycle;
  private readonly writable: boolean;
  private readonly wakeAlarm: Alarm;
  private readonly sourcesReady: Promise<void>;
  private markFed: () => void = () => {};
  private frozen = false;
  private unlisten: (() => void) | null = null;

  constructor(options: KernelOptions) {
    const { config, table, os, clock, log, protocolId } = options;
    this.options = options;
    this.name = config.name;
    this.netns = config.netns;
    this.family = table.family;
    this.kernelTable = config.kernelTable;
    this.channel = new Channel({
      name: config.name,
      table,
      sourceType: "inherit",
      preference: LEARNED_PREFERENCE,
      import: config.import,
      export: config.export,
      deviceName: (device) => options.interfaces.deviceName(device),
      sink: this,
      clock,
    });
    this.channels = [this.channel];
    // A table nothing is exported to is never written to: what carries our number there is not ours to judge.
    this.writable = !options.observe && !config.export.rejectsAll;
    this.wakeAlarm = new Alarm(clock, () => this.queue.wake());
    this.sourcesReady = new Promise((resolve) => {
      this.markFed = resolve;
    });
    const { state, queue, aliens } = this.createParts();
    this.state = state;
    this.queue = queue;
    this.aliens = aliens;
    let synced = (): void => {};
    this.firstSync = new Promise((resolve) => {
      synced = resolve;
    });
    this.cycle = new ScanCycle({
      name: config.name,
      config,
      state,
      queue,
      aliens,
      os,
      protocolId,
      refreshInterfaces: options.refreshInterfaces,
      clock,
      log,
      onSettled: () =>
        void queue.drained().then(() => {
          if (!this.frozen) synced();
        }),
    });
  }

  get inSync(): boolean {
    return this.cycle.settled && this.cycle.problem === null && this.queue.idle;
  }

  async start(): Promise<void> {
    this.unlisten = this.options.interfaces.listen((event) => this.interfaceEvent(event));
    await this.channel.up();
  }

  sourcesFed(): void {
    this.markFed();
    void this.cycle.run();
  }

  freeze(): void {
    if (this.frozen) return;
    this.frozen = true;
    this.markFed();
    this.wakeAlarm.cancel();
    this.cycle.cancel();
    this.queue.discard();
  }

  /** Deletes what was sent, unless `keep` or `persist` say otherwise or nothing was ever judged. */
  async stop(options: StopOptions): Promise<void> {
    this.freeze();
    this.unlisten?.();
    this.unlisten = null;
    await this.cycle.ended();
    await this.queue.drained();
    const { config, os, log, protocolId, clock } = this.options;
    if (this.cycle.initialized && this.writable && !options.keep && !config.persist) {
      const { state, queue, kernelTable } = this;
      const left = await flush({ state, queue, os, kernelTable, protocolId, clock });
      if (left > 0) log.warn("routes of ours are left in the kernel", { protocol: this.name, routes: left });
    }
    await this.aliens?.clear(clock);
    await this.channel.down();
  }

  info(): string {
    const { initialized, problem } = this.cycle;
    if (problem !== null) return `last scan incomplete: ${problem}`;
    if (!initialized) return "waiting for the first scan";
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
    if (this.cycle.initialized) {
      this.queue.push(node);
      this.queue.run();
    } else if (best === NONE) {
      this.state.releaseIfIdle(node, 0);
    }
  }

  /**
   * A route of this family changed in the kernel, not by our hand. At a key of ours that ends what we believed of
   * it: nothing is replaced there any more before a scan has looked.
   */
  routeEvent(route: KernelRoute, change: RouteChange): void {
    const gone = change === "gone";
    this.cycle.routeEvent();
    if (this.frozen) return;
    // Any new route may be the one that a gateway of ours is reached by.
    if (!gone && this.queue.waiting.groupCount > 0) this.wakeAlarm.within(WAKE_MS);
    if (route.table !== this.kernelTable) return;
    const { fib } = this.state.table;
    const node = fib.find(route.w0, route.w1, route.w2, route.w3, route.length);
    if (node === 0 || (fib.flags[node]! & (INSTALLED | SENT)) === 0) return;
    const sent = (fib.flags[node]! & SENT) !== 0;
    const atSentKey = sent && this.state.sentMetric[node] === route.metric;
    if (!atSentKey && this.state.wantedMetric(node) !== route.metric) return;
    const foreign = !gone && route.protocol !== this.options.protocolId;
    fib.flags[node] = (fib.flags[node]! & ~SYNCED) | DIRTY | (foreign ? RIVAL : 0);
    this.cycle.request("a route changed at a key of ours");
  }

  /** Notifications were lost: whatever was believed of any route may be wrong until a scan has looked. */
  eventsLost(): void {
    this.cycle.routeEvent();
    this.cycle.request("notifications lost");
  }

  /** Waits until the route sources have fed: a scan before that would take their routes for stale. */
  async scan(): Promise<boolean> {
    await this.sourcesReady;
    const complete = await this.cycle.run();
    await this.queue.drained();
    return complete;
  }

  status(node: NodeId): KernelRouteStatus {
    const { state, channel, queue } = this;
    const { observe } = this.options;
    return routeStatus({ state, channel, queue, initialized: this.cycle.initialized, observe, node });
  }

  async dump(onRoute: (route: KernelRouteView) => void): Promise<string | null> {
    const { protocolId, config, os } = this.options;
    const route = (seen: KernelRoute): void =>
      onRoute(viewKernelRoute(this.state, seen, protocolId, config.learn));
    const outcome = await os.scanRoutes({ family: this.family, table: this.kernelTable }, { route });
    return outcome.complete ? null : (outcome.reason ?? "incomplete");
  }

  report(): KernelReport {
    const { counters } = this.queue;
    return {
      table: this.kernelTable,
      scan: this.cycle.report(),
      writes: {
        add: counters.add,
        replace: counters.replace,
        delete: counters.delete,
        errors: Object.fromEntries(counters.errors),
      },
      learned: this.aliens?.size ?? 0,
      repaired: this.queue.repaired,
      queued: this.queue.size,
      waiting: this.state.failing.waiting,
      failed: this.state.failing.failed,
      contested: 0,
    };
  }

  private createParts(): { state: SyncState; queue: ExportQueue; aliens: AlienRoutes | null } {
    const { config, table, os, clock, protocolId, interfaces, onFatal } = this.options;
    const state = new SyncState(table, config.metric, protocolId, (node, failure) =>
      this.logFailure(node, failure),
    );
    const queue = new ExportQueue({
      state,
      os,
      kernelTable: config.kernelTable,
      protocolId,
      writable: this.writable,
      deviceName: (device) => interfaces.deviceName(device),
      clock,
      events: {
        verify: (reason) => this.cycle.request(reason),
        fatal: onFatal,
      },
    });
    return {
      state,
      queue,
      aliens: config.learn === false ? null : new AlienRoutes(table.attrs, this.channel),
    };
  }

  /** A broken gateway fails a million routes: the log is limited, and the prefix written only when it is used. */
  private logFailure(node: NodeId, failure: Failure): void {
    const { fib } = this.state.table;
    this.options.log.warn("route is not in the kernel", {
      protocol: this.name,
      get prefix() {
        return fib.formatNode(node);
      },
      state: failureState(failure.class),
      errno: failure.errno,
      answer: failure.message,
    });
  }

  /** Removals in IPv4 are silent: whatever happens to an interface, the table must be looked at again. */
  private interfaceEvent({ kind }: InterfaceEvent): void {
    if (!this.cycle.initialized || this.frozen) return;
    if (kind === "up" || kind === "address-added" || kind === "changed") this.queue.wake();
    if (kind !== "created") this.cycle.request(`interface ${kind}`);
  }
}
