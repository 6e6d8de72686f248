/**
 * Nets that somebody else keeps changing. Every repair of a net is counted; one repaired more often than REPAIRS
 * within a window is contested: krtd stops repairing it for a while, and for twice as long when it is changed again
 * soon after the next try. Two daemons that fight over a route cost the kernel a write now and then, not a core.
 *
 *   calm ──repaired more than REPAIRS times in WINDOW_MS──► contested ──back-off ends──► tried again
 *     ▲                                                        ▲                            │
 *     │                                                        └─────changed again──────────┤
 *     └──────────────────────────────left alone for CALM_MS─────────────────────────────────┘
 */

import { Alarm } from "../../lib/alarm.ts";
import type { Clock } from "../../lib/clock.ts";
import type { NodeId } from "../../nest/route.ts";

const WINDOW_MS = 60_000;
/** Repairs of one net within the window before it is contested. */
export const REPAIRS = 10;
const BACKOFF_MIN_MS = 10_000;
const BACKOFF_MAX_MS = 300_000;
const CALM_MS = 600_000;
/** Time between two looks at all fights: of a hundred thousand, each ends at a moment of its own. */
const LOOK_MS = 500;
/** Timers count whole milliseconds, and may ring within the one before. */
const EARLY_MS = 1;

interface Fight {
  backoffMs: number;
  /** Monotonic; not tried again before, and not repaired before it is tried. */
  until: number;
  lastChange: number;
  /** Tried again since the back-off ended. */
  tried: boolean;
}

export class Contest {
  private readonly clock: Clock;
  private readonly alarm: Alarm;
  private retry: (nodes: readonly NodeId[]) => void = () => {};
  private readonly started: (node: NodeId, backoffMs: number) => void;
  /** Repairs by node in this window; without length while nobody changes anything. */
  private repairs = new Uint8Array(0);
  private windowEnds = 0;
  private readonly fights = new Map<NodeId, Fight>();

  /** `started` hears of a net that begins to be contested. */
  constructor(clock: Clock, started: (node: NodeId, backoffMs: number) => void) {
    this.clock = clock;
    this.started = started;
    this.alarm = new Alarm(clock, () => this.due());
  }

  /** Who hears of nets whose back-off has ended. */
  onRetry(retry: (nodes: readonly NodeId[]) => void): void {
    this.retry = retry;
  }

  /** Nets that are not repaired now. */
  get size(): number {
    if (this.fights.size === 0) return 0;
    let count = 0;
    for (const { tried } of this.fights.values()) if (!tried) count++;
    return count;
  }

  /** Somebody changed our route of this net: whether it may be repaired now. `capacity`: node ids are below. */
  mayRepair(node: NodeId, capacity: number): boolean {
    const now = this.clock.now();
    const fight = this.fights.get(node);
    if (fight !== undefined) {
      const quiet = now - fight.lastChange;
      fight.lastChange = now;
      if (!fight.tried) return false;
      if (quiet <= CALM_MS) {
        this.fight(node, Math.min(fight.backoffMs * 2, BACKOFF_MAX_MS), now);
        return false;
      }
      this.fights.delete(node);
    }
    if (now >= this.windowEnds) {
      this.windowEnds = now + WINDOW_MS;
      this.repairs.fill(0);
    }
    if (node >= this.repairs.length) {
      const grown = new Uint8Array(capacity);
      grown.set(this.repairs);
      this.repairs = grown;
    }
    if (this.repairs[node]! < REPAIRS) {
      this.repairs[node]!++;
      return true;
    }
    this.started(node, BACKOFF_MIN_MS);
    this.fight(node, BACKOFF_MIN_MS, now);
    return false;
  }

  /** Whether the net is contested now: nothing is written for it. */
  has(node: NodeId): boolean {
    return this.fights.size > 0 && this.fights.get(node)?.tried === false;
  }

  /** Milliseconds until a contested net is tried again. */
  waitMs(node: NodeId): number {
    return Math.max(0, (this.fights.get(node)?.until ?? 0) - this.clock.now());
  }

  /** The net's node is freed: what was counted does not pass on to the next with its id. */
  forget(node: NodeId): void {
    if (node < this.repairs.length) this.repairs[node] = 0;
    if (this.fights.size > 0) this.fights.delete(node);
  }

  close(): void {
    this.alarm.cancel();
    this.fights.clear();
  }

  private fight(node: NodeId, backoffMs: number, now: number): void {
    this.fights.set(node, { backoffMs, until: now + backoffMs, lastChange: now, tried: false });
    this.alarm.within(backoffMs);
  }

  private due(): void {
    const now = this.clock.now();
    const due: NodeId[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [node, fight] of this.fights) {
      if (fight.tried) {
        if (now - fight.lastChange > CALM_MS) this.fights.delete(node);
      } else if (fight.until > now + EARLY_MS) next = Math.min(next, fight.until);
      else {
        fight.tried = true;
        due.push(node);
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.alarm.within(Math.max(next - now, LOOK_MS));
    if (due.length > 0) this.retry(due);
  }
}
