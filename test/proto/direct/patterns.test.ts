import { describe, expect, it } from "vitest";
import { takesInterface } from "../../../src/proto/direct/patterns.ts";

describe("takesInterface()", () => {
  const rows: readonly (readonly [patterns: readonly string[], name: string, taken: boolean, why: string])[] =
    [
      [[], "eth0", true, "no patterns: every interface"],
      [["eth*"], "eth0", true, "it fits"],
      [["eth*"], "veth0", false, "the whole name has to fit"],
      [["eth?"], "eth10", false, "? is one character"],
      [["eth*", "!eth9"], "eth9", false, "an exclusion counts wherever it stands"],
      [["!eth9", "eth*"], "eth9", false, "also before the rule"],
      [["!eth9", "eth*"], "eth8", true, "named, and not excluded"],
      [["!eth9", "eth*"], "wlan0", false, "some pattern includes, so what fits none is out"],
      [["!eth9", "!tun*"], "eth8", true, "all patterns exclude, so what fits none is in"],
      [["!eth9", "!tun*"], "tun3", false, "excluded"],
      [["eth9", "!eth*"], "eth9", false, "excluded, though named"],
      [["!*"], "eth0", false, "nothing at all"],
      [["eth*"], "ETH0", false, "names know upper and lower case"],
      [["[a]*"], "a1", false, "brackets mean themselves"],
      [["\u00e9*"], "\u00e9\u00ff", true, "bytes of no known encoding"],
      [["__proto__"], "__proto__", true, "a hostile name is a name"],
    ];
  it.each(rows)("%j on %j is %s: %s", (patterns, name, taken) => {
    expect(takesInterface(patterns, name)).toBe(taken);
  });
});
