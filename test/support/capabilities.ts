/**
 * Takes a capability from the calling thread for a while (capget(2), capset(2)): it leaves the effective set and
 * stays in the permitted one, so that it can come back. Only what `fn` does synchronously runs without it.
 */

import koffi from "koffi";

/** linux/capability.h */
export const CAP_SYS_ADMIN = 21;
const VERSION_3 = 0x20080522;

const library = koffi.load("libc.so.6");
const capget = library.func("int capget(uint8_t *header, _Out_ uint8_t *data)");
const capset = library.func("int capset(uint8_t *header, uint8_t *data)");

/** Runs `fn` without the capability. Throws when it cannot be taken away or given back. */
export function withoutCapability<T>(capability: number, fn: () => T): T {
  // Two of effective, permitted, inheritable, 32 bits each; off V8's heap, where they could move.
  const before = new Uint8Array(new ArrayBuffer(128)).subarray(0, 24);
  check(capget(header(), before));
  const without = new Uint8Array(new ArrayBuffer(128)).subarray(0, 24);
  without.set(before);
  const at = capability >> 5 === 0 ? 0 : 12;
  const view = new DataView(without.buffer);
  view.setUint32(at, view.getUint32(at, true) & ~(1 << (capability & 31)), true);
  check(capset(header(), without));
  try {
    return fn();
  } finally {
    check(capset(header(), before));
  }
}

/** version, pid (0: the calling thread). The kernel may write the version. */
function header(): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(128)).subarray(0, 8);
  new DataView(bytes.buffer).setUint32(0, VERSION_3, true);
  return bytes;
}

function check(result: number): void {
  if (result !== 0) throw new Error(`Cannot change capabilities: errno ${koffi.errno()}`);
}
