/**
 * The running daemon: tables, network namespaces and protocols by the configuration, brought up in order, changed while
 * they run, and taken down again. main.ts makes one of it for a process, the tests one for a model kernel.
 */

import type { KrtConfig, TableConfig } from "../config/config.ts";
import type { ConfigReader } from "../config/reader.ts";
import type { ControlBackend, NamespaceView } from "../control/backend.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { OneMore } from "../lib/one-more.ts";
import type { AttrsTable } from "../nest/attrs.ts";
import type { ProtocolEntry } from "../nest/protocol.ts";
import { Rtable } from "../nest/rtable.ts";
import type { Os, OsProvider } from "../sysdep/os.ts";
import { refused } from "./act.ts";
import { Configuration } from "./configuration.ts";
import { Jobs } from "./jobs.ts";
import { LoopLag } from "./loop-lag.ts";
import { Namespace } from "./namespace.ts";
import { Protocols } from "./protocols.ts";
import { namespacesOf } from "./specs.ts";
import { type Phase, statusReport } from "./status.ts";

export interface DaemonOptions {
  readonly config: KrtConfig;
  readonly version: string;
  /** The daemon's own network namespace, open. Whoever opened it closes it, after stop(). */
  readonly os: Os;
  readonly provider: OsProvider;
  readonly attrs: AttrsTable;
  /** Observe mode: nothing is ever written to the kernel. */
  readonly observe: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Another configuration holds: for what is not the daemon's (the log's level). */
  readonly onConfig: (config: KrtConfig) => void;
  /** Something that makes going on pointless; the message says what and why. */
  readonly onFatal: (message: string) => void;
  /** A client asked for the orderly stop. */
  readonly onShutdown: (options: { readonly keep: boolean }) => void;
  /** Where other configurations come from. */
  readonly reader: ConfigReader;
}

export class Daemon {
  readonly backend: ControlBackend;
  /** Reads, plans and applies configurations while the daemon runs. */
  readonly configuration: Configuration;
  /** Resolves when every kernel protocol was in sync for the first time. */
  readonly firstSync: Promise<void>;
  private readonly options: DaemonOptions;
  private readonly jobs = new Jobs();
  private readonly tables: Rtable[];
  private readonly namespaces = new Map<string | null, Namespace>();
  private readonly protocols: Protocols;
  private readonly lag: LoopLag;
  private readonly startedAt: number;
  private readonly startedMonotonic: number;
  private phase: Phase = "starting";
  private markSynced: () => void = () => {};
  private stopped: Promise<void> | null = null;

  constructor(options: DaemonOptions) {
    const { config, clock, log } = options;
    this.options = options;
    this.startedAt = clock.wall();
    this.startedMonotonic = clock.now();
    this.lag = new LoopLag(clock);
    this.tables = config.tables.map((table) => this.makeTable(table));
    this.firstSync = new Promise((resolve) => {
      this.markSynced = resolve;
    });
    this.protocols = new Protocols({
      observe: options.observe,
      clock,
      log,
      config: () => this.configuration.current,
      reread: (name, force) => this.configuration.reread(name, force),
      table: (name) => this.table(name),
      namespace: (name) => this.namespace(name),
      onFatal: options.onFatal,
    });
    this.configuration = new Configuration({
      config,
      clock,
      log,
      jobs: this.jobs,
      running: () => this.phase === "running",
      surroundings: {
        protocols: this.protocols,
        enter: (next) => this.enter(next),
        leave: (next) => this.leave(next),
      },
      onConfig: options.onConfig,
      reader: options.reader,
    });
    this.namespaces.set(null, this.makeNamespace(null));
    this.backend = this.createBackend();
  }

  /** Resolves when every protocol runs and has fed; the first scans then go on in the background. */
  start(): Promise<void> {
    return this.jobs.run(async () => {
      this.lag.start();
      const { current } = this.configuration;
      for (const name of namespacesOf(current)) await this.openNamespace(name);
      const { enabled, waitMs } = current.gracefulRestart;
      if (enabled) this.protocols.manager.waitForSources(waitMs);
      await this.protocols.startAll([...this.namespaces.values()]);
      if (this.phase === "starting") this.phase = "running";
      void this.awaitFirstSync();
    });
  }

  /** The orderly stop: kernel routes first, the device protocol last. Idempotent. */
  stop(options: { readonly keep: boolean }): Promise<void> {
    this.phase = "stopping";
    this.stopped ??= this.jobs.run(async () => {
      this.configuration.close();
      for (const namespace of this.namespaces.values()) await namespace.mute();
      await this.protocols.manager.stopAll(options);
      for (const namespace of this.namespaces.values()) await namespace.close();
      this.lag.stop();
    });
    return this.stopped;
  }

