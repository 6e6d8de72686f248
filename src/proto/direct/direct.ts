/**
 * The direct protocol: announces the nets that are directly connected, one device route each, for every interface
 * that is up and whose name fits. It never keeps a diff by hand: an event only says which interface to look at again,
 * and all the events that come in one go (a full scan, a link that goes down with a hundred addresses) end in one look
 * at each interface. So a link that is taken down and up again under the same breath costs no change at all.
 */

import type { Clock } from "../../lib/clock.ts";
import type { Prefix } from "../../lib/prefix.ts";
import { Channel } from "../../nest/channel.ts";
import { REJECT_ALL } from "../../nest/filter.ts";
import type { Interfaces } from "../../nest/iface.ts";
import type { InterfaceEvent } from "../../nest/iface-event.ts";
import type { Protocol } from "../../nest/protocol.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { DirectConfig } from "./config.ts";
import { connectedNet } from "./connected-net.ts";
import { DirectRoutes } from "./direct-routes.ts";
import { takesInterface } from "./patterns.ts";

/** Interfaces looked at between two yields. */
const SLICE = 256;

export interface DirectOptions {
  readonly config: DirectConfig;
  /** At most one per family. */
  readonly tables: readonly Rtable[];
  /** Those of the tables' network namespace. */
  readonly interfaces: Interfaces;
  readonly clock: Clock;
  /** Name of that namespace; default null: the daemon's own. */
  readonly netns?: string | null;
}

export class DirectProtocol implements Protocol {
  readonly name: string;
  readonly type = "direct" as const;
  readonly channels: readonly Channel[];
  readonly netns: string | null;
  private readonly interfaces: Interfaces;
  private readonly clock: Clock;
  private config: DirectConfig;
  private readonly routes: readonly DirectRoutes[];
  /** Interfaces to look at, and whether their routes are to be announced again. */
  private readonly pending = new Map<number, boolean>();
  private working: Promise<void> | null = null;
  private unlisten: (() => void) | null = null;
  private running = false;

  constructor(options: DirectOptions) {
    const { config, interfaces, clock } = options;
    this.name = config.name;
    this.netns = options.netns ?? null;
    this.interfaces = interfaces;
    this.clock = clock;
    this.config = config;
    this.channels = options.tables.map(
      (table) =>
        new Channel({
          name: config.name,
          table,
          sourceType: "direct",
          preference: config.preference,
          import: config.import,
          export: REJECT_ALL,
          deviceName: (device) => interfaces.deviceName(device),
          clock,
        }),
    );
    this.routes = this.channels.map((channel) => new DirectRoutes(channel));
  }

  /** Resolves when the nets of all interfaces there are now are announced. */
  async start(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.unlisten = this.interfaces.listen((event) => this.interfaceEvent(event));
    await Promise.all(this.channels.map((channel) => channel.up()));
    await this.lookAtAll(false);
  }

  async stop(): Promise<void> {
    this.running = false;
    this.unlisten?.();
    this.unlisten = null;
    await this.working;
    await Promise.all(this.channels.map((channel) => channel.down()));
  }

  /**
   * Goes on by another configuration of the same name and tables; only what it changes is announced or withdrawn.
   * `soft`: another filter counts for routes that change from now on, not for those that stand.
   */
  async reconfigure(config: DirectConfig, soft = false): Promise<void> {
    const before = this.config;
    this.config = config;
    for (const channel of this.channels) channel.setImport(config.import, config.preference);
    const refilter = !soft && before.import.key !== config.import.key;
    const again = refilter || before.preference !== config.preference;
    const sameNames = before.interfaces.join("/") === config.interfaces.join("/");
    if (again || !sameNames) await this.lookAtAll(again);
  }

  reload(): Promise<void> {
    return this.lookAtAll(true);
  }

  info(): string {
    if (!this.running) return "";
    const fits = this.interfaces.all().some(({ loopback, name }) => !loopback && this.takes(name));
    return fits ? "" : "no interface fits";
  }

  private takes(name: string): boolean {
    return takesInterface(this.config.interfaces, name);
  }

  private interfaceEvent({ kind, iface }: InterfaceEvent): void {
    // The import filter may ask for the name, so a new one can change what it says of routes that stay as they are.
    this.mark(iface.ifindex, kind === "renamed");
    void this.workOff();
  }

  private lookAtAll(again: boolean): Promise<void> {
    for (const { ifindex } of this.interfaces.all()) this.mark(ifindex, again);
    return this.workOff();
  }

  private mark(ifindex: number, again: boolean): void {
    this.pending.set(ifindex, again || this.pending.get(ifindex) === true);
  }

  private workOff(): Promise<void> {
    this.working ??= this.work();
    return this.working;
  }

  private async work(): Promise<void> {
    // What comes in one go is told event by event: look when the last of them was told.
    await Promise.resolve();
    try {
      while (this.running && this.pending.size > 0) {
        let looked = 0;
        for (const [ifindex, again] of this.pending) {
          if (looked++ === SLICE) break;
          this.pending.delete(ifindex);
          this.look(ifindex, again);
        }
        if (this.pending.size > 0) await this.clock.yield();
      }
    } finally {
      this.working = null;
    }
  }

  private look(ifindex: number, again: boolean): void {
    const iface = this.interfaces.byIndex(ifindex);
    const counts = iface?.up === true && this.takes(iface.name);
    const nets = (counts ? iface.addresses : [])
      .map(connectedNet)
      .filter((net): net is Prefix => net !== null);
    for (const routes of this.routes) {
      const { family } = routes.channel.table;
      routes.set(
        ifindex,
        nets.filter((net) => net.family === family),
        again,
      );
    }
  }
}
