/**
 * The pipe protocol: two tables tell each other their best routes, each way through a filter. A route keeps its
 * attributes, metric and preference, and notes the table it leaves (origin.ts), so pipes may form nets of any shape:
 * what went through a table never comes back to it.
 *
 *   own table ──► own channel ── export filter ──► peer channel ──► peer table
 *             ◄──             ◄── import filter ──             ◄──
 *
 * A filter sees who announced the route to the table it comes from, as the filters of all protocols do.
 */

import { assert } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import { Channel, type ExportSink } from "../../nest/channel.ts";
import type { Filter } from "../../nest/filter.ts";
import type { Protocol } from "../../nest/protocol.ts";
import type { RouteId } from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { PipeConfig } from "./config.ts";
import { exportOf, PipeDirection } from "./direction.ts";

export interface PipeOptions {
  readonly config: PipeConfig;
  readonly table: Rtable;
  /** Another one of the same family, with the same attributes table. */
  readonly peer: Rtable;
  /** The name behind a nexthop's device number, for filters that ask. */
  readonly deviceName: (device: number) => string;
  readonly clock: Clock;
}

/** Routes bring their own preference. */
const NO_PREFERENCE = 0;

export class PipeProtocol implements Protocol {
  readonly name: string;
  readonly type = "pipe" as const;
  readonly channels: readonly Channel[];
  readonly netns = null;
  private readonly own: Channel;
  private readonly peer: Channel;
  private readonly toPeer: PipeDirection;
  private readonly toOwn: PipeDirection;
  private running = false;

  constructor(options: PipeOptions) {
    const { config, table, peer, clock } = options;
    assert(
      table !== peer && table.family === peer.family,
      `pipe ${config.name} joins two tables of a family`,
    );
    assert(table.attrs === peer.attrs, `the tables of pipe ${config.name} share their attributes`);
    this.name = config.name;
    const channel = (at: Rtable, imports: Filter, exports: Filter, way: () => PipeDirection): Channel => {
      const sink: ExportSink = { exported: (node, best) => way().exported(node, best) };
      return new Channel({
        name: config.name,
        table: at,
        sourceType: "pipe",
        preference: NO_PREFERENCE,
        import: imports,
        export: exportOf(exports),
        sink,
        takes: (route: RouteId) => way().takes(route),
        deviceName: options.deviceName,
        clock,
      });
    };
    this.own = channel(table, config.import, config.export, () => this.toPeer);
    this.peer = channel(peer, config.export, config.import, () => this.toOwn);
    this.channels = [this.own, this.peer];
    this.toPeer = new PipeDirection(this.own, this.peer, clock);
    this.toOwn = new PipeDirection(this.peer, this.own, clock);
  }

  /** Resolves when each table has what the other had when it began. */
  async start(): Promise<void> {
    if (this.running) return;
    this.running = true;
    await Promise.all(this.channels.map((channel) => channel.up()));
    await this.fed;
  }

  get fed(): Promise<void> {
    return Promise.all([this.toPeer.settled(), this.toOwn.settled()]).then(() => {});
  }

  /** Withdraws what it put into either table. */
  async stop(): Promise<void> {
    this.running = false;
    this.toPeer.stop();
    this.toOwn.stop();
    await Promise.all(this.channels.map((channel) => channel.down()));
  }

  /**
   * Goes on by other filters (name and tables are the same); a direction whose filter did not change sees nothing of
   * it. `soft`: another filter counts for routes that change from now on, not for those that stand.
   */
  async reconfigure(config: PipeConfig, soft = false): Promise<void> {
    await Promise.all([this.toPeer.refilter(config.export, soft), this.toOwn.refilter(config.import, soft)]);
  }

  async reload(): Promise<void> {
    await Promise.all([this.toPeer.again(), this.toOwn.again()]);
  }

  info(): string {
    return this.running ? this.toPeer.problem || this.toOwn.problem : "";
  }
}