  /** Kernel protocols may restart, or come, before all were in sync for the first time. */
  private async awaitFirstSync(): Promise<void> {
    for (;;) {
      const { kernels } = this.protocols;
      await Promise.all(kernels.map((kernel) => Promise.race([kernel.firstSync, kernel.stopped])));
      if (this.phase === "stopping") return;
      await this.jobs.run(async () => {});
      if (this.protocols.kernels.every((kernel) => kernels.includes(kernel))) break;
    }
    this.markSynced();
  }

  private createBackend(): ControlBackend {
    const { configuration, protocols } = this;
    return {
      status: () => this.status(),
      tables: () => this.tables,
      protocols: (): readonly ProtocolEntry[] => protocols.manager.all(),
      interfaces: this.namespace(null).interfaces,
      namespaces: (): NamespaceView[] =>
        [...this.namespaces.values()].map(({ name, interfaces, problem }) => ({ name, interfaces, problem })),
      interfacesOf: (netns) => (this.namespaces.get(netns) ?? this.namespace(null)).interfaces,
      configure: (request) => configuration.configure(request),
      undo: () => configuration.undo(),
      confirm: () => configuration.confirm(),
      act: (action, name, force = false) =>
        this.jobs.run(async () =>
          this.phase === "running" ? await protocols.act(action, name, force) : refused("krtd is stopping"),
        ),
      shutdown: this.options.onShutdown,
    };
  }

  private async enter(next: KrtConfig): Promise<void> {
    const { manager } = this.protocols;
    for (const table of next.tables) {
      // One that gets another family is another table, which stands beside the old one until that is left.
      if (this.findTable(table) === undefined) this.tables.push(this.makeTable(table));
    }
    for (const name of namespacesOf(next)) {
      if (this.namespaces.has(name)) continue;
      const namespace = await this.openNamespace(name);
      this.protocols.addDevice(namespace);
      if (namespace.device !== null) await manager.start([namespace.device.name]);
    }
    for (const namespace of this.namespaces.values()) {
      namespace.reconfigure(next.device);
      await namespace.device?.reconfigure(next.device);
    }
  }

  private async leave(next: KrtConfig): Promise<void> {
    const wanted = namespacesOf(next);
    for (const [name, namespace] of [...this.namespaces]) {
      if (wanted.has(name)) continue;
      await namespace.mute();
      await this.protocols.removeDevice(name);
      this.namespaces.delete(name);
      await namespace.close();
    }
    for (const table of [...this.tables]) {
      const stays = next.tables.some(({ name, family }) => name === table.name && family === table.family);
      if (!stays) this.tables.splice(this.tables.indexOf(table), 1);
    }
  }

  private makeTable({ name, family }: TableConfig): Rtable {
    return new Rtable(name, family, this.options.attrs, this.options.clock);
  }

  private findTable({ name, family }: TableConfig): Rtable | undefined {
    return this.tables.find((table) => table.name === name && table.family === family);
  }

  /** A table of the running configuration. */
  private table(name: string): Rtable {
    const config = this.configuration.current.tables.find((one) => one.name === name);
    const table = config && this.findTable(config);
    if (table === undefined) throw new Error(`Unknown table ${name} passed the configuration's checks`);
    return table;
  }

  private namespace(name: string | null): Namespace {
    const namespace = this.namespaces.get(name);
    if (namespace === undefined) throw new Error(`Network namespace ${name} was not opened`);
    return namespace;
  }

  private async openNamespace(name: string | null): Promise<Namespace> {
    const namespace = this.namespaces.get(name) ?? this.makeNamespace(name);
    this.namespaces.set(name, namespace);
    await namespace.open();
    return namespace;
  }

  private makeNamespace(name: string | null): Namespace {
    const { os, provider, clock, log } = this.options;
    const namespace = new Namespace({
      name,
      provider,
      os: name === null ? os : null,
      device: this.configuration.current.device,
      clock,
      log,
      servedAs: (identity) =>
        [...this.namespaces.values()].find((other) => other.name !== name && other.identity === identity)
          ?.name,
      enqueue: (job) =>
        this.jobs.run(async () => {
          if (this.phase !== "stopping") await job();
        }),
      kernels: () => this.protocols.kernelsOf(name),
      onChange: (changed, served) => this.protocols.namespaceChanged(changed, served),
    });
    const renamed = new OneMore<void>();
    namespace.interfaces.listen(({ kind }) => {
      if (kind !== "created" && kind !== "renamed") return;
      void renamed.run(() => this.protocols.devicesRenamed(name));
    });
    return namespace;
  }

  private status(): ReturnType<ControlBackend["status"]> {
    const { options, startedAt, startedMonotonic, phase, tables, lag, configuration } = this;
    return statusReport({
      options,
      startedAt,
      startedMonotonic,
      phase,
      tables,
      lag,
      configuration,
      manager: this.protocols.manager,
      kernels: this.protocols.kernels,
      namespaces: [...this.namespaces.values()],
    });
  }
}
