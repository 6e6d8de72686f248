/**
 * Where a route comes from, beyond the source that announced it: what a filter may ask, and what keeps routes from
 * going round in circles. Few distinct origins exist, so a route holds one small number. Interned for the life of
 * the process.
 *
 *   protocol   rtm_protocol the kernel showed, for learned routes; 0 for all others
 *   recursive  its nexthops were found by looking up another route: nothing else may be resolved through it
 *   connected  a net of an interface, as the direct protocol says it: in main the kernel keeps it itself
 *   trail      names of the tables it came through by pipes, first to last: a pipe never puts it into one of them
 */

export interface Origin {
  readonly protocol: number;
  readonly recursive: boolean;
  readonly connected: boolean;
  readonly trail: readonly string[];
}

/** Of a route configured here, that came through no pipe. */
export const PLAIN_ORIGIN = 0;

/** A route holds it in 16 bits. */
const MOST_ORIGINS = 0x10000;

const list: Origin[] = [];
const ids = new Map<string, number>();

internOrigin({ protocol: 0, recursive: false, connected: false, trail: [] });

/** The number of this origin, 0–65535. Throws RangeError beyond that: protocols times trails are far fewer. */
export function internOrigin(origin: Origin): number {
  const key = JSON.stringify([origin.protocol, origin.recursive, origin.connected, origin.trail]);
  const known = ids.get(key);
  if (known !== undefined) return known;
  if (list.length >= MOST_ORIGINS)
    throw new RangeError("Cannot note where a route comes from: too many ways");
  const id = list.push(origin) - 1;
  ids.set(key, id);
  return id;
}

export function originOf(id: number): Origin {
  const origin = list[id];
  if (origin === undefined) throw new RangeError(`No origin ${id}`);
  return origin;
}
