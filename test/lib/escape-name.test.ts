import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseName } from "../../src/cli/escape.ts";
import { escapeName, isPlainName } from "../../src/lib/escape-name.ts";

describe("escapeName()", () => {
  it("leaves printable ASCII only, without spaces, and parseName() undoes it for any bytes", () => {
    const bytes = fc
      .uint8Array({ minLength: 1, maxLength: 15 })
      .map((b) => Buffer.from(b).toString("latin1"));
    fc.assert(
      fc.property(bytes, (name) => {
        const text = escapeName(name);
        expect(text).toMatch(/^[!-~]+$/);
        expect(parseName(text)).toBe(name);
      }),
    );
  });
});

describe("isPlainName()", () => {
  const rows: readonly { name: string; plain: boolean; why: string }[] = [
    { name: "eth0", plain: true, why: "as most are" },
    { name: "eth0.100", plain: true, why: "a VLAN" },
    { name: "br-lan_7", plain: true, why: "a dash inside" },
    { name: "4294967296", plain: true, why: "digits are a word too" },
    { name: "-rf", plain: false, why: "an option" },
    { name: "$(reboot)", plain: false, why: "a command" },
    { name: "a;b", plain: false, why: "two commands" },
    { name: "a*", plain: false, why: "a pattern" },
    { name: "~root", plain: false, why: "a directory" },
    { name: "v0@v1", plain: false, why: "ip would look for v0" },
    { name: "caf\u00c3\u00a9", plain: false, why: "bytes of no known script" },
    { name: "", plain: false, why: "nothing" },
  ];
  it.each(rows)("says $plain of $name: $why", ({ name, plain }) => {
    expect(isPlainName(name)).toBe(plain);
  });
});
