/**
 * The protocols of the running configuration: makes them from their specs, starts and stops them, and does what an
 * operator asks of one. A restart makes a new instance; one whose network namespace is not there is an AbsentProtocol
 * until it comes.
 */

import type { KrtConfig } from "../config/config.ts";
import type { ActRefusal, ProtocolAction } from "../control/backend.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type RateLimit, rateLimited } from "../lib/rate-limit.ts";
import { ProtoManager } from "../nest/proto-manager.ts";
import type { Protocol, ProtocolEntry } from "../nest/protocol.ts";
import type { Rtable } from "../nest/rtable.ts";
import { deviceProtocolName } from "../proto/device/device.ts";
import { DirectProtocol } from "../proto/direct/direct.ts";
import type { KernelConfig } from "../proto/kernel/config.ts";
import { KernelProtocol } from "../proto/kernel/kernel.ts";
import { PipeProtocol } from "../proto/pipe/pipe.ts";
import { StaticProtocol } from "../proto/static/static.ts";
import { AbsentProtocol } from "./absent-protocol.ts";
import { already, refused, tooManyDeleted } from "./act.ts";
import type { Namespace } from "./namespace.ts";
import { namespaceOfTable, type ProtocolSpec, specsOf } from "./specs.ts";
import { type ProtocolDeletions, TooManyDeletions, tooMany } from "./too-many-deletions.ts";

/** What is said of single routes: so many lines of each kind, then a count. */
const LOG_LIMIT: RateLimit = { burst: 20, windowMs: 60_000 };
/** How long the outcome of a change waits for what is learned anew. */
const LEARN_WAIT_MS = 10_000;

export interface ProtocolsOptions {
  readonly observe: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => KrtConfig;
  /** Reads the configuration of a static protocol again. Resolves with null, or with why nothing was changed. */
  readonly reread: (name: string, force: boolean) => Promise<ActRefusal | null>;
  readonly table: (name: string) => Rtable;
  readonly namespace: (name: string | null) => Namespace;
  readonly onFatal: (message: string) => void;
}

export class Protocols {
  readonly manager: ProtoManager;
  private readonly options: ProtocolsOptions;
  /** As they run now, by name. */
  private specs = new Map<string, ProtocolSpec>();
  /** By kernel table (tableKey): the numbers of routes that an instance that stopped left there to the next one. */
  private readonly left = new Map<string, readonly number[]>();
  /** The change of several steps that is being made: the kernel protocols that write when it is over. */
  private underway: { readonly held: KernelProtocol[]; readonly forced: boolean } | null = null;

  constructor(options: ProtocolsOptions) {
    this.options = options;
    this.manager = new ProtoManager({ clock: options.clock, log: options.log });
  }

  /** Those that run. */
  get kernels(): KernelProtocol[] {
    const found: KernelProtocol[] = [];
    for (const { protocol, state } of this.manager.all()) {
      if (state !== "down" && protocol instanceof KernelProtocol) found.push(protocol);
    }
    return found;
  }

  /** Names of those that were switched off by hand. */
  get disabled(): ReadonlySet<string> {
    return new Set(this.manager.all().flatMap(({ disabled, protocol }) => (disabled ? [protocol.name] : [])));
  }

  kernelsOf(netns: string | null): KernelProtocol[] {
    return this.kernels.filter((kernel) => kernel.netns === netns);
  }

  /** Makes everything of the configuration, and starts what can be. */
  async startAll(namespaces: readonly Namespace[]): Promise<void> {
    this.specs = specsOf(this.options.config());
    for (const namespace of namespaces) this.addDevice(namespace);
    for (const spec of this.specs.values()) this.manager.add(this.make(spec));
    await this.manager.start(this.startable());
  }

  /** Puts the namespace's device protocol among the others. */
  addDevice(namespace: Namespace): void {
    const { name } = namespace;
    const absent = new AbsentProtocol(
      deviceProtocolName(name),
      "device",
      name,
      () => namespace.problem ?? "",
    );
    this.manager.add(namespace.device ?? absent);
  }

  async removeDevice(netns: string | null): Promise<void> {
    const name = deviceProtocolName(netns);
    await this.manager.stop(name, { keep: true });
    this.manager.remove(name);
  }

  /** Makes one anew and puts it where there is none, or one that is down. Does not start it. */
  put(spec: ProtocolSpec): void {
    const { name } = spec.config;
    this.specs.set(name, spec);
    if (this.manager.byName(name) === undefined) this.manager.add(this.make(spec));
    else this.manager.replace(this.make(spec));
  }

  /** The protocol that runs goes by this spec now. */
  note(spec: ProtocolSpec): void {
    this.specs.set(spec.config.name, spec);
  }

  /** Stops one and drops it. */
  async drop(name: string, keep: boolean): Promise<void> {
    if (this.manager.byName(name) === undefined) return;
    await this.stop(name, keep);
    this.manager.remove(name);
    this.specs.delete(name);
  }

