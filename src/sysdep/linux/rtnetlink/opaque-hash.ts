/**
 * HOT PATH. Hashes of what krtd does not understand in a message, so that a change of it is seen and it never
 * equals nothing. They are compared within one run only.
 */

/** FNV-1a over a type and the bytes [start, end). Never 0, which means "nothing unknown". */
export function hashBytes(bytes: Uint8Array, start: number, end: number, type: number): number {
  let hash = Math.imul(0x811c9dc5 ^ type, 0x01000193);
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash === 0 ? 1 : hash;
}

/** One more hash into those before (0: none yet). Never 0. */
export function mixHash(hash: number, more: number): number {
  const mixed = (Math.imul(hash, 31) + more) | 0;
  return mixed === 0 ? 1 : mixed;
}
