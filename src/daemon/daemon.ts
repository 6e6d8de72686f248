/**
 * The running daemon: wires the parts that a configuration asks for, brings them up in order, and takes them
 * down again. main.ts makes one of it for a process, the tests one for a model kernel; nothing else imports it.
 */

import { resolve } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { KrtConfig } from "../config/config.ts";
import type { ControlBackend, DaemonState, StatusReport } from "../control/backend.ts";
import type { Clock } from "../lib/clock.ts";
import { formatAddress } from "../lib/ip.ts";
import type { Log } from "../lib/log.ts";
import { type RateLimit, rateLimited } from "../lib/rate-limit.ts";
import type { AttrsTable } from "../nest/attrs.ts";
import { Interfaces } from "../nest/iface.ts";
import { ProtoManager } from "../nest/proto-manager.ts";
import { Rtable } from "../nest/rtable.ts";
import { DeviceProtocol } from "../proto/device/device.ts";
import { KernelProtocol } from "../proto/kernel/kernel.ts";
import { StaticProtocol } from "../proto/static/static.ts";
import type { Monitor, Os } from "../sysdep/os.ts";

/** Sampling step of the event loop's lag; the histogram counts it in. */
const LAG_RESOLUTION_MS = 10;
/** The lag that status shows is that of the last minute or two. */
const LAG_WINDOW_MS = 60_000;

/** What is said of single routes: so many lines of each kind, then a count. */
const LOG_LIMIT: RateLimit = { burst: 20, windowMs: 60_000 };

export interface DaemonOptions {
  readonly config: KrtConfig;
  readonly version: string;
  readonly os: Os;
  readonly attrs: AttrsTable;
  /** Observe mode: nothing is ever written to the kernel. */
  readonly observe: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Something that makes going on pointless; the message says what and why. */
  readonly onFatal: (message: string) => void;
  /** A client asked for the orderly stop. */
  readonly onShutdown: (options: { readonly keep: boolean }) => void;
}

export class Daemon {
  readonly backend: ControlBackend;
  /** Resolves when every kernel protocol was in sync for the first time. */
  readonly firstSync: Promise<void>;
  private readonly options: DaemonOptions;
  private readonly interfaces: Interfaces;
  private readonly tables: readonly Rtable[];
  private readonly device: DeviceProtocol;
  private readonly kernels: readonly KernelProtocol[];
  private readonly manager: ProtoManager;
  private readonly lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  private readonly startedAt: number;
  private readonly startedMonotonic: number;
  private lagWindowAt: number;
  /** How often everything was read again because notifications were lost. */
  private resyncs = 0;
  private monitor: Monitor | null = null;
  private phase: "starting" | "running" | "stopping" = "starting";
  private stopped: Promise<void> | null = null;

  constructor(options: DaemonOptions) {
    const { config, attrs, clock, log, os } = options;
    this.options = options;
    this.startedAt = clock.wall();
    this.startedMonotonic = clock.now();
    this.lagWindowAt = clock.now();
    this.interfaces = new Interfaces({ requireAddress: config.device.requireAddress });
    this.tables = config.tables.map(({ name, family }) => new Rtable(name, family, attrs, clock));
    this.manager = new ProtoManager({ clock, log });
    this.device = new DeviceProtocol({ config: config.device, interfaces: this.interfaces, os, clock, log });
    this.kernels = config.kernels.map((kernel) => this.createKernel(kernel));
    this.manager.add(this.device);
    for (const kernel of this.kernels) this.manager.add(kernel);
    for (const entry of config.statics) {
      const table = this.table(entry.table);
      this.manager.add(new StaticProtocol({ config: entry, table, interfaces: this.interfaces, clock }));
    }
    this.firstSync = Promise.all(this.kernels.map((kernel) => kernel.firstSync)).then(() => {});
    this.backend = {
      status: () => this.status(),
      tables: () => this.tables,
      protocols: () => this.manager.all(),
      interfaces: this.interfaces,
      shutdown: options.onShutdown,
    };
  }

