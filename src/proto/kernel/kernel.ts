/**
 * The kernel protocol: keeps one kernel table equal to one table of ours. Here are the hooks of the protocol;
 * when to scan is in scan-cycle.ts, judging in verdict.ts and scan.ts, acting in prune.ts and export-queue.ts, what
 * notifications mean in route-events.ts, the record of what was sent in sync-state.ts.
 */

import { Alarm } from "../../lib/alarm.ts";
import { Gate } from "../../lib/gate.ts";
import type { Family } from "../../lib/ip.ts";
import { Channel, type ExportSink } from "../../nest/channel.ts";
import { concernsFamily, type InterfaceEvent } from "../../nest/iface-event.ts";
import { originOf } from "../../nest/origin.ts";
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
import { DIRTY, INSTALLED, SENT } from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { KernelRoute, RouteChange } from "../../sysdep/os.ts";
import { assemble } from "./assemble.ts";
import type { KernelConfig } from "./config.ts";
import { DriftLog } from "./drift.ts";
import type { ExportQueue } from "./export-queue.ts";
import { flush } from "./flush.ts";
import { AlienRoutes } from "./learn.ts";
import type { KernelOptions } from "./options.ts";
import type { RouteEvents } from "./route-events.ts";
import { SafetyRails } from "./safety-rails.ts";
import type { ScanCycle } from "./scan-cycle.ts";
import { kernelReport, type OwnNumbers, routeStatus, viewKernelRoute } from "./status.ts";
import type { SyncState } from "./sync-state.ts";
import { ownNumbers, RT_TABLE_MAIN } from "./verdict.ts";
import { isInstallable } from "./write-batch.ts";

/** Of learned routes: anything configured wins. */
const LEARNED_PREFERENCE = 10;
/** Route events within this time wake the waiting routes once. */
const WAKE_MS = 50;
const WAKE_PER_GROUP_MS = 2;

export class KernelProtocol implements Protocol, KernelFacet, ExportSink {
  readonly name: string;
  readonly type = "kernel" as const;
  readonly channels: readonly Channel[];
  readonly netns: string | null;
  readonly kernel: KernelFacet = this;
  readonly family: Family;
  readonly kernelTable: number;
  readonly rails: SafetyRails;
  private config: KernelConfig;
  private readonly channel: Channel;
  private readonly options: KernelOptions;
  private readonly numbers: OwnNumbers;
  private readonly state: SyncState;
  private readonly queue: ExportQueue;
  private readonly events: RouteEvents;
  private readonly driftLog = new DriftLog();
  private aliens: AlienRoutes | null = null;
  private readonly cycle: ScanCycle;
  private readonly writable: boolean;
  private readonly wakeAlarm: Alarm;
  private readonly sourcesReady = new Gate();
  private readonly feeding = new Gate();
  private readonly syncing = new Gate();
  private readonly stopping = new Gate();
  private frozen = false;
  private unlisten: (() => void) | null = null;

  constructor(options: KernelOptions) {
    const { config, table, clock, protocolId, formerProtocolIds, inherited = [] } = options;
    this.options = options;
    this.config = config;
    this.name = config.name;
    this.netns = config.netns;
    this.family = table.family;
    this.kernelTable = config.kernelTable;
    this.numbers = { own: protocolId, ours: ownNumbers(protocolId, [...formerProtocolIds, ...inherited]) };
    this.channel = new Channel({
      name: config.name,
      table,
      sourceType: "inherit",
      preference: LEARNED_PREFERENCE,
      import: config.import,
      export: config.export,
      mergePaths: config.mergePaths,
      deviceName: (device) => options.interfaces.deviceName(device),
      takes: (route) => this.takes(route),
      sink: this,
      clock,
    });
    this.channels = [this.channel];
    // A table nothing is exported to is never written to: what carries our number there is not ours to judge.
    this.writable = !options.observe && !config.export.rejectsAll;
    this.wakeAlarm = new Alarm(clock, () => this.queue.wake());
    this.setLearn();
    if (this.aliens === null) this.feeding.open();
    const { state, queue, cycle, events } = assemble({
      ...options,
      config: () => this.config,
      aliens: () => this.aliens,
      channel: this.channel,
      kernelTable: this.kernelTable,
      numbers: this.numbers,
      writable: this.writable,
      forced: options.forced ?? false,
      drift: this.driftLog,
      onOutrun: () => this.wakeSoon(),
      onLearned: () => this.feeding.open(),
      onSettled: () => {
        if (!this.frozen) this.syncing.open();
      },
    });
    this.state = state;
    this.queue = queue;
    this.cycle = cycle;
    this.events = events;
    this.rails = new SafetyRails({ state, queue, cycle, clock });
  }

  /** Its stop leaves its routes in the kernel. */
  get persists(): boolean {
    return this.config.persist;
  }

  get firstSync(): Promise<void> {
    return this.syncing.opened;
  }

  get fed(): Promise<void> {
    return this.feeding.opened;
  }

  /** Resolves when stop() has done its work. */
  get stopped(): Promise<void> {
    return this.stopping.opened;
  }

