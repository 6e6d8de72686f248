/**
 * Keeps the protocols, starts and stops them in dependency order. The order matters: a device protocol that stopped
 * first would make every interface look down, and the kernel protocols would leak the routes they should remove; a
 * kernel protocol that judged before the route sources had fed would delete what they are about to want.
 *
 *   start():  start() of each in order ─► sourcesFed() of all ─► … each one's `fed` … ─► allFed() of all
 *
 * A protocol may delete what nobody wants when all OTHERS have fed: what it learns itself it does not install. One
 * that never comes to it (its kernel cannot be read) must not keep the rest waiting for ever: FEED_WAIT_MS.
 */

import { Alarm } from "../lib/alarm.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { nextProtocolState, type ProtocolInput, type ProtocolState } from "./proto-state.ts";
import type { Protocol, ProtocolEntry, ProtocolType, StopOptions } from "./protocol.ts";

/** Start order; stop goes the other way. */
const RANK: Readonly<Record<ProtocolType, number>> = { device: 0, kernel: 1, static: 2, direct: 2, pipe: 3 };

/** How long deletions wait for sources that have not fed, without graceful restart. */
const FEED_WAIT_MS = 30_000;

class Entry implements ProtocolEntry {
  protocol: Protocol;
  disabled = false;
  state: ProtocolState = "down";
  since: number;
  problem: string | null = null;
  /** It has announced what it has. */
  fed = false;
  /** How often that was asked: only the last answer counts. */
  asked = 0;
  /** It was told that all others have. */
  released = false;

  constructor(protocol: Protocol, since: number) {
    this.protocol = protocol;
    this.since = since;
  }
}

export class ProtoManager {
  private readonly entries: Entry[] = [];
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly feedAlarm: Alarm;
  private feedWaitMs = FEED_WAIT_MS;
  private graceful = false;

  constructor(options: { readonly clock: Clock; readonly log: Log }) {
    this.clock = options.clock;
    this.log = options.log;
    this.feedAlarm = new Alarm(this.clock, () => this.feedWaitEnded());
  }

  /** All protocols in start order. */
  all(): readonly ProtocolEntry[] {
    return this.entries;
  }

  byName(name: string): ProtocolEntry | undefined {
    return this.entry(name);
  }

  /** Graceful restart: sources that cannot even start are waited for as well, `waitMs` at most. */
  waitForSources(waitMs: number): void {
    this.graceful = true;
    this.feedWaitMs = waitMs;
  }

  /** Takes a protocol in, down. */
  add(protocol: Protocol): void {
    this.entries.push(new Entry(protocol, this.clock.wall()));
    this.entries.sort((a, b) => RANK[a.protocol.type] - RANK[b.protocol.type]);
  }

  /** Takes another instance in place of one that is down. */
  replace(protocol: Protocol): void {
    const entry = this.known(protocol.name);
    if (entry.state !== "down")
      throw new Error(`Protocol ${protocol.name} is ${entry.state}: cannot replace it`);
    entry.protocol = protocol;
    entry.problem = null;
    entry.fed = false;
    entry.released = false;
    this.entries.sort((a, b) => RANK[a.protocol.type] - RANK[b.protocol.type]);
  }

  /** Drops a protocol that is down. */
  remove(name: string): void {
    const entry = this.known(name);
    if (entry.state !== "down") throw new Error(`Protocol ${name} is ${entry.state}: cannot remove it`);
    this.entries.splice(this.entries.indexOf(entry), 1);
  }

  /** Notes that a protocol was switched off, or on, by hand. */
  setDisabled(name: string, disabled: boolean): void {
    this.known(name).disabled = disabled;
  }

