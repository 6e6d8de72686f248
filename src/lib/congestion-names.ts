/**
 * Names of TCP congestion algorithms as numbers: the metric RTAX_CC_ALGO is the only one that is a string to the
 * kernel, and the words of a route's attributes hold numbers only. A name is interned at its first use and kept:
 * a machine has some twenty algorithms at most, and the kernel refuses a name it does not know.
 *
 * The numbers mean something inside this process only. They are never 0, so that "absent" keeps its number. Names
 * without end, which only a forger could make up, take no room without end: those after the first thousand are hashed.
 */

const KEPT = 1000;

const ids = new Map<string, number>();
/** Index = id; 0 is no name. */
const names: (string | null)[] = [null];

/** A number from 1 to 2³¹ - 1 that is equal for equal names, for as long as the process lives. */
export function congestionId(name: string): number {
  const known = ids.get(name);
  if (known !== undefined) return known;
  const id = names.length;
  if (id > KEPT) return hashOf(name);
  names.push(name);
  ids.set(name, id);
  return id;
}

/** Above the numbers of names that are kept. */
function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0;
  return (hash & 0x3fffffff) | 0x40000000;
}

/** The name behind congestionId(), or null for a number it never gave out, or of a name that was not kept. */
export function congestionName(id: number): string | null {
  return names[id] ?? null;
}