  get inSync(): boolean {
    return this.cycle.settled && this.cycle.problem === null && this.queue.idle;
  }

  /** The numbers under which routes of ours may stand in the kernel now. */
  get standing(): readonly number[] {
    const { protocolId, formerProtocolIds, inherited = [] } = this.options;
    const known = this.inSync && !this.cycle.mayBeRenumbered;
    return known ? [protocolId] : [protocolId, ...formerProtocolIds, ...inherited];
  }

  get drift(): readonly DriftRecord[] {
    return this.driftLog.records;
  }

  async start(): Promise<void> {
    this.state.unheard = this.options.unheard?.() ?? false;
    this.unlisten = this.options.interfaces.listen((event) => this.interfaceEvent(event));
    await this.channel.up();
  }

  sourcesFed(): void {
    this.sourcesReady.open();
    void this.cycle.run();
  }

  allFed(): void {
    this.cycle.release();
  }

  /** Writes nothing until release(), or its stop: a change of many things at once has one outcome for the kernel. */
  hold(): void {
    if (!this.frozen) this.queue.hold();
  }

  release(): void {
    this.queue.release();
  }

  freeze(): void {
    if (this.frozen) return;
    this.frozen = true;
    this.sourcesReady.open();
    this.feeding.open();
    this.wakeAlarm.cancel();
    this.cycle.cancel();
    this.queue.discard();
    this.queue.release();
    this.state.contest.close();
  }

  /** Deletes what was sent or inherited, unless `keep` or `persist` say otherwise. */
  async stop(options: StopOptions): Promise<void> {
    this.freeze();
    this.unlisten?.();
    this.unlisten = null;
    await this.cycle.ended();
    await this.queue.drained();
    const { os, log, clock, inherited } = this.options;
    const { state, queue, kernelTable } = this;
    const answers = this.cycle.initialized || inherited !== undefined;
    if (answers && this.writable && !options.keep && !this.config.persist) {
      const { left, kept } = await flush({ state, queue, os, kernelTable, ours: this.numbers.ours, clock });
      if (left > 0) log.warn("routes of ours are left in the kernel", { protocol: this.name, routes: left });
      if (kept > 0) log.info("protected routes stay in the kernel", { protocol: this.name, routes: kept });
    }
    queue.close();
    await this.aliens?.clear(clock);
    await this.channel.down();
    // Another instance may take the table over: it must not find what this one believed.
    await walkNodes(state.table.fib, (node) => state.forget(node), clock);
    state.close();
    this.stopping.open();
  }

  /**
   * Takes over a configuration that differs in nothing but scan-time, metric, learn, persist, filters and merging.
   * `soft`: a changed filter or merging counts for routes that change from now on.
   */
  async reconfigure(config: KernelConfig, options: { readonly soft: boolean }): Promise<void> {
    const before = this.config;
    this.config = config;
    if (config.scanTimeMs !== before.scanTimeMs) this.cycle.rearm();
    const importing = config.import.key !== before.import.key;
    const exporting = config.export.key !== before.export.key || config.mergePaths !== before.mergePaths;
    this.channel.setImport(config.import);
    this.channel.setExport(config.export, config.mergePaths);
    this.state.setDefaultMetric(config.metric);
    if (config.learn !== before.learn) {
      const old = this.aliens;
      this.setLearn();
      if (this.aliens === null) {
        // A scan under way may still show it routes.
        await this.cycle.ended();
        await old?.clear(this.options.clock);
      }
      if (this.cycle.initialized) this.feeding.shutUntil(this.cycle.run());
      else this.cycle.request("learn has changed");
    }
    if (importing && !options.soft) await this.aliens?.announceAgain(this.options.clock);
    if (exporting && !options.soft) await this.channel.reexport();
    if (config.metric !== before.metric) await this.pushAll();
  }

  /** Judges everything once more: the filters may see other names now. */
  async reload(): Promise<void> {
    await this.aliens?.announceAgain(this.options.clock);
    await this.channel.reexport();
    this.cycle.request("reload");
  }

  info(): string {
    const { initialized, problem, guard } = this.cycle;
    if (problem !== null) return `last scan incomplete: ${problem}`;
    if (!initialized) return "waiting for the first scan";
    if (guard.held) return "waiting for all sources of routes";
    return this.options.observe ? "observing" : guard.info();
  }

  /** The channel's export: what the kernel should have for this net, 0 for no route. */
  exported(node: NodeId, best: RouteId): void {
    if (this.frozen) return;
    const { flags } = this.state.table.fib;
    const before = flags[node]!;
    if (best === NONE && (before & (INSTALLED | SENT)) === 0) return;
    flags[node] = (best === NONE ? before & ~INSTALLED : before | INSTALLED) | DIRTY;
    this.state.clearFailure(node);
    if (!this.cycle.initialized) {
      if (best === NONE) this.state.releaseIfIdle(node, 0);
    } else if (this.cycle.holding && best !== NONE && (before & SENT) === 0) {
      this.cycle.request("a net whose route may stand in the kernel already came to be wanted");
    } else if (this.options.observe) {
      if (best === NONE) this.state.releaseIfIdle(node, 0);
      this.cycle.request("something else is wanted: only a look tells whether it stands in the kernel");
    } else {
      this.queue.push(node);
      this.queue.run();
    }
  }