  /**
   * Starts those that are down, in order, then tells them that the sources have fed. One that cannot start keeps none of
   * the others from it; rejects with the first failure when all is done.
   */
  async start(names: readonly string[]): Promise<void> {
    const started: Entry[] = [];
    const failures: unknown[] = [];
    for (const entry of [...this.entries]) {
      if (!names.includes(entry.protocol.name) || !this.move(entry, "start")) continue;
      try {
        entry.problem = null;
        await entry.protocol.start();
        this.move(entry, "started");
        started.push(entry);
      } catch (error) {
        this.move(entry, "failed");
        entry.problem = errorText(error);
        failures.push(error);
      }
    }
    for (const entry of started) if (entry.state === "up") entry.protocol.sourcesFed?.();
    // Who starts later has its full time as well.
    this.feedAlarm.cancel();
    this.feedAlarm.within(this.feedWaitMs);
    // What a kernel protocol learns anew, others may carry on, and back into its own table: they are asked again.
    const learning = started.some(({ protocol }) => protocol.type === "kernel");
    const leaning = learning ? this.entries.filter((entry) => entry.state === "up" && leans(entry)) : [];
    for (const entry of new Set([...started, ...leaning])) void this.awaitFed(entry);
    this.releaseFed();
    if (failures.length > 0) throw failures[0];
  }

  /** Freezes all, then stops all in reverse order. One that fails to stop does not keep the others from it. */
  async stopAll(options: StopOptions): Promise<void> {
    this.feedAlarm.cancel();
    for (const { protocol } of this.entries) protocol.freeze?.();
    for (const entry of this.entries.toReversed()) await this.stopEntry(entry, options);
  }

  /** Stops one, if it runs. */
  async stop(name: string, options: StopOptions): Promise<void> {
    await this.stopEntry(this.known(name), options);
    this.releaseFed();
  }

  private async stopEntry(entry: Entry, options: StopOptions): Promise<void> {
    if (!this.move(entry, "stop")) return;
    try {
      await entry.protocol.stop(options);
    } catch (error) {
      this.log.error("protocol did not stop cleanly", { protocol: entry.protocol.name, error });
    }
    this.move(entry, "stopped");
  }

  private async awaitFed(entry: Entry): Promise<void> {
    const { protocol } = entry;
    const asked = ++entry.asked;
    entry.fed = false;
    if (leans(entry)) await this.kernelsFed();
    await protocol.fed;
    if (entry.protocol !== protocol || entry.asked !== asked) return;
    entry.fed = true;
    this.releaseFed();
  }

  private async kernelsFed(): Promise<void> {
    const kernels = this.entries.filter(
      ({ protocol, state }) => protocol.type === "kernel" && state === "up",
    );
    await Promise.all(kernels.map(({ protocol }) => protocol.fed));
  }

  /** Tells every protocol whose fellows have all fed. */
  private releaseFed(): void {
    if (this.late().length === 0) this.endGrace();
    const late = this.late().filter(({ state }) => this.graceful || state !== "down");
    for (const entry of this.entries) {
      if (entry.state === "up" && late.every((other) => other === entry)) this.release(entry);
    }
  }

  /** Sources of routes that have not announced what they have. Those of interfaces are waited for by none. */
  private late(): Entry[] {
    return this.entries.filter(
      ({ fed, disabled, protocol }) => !fed && !disabled && protocol.type !== "device",
    );
  }

  private feedWaitEnded(): void {
    const late = this.late();
    this.endGrace();
    const unreleased = this.entries.filter(({ state, released }) => state === "up" && !released);
    if (unreleased.length === 0) return;
    this.log.warn("sources of routes have not fed in time: what nobody wants is deleted now", {
      protocols: late.map(({ protocol }) => protocol.name),
    });
    for (const entry of unreleased) this.release(entry);
  }

  /** What starts from now on is no part of the restart. */
  private endGrace(): void {
    this.graceful = false;
    this.feedWaitMs = FEED_WAIT_MS;
  }

  private release(entry: Entry): void {
    if (entry.released) return;
    entry.released = true;
    entry.protocol.allFed?.();
  }

  private entry(name: string): Entry | undefined {
    return this.entries.find((entry) => entry.protocol.name === name);
  }

  private known(name: string): Entry {
    const entry = this.entry(name);
    if (entry === undefined) throw new Error(`There is no protocol ${name}`);
    return entry;
  }

  private move(entry: Entry, input: ProtocolInput): boolean {
    const next = nextProtocolState(entry.state, input);
    if (next === null) return false;
    entry.state = next;
    entry.since = this.clock.wall();
    this.log.debug("protocol state", { protocol: entry.protocol.name, state: next });
    return true;
  }
}

/** Recursive routes and pipes have announced all they have only when what they follow has been learned. */
function leans({ protocol }: ProtocolEntry): boolean {
  return protocol.type !== "kernel" && protocol.type !== "device";
}
