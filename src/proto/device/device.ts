/**
 * The device protocol: keeps the table of interfaces true. It reads all links and addresses periodically, on
 * demand, and takes single changes from the monitor in between. Every other protocol leans on it, so it starts
 * first and stops last.
 */

import { Alarm } from "../../lib/alarm.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { OneMore } from "../../lib/one-more.ts";
import { addressKey, type Interfaces } from "../../nest/iface.ts";
import type { Protocol } from "../../nest/protocol.ts";
import type { AddressInfo, LinkInfo, Os } from "../../sysdep/os.ts";
import type { DeviceConfig } from "./config.ts";

/** How soon an incomplete interface scan is tried again. */
const RETRY_MS = 500;
/** How soon the addresses of an interface that a single event announced are read. */
const NEW_LINK_MS = 20;
/** How soon a full scan that events overtook is repeated. */
const SETTLE_MS = 200;

/** "device", or "device@NAMESPACE": no configured protocol can have such a name. */
export function deviceProtocolName(netns: string | null): string {
  return netns === null ? "device" : `device@${netns}`;
}

export interface DeviceOptions {
  readonly config: DeviceConfig;
  /** The network namespace it looks at, null: the daemon's own. There is one device protocol for each. */
  readonly netns: string | null;
  readonly interfaces: Interfaces;
  readonly os: Os;
  readonly clock: Clock;
  readonly log: Log;
}

export class DeviceProtocol implements Protocol {
  readonly name: string;
  readonly type = "device" as const;
  readonly channels: readonly [] = [];
  readonly netns: string | null;
  private readonly options: DeviceOptions;
  private config: DeviceConfig;
  private lastCompleteAt = Number.NEGATIVE_INFINITY;
  private problem: string | null = null;
  private readonly readings = new OneMore<boolean>();
  private readonly alarm: Alarm;
  private events = 0;
  private losses = 0;
  /**
   * While everything is read: what events told meanwhile, by what they told of; null: that is gone. It may be newer than
   * what is read, and it is never older than what it leaves out.
   */
  private told: Map<string, (() => void) | null> | null = null;
  private stopped = true;

  constructor(options: DeviceOptions) {
    this.options = options;
    this.config = options.config;
    this.netns = options.netns;
    this.name = deviceProtocolName(options.netns);
    this.alarm = new Alarm(options.clock, () => void this.scan());
  }

  async start(): Promise<void> {
    this.stopped = false;
    this.options.interfaces.prefer(this.config.interfaces);
    await this.scan();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.alarm.cancel();
    await this.readings.latest;
  }

  async reconfigure(config: DeviceConfig): Promise<void> {
    this.config = config;
    this.options.interfaces.setRequireAddress(config.requireAddress);
    this.options.interfaces.prefer(config.interfaces);
    if (config.scanTimeMs > 0) this.scanIn(config.scanTimeMs);
  }

  info(): string {
    return this.problem ?? "";
  }

  /** Reads everything unless that was done completely less than `maxAgeMs` ago. */
  refresh(maxAgeMs: number): Promise<boolean> {
    if (this.options.clock.now() - this.lastCompleteAt <= maxAgeMs) return Promise.resolve(true);
    return this.readings.latest ?? this.scan();
  }

  /** Reads everything; asked for while that is under way, exactly once more afterwards. */
  scan(): Promise<boolean> {
    return this.readings.run(() => (this.stopped ? Promise.resolve(false) : this.scanOnce()));
  }

  /**
   * Notifications were lost: nothing that was read so far can be relied on, and what is being read now says nothing of
   * what is gone. resync() makes it good.
   */
  eventsLost(): void {
    this.losses++;
    this.lastCompleteAt = Number.NEGATIVE_INFINITY;
  }

  /** Reads everything anew. Resolves with whether all was read and no notification lost meanwhile. */
  async resync(): Promise<boolean> {
    const { losses } = this;
    // An older reading may be under way: it does not count.
    const complete = await this.scan();
    return complete && losses === this.losses;
  }

  /** Events were told late: they may be older than what was read. */
  eventsReplayed(): void {
    this.scanIn(SETTLE_MS);
  }

  /** A link appeared or changed. */
  linkChanged(link: LinkInfo): void {
    this.events++;
    const { interfaces } = this.options;
    const known = interfaces.byIndex(link.ifindex) !== undefined;
    interfaces.link(link);
    this.told?.set(linkKey(link), () => interfaces.link(link));
    if (!known) this.scanIn(NEW_LINK_MS);
  }

  linkGone(ifindex: number): void {
    this.events++;
    this.options.interfaces.linkGone(ifindex);
    this.told?.set(linkKey({ ifindex }), null);
  }

  addressChanged(address: AddressInfo): void {
    this.events++;
    const { interfaces } = this.options;
    const isKnown = (): boolean => interfaces.byIndex(address.ifindex) !== undefined;
    if (isKnown()) interfaces.address(address);
    else this.scanIn(NEW_LINK_MS);
    this.told?.set(addressOf(address), () => {
      if (isKnown()) interfaces.address(address);
    });
  }

  addressGone(address: AddressInfo): void {
    this.events++;
    this.options.interfaces.addressGone(address);
    this.told?.set(addressOf(address), null);
  }

  private async scanOnce(): Promise<boolean> {
    const { os, interfaces, clock, log } = this.options;
    const links: LinkInfo[] = [];
    const addresses: AddressInfo[] = [];
    const eventsBefore = this.events;
    const lossesBefore = this.losses;
    this.alarm.cancel();
    const told = new Map<string, (() => void) | null>();
    this.told = told;
    const read = await os.scanInterfaces({
      link: (link) => links.push(link),
      address: (address) => addresses.push(address),
    });
    const lost = this.losses !== lossesBefore;
    const outcome = lost ? { complete: false, reason: "notifications were lost meanwhile" } : read;
    // Applied in one go: no event of the monitor may fall between the beginning and the end of a full update.
    interfaces.beginFull();
    for (const link of links) if (!told.has(linkKey(link))) interfaces.link(link);
    for (const address of addresses) if (!told.has(addressOf(address))) interfaces.address(address);
    for (const again of told.values()) again?.();
    this.told = null;
    if (outcome.complete) {
      interfaces.endFull();
      if (this.events === eventsBefore) this.lastCompleteAt = clock.now();
      this.problem = null;
    } else {
      interfaces.abandonFull();
      this.problem = `interface scan incomplete: ${outcome.reason}`;
      log.warn("interface scan incomplete", { reason: outcome.reason });
    }
    if (!outcome.complete) this.scanIn(RETRY_MS);
    // An event that came while the dump ran may be older than what the dump showed, and be the last of its kind.
    if (this.events !== eventsBefore) this.scanIn(SETTLE_MS);
    if (this.config.scanTimeMs > 0) this.scanIn(this.config.scanTimeMs);
    return outcome.complete;
  }

  private scanIn(delayMs: number): void {
    if (!this.stopped) this.alarm.within(delayMs);
  }
}

function linkKey({ ifindex }: Pick<LinkInfo, "ifindex">): string {
  return String(ifindex);
}

function addressOf(address: AddressInfo): string {
  return `${address.ifindex} ${addressKey(address)}`;
}
