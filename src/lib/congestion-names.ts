/**
 * Names of TCP congestion algorithms as numbers: the metric RTAX_CC_ALGO is the only one that is a string to the
 * kernel, and the words of a route's attributes hold numbers only. A name is interned at its first use and kept:
 * a machine has some twenty algorithms at most, and the kernel refuses a name it does not know.
 *
 * The numbers mean something inside this process only. They are never 0, so that "absent" keeps its number.
 */

const ids = new Map<string, number>();
/** Index = id; 0 is no name. */
const names: (string | null)[] = [null];

/** A number from 1 to 2³¹ - 1 that is equal for equal names, for as long as the process lives. */
export function congestionId(name: string): number {
  const known = ids.get(name);
  if (known !== undefined) return known;
  const id = names.length;
  names.push(name);
  ids.set(name, id);
  return id;
}

/** The name behind congestionId(), or null for a number it never gave out. */
export function congestionName(id: number): string | null {
  return names[id] ?? null;
}
