/** Error numbers: what krtd calls them is what this system calls them. */

import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { errnoName, errnoText } from "../../../../src/sysdep/linux/netlink/errors.ts";

describe("errnoName()", () => {
  it("agrees with the system for every number it lists", () => {
    const system = new Map<string, number>(Object.entries(constants.errno));
    const numbers = [...system.values()].filter((errno) => !/^E\d/.test(errnoName(errno)));
    expect(new Set(numbers).size).toBeGreaterThan(30);
    for (const errno of numbers) expect(system.get(errnoName(errno))).toBe(errno);
  });

  it("names an unlisted one by its number", () => {
    expect([errnoName(999), errnoText(999)]).toEqual(["E999", "Unknown error 999"]);
  });
});

describe("errnoText()", () => {
  it("says what strerror(3) says", () => {
    expect([101, 113, 3].map(errnoText)).toEqual([
      "Network is unreachable",
      "No route to host",
      "No such process",
    ]);
  });
});