  /** Resolves when every protocol runs and has fed; the first scans then go on in the background. */
  async start(): Promise<void> {
    this.lag.enable();
    // First the notifications, then the first scan: what happens in between is not missed.
    this.monitor = await this.options.os.monitor({
      link: (link) => this.device.linkChanged(link),
      linkGone: (ifindex) => this.device.linkGone(ifindex),
      address: (address) => this.device.addressChanged(address),
      addressGone: (address) => this.device.addressGone(address),
      route: (route, change) => {
        for (const kernel of this.kernels) {
          if (kernel.family === route.family) kernel.routeEvent(route, change);
        }
      },
      lost: (reason) => this.eventsLost(reason),
    });
    await this.manager.startAll();
    this.phase = "running";
  }

  /** The orderly stop: kernel routes first, the device protocol last. Idempotent. */
  stop(options: { readonly keep: boolean }): Promise<void> {
    this.stopped ??= this.stopOnce(options);
    return this.stopped;
  }

  private async stopOnce(options: { readonly keep: boolean }): Promise<void> {
    this.phase = "stopping";
    await this.monitor?.close();
    await this.manager.stopAll(options);
    this.lag.disable();
  }

  private createKernel(config: KrtConfig["kernels"][number]): KernelProtocol {
    const { os, clock, log, observe, onFatal } = this.options;
    return new KernelProtocol({
      config,
      table: this.table(config.table),
      os,
      interfaces: this.interfaces,
      refreshInterfaces: (maxAgeMs) => this.device.refresh(maxAgeMs),
      protocolId: this.options.config.protocolId,
      observe,
      clock,
      log: rateLimited(log, clock, LOG_LIMIT),
      onFatal,
    });
  }

  private table(name: string): Rtable {
    const table = this.tables.find((candidate) => candidate.name === name);
    if (table === undefined) throw new Error(`Unknown table ${name} passed the configuration's checks`);
    return table;
  }

  /** Anything may have changed: read everything again. */
  private eventsLost(reason: string): void {
    this.options.log.warn("notifications lost, scanning everything", { reason });
    this.resyncs++;
    this.device.eventsLost();
    for (const kernel of this.kernels) kernel.eventsLost();
  }

  private state(): DaemonState {
    if (this.phase !== "running") return this.phase;
    if (this.kernels.some((kernel) => kernel.report().scan.lastProblem !== null)) return "degraded";
    return this.kernels.every((kernel) => kernel.inSync) ? "in-sync" : "syncing";
  }

  private status(): StatusReport {
    const { config, os, clock, version, observe } = this.options;
    const started = new Date(this.startedAt).toISOString();
    const sum = (count: (table: Rtable) => number): number =>
      this.tables.reduce((total, table) => total + count(table), 0);
    return {
      version,
      state: this.state(),
      "router-id": config.routerId === null ? null : formatAddress(config.routerId),
      pid: process.pid,
      started,
      "uptime-seconds": Math.floor((clock.now() - this.startedMonotonic) / 1000),
      observe,
      config: { file: resolve(config.file), loaded: started, ok: true, error: null, "undo-in-seconds": null },
      counts: {
        protocols: this.manager.all().length,
        routes: sum((table) => table.routeCount),
        nets: sum((table) => table.netCount),
        waiting: this.kernels.reduce((total, kernel) => total + kernel.report().waiting, 0),
        failed: this.kernels.reduce((total, kernel) => total + kernel.report().failed, 0),
        interfaces: this.interfaces.size,
      },
      netlink: {
        transport: os.transport,
        overruns: os.counters.overruns,
        resyncs: this.resyncs,
        forged: os.counters.forged,
        truncated: os.counters.truncated,
      },
      "event-loop": { "lag-p99-ms": this.lagMs() },
    };
  }

  /** 99th percentile of the delay beyond the sampling step. */
  private lagMs(): number {
    const p99 = Math.max(0, this.lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS);
    if (this.options.clock.now() - this.lagWindowAt > LAG_WINDOW_MS) {
      this.lag.reset();
      this.lagWindowAt = this.options.clock.now();
    }
    return Math.round(p99 * 10) / 10;
  }
}
