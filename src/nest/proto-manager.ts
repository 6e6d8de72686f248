/**
 * Starts and stops the protocols in dependency order. The order matters: a device protocol that stopped first
 * would make every interface look down, and the kernel protocols would leak the routes they should remove; a
 * kernel protocol that judged before the route sources had fed would delete what they are about to want.
 */

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { nextProtocolState, type ProtocolInput, type ProtocolState } from "./proto-state.ts";
import type { Protocol, ProtocolEntry, ProtocolType, StopOptions } from "./protocol.ts";

/** Start order; stop goes the other way. */
const RANK: Readonly<Record<ProtocolType, number>> = {
  device: 0,
  kernel: 1,
  static: 2,
  direct: 2,
  pipe: 3,
};

class Entry implements ProtocolEntry {
  readonly protocol: Protocol;
  disabled = false;
  state: ProtocolState = "down";
  since: number;

  constructor(protocol: Protocol, since: number) {
    this.protocol = protocol;
    this.since = since;
  }
}

export class ProtoManager {
  private readonly entries: Entry[] = [];
  private readonly clock: Clock;
  private readonly log: Log;

  constructor(options: { readonly clock: Clock; readonly log: Log }) {
    this.clock = options.clock;
    this.log = options.log;
  }

  /** All protocols in start order. */
  all(): readonly ProtocolEntry[] {
    return this.entries;
  }

  byName(name: string): ProtocolEntry | undefined {
    return this.entries.find((entry) => entry.protocol.name === name);
  }

  add(protocol: Protocol): void {
    this.entries.push(new Entry(protocol, this.clock.wall()));
    this.entries.sort((a, b) => RANK[a.protocol.type] - RANK[b.protocol.type]);
  }

  /** Starts all that is down, then tells all that the sources have fed. Rejects with the first failure. */
  async startAll(): Promise<void> {
    for (const entry of this.entries) {
      if (!this.move(entry, "start")) continue;
      try {
        await entry.protocol.start();
        this.move(entry, "started");
      } catch (error) {
        this.move(entry, "failed");
        throw error;
      }
    }
    for (const entry of this.entries) {
      if (entry.state === "up") entry.protocol.sourcesFed?.();
    }
  }

  /** Freezes all, then stops all in reverse order. One that fails to stop does not keep the others from it. */
  async stopAll(options: StopOptions): Promise<void> {
    for (const { protocol } of this.entries) protocol.freeze?.();
    for (const entry of this.entries.toReversed()) {
      if (!this.move(entry, "stop")) continue;
      try {
        await entry.protocol.stop(options);
      } catch (error) {
        this.log.error("protocol did not stop cleanly", { protocol: entry.protocol.name, error });
      }
      this.move(entry, "stopped");
    }
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
