/**
 * Stands between the notifications of one network namespace and whoever acts on them, and carries out what the machine
 * (resync-machine.ts) decides when some were lost. As long as nothing is lost, every event passes through in one call.
 */

import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { AddressInfo, KernelRoute, LinkInfo, Monitor, MonitorSink, RouteChange } from "../sysdep/os.ts";
import { EventQueue, type OtherEvent } from "./event-queue.ts";
import {
  RESYNC_START,
  type ResyncAction,
  type ResyncInput,
  type ResyncState,
  resync,
} from "./resync-machine.ts";

/** Queued events told in one turn of the event loop. */
const REPLAY_SLICE = 512;

export interface ResyncOptions {
  readonly netns: string | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Who acts on events. */
  readonly sink: Omit<MonitorSink, "lost">;
  /** A route event came and waits: a dump that is under way may be incomplete without saying so. */
  readonly routeHeld: (route: KernelRoute) => void;
  /** Nothing that is being read now may be acted on, until dump() is called. */
  readonly lost: () => void;
  /**
   * Reads interfaces, then routes; resolves with whether all dumps were complete. No further one is to begin once
   * `valid` says no: notifications were lost again.
   */
  readonly dump: (valid: () => boolean) => Promise<boolean>;
  /** Everything that was queued has been told. */
  readonly heard: () => void;
  /** Links or addresses changed while everything was read, and that has now been told. */
  readonly settle: () => void;
  /** Room for queued events, in words; default: see event-queue.ts. */
  readonly queueWords?: number;
}

/** What is known of losses; times in ms, `lastAt` by the wall clock. */
export interface ResyncReport {
  readonly state: ResyncState["name"];
  /** How often everything was read again. */
  readonly count: number;
  readonly lastReason: string | null;
  readonly lastAt: number | null;
  /** From the loss until events were told again. */
  readonly lastDurationMs: number | null;
}

type Mode = "pass" | "queue" | "discard";

export class Resync implements MonitorSink {
  private readonly options: ResyncOptions;
  private readonly queue: EventQueue;
  private state: ResyncState = RESYNC_START;
  private mode: Mode = "pass";
  private monitor: Monitor | null = null;
  private disarm: (() => void) | null = null;
  private count = 0;
  private lastReason: string | null = null;
  private lastAt: number | null = null;
  private lastDurationMs: number | null = null;
  private deaf = false;
  /** A link or address event was queued. */
  private unsettled = false;
  /** Monotonic, of the first loss in a row. */
  private since: number | null = null;

  constructor(options: ResyncOptions) {
    this.options = options;
    this.queue = new EventQueue(options.queueWords);
  }

  get isLive(): boolean {
    return this.state.name === "live";
  }

  report(): ResyncReport {
    const { count, lastReason, lastAt, lastDurationMs } = this;
    return { state: this.state.name, count, lastReason, lastAt, lastDurationMs };
  }

  /** Where the events come from; null: there are none, so none can be lost. */
  listenTo(monitor: Monitor | null): void {
    this.monitor = monitor;
  }

  /** Tells nothing any more and ends the notifications. Idempotent. */
  async close(): Promise<void> {
    this.take({ kind: "close" });
    const { monitor } = this;
    this.monitor = null;
    await monitor?.close();
  }

  link(link: LinkInfo): void {
    if (this.mode === "pass") this.options.sink.link(link);
    else if (this.mode === "queue") this.other({ kind: "link", link });
  }

  linkGone(ifindex: number): void {
    if (this.mode === "pass") this.options.sink.linkGone(ifindex);
    else if (this.mode === "queue") this.other({ kind: "link gone", ifindex });
  }

  address(address: AddressInfo): void {
    if (this.mode === "pass") this.options.sink.address(address);
    else if (this.mode === "queue") this.other({ kind: "address", address });
  }

  addressGone(address: AddressInfo): void {
    if (this.mode === "pass") this.options.sink.addressGone(address);
    else if (this.mode === "queue") this.other({ kind: "address gone", address });
  }

