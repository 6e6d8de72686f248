/**
 * The static protocol: announces configured routes. Many routes share few specs ("via 192.0.2.1 dev eth0"), so
 * a spec is turned into interned attributes once (spec-attrs.ts), and only the routes of a spec of which something
 * else came are announced again (announce.ts).
 *
 *   event of an interface, change of the table ──► marks specs stale ──► wake(): one job, in a later turn
 *   start, reconfigure, reload ────────────────────────────────────────► a job
 *
 * Jobs run one after the other and yield between slices; they alone make and announce. So a change meets no half of
 * another, however many come, and a net that is being announced is never changed.
 */

import type { Clock } from "../../lib/clock.ts";
import type { Pace } from "../../lib/slices.ts";
import { Channel } from "../../nest/channel.ts";
import { REJECT_ALL } from "../../nest/filter.ts";
import type { Interfaces } from "../../nest/iface.ts";
import type { InterfaceEvent } from "../../nest/iface-event.ts";
import type { Protocol, StaticFacet, StaticRouteView } from "../../nest/protocol.ts";
import type { NodeId, RouteId } from "../../nest/route.ts";
import type { Rtable, RtableListener } from "../../nest/rtable.ts";
import type { StaticConfig } from "./config.ts";
import { isRecursive } from "./followed-addresses.ts";
import { RoutesInForce } from "./routes-in-force.ts";

/** Recursive routes are looked up at once when something changes, but not again before this time has passed. */
const RESOLVE_INTERVAL_MS = 50;

export interface StaticOptions {
  readonly config: StaticConfig;
  readonly table: Rtable;
  /** Those of the table's network namespace. */
  readonly interfaces: Interfaces;
  readonly clock: Clock;
}

export class StaticProtocol implements Protocol, StaticFacet {
  readonly name: string;
  readonly type = "static" as const;
  readonly channels: readonly Channel[];
  readonly netns = null;
  readonly static: StaticFacet = this;
  private readonly table: Rtable;
  private readonly interfaces: Interfaces;
  private readonly clock: Clock;
  private readonly channel: Channel;
  private readonly pace: Pace;
  private readonly listener: RtableListener = {
    bestChanged: (node, best, previous) => {
      // One that takes the place of another source's may have been followed there before, and be recursive now.
      const { table } = this;
      const anew = best !== 0 && previous !== 0 && table.sourceOf(best) !== table.sourceOf(previous);
      if (anew || this.canBeFollowed(best) || this.canBeFollowed(previous)) this.netChanged(node);
    },
    othersChanged: (node) => this.netChanged(node),
  };
  private inForce: RoutesInForce;
  private phase: "new" | "running" | "stopped" = "new";
  /** Ends with the last job. */
  private work: Promise<void> = Promise.resolve();
  /** A job of wake() has yet to begin. */
  private woken = false;
  private resolvedAt = Number.NEGATIVE_INFINITY;
  /** Ends the wait for the next time to look up recursive routes. */
  private cancelTimer: (() => void) | null = null;
  private unlisten: (() => void) | null = null;
  private unfollow: (() => void) | null = null;
  private stopping: Promise<void> | null = null;

  constructor({ config, table, interfaces, clock }: StaticOptions) {
    this.name = config.name;
    this.table = table;
    this.interfaces = interfaces;
    this.clock = clock;
    this.channel = new Channel({
      name: config.name,
      table,
      sourceType: "static",
      preference: config.preference,
      import: config.import,
      export: REJECT_ALL,
      deviceName: (device) => interfaces.deviceName(device),
      clock,
    });
    this.channels = [this.channel];
    this.pace = { clock, stopped: () => this.phase === "stopped" };
    this.inForce = new RoutesInForce(config, this.channel, interfaces, this.pace);
  }

  /** What it runs by now. */
  get config(): StaticConfig {
    return this.inForce.config;
  }

  get count(): number {
    return this.config.routes.count;
  }

  start(): Promise<void> {
    this.phase = "running";
    return this.enqueue(async () => {
      await this.channel.up();
      if (this.pace.stopped()) return;
      this.unlisten = this.interfaces.listen((event) => this.interfaceEvent(event));
      this.followTable();
      await this.bringUpToDate("now");
      this.inForce.settle();
    });
  }

