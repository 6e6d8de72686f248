import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareDumpOrder } from "../../src/lib/dump-order.ts";
import { isPrefix, type Prefix, parsePrefix } from "../../src/lib/prefix.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!isPrefix(parsed)) throw new Error(parsed.message);
  return parsed;
}

/** As `ip route show table 77` lists them on Linux 6.18. */
const DUMPS = {
  4: "0.0.0.0/4 0.0.0.0/3 0.0.0.0/0 10.0.0.0/29 10.0.0.0/24 10.0.0.0/8 10.1.0.0/27 10.2.0.0/32 38.86.0.0/15 64.0.0.0/2 99.128.0.0/9 128.0.0.0/4 252.140.192.0/28",
  6: "::1/128 2001:db8::/128 2001:db8::1/128 2001:db8::/48 2001:db8:1::/48 2001:db8:8000::/33 2001:db8::/32 2000::/3 ::/1 fc00::/7 8000::/1 ::/0",
} as const;

describe("compareDumpOrder()", () => {
  it.each([4, 6] as const)("is the kernel's order of IPv%i", (family) => {
    const dump = DUMPS[family].split(" ");
    const order = dump.map(prefix);
    for (const [i, a] of order.entries()) {
      for (const [j, b] of order.entries()) {
        expect([dump[i], dump[j], Math.sign(compareDumpOrder(family, a, b))]).toEqual([
          dump[i],
          dump[j],
          Math.sign(i - j),
        ]);
      }
    }
  });

  it.each([4, 6] as const)("is an order of any prefixes of IPv%i", (family) => {
    const word = fc.constantFrom(0, 1, -1, -2147483648, 0x4000_0000);
    const zero = fc.constant(0);
    const rest = family === 4 ? zero : word;
    const masked = fc
      .record({ w0: word, w1: rest, w2: rest, w3: rest, length: fc.nat(family === 4 ? 32 : 128) })
      .map(({ w0, w1, w2, w3, length }) => {
        const keep = (w: number, i: number): number => {
          const bits = Math.min(32, Math.max(0, length - 32 * i));
          return bits === 0 ? 0 : w & (-1 << (32 - bits));
        };
        return { w0: keep(w0, 0), w1: keep(w1, 1), w2: keep(w2, 2), w3: keep(w3, 3), length };
      });
    fc.assert(
      fc.property(masked, masked, masked, (a, b, c) => {
        const order = (x: typeof a, y: typeof a): number => Math.sign(compareDumpOrder(family, x, y));
        expect(order(a, b) + order(b, a)).toBe(0);
        expect(order(a, b) === 0).toBe(JSON.stringify(a) === JSON.stringify(b));
        if (order(a, b) < 0 && order(b, c) < 0) expect(order(a, c)).toBe(-1);
      }),
      { numRuns: 2000 },
    );
  });
});
