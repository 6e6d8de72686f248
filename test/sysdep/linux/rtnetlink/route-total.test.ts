import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRoute, RouteView } from "../../../../src/sysdep/linux/rtnetlink/route.ts";
import { capturedMessages } from "../../../support/netlink-fixtures.ts";

const captured = [...capturedMessages("routes-ipv4"), ...capturedMessages("routes-ipv6")];
const [left, right] = [new RouteView(), new RouteView()];

/** Decodes `message` where it lies between bytes that are all `poison`. */
function decodeBetween(message: Uint8Array, poison: number, into: RouteView): boolean {
  const start = 32;
  const bytes = new Uint8Array(message.length + 64).fill(poison);
  bytes.set(message, start);
  return decodeRoute(bytes, new DataView(bytes.buffer), start, start + message.length, into);
}

/** Everything decoded, comparable. */
function content(route: RouteView): unknown {
  const { attrs, ...header } = route;
  return { ...header, attrs: attrs.words.slice(0, attrs.length) };
}

/** Decodes twice, between different bytes: a difference means that it looked outside. Returns the verdict. */
function decodeGuarded(message: Uint8Array): boolean {
  const seen = decodeBetween(message, 0x00, left);
  expect(decodeBetween(message, 0xff, right)).toBe(seen);
  if (seen) expect(content(right)).toEqual(content(left));
  return seen;
}

/** As decodeGuarded, and once more in an exact buffer, where looking outside throws. */
function decodeExactly(message: Uint8Array): boolean {
  const exact = message.slice();
  const seen = decodeRoute(exact, new DataView(exact.buffer), 0, exact.length, left);
  expect(decodeGuarded(message)).toBe(seen);
  return seen;
}

describe("decodeRoute() on any bytes", () => {
  it("ends and stays inside on every truncation of every captured message", () => {
    let refused = 0;
    for (const { bytes } of captured) {
      const step = bytes.length > 500 ? 7 : 1;
      for (let length = 0; length <= bytes.length; length += step) {
        if (!decodeExactly(bytes.subarray(0, length))) refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it("ends and stays inside on mutations of captured messages", () => {
    const mutation = fc.constantFrom(...captured).chain(({ bytes }) =>
      fc.record({
        bytes: fc.constant(bytes),
        cut: fc.oneof(fc.constant(bytes.length), fc.nat(bytes.length)),
        changes: fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
      }),
    );
    fc.assert(
      fc.property(mutation, ({ bytes, cut, changes }) => {
        const mutated = bytes.slice();
        for (const [at, value] of changes) mutated[at] = value;
        decodeExactly(mutated.subarray(0, cut));
      }),
      { numRuns: 2000 },
    );
  });

  it("ends and stays inside on lengths that lie, at every attribute and rtnexthop", () => {
    for (const { bytes } of captured) {
      if (bytes.length > 500) continue;
      for (let at = 12; at + 1 < bytes.length; at += 4) {
        for (const length of [0, 3, 4, 5, 8, 12, bytes.length - at + 1, 0x7fff, 0xffff]) {
          const mutated = bytes.slice();
          mutated[at] = length & 0xff;
          mutated[at + 1] = length >> 8;
          decodeExactly(mutated);
        }
      }
    }
  });

  it.each([
    ["RTA_VIA", 18],
    ["RTA_MULTIPATH", 9],
    ["RTA_METRICS", 8],
    ["RTA_PREF", 20],
    ["RTA_OIF", 4],
    ["RTA_GATEWAY", 5],
  ])("stays inside when the last attribute is %s of 0 to 12 bytes", (_name, type) => {
    for (let size = 0; size <= 12; size++) {
      const rtmsg = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
      decodeExactly(Uint8Array.of(...rtmsg, 4 + size, 0, type, 0, ...new Array<number>(size).fill(8)));
    }
  });

  it("ends and stays inside on random bytes after a plausible header", () => {
    const message = fc
      .tuple(fc.constantFrom(0, 2, 7, 10, 28), fc.uint8Array({ minLength: 0, maxLength: 200 }))
      .map(([family, rest]) => Uint8Array.of(family, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, ...rest));
    fc.assert(
      fc.property(message, (bytes) => {
        const seen = decodeExactly(bytes);
        if (bytes[0] !== 2 && bytes[0] !== 10) expect(seen).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it("ends and stays inside on random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        decodeExactly(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it("reads a message that does not start at the buffer's start as the same message", () => {
    for (const { bytes } of captured) {
      const shared = new Uint8Array(bytes.length + 100);
      shared.set(bytes, 60);
      const window = shared.subarray(20);
      const view = new DataView(shared.buffer, 20);
      expect(decodeRoute(window, view, 40, 40 + bytes.length, left)).toBe(true);
      expect(decodeBetween(bytes, 0x55, right)).toBe(true);
      expect(content(left)).toEqual(content(right));
    }
  });
});