  /** `keep`: another instance follows at once, and adopts what this one leaves in the kernel. */
  private async stop(name: string, keep: boolean): Promise<void> {
    const entry = this.manager.byName(name);
    const { protocol } = entry ?? {};
    if (entry?.state === "up" && protocol instanceof KernelProtocol) {
      if (keep) this.left.set(tableKey(protocol), protocol.standing);
      else this.left.delete(tableKey(protocol));
    }
    await this.manager.stop(name, { keep });
  }

  /** Starts those of the named ones that can be; a failure is logged and shown, and keeps none of the others down. */
  async start(names: readonly string[]): Promise<void> {
    const able = this.startable().filter((name) => names.includes(name));
    try {
      await this.manager.start(able);
    } catch (error) {
      this.options.log.error("a protocol cannot start", { error: errorText(error) });
    }
  }

  /**
   * Makes a change of several steps: the kernel protocols write when it is over, so what goes and comes back meanwhile
   * does not flicker. Those that start in a `forced` one delete what nobody wants, however much.
   */
  async atOnce<T>(change: () => Promise<T>, forced = false): Promise<T> {
    const held = this.kernels;
    this.underway = { held, forced };
    for (const kernel of held) kernel.hold();
    try {
      return await change();
    } finally {
      this.underway = null;
      for (const kernel of held) kernel.release();
    }
  }

  /**
   * What goes from the kernel tables when the change that is being made is over, beside the `pending` that went
   * before it. Only while it is not over, and settled.
   */
  async deletions(pending: ReadonlyMap<string, number> = new Map()): Promise<ProtocolDeletions[]> {
    const found: ProtocolDeletions[] = [];
    for (const { name, rails } of this.kernels) {
      const { deletions, standing } = await rails.deletions();
      const before = pending.get(name) ?? 0;
      found.push({ protocol: name, deletions: deletions - before, standing: standing - before });
    }
    return found;
  }

