import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalIp, type Family, formatAddress, formatIp, parseIp } from "../../src/lib/ip.ts";

const word = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.integer());

describe("parseIp", () => {
  it.each([
    ["0.0.0.0", 4, 0, 0, 0, 0],
    ["192.0.2.1", 4, 0xc0000201 | 0, 0, 0, 0],
    ["255.255.255.255", 4, -1, 0, 0, 0],
    ["::", 6, 0, 0, 0, 0],
    ["::1", 6, 0, 0, 0, 1],
    ["1::", 6, 0x10000, 0, 0, 0],
    ["2001:DB8::a", 6, 0x20010db8, 0, 0, 10],
    ["1:2:3:4:5:6:7:8", 6, 0x10002, 0x30004, 0x50006, 0x70008],
    ["1:2:3:4:5:6:7::", 6, 0x10002, 0x30004, 0x50006, 0x70000],
    ["::2:3:4:5:6:7:8", 6, 2, 0x30004, 0x50006, 0x70008],
    ["1:2:3:4:5:6:1.2.3.4", 6, 0x10002, 0x30004, 0x50006, 0x01020304],
    ["::ffff:192.0.2.1", 6, 0, 0, 0xffff, 0xc0000201 | 0],
    ["::192.0.2.1", 6, 0, 0, 0, 0xc0000201 | 0],
  ] as const)("reads %s", (text, family, w0, w1, w2, w3) => {
    expect(parseIp(text)).toEqual({ family, w0, w1, w2, w3 });
  });

  it.each([
    ["", "empty"],
    ["1", "inet_aton's short forms"],
    ["1.2.3", "three bytes"],
    ["1.2.3.4.5", "five bytes"],
    ["1.2.3.4.", "trailing dot"],
    [".1.2.3.4", "leading dot"],
    ["1..2.3", "empty byte"],
    ["01.2.3.4", "leading zero: octal elsewhere"],
    ["1.2.3.00", "leading zero"],
    ["1.2.3.256", "byte over 255"],
    ["0x1.2.3.4", "hexadecimal"],
    [" 1.2.3.4", "space"],
    ["1.2.3.4\n", "newline"],
    ["+1.2.3.4", "sign"],
    ["１.2.3.4", "a digit of another script"],
    [":", "a lone colon"],
    [":::", "three colons"],
    [":1::", "leading colon"],
    ["1:", "trailing colon"],
    ["::1:", "trailing colon after a gap"],
    ["1::2::3", "two gaps"],
    ["1:2:3:4:5:6:7", "seven groups"],
    ["1:2:3:4:5:6:7:8:9", "nine groups"],
    ["1:2:3:4:5:6:7:8::", "a gap that stands for nothing"],
    ["::1:2:3:4:5:6:7:8", "a gap that stands for nothing"],
    ["12345::", "five digits"],
    ["g::", "not a digit"],
    ["1:2:3:4:5:6:7:1.2.3.4", "dotted tail where one group is left"],
    ["1:2:3:4:5:1.2.3.4", "dotted tail and too few groups"],
    ["::1.2.3", "short dotted tail"],
    ["1.2.3.4::", "dotted head"],
    ["::a.2.3.4", "hex digit in a dotted tail"],
    ["::01.2.3.4", "leading zero in a dotted tail"],
    ["fe80::1%eth0", "zone"],
    ["[::1]", "brackets"],
    ["::1/128", "a prefix"],
  ])("refuses %j: %s", (text) => {
    expect(parseIp(text)).toBeNull();
  });

  it("never throws and accepts nothing that does not read back, on any string", () => {
    const near = fc.string({ unit: fc.constantFrom(..."0123456789abcdefF:.:/ %"), maxLength: 50 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        const address = parseIp(text);
        if (address !== null) expect(parseIp(formatAddress(address))).toEqual(address);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("formatIp", () => {
  it.each([
    ["2001:db8::1", "2001:0db8:0:0:0:0:0:0001", "leading zeros go, the run is compressed"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8::1:1:1:1:1", "one zero group is not compressed"],
    ["2001:0:0:1::1", "2001:0:0:1:0:0:0:1", "the longer run"],
    ["2001:db8::1:0:0:1", "2001:db8:0:0:1:0:0:1", "the first of two equal runs"],
    ["abcd:ef01::", "ABCD:EF01::", "lower case"],
    ["::ffff:192.0.2.1", "::ffff:c000:201", "IPv4-mapped is dotted"],
    ["::1:0", "0:0:0:0:0:0:1:0", "an address that only looks IPv4-compatible"],
    ["0:0:1::", "0:0:1:0:0:0:0:0", "run at the end, short run at the start"],
    ["1::2:0", "1:0:0:0:0:0:2:0", "run in the middle"],
  ])("writes %s (RFC 5952: %s, %s)", (written, read) => {
    expect(formatAddress(parseIp(read)!)).toBe(written);
  });

  it("round-trips every address through parseIp()", () => {
    fc.assert(
      fc.property(fc.constantFrom<Family>(4, 6), word, word, word, word, (family, w0, a, b, c) => {
        const [w1, w2, w3] = family === 4 ? [0, 0, 0] : [a, b, c];
        expect(parseIp(formatIp(family, w0, w1, w2, w3))).toEqual({ family, w0, w1, w2, w3 });
      }),
    );
  });
});

describe("equalIp", () => {
  it("tells families and every word apart", () => {
    const a = parseIp("1:2:3:4:5:6:7:8")!;
    expect(equalIp(a, { ...a })).toBe(true);
    for (const key of ["w0", "w1", "w2", "w3"] as const) expect(equalIp(a, { ...a, [key]: 0 })).toBe(false);
    expect(equalIp(parseIp("0.0.0.0")!, parseIp("::")!)).toBe(false);
  });
});
