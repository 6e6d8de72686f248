/**
 * HOT PATH. What becomes of a route's origin when it goes from one table to another: the trail grows by the table it
 * leaves, and a route whose trail holds the table ahead does not go there. Every way of a route through a net of pipes
 * is thus one without a table twice, so no route can feed itself and outlive the one it was made of.
 *
 *   next[origin]   0: not asked yet   -1: may not pass   else 1 + the origin it has over there
 */

import { internOrigin, originOf } from "../../nest/origin.ts";

/** Such a route is not to be passed on. */
export const NO_WAY = -1;

export class Trails {
  /** Some route was not passed for want of a number for its origin. */
  full = false;
  private readonly from: string;
  private readonly to: string;
  private next = new Int32Array(64);

  /** Names of the tables. */
  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
  }

  /** The origin over there of a route that has this one here, or NO_WAY. */
  beyond(origin: number): number {
    if (origin >= this.next.length) this.grow(origin);
    const known = this.next[origin]!;
    if (known > 0) return known - 1;
    if (known < 0) return NO_WAY;
    const found = this.find(origin);
    this.next[origin] = found === NO_WAY ? NO_WAY : found + 1;
    return found;
  }

  private find(id: number): number {
    const origin = originOf(id);
    if (origin.trail.includes(this.to)) return NO_WAY;
    try {
      return internOrigin({ ...origin, trail: [...origin.trail, this.from] });
    } catch (error) {
      // Thrown through an announcement, it would keep others from hearing of the route.
      if (!(error instanceof RangeError)) throw error;
      this.full = true;
      return NO_WAY;
    }
  }

  private grow(origin: number): void {
    let size = this.next.length;
    while (size <= origin) size *= 2;
    const next = new Int32Array(size);
    next.set(this.next);
    this.next = next;
  }
}