  /** What is still to be deleted, by protocol. */
  async pending(): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.deletions()).map(({ protocol, deletions }) => [protocol, deletions]));
  }

  /**
   * Resolves when what follows from the tables of this moment is announced: what kernel protocols that have just started
   * learn, what goes over pipes, recursive routes.
   */
  async settled(): Promise<void> {
    await this.learned();
    const sources = this.manager
      .all()
      .filter(({ protocol, state }) => state === "up" && protocol.type !== "kernel");
    // Recursive routes may follow what came over pipes, and then go over them.
    for (const type of ["pipe", "static", "pipe"]) {
      for (const { protocol } of sources) if (protocol.type === type) await protocol.fed;
    }
  }

  /** The namespace has come, or gone: its protocols follow. */
  async namespaceChanged(namespace: Namespace, served: boolean): Promise<void> {
    const { name } = namespace;
    const device = deviceProtocolName(name);
    if (this.manager.byName(device) === undefined) return;
    const kernels = [...this.specs.values()].filter(
      (spec) => spec.type === "kernel" && spec.config.netns === name,
    );
    const names = kernels.map(({ config }) => config.name);
    if (!served) {
      for (const kernel of this.kernelsOf(name)) {
        this.left.delete(tableKey(kernel));
        kernel.freeze();
      }
      for (const one of [...names, device]) await this.manager.stop(one, { keep: true });
    }
    const absent = new AbsentProtocol(device, "device", name, () => namespace.problem ?? "");
    this.manager.replace(served && namespace.device !== null ? namespace.device : absent);
    for (const spec of kernels) this.put(spec);
    if (served) await this.start([device, ...names]);
  }

  /** A kernel that cannot be read must not keep the others from being written to for ever. */
  private learned(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(LEARN_WAIT_MS, resolve);
      void Promise.all(this.kernels.map(({ fed }) => fed)).then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Does it to one protocol. Resolves with null, or with why not. */
  async act(action: ProtocolAction, name: string, force: boolean): Promise<ActRefusal | null> {
    const entry = this.manager.byName(name);
    const spec = this.specs.get(name);
    if (entry === undefined) return refused(`There is no protocol "${name}"`);
    if (spec === undefined)
      return refused(`${name} is a device protocol: it always runs, and "scan" makes it look`);
    switch (action) {
      case "enable":
        if (!entry.disabled) return whetherUp(entry) ?? already(`${name} is enabled already`);
        this.manager.setDisabled(name, false);
        this.put(spec);
        await this.start([name]);
        return whetherUp(entry);
      case "disable":
        if (entry.disabled) return already(`${name} is disabled already`);
        this.manager.setDisabled(name, true);
        await this.stop(name, false);
        return null;
      case "restart":
        if (entry.disabled) return refused(`${name} is disabled: enable it`);
        await this.atOnce(async () => {
          await this.stop(name, true);
          this.put(spec);
          await this.start([name]);
          await this.settled();
        });
        return whetherUp(entry);
      case "reload": {
        if (entry.state !== "up") return refused(`${name} is ${entry.disabled ? "disabled" : "not up"}`);
        try {
          const problem = spec.type === "static" ? await this.options.reread(name, force) : null;
          if (problem === null) await this.atOnce(() => this.reload(entry.protocol, force));
          return problem;
        } catch (error) {
          if (!(error instanceof TooManyDeletions)) throw error;
          const { message, hint, found } = error;
          this.options.log.error("a reload would delete too much from the kernel", {
            protocol: name,
            deletions: found,
            hint,
          });
          return tooManyDeleted(message, hint);
        }
      }
    }
  }

  /** What the filters of now make of its routes has no way back: what would go too far is left to a scan. */
  private async reload(protocol: Protocol, force: boolean): Promise<void> {
    const percent = this.options.config().safety.maxDeletePercent;
    const pending = await this.pending();
    await protocol.reload?.();
    await this.settled();
    const found = force ? [] : tooMany(await this.deletions(pending), percent);
    if (found.length === 0) return;
    const names = found.map((one) => one.protocol);
    for (const { name, rails } of this.kernels) if (names.includes(name)) await rails.leaveToScan();
    throw new TooManyDeletions(found, percent, {
      outcome: "the filters of now want them no more, but they stay in the kernel",
      hint: `${names.map((name) => `krtctl scan --force ${name}`).join(", ")} deletes them`,
    });
  }

  /** An interface has another name: filters that ask for names may say something else now. */
  async devicesRenamed(netns: string | null): Promise<void> {
    for (const { protocol, state } of this.manager.all()) {
      // The kernel protocols see to it themselves.
      if (state !== "up" || protocol.type === "kernel") continue;
      const asking = protocol.channels.some(
        ({ importing, table }) =>
          importing.asksDevices && namespaceOfTable(this.options.config(), table.name) === netns,
      );
      if (asking) await protocol.reload?.();
    }
  }

  /** All that is neither disabled nor without its namespace. */
  private startable(): string[] {
    return this.manager
      .all()
      .filter(({ disabled, protocol }) => !disabled && !(protocol instanceof AbsentProtocol))
      .map(({ protocol }) => protocol.name);
  }

  private make(spec: ProtocolSpec): Protocol {
    const { clock, table, namespace } = this.options;
    const home = (name: string): Namespace => namespace(namespaceOfTable(this.options.config(), name));
    switch (spec.type) {
      case "kernel":
        return this.makeKernel(spec.config);
      case "static": {
        const { config } = spec;
        const { interfaces } = home(config.table);
        return new StaticProtocol({ config, table: table(config.table), interfaces, clock });
      }
      case "direct": {
        const { config } = spec;
        const { interfaces, name: netns } = home(config.tables[0]!);
        return new DirectProtocol({ config, tables: config.tables.map(table), interfaces, netns, clock });
      }
      case "pipe": {
        const { config } = spec;
        const { interfaces } = home(config.table);
        return new PipeProtocol({
          config,
          table: table(config.table),
          peer: table(config.peerTable),
          deviceName: (device) => interfaces.deviceName(device),
          clock,
        });
      }
    }
  }

  private makeKernel(config: KernelConfig): Protocol {
    const namespace = this.options.namespace(config.netns);
    const { os, device, problem } = namespace;
    const { observe, clock, log, onFatal, table } = this.options;
    const into = table(config.table);
    // One that is just being left still has its sockets, which are of no use to a new instance.
    if (os === null || device === null || problem !== null) {
      const { name, netns, kernelTable } = config;
      const place = { table: into, kernelTable };
      return new AbsentProtocol(name, "kernel", netns, () => namespace.problem ?? "", place);
    }
    const { protocolId, formerProtocolIds, safety } = this.options.config();
    const key = tableKey({ ...config, family: into.family });
    const kernel = new KernelProtocol({
      config,
      table: into,
      inherited: this.left.get(key),
      os,
      interfaces: namespace.interfaces,
      refreshInterfaces: (maxAgeMs) => device.refresh(maxAgeMs),
      protocolId,
      formerProtocolIds,
      safety,
      forced: this.underway?.forced ?? false,
      observe,
      unheard: () => namespace.resync?.state !== "live",
      clock,
      log: rateLimited(log, clock, LOG_LIMIT),
      onInstalled: () => {
        for (const kernel of this.kernelsOf(config.netns)) kernel.gatewayMayBeReached();
      },
      onFatal,
    });
    if (this.underway !== null) {
      kernel.hold();
      this.underway.held.push(kernel);
    }
    return kernel;
  }
}

/** Null, or why it did not start. */
function whetherUp({ state, protocol, problem }: ProtocolEntry): ActRefusal | null {
  return state === "up" ? null : refused((problem ?? protocol.info()) || "it did not start");
}

function tableKey({
  netns,
  family,
  kernelTable,
}: Pick<KernelProtocol, "netns" | "family" | "kernelTable">): string {
  return `${kernelTable} ${family} ${netns}`;
}
