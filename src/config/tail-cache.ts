/**
 * HOT PATH. From the bytes after a prefix ("via 192.0.2.1 dev eth0") to the spec they stand for. A file of a
 * million routes has few distinct tails: each is parsed once, after that a hash and a comparison of bytes find it.
 *
 *   slots     open addressing by hash: 1 + entry, 0 = free; at most half full
 *   entry e   hash[e]  at[e], size[e]: its bytes in `arena`  kind[e]: RTN_*  spec[e]: index, or BAD
 *   arena     the bytes of all tails, one after the other
 */

/** A tail that does not parse: every line with it is reported, without parsing it again. */
export const BAD = -1;

export class TailCache {
  private slots = new Int32Array(256);
  private hash = new Int32Array(64);
  private at = new Int32Array(64);
  private size = new Int32Array(64);
  private kind = new Uint8Array(64);
  private spec = new Int32Array(64);
  private count = 0;
  private arena = new Uint8Array(4096);
  private used = 0;

  /** The entry of bytes[from..to) for a route of type `kind` (RTN_*), or -1. */
  find(bytes: Uint8Array, from: number, to: number, kind: number, hash: number): number {
    const { slots, arena } = this;
    const mask = slots.length - 1;
    const size = to - from;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1;
      if (entry < 0) return -1;
      if (this.hash[entry] !== hash || this.size[entry] !== size || this.kind[entry] !== kind) continue;
      const at = this.at[entry]!;
      let i = 0;
      while (i < size && arena[at + i] === bytes[from + i]) i++;
      if (i === size) return entry;
    }
  }

  /** The spec index of an entry, or BAD. */
  specOf(entry: number): number {
    return this.spec[entry]!;
  }

  /** Remembers what find() did not know. */
  add(bytes: Uint8Array, from: number, to: number, kind: number, hash: number, spec: number): void {
    if (this.count === this.spec.length) this.grow();
    const size = to - from;
    if (this.used + size > this.arena.length) {
      this.arena = enlarged(this.arena, new Uint8Array(2 * (this.arena.length + size)));
    }
    const entry = this.count++;
    this.arena.set(bytes.subarray(from, to), this.used);
    this.hash[entry] = hash;
    this.at[entry] = this.used;
    this.size[entry] = size;
    this.kind[entry] = kind;
    this.spec[entry] = spec;
    this.used += size;
    this.place(entry);
  }

  private place(entry: number): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = this.hash[entry]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }

  private grow(): void {
    const capacity = 2 * this.spec.length;
    this.hash = enlarged(this.hash, new Int32Array(capacity));
    this.at = enlarged(this.at, new Int32Array(capacity));
    this.size = enlarged(this.size, new Int32Array(capacity));
    this.kind = enlarged(this.kind, new Uint8Array(capacity));
    this.spec = enlarged(this.spec, new Int32Array(capacity));
    this.slots = new Int32Array(4 * capacity);
    for (let entry = 0; entry < this.count; entry++) this.place(entry);
  }
}

function enlarged<T extends Int32Array | Uint8Array>(old: T, grown: T): T {
  grown.set(old);
  return grown;
}
