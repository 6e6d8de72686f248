/**
 * One network namespace in use: its sockets, its interfaces, the device protocol that reads them, the notifications.
 * The interfaces table lives as long as anybody names the namespace; the rest comes and goes with the namespace itself:
 *
 *          open() works                     the name is gone, or is another namespace now
 *   absent ─────────────► served ──────────────────────────────────────────────────────► absent
 *     ▲ │ the name came, or RETRY_MS passed                                                 │
 *     └─┴─────────────────────────────────────────────────────────────────────────────────┘
 *
 * Open sockets keep a namespace alive after its name is gone. Its routes are of no use to anybody then, so they are
 * left to die with it, and the sockets are closed so that it can.
 */

import { Alarm } from "../lib/alarm.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { Interfaces } from "../nest/iface.ts";
import type { DeviceConfig } from "../proto/device/config.ts";
import { DeviceProtocol } from "../proto/device/device.ts";
import type { KernelProtocol } from "../proto/kernel/kernel.ts";
import type { NetlinkCounters, NetnsWatch, Os, OsProvider } from "../sysdep/os.ts";
import { Resync, type ResyncReport } from "./resync.ts";

/** How soon a namespace that is there and cannot be opened is tried again. */
const RETRY_MS = 5_000;

export interface NamespaceOptions {
  /** As the configuration names it; null: the daemon's own. */
  readonly name: string | null;
  readonly provider: OsProvider;
  /** The Os of the daemon's own namespace, open; null for others. */
  readonly os: Os | null;
  readonly device: DeviceConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Another name under which this namespace is in use already (null: it is the daemon's own), or undefined: none. */
  readonly servedAs: (identity: string) => string | null | undefined;
  /** Runs a job when those before it have ended: one change of what runs at a time. */
  readonly enqueue: (job: () => Promise<void>) => Promise<void>;
  /** The kernel protocols of this namespace that get its notifications now. */
  readonly kernels: () => readonly KernelProtocol[];
  /** The namespace came (again): its protocols can start. Or it went: they are to stop and leave everything. */
  readonly onChange: (namespace: Namespace, served: boolean) => Promise<void>;
}

/** What is needed while the namespace is there. */
interface Served {
  readonly os: Os;
  readonly device: DeviceProtocol;
  readonly identity: string | null;
  readonly resync: Resync;
}

export class Namespace {
  readonly name: string | null;
  readonly interfaces: Interfaces;
  /** Why it is not served, or null. */
  problem: string | null = null;
  private readonly options: NamespaceOptions;
  private readonly retryAlarm: Alarm;
  private deviceConfig: DeviceConfig;
  private served: Served | null = null;
  private watch: NetnsWatch | null = null;
  private pastResyncs = 0;
  private past: NetlinkCounters = { overruns: 0, truncated: 0, forged: 0, malformed: 0, routeWrites: 0 };
  private closed = false;

  constructor(options: NamespaceOptions) {
    this.options = options;
    this.name = options.name;
    this.deviceConfig = options.device;
    this.interfaces = new Interfaces({ requireAddress: options.device.requireAddress });
    this.retryAlarm = new Alarm(options.clock, () => void this.check());
  }

  /** The sockets, while the namespace is served. */
  get os(): Os | null {
    return this.served?.os ?? null;
  }

  get device(): DeviceProtocol | null {
    return this.served?.device ?? null;
  }

  /** Which namespace it is, while it is served; null: not known. */
  get identity(): string | null {
    return this.served?.identity ?? null;
  }

  /** Sums over all sockets it ever had. */
  get counters(): NetlinkCounters {
    return this.served === null ? this.past : sum(this.past, this.served.os.counters);
  }

  /** How often everything was read again because notifications were lost. */
  get resyncs(): number {
    return this.pastResyncs + (this.served?.resync.report().count ?? 0);
  }

  /** What is done about lost notifications now; null while it is not served. */
  get resync(): ResyncReport | null {
    return this.served?.resync.report() ?? null;
  }

  /** Opens what is there now, without telling onChange; later changes are told. Called in a job, as close() is. */
  async open(): Promise<void> {
    const { name, provider } = this.options;
    if (name !== null) this.watch = provider.watch(name, () => void this.check());
    await this.tryOpen();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.retryAlarm.cancel();
    this.watch?.close();
    await this.leave();
  }

  /** Ends the notifications: what comes now is of no interest any more. */
  async mute(): Promise<void> {
    await this.served?.resync.close();
  }

  reconfigure(device: DeviceConfig): void {
    this.deviceConfig = device;
    if (this.served === null) this.interfaces.setRequireAddress(device.requireAddress);
  }

