import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../src/lib/ip.ts";
import { maxLength, type Prefix } from "../../src/lib/prefix.ts";
import { Fib } from "../../src/nest/fib.ts";
import { maskedPrefix, ReferenceFib, textOf, type Words } from "../support/reference-fib.ts";

const families = fc.constantFrom<Family>(4, 6);
/** Few values, so that operations meet: clustered high bits, equal and neighbouring words. */
const word = fc.oneof(fc.constantFrom(0, -1, 0x0a000000, 0x0a000100, 0x20010db8), fc.integer());
const words: fc.Arbitrary<Words> = fc.tuple(word, word, fc.constantFrom(0, 1, -1), fc.constantFrom(0, 1, -1));
const length = fc.oneof(fc.constantFrom(0, 8, 23, 24, 32, 48, 64, 128), fc.nat(128));

function find(fib: Fib, p: Prefix): number {
  return fib.find(p.w0, p.w1, p.w2, p.w3, p.length);
}

function insert(fib: Fib, p: Prefix): number {
  return fib.insert(p.w0, p.w1, p.w2, p.w3, p.length);
}

function nodes(fib: Fib): number[] {
  const all: number[] = [];
  for (let node = fib.next(0); node !== 0; node = fib.next(node)) all.push(node);
  return all;
}

/** The n-th of a run of neighbouring prefixes, as tables of the Internet have them. */
function neighbour(family: Family, n: number): Prefix {
  return family === 4
    ? maskedPrefix(4, [0x0a000000 + n * 256, 0, 0, 0], 24)
    : maskedPrefix(6, [0x20010db8, n << 16, 0, 0], 48);
}