  /** Routes of other protocols have come, which recursive routes may follow. */
  sourcesFed(): void {
    void this.enqueue(() => this.bringUpToDate("now"));
  }

  /** Resolves when everything is announced that follows from the tables and interfaces of this moment. */
  get fed(): Promise<void> {
    return this.enqueue(() => this.bringUpToDate("now"));
  }

  /**
   * Runs by another configuration (of the same name and table) from now on: what stays the same is not touched, what
   * changes is replaced, what is missing is withdrawn. Resolves when all that is done, or the protocol was stopped.
   * `soft`: another filter counts for routes that change from now on, not for those that stand.
   */
  reconfigure(config: StaticConfig, soft = false): Promise<void> {
    return this.enqueue(async () => {
      const before = this.inForce;
      this.inForce = new RoutesInForce(config, this.channel, this.interfaces, this.pace);
      this.channel.setImport(config.import, config.preference);
      if (this.phase !== "running") return;
      this.followTable();
      this.resolvedAt = this.clock.now();
      try {
        await this.inForce.replace(before, soft);
        this.inForce.settle();
      } finally {
        before.made.release();
      }
    });
  }

  reload(): Promise<void> {
    return this.enqueue(() => {
      this.inForce.made.markAll();
      return this.bringUpToDate("now");
    });
  }

  freeze(): void {
    this.unlisten?.();
    this.unlisten = null;
    this.unfollow?.();
    this.unfollow = null;
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  info(): string {
    return this.phase === "running" ? this.inForce.shortfall() : "";
  }

  route(i: number): StaticRouteView {
    return this.inForce.view(i);
  }

  /** Runs `job` when all earlier ones have ended. */
  private enqueue(job: () => Promise<void>): Promise<void> {
    const done = this.work.then(() => (this.phase === "stopped" ? undefined : job()));
    // Whoever asked for it hears of a failure; those who come later have their own work to do.
    this.work = done.catch(() => {});
    return done;
  }

  /** Something is stale: sees to it in a later turn, with all else that is stale by then. */
  private wake(): void {
    if (this.woken) return;
    this.woken = true;
    void this.enqueue(async () => {
      await this.clock.yield();
      this.woken = false;
      if (!this.pace.stopped()) await this.bringUpToDate("in time");
    });
  }

  private async bringUpToDate(when: "now" | "in time"): Promise<void> {
    const { inForce, clock } = this;
    await inForce.refreshPlain();
    if (this.pace.stopped() || !inForce.made.recursiveStale) return;
    const wait = this.resolvedAt + RESOLVE_INTERVAL_MS - clock.now();
    if (when === "now" || wait <= 0) {
      this.resolvedAt = clock.now();
      await inForce.resolve();
      return;
    }
    this.cancelTimer ??= clock.after(wait, () => {
      this.cancelTimer = null;
      this.wake();
    });
  }

  private followTable(): void {
    if (this.inForce.made.followed !== null) this.unfollow ??= this.table.listen(this.listener);
    else {
      this.unfollow?.();
      this.unfollow = null;
    }
  }

  /** Recursive routes come and go as they like: nothing follows them. */
  private canBeFollowed(route: RouteId): boolean {
    return route !== 0 && !isRecursive(this.table, route);
  }

  private netChanged(node: NodeId): void {
    const { made } = this.inForce;
    made.markFollowers(node);
    if (made.recursiveStale && this.cancelTimer === null) this.wake();
  }

  private interfaceEvent(event: InterfaceEvent): void {
    const { made, config } = this.inForce;
    const { kind, iface } = event;
    if (kind === "created" || kind === "gone" || kind === "renamed") {
      made.markDevices(kind === "renamed" ? [iface.name, event.from] : [iface.name]);
      // Recursive routes name their devices by number: a filter that asks for the name may say something else.
      if (this.channel.importing.asksDevices) made.markRecursive();
    }
    if (config.checkLink) made.markLinks();
    if (made.plainStale || made.recursiveStale) this.wake();
  }

  private async end(): Promise<void> {
    this.phase = "stopped";
    this.freeze();
    await this.work;
    await this.channel.down();
    this.inForce.made.release();
  }
}
