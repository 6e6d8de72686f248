/**
 * Nets that a pipe could not pass on when they changed: in a ring of pipes the news of a net can come back to the table
 * that is just announcing it, and that table must not be changed there. Such a net waits here until the announcement
 * is over; it is then brought in line with what the source has by that time, so one that waits twice does no harm.
 *
 * Filters of a ring may contradict each other so that a net never comes to rest (each table prefers what comes by
 * the next). Such a net would keep the daemon busy for ever: one that waits too often within a second has to wait for
 * the end of it. Counted in buckets by hash; that two nets share one only costs a delay.
 *
 *   soon, later   five words a net: address, length
 *   heat[bucket]  how often a net of the bucket waited since `heatSince`
 */

import { Alarm } from "../../lib/alarm.ts";
import type { Clock } from "../../lib/clock.ts";

const WORDS = 5;
/** Nets worked off between two yields. */
const SLICE = 1024;
const BUCKETS = 0x10000;
const WINDOW_MS = 1000;
/** A net may wait so often within a window. */
const RESTLESS = 64;

export type ApplyNet = (w0: number, w1: number, w2: number, w3: number, length: number) => void;

export class DeferredNets {
  private readonly clock: Clock;
  private readonly apply: ApplyNet;
  private readonly alarm: Alarm;
  private soon: number[] = [];
  private later: number[] = [];
  private heat: Uint8Array | null = null;
  private heatSince = 0;
  private restlessAt = Number.NEGATIVE_INFINITY;
  private working: Promise<void> | null = null;
  private stopped = false;

  /** `apply` is called for each net when no announcement is under way. Not to throw. */
  constructor(clock: Clock, apply: ApplyNet) {
    this.clock = clock;
    this.apply = apply;
    this.alarm = new Alarm(clock, () => this.workOffLater());
  }

  /** Some net changed over and over, a moment ago. */
  get restless(): boolean {
    return this.later.length > 0 || this.clock.now() - this.restlessAt < 2 * WINDOW_MS;
  }

  add(w0: number, w1: number, w2: number, w3: number, length: number): void {
    if (this.stopped) return;
    if (this.isHot(w0, w1, w2, w3, length)) {
      this.restlessAt = this.clock.now();
      this.later.push(w0, w1, w2, w3, length);
      this.alarm.within(WINDOW_MS);
    } else {
      this.soon.push(w0, w1, w2, w3, length);
      this.working ??= this.work();
    }
  }

  /** Resolves when all nets but the restless ones are worked off. */
  async settled(): Promise<void> {
    await this.working;
  }

  /** Drops what waits, for good. */
  stop(): void {
    this.stopped = true;
    this.alarm.cancel();
    this.soon = [];
    this.later = [];
  }

  private workOffLater(): void {
    for (const word of this.later) this.soon.push(word);
    this.later = [];
    this.working ??= this.work();
  }

  private async work(): Promise<void> {
    // Not before the announcement that is under way has ended.
    await Promise.resolve();
    try {
      while (this.soon.length > 0) {
        const nets = this.soon;
        this.soon = [];
        for (let i = 0; i < nets.length && !this.stopped; i += WORDS) {
          if (i % (WORDS * SLICE) === WORDS * (SLICE - 1)) await this.clock.yield();
          this.apply(nets[i]!, nets[i + 1]!, nets[i + 2]!, nets[i + 3]!, nets[i + 4]!);
        }
        if (this.soon.length > 0) await this.clock.yield();
      }
    } finally {
      this.working = null;
    }
  }

  private isHot(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const now = this.clock.now();
    this.heat ??= new Uint8Array(BUCKETS);
    if (now - this.heatSince >= WINDOW_MS) {
      this.heat.fill(0);
      this.heatSince = now;
    }
    const bucket = hashWords(w0, w1, w2, w3, length) & (BUCKETS - 1);
    if (this.heat[bucket]! >= RESTLESS) return true;
    this.heat[bucket]!++;
    return false;
  }
}

function hashWords(w0: number, w1: number, w2: number, w3: number, length: number): number {
  let h = Math.imul(w0 ^ (w0 >>> 16), 0x9e3779b1) ^ length;
  h = Math.imul(h ^ (h >>> 15) ^ w1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ w2, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16) ^ w3, 0x27d4eb2f);
  return h ^ (h >>> 15);
}