  nexthopGone(): void {
    if (this.mode === "pass") this.options.sink.nexthopGone();
    else if (this.mode === "queue") this.other({ kind: "nexthop gone" });
  }

  route(route: KernelRoute, change: RouteChange, port: number): void {
    if (this.mode === "pass") {
      this.options.sink.route(route, change, port);
    } else if (this.mode === "queue") {
      this.options.routeHeld(route);
      this.kept(this.queue.route(route, change, port));
    }
  }

  lost(reason: string): void {
    const { log, netns, clock } = this.options;
    if (this.state.name === "closed") return;
    if (this.since === null) log.warn("notifications lost, reading everything again", { netns, reason });
    else log.debug("notifications lost again", { netns, reason });
    this.lastReason = reason;
    this.lastAt = clock.wall();
    this.take({ kind: "lost" });
  }

  private other(event: OtherEvent): void {
    this.unsettled = true;
    this.kept(this.queue.other(event));
  }

  private kept(fits: boolean): void {
    if (fits) return;
    this.lastReason = "more notifications than can be kept came while everything was read";
    this.take({ kind: "overflow" });
  }

  private take(input: ResyncInput): void {
    const { state, actions } = resync(this.state, input);
    this.state = state;
    for (const action of actions) this.act(action);
  }

  private act(action: ResyncAction): void {
    const { clock, lost } = this.options;
    switch (action.do) {
      case "discard":
        this.since ??= clock.now();
        this.disarm?.();
        this.disarm = null;
        this.mode = "discard";
        this.queue.clear();
        this.monitor?.pause();
        if (this.state.name !== "closed") lost();
        return;
      case "wait":
        this.disarm = clock.after(action.ms, () => this.take({ kind: "waited", round: action.round }));
        return;
      case "drain":
        void this.drain(action.round);
        return;
      case "queue":
        this.mode = "queue";
        this.monitor?.resume();
        return;
      case "dump":
        void this.dump(action.round);
        return;
      case "replay":
        void this.replay(action.round);
        return;
      case "pass":
        this.mode = "pass";
        this.options.heard();
        if (this.unsettled) this.options.settle();
        this.unsettled = false;
        this.ended();
        return;
      case "calm":
        this.disarm = clock.after(action.ms, () => this.take({ kind: "calm", round: action.round }));
    }
  }

  private async drain(round: number): Promise<void> {
    const { log, netns } = this.options;
    const result = (await this.monitor?.drain()) ?? "deaf";
    if (result !== "storm" && (result === "deaf") !== this.deaf && this.state.name !== "closed") {
      this.deaf = result === "deaf";
      if (this.deaf)
        log.error("no notifications can be had: everything is read every few seconds", { netns });
      else log.info("notifications can be had again", { netns });
    }
    this.take({ kind: "drained", round, result });
  }

  private async dump(round: number): Promise<void> {
    this.count++;
    const valid = (): boolean => this.state.name === "dump" && this.state.round === round;
    const { log, netns } = this.options;
    const complete = await this.options.dump(valid).catch((error: unknown) => {
      log.error("reading everything failed", { netns, error: errorText(error) });
      return false;
    });
    this.take({ kind: "dumped", round, complete });
  }

  /** In slices; what comes meanwhile goes behind. */
  private async replay(round: number): Promise<void> {
    const current = (): boolean => this.state.name === "replay" && this.state.round === round;
    while (current() && !this.queue.isEmpty) {
      this.queue.replay(this.options.sink, REPLAY_SLICE);
      if (!this.queue.isEmpty) await this.options.clock.yield();
    }
    this.take({ kind: "replayed", round });
  }

  private ended(): void {
    const { log, netns, clock } = this.options;
    this.lastDurationMs = clock.now() - (this.since ?? clock.now());
    this.since = null;
    const ms = Math.round(this.lastDurationMs);
    log.info("everything was read again", { netns, "duration-ms": ms, reason: this.lastReason });
  }
}