describe("Fib", () => {
  it("findAll() finds what find() finds, one by one", () => {
    fc.assert(
      fc.property(
        families,
        fc.array(fc.tuple(words, length), { maxLength: 200 }),
        fc.array(fc.tuple(words, length), { maxLength: 50 }),
        (family, present, absent) => {
          const fib = new Fib(family, 2);
          for (const [w, l] of present) insert(fib, maskedPrefix(family, w, l));
          const asked = [...present, ...absent].map(([w, l]) => maskedPrefix(family, w, l));
          const keys = new Int32Array(asked.flatMap((p) => [p.w0, p.w1, p.w2, p.w3]));
          const lengths = new Uint8Array(asked.map((p) => p.length));
          const found = new Int32Array(asked.length);
          fib.findAll(keys, lengths, found, asked.length);
          expect([...found]).toEqual(asked.map((p) => find(fib, p)));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("findAll() finds neighbours in the order in which they were inserted, and in any other", () => {
    fc.assert(
      fc.property(
        families,
        fc.array(fc.nat(99), { maxLength: 60 }),
        fc.array(fc.tuple(fc.nat(110), fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 8 }),
        (family, removed, runs) => {
          const fib = new Fib(family, 2);
          for (let n = 0; n < 100; n++) insert(fib, neighbour(family, n));
          // What comes back, backwards, gets the ids of others.
          for (const n of new Set(removed)) fib.remove(find(fib, neighbour(family, n)));
          for (const n of removed.slice(removed.length >> 1)) insert(fib, neighbour(family, n));
          for (const [from, count] of runs) {
            const asked = Array.from({ length: count }, (_, i) => neighbour(family, from + i));
            const found = new Int32Array(count);
            const keys = new Int32Array(asked.flatMap((p) => [p.w0, p.w1, p.w2, p.w3]));
            fib.findAll(keys, new Uint8Array(asked.map((p) => p.length)), found, count);
            expect([...found]).toEqual(asked.map((p) => find(fib, p)));
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("reserve() changes nothing but that neither columns nor zones grow until its room is used", () => {
    for (const family of [4, 6] as const) {
      const fib = new Fib(family, 2);
      for (let n = 0; n < 50; n++) insert(fib, neighbour(family, n));
      const counts = new Int32Array(129);
      counts[neighbour(family, 0).length] = 5000;
      fib.reserve(counts);
      const { capacity } = fib;
      expect(capacity).toBeGreaterThan(5050);
      let grown = 0;
      fib.onGrow(() => grown++);
      for (let n = 50; n < 5050; n++) insert(fib, neighbour(family, n));
      expect([fib.size, fib.capacity, grown]).toEqual([5050, capacity, 0]);
      const wrong = Array.from({ length: 5050 }, (_, n) => n).filter(
        (n) => textOf(fib.prefix(find(fib, neighbour(family, n)))) !== textOf(neighbour(family, n)),
      );
      expect(wrong).toEqual([]);
    }
  });

  it("equals a Map under any sequence of insert, remove, find and longestMatch", () => {
    const step = fc.record({
      op: fc.constantFrom("insert", "insert", "remove", "find", "match", "run"),
      words,
      length,
      head: fc.nat(3),
      limit: fc.nat(128),
    });
    fc.assert(
      fc.property(families, fc.array(step, { maxLength: 120 }), (family, steps) => {
        const fib = new Fib(family, 4);
        const model = new ReferenceFib();
        let run = 0;
        for (const s of steps) {
          const p = maskedPrefix(family, s.words, s.length);
          if (s.op === "insert") {
            const node = insert(fib, p);
            fib.head[node] = s.head;
            model.insert(p, s.head);
          } else if (s.op === "run") {
            for (let i = 0; i < 20; i++) {
              const q = neighbour(family, run++);
              const node = insert(fib, q);
              fib.head[node] = 1;
              model.insert(q, 1);
            }
          } else if (s.op === "remove") {
            const known = nodes(fib);
            const node = known[s.head % Math.max(1, known.length)];
            if (node !== undefined) {
              model.remove(fib.prefix(node));
              fib.remove(node);
            }
          } else if (s.op === "find") {
            expect(find(fib, p) !== 0).toBe(model.has(p));
          } else {
            const address = maskedPrefix(family, s.words, 128);
            const limit = Math.min(s.limit, maxLength(family));
            const node = fib.longestMatch(address.w0, address.w1, address.w2, address.w3, limit);
            expect(node === 0 ? null : textOf(fib.prefix(node))).toBe(model.longestMatch(address, limit));
          }
          expect(fib.size).toBe(model.size);
        }
        const all = nodes(fib);
        expect(all.map((node) => textOf(fib.prefix(node))).sort()).toEqual(model.prefixes());
        for (const node of all) expect(find(fib, fib.prefix(node))).toBe(node);
      }),
      { numRuns: 200 },
    );
  });

  it.each<Family>([4, 6])(
    "finds all of 20,000 neighbours through growth, holes and shrinking (IPv%s)",
    (family) => {
      const fib = new Fib(family);
      const count = 20_000;
      for (let n = 0; n < count; n++) insert(fib, neighbour(family, n));
      expect(fib.size).toBe(count);
      for (let n = 0; n < count; n += 2) fib.remove(find(fib, neighbour(family, n)));
      for (let n = 0; n < count; n++) expect(find(fib, neighbour(family, n)) !== 0).toBe(n % 2 === 1);
      for (let n = 1; n < count; n += 2) fib.remove(find(fib, neighbour(family, n)));
      expect([fib.size, fib.next(0)]).toEqual([0, 0]);
      const capacity = fib.capacity;
      for (let n = 0; n < count; n++) insert(fib, neighbour(family, n + 7));
      expect(fib.capacity).toBe(capacity);
    },
  );

  it("keeps equal addresses of different lengths apart", () => {
    const fib = new Fib(4);
    const made = Array.from({ length: 33 }, (_, length) => fib.insert(0, 0, 0, 0, length));
    expect(new Set(made).size).toBe(33);
    expect(made.map((_, length) => fib.find(0, 0, 0, 0, length))).toEqual(made);
  });

  it("returns the same node for the same prefix and resets flags and head of a removed one", () => {
    const fib = new Fib(4);
    const node = fib.insert(0x0a000000, 0, 0, 0, 8);
    fib.flags[node] = 0x3f;
    fib.head[node] = 7;
    expect(fib.insert(0x0a000000, 0, 0, 0, 8)).toBe(node);
    expect(fib.flags[node]).toBe(0x3f);
    fib.remove(node);
    expect(fib.isLive(node)).toBe(false);
    const again = fib.insert(0x0b000000, 0, 0, 0, 8);
    expect([again, fib.flags[again], fib.head[again]]).toEqual([node, 0, 0]);
  });

  it("tells grow listeners before the new node is known", () => {
    const fib = new Fib(4, 8);
    let side = new Uint8Array(fib.capacity);
    fib.onGrow((capacity) => {
      side = new Uint8Array(capacity);
    });
    for (let n = 0; n < 1000; n++) expect(insert(fib, neighbour(4, n))).toBeLessThan(side.length);
    expect(side.length).toBe(fib.capacity);
  });

  it("throws on lengths its family does not have and on removing what is not there", () => {
    const fib = new Fib(4);
    expect(() => fib.insert(0, 0, 0, 0, 33)).toThrow(RangeError);
    expect(() => fib.insert(0, 0, 0, 0, -1)).toThrow(RangeError);
    expect(fib.find(0, 0, 0, 0, 33)).toBe(0);
    expect(() => fib.remove(1)).toThrow(RangeError);
    expect(() => fib.remove(0)).toThrow(RangeError);
  });

  it("meets every node that lives through the walk exactly once, whatever happens between the steps", () => {
    const change = fc.record({
      insert: fc.boolean(),
      at: fc.nat(1_000_000),
      every: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(families, fc.nat(60), fc.array(change, { maxLength: 60 }), (family, start, changes) => {
        const fib = new Fib(family, 4);
        for (let n = 0; n < start; n++) insert(fib, neighbour(family, n));
        const survivors = new Set(nodes(fib));
        const met = new Map<number, number>();
        let newest = start;
        let todo = 0;
        let steps = 0;
        for (let node = fib.next(0); node !== 0; node = fib.next(node)) {
          met.set(node, (met.get(node) ?? 0) + 1);
          const c = changes[todo];
          if (c === undefined || ++steps % c.every !== 0) continue;
          todo++;
          const live = nodes(fib);
          if (c.insert) insert(fib, neighbour(family, newest++));
          else if (live.length > 0) {
            const victim = live[c.at % live.length]!;
            fib.remove(victim);
            survivors.delete(victim);
          }
        }
        for (const node of survivors) expect(met.get(node)).toBe(1);
        for (const times of met.values()) expect(times).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
