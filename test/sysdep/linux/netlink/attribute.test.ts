/** Attributes: written ones are found again, and no bytes can lead the cursor outside its run. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AttributeCursor,
  align4,
  beginNest,
  endNest,
  putBytes,
  putIpv4,
  putIpv6,
  putU8,
  putU32,
  readLatin1,
  readU32,
} from "../../../../src/sysdep/linux/netlink/attribute.ts";

function walk(bytes: Uint8Array, start = 0, end = bytes.length) {
  const cursor = new AttributeCursor();
  cursor.reset(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, end);
  const found: [type: number, value: number[]][] = [];
  while (cursor.next()) {
    expect(cursor.start).toBeGreaterThanOrEqual(start + 4);
    expect(cursor.end).toBeLessThanOrEqual(end);
    found.push([cursor.type, [...bytes.subarray(cursor.start, cursor.end)]]);
  }
  return { found, malformed: cursor.malformed };
}

describe("AttributeCursor", () => {
  it("finds what was written, with the flag bits taken off the type", () => {
    const bytes = new Uint8Array(128);
    const view = new DataView(bytes.buffer);
    let at = putU8(view, 0, 7, 0x1ff);
    at = putU32(view, at, 4, 0xfffffffe);
    at = putIpv4(view, at, 1, 0xc0000201 | 0);
    at = putIpv6(view, at, 5, 0x20010db8, 0, -1, 1);
    const nest = at;
    at = beginNest(view, nest, 9);
    at = endNest(view, nest, putBytes(bytes, view, at, 3, Uint8Array.of(1, 2, 3)));
    expect(walk(bytes, 0, at)).toEqual({
      found: [
        [7, [0xff]],
        [4, [0xfe, 0xff, 0xff, 0xff]],
        [1, [192, 0, 2, 1]],
        [5, [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1]],
        [9, [7, 0, 3, 0, 1, 2, 3, 0]],
      ],
      malformed: false,
    });
    expect(view.getUint16(nest + 2, true)).toBe(0x8009);
  });

  it.each([
    ["shorter than its header", [3, 0, 1, 0]],
    ["longer than the run", [9, 0, 1, 0, 1, 2, 3, 4]],
  ])("calls an attribute %s malformed", (_why, bytes) => {
    expect(walk(Uint8Array.from(bytes))).toEqual({ found: [], malformed: true });
  });

  it("treats a run outside of the memory as malformed and empty", () => {
    expect(walk(new Uint8Array(8), 4, 12)).toEqual({ found: [], malformed: true });
    expect(walk(new Uint8Array(8), 6, 4)).toEqual({ found: [], malformed: true });
  });

  it("ends on any bytes and never leaves the run", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 100 }), (bytes, start) => {
        walk(bytes, Math.min(start, bytes.length));
      }),
    );
  });

  it("finds any written attributes again", () => {
    const any = fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 30 }));
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), (attributes) => {
        const bytes = new Uint8Array(1024).fill(0xee);
        const view = new DataView(bytes.buffer);
        let at = 0;
        for (const [type, value] of attributes) at = putBytes(bytes, view, at, type, value);
        const found = attributes.map(([type, value]) => [type, [...value]]);
        expect(walk(bytes, 0, at)).toEqual({ found, malformed: false });
      }),
    );
  });
});

describe("readU32()", () => {
  it("takes the fallback for every other length", () => {
    const view = new DataView(Uint8Array.of(1, 0, 0, 0x80, 9).buffer);
    expect([readU32(view, 0, 4, 5), readU32(view, 0, 3, 5), readU32(view, 0, 5, 5)]).toEqual([
      0x80000001, 5, 5,
    ]);
  });
});

describe("readLatin1()", () => {
  it("keeps every byte and ends at NUL or at the end", () => {
    const bytes = Uint8Array.of(0xff, 0x1b, 0x41, 0, 0x42);
    expect([readLatin1(bytes, 0, 5), readLatin1(bytes, 4, 5)]).toEqual(["\xff\x1bA", "B"]);
  });
});

describe("align4()", () => {
  it("rounds up to a multiple of four", () => {
    expect([0, 1, 4, 5, 17].map(align4)).toEqual([0, 4, 4, 8, 20]);
  });
});