  /** Looks whether the namespace is still the one that is served, or there is one again. */
  private check(): Promise<void> {
    return this.options.enqueue(async () => {
      if (this.closed) return;
      const identity = this.watch?.identity() ?? null;
      if (this.served !== null && this.served.identity === identity) return;
      const wasServed = this.served !== null;
      if (wasServed) {
        this.problem = `Network namespace ${this.name} is gone`;
        this.options.log.warn("a network namespace is gone", { netns: this.name });
        await this.options.onChange(this, false);
        await this.leave();
      }
      if (identity === null) {
        if (!wasServed) this.problem = this.missing;
        return;
      }
      await this.tryOpen();
      if (this.served !== null) await this.options.onChange(this, true);
    });
  }

  private get missing(): string {
    return `There is no network namespace ${this.name}`;
  }

  private async tryOpen(): Promise<void> {
    const { name, provider, clock, log } = this.options;
    const identity = name === null ? provider.ownIdentity() : (this.watch?.identity() ?? null);
    if (name !== null && identity === null) {
      this.problem = this.missing;
      log.warn("a network namespace is not there: its protocols wait for it", { netns: name });
      return;
    }
    if (name !== null && identity !== null) {
      const other = this.options.servedAs(identity);
      // Two on the same kernel tables would take each other's routes for stale ones.
      const same = other === null ? "krtd's own" : `the same as ${other}`;
      if (other !== undefined)
        return this.refuse(`Network namespace ${name} is ${same}: krtd serves it once`);
    }
    const os = this.options.os ?? provider.create(name);
    try {
      if (this.options.os === null) await os.open();
      const { interfaces } = this;
      const config = this.deviceConfig;
      const device = new DeviceProtocol({ config, netns: name, interfaces, os, clock, log });
      const resync = this.makeResync(device);
      this.served = { os, device, identity, resync };
      // First the notifications, then the first scan: what happens in between is not missed.
      resync.listenTo(await os.monitor(resync));
      this.problem = null;
      if (name !== null) log.info("a network namespace is served", { netns: name });
    } catch (error) {
      if (name === null) throw error;
      this.served = null;
      await os.close().catch(() => {});
      this.refuse(hintedText(error));
    }
  }

  /** It is there and cannot be served. Tried again and again: the same answer is news once. */
  private refuse(problem: string): void {
    const { name, log } = this.options;
    if (problem !== this.problem) log.warn("a network namespace cannot be served", { netns: name, problem });
    this.problem = problem;
    this.retryAlarm.within(RETRY_MS);
  }

  private makeResync(device: DeviceProtocol): Resync {
    const { name, kernels, clock, log } = this.options;
    return new Resync({
      netns: name,
      clock,
      log,
      sink: {
        link: (link) => device.linkChanged(link),
        linkGone: (ifindex) => device.linkGone(ifindex),
        address: (address) => device.addressChanged(address),
        addressGone: (address) => device.addressGone(address),
        nexthopGone() {
          for (const kernel of kernels()) kernel.nexthopGone();
        },
        route(route, change, port) {
          for (const kernel of kernels()) {
            if (kernel.family === route.family) kernel.routeEvent(route, change, port);
          }
        },
      },
      routeHeld(route) {
        for (const kernel of kernels()) if (kernel.family === route.family) kernel.routeEventHeld();
      },
      lost() {
        device.eventsLost();
        for (const kernel of kernels()) kernel.eventsLost();
      },
      heard() {
        for (const kernel of kernels()) kernel.eventsHeard();
      },
      settle: () => device.eventsReplayed(),
      async dump(valid) {
        // Routes are judged by the newest list of interfaces.
        const interfaces = await device.resync();
        if (!valid()) return false;
        const tables = await Promise.all(kernels().map((kernel) => kernel.resync()));
        return interfaces && tables.every(Boolean);
      },
    });
  }

  /** Closes the sockets; the interfaces are gone with them. */
  private async leave(): Promise<void> {
    const { served } = this;
    if (served === null) return;
    this.past = sum(this.past, served.os.counters);
    this.pastResyncs += served.resync.report().count;
    this.served = null;
    await served.resync.close();
    await served.device.stop();
    // The daemon's own namespace was opened by whoever handed it in.
    if (this.options.os === null) await served.os.close();
    this.interfaces.clear();
  }
}

/** With what can be done about it. */
function hintedText(error: unknown): string {
  const hint = error instanceof KrtdError ? error.hint : null;
  return hint === null ? errorText(error) : `${errorText(error)}. ${hint}`;
}

function sum(a: NetlinkCounters, b: NetlinkCounters): NetlinkCounters {
  return {
    overruns: a.overruns + b.overruns,
    truncated: a.truncated + b.truncated,
    forged: a.forged + b.forged,
    malformed: a.malformed + b.malformed,
    routeWrites: a.routeWrites + b.routeWrites,
  };
}
