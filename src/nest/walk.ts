/**
 * The one way to walk a table that may be large: in slices, yielding to the event loop between them, while
 * everybody else goes on changing it. A node that lives through the whole walk is visited exactly once; one
 * that comes meanwhile perhaps (its maker announces it anyway). The walk ends at the ids there were when it began:
 * a table that grows as fast as it is walked does not hold it up for ever.
 */

import type { Clock } from "../lib/clock.ts";
import type { Fib } from "./fib.ts";
import type { NodeId } from "./route.ts";

/** Nodes between two yields: about a tenth of a millisecond of work. */
export const WALK_SLICE = 1024;

export interface WalkOptions {
  /** Nodes visited between two yields (default WALK_SLICE). */
  readonly slice?: number;
  /** Asked before every slice; true ends the walk. */
  readonly stopped?: () => boolean;
}

/**
 * Visits all live nodes, those without routes too. Resolves to true at the end, false when stopped. `visit`
 * may insert and remove nodes, also the one it is given; what it throws ends the walk and rejects.
 */
export async function walkNodes(
  fib: Fib,
  visit: (node: NodeId) => void,
  clock: Pick<Clock, "yield">,
  options: WalkOptions = {},
): Promise<boolean> {
  const slice = options.slice ?? WALK_SLICE;
  const limit = fib.idLimit;
  let node: NodeId = 0;
  for (;;) {
    if (options.stopped?.() === true) return false;
    for (let visited = 0; visited < slice; visited++) {
      node = fib.next(node);
      if (node === 0 || node >= limit) return true;
      visit(node);
    }
    await clock.yield();
  }
}