  /** A route of this family changed in the kernel, not by our hand. */
  routeEvent(route: KernelRoute, change: RouteChange, port: number): void {
    this.cycle.routeEvent();
    if (this.frozen) return;
    // Any new route may be the one that a gateway of ours is reached by, any other may have hidden that.
    this.gatewayMayBeReached();
    if (route.table !== this.kernelTable) return;
    this.cycle.tableEvent(route, change);
    this.events.take(route, change, port);
  }

  /** Others' routes went, or changed, without a word; ours need no nexthop objects. */
  nexthopGone(): void {
    const matters = this.aliens !== null || this.state.rivals.size > 0 || this.cycle.problem !== null;
    if (!this.frozen && matters) this.cycle.interfaceEvent("a nexthop object is gone");
  }

  /** A route came by which waiting ones may be possible. */
  gatewayMayBeReached(): void {
    this.queue.outrun();
    this.wakeSoon();
  }

  private wakeSoon(): void {
    const groups = this.queue.waiting.groupCount;
    // One write a group each time: others' churn must not make it a write a group twenty times a second.
    if (!this.frozen && groups > 0) this.wakeAlarm.within(Math.max(WAKE_MS, groups * WAKE_PER_GROUP_MS));
  }

  /** A route of this family changed, which will be told later: a dump under way may be incomplete. */
  routeEventHeld(): void {
    this.cycle.routeEvent();
  }

  /** Notifications were lost: whatever was believed of any route may be wrong until resync() has looked. */
  eventsLost(): void {
    this.cycle.eventsLost();
  }

  /** All that was queued since has been told. */
  eventsHeard(): void {
    this.state.unheard = false;
  }

  /** Resolves with whether the whole table was looked at; true when that is still to come, or not to be any more. */
  async resync(): Promise<boolean> {
    const complete = await this.cycle.resync();
    return complete || this.frozen;
  }

  /** Waits until the route sources have fed: a scan before that would take their routes for stale. */
  async scan(options?: { readonly force: boolean }): Promise<boolean> {
    await this.sourcesReady.opened;
    if (options?.force === true) this.rails.force();
    const complete = await this.cycle.run();
    await this.queue.drained();
    return complete;
  }

  status(node: NodeId): KernelRouteStatus {
    const { state, channel, queue } = this;
    const { observe, clock } = this.options;
    const { initialized } = this.cycle;
    const contestedUntil = (contested: NodeId): number => clock.wall() + state.contest.waitMs(contested);
    return routeStatus({ state, channel, queue, initialized, observe, contestedUntil, node });
  }

  async dump(onRoute: (route: KernelRouteView) => void): Promise<string | null> {
    const { os } = this.options;
    const route = (seen: KernelRoute): void =>
      onRoute(viewKernelRoute(this.state, seen, this.numbers, this.config.learn));
    const outcome = await os.scanRoutes({ family: this.family, table: this.kernelTable }, { route });
    return outcome.complete ? null : (outcome.reason ?? "incomplete");
  }

  report(): KernelReport {
    const { kernelTable, state, queue, cycle, aliens } = this;
    return kernelReport({ kernelTable, state, queue, cycle, learned: aliens?.size ?? 0 });
  }

  /**
   * In main the kernel itself keeps what direct protocols say, over pipes too: to install it would double it. What was
   * learned from one kernel table, and is more than krtd understands, would be another route in the other one.
   */
  private takes(route: RouteId): boolean {
    const { table } = this.channel;
    if (!isInstallable(table.attrs, table.attrsOf(route))) return false;
    return this.kernelTable !== RT_TABLE_MAIN || !originOf(table.origin(route)).connected;
  }

  private setLearn(): void {
    if (this.config.learn === false) this.aliens = null;
    else this.aliens ??= new AlienRoutes(this.options.table.attrs, this.channel);
  }

  private async pushAll(): Promise<void> {
    const { fib } = this.state.table;
    const push = (node: NodeId): void => {
      if ((fib.flags[node]! & INSTALLED) === 0) return;
      if (this.cycle.initialized) this.queue.push(node);
      // The first scan, which may be under way, must not judge it by what was wanted before.
      else fib.flags[node]! |= DIRTY;
    };
    await walkNodes(fib, push, this.options.clock, { stopped: () => this.frozen });
    this.queue.run();
  }

  /** Removals in IPv4 are silent: whatever happens to an interface, the table must be looked at again. */
  private interfaceEvent(event: InterfaceEvent): void {
    if (this.frozen) return;
    if (event.kind === "up" || event.kind === "address-added" || event.kind === "changed") this.queue.wake();
    if (concernsFamily(event, this.family)) this.cycle.interfaceEvent(`interface ${event.kind}`);
    const renamed = event.kind === "created" || event.kind === "renamed";
    if (renamed && this.channel.exporting.asksDevices) void this.channel.reexport();
    if (renamed && this.channel.importing.asksDevices) void this.aliens?.announceAgain(this.options.clock);
  }
}
