/** Error numbers that come from the kernel are told in the words people know from iproute2. */

import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { errnoName, errnoText } from "../../src/lib/errno.ts";

describe("errnoText()", () => {
  it.each([
    [1, "Operation not permitted"],
    [12, "Cannot allocate memory"],
    [16, "Device or resource busy"],
    [17, "File exists"],
    [19, "No such device"],
    [22, "Invalid argument"],
    [34, "Numerical result out of range"],
    [95, "Operation not supported"],
    [100, "Network is down"],
    [101, "Network is unreachable"],
    [105, "No buffer space available"],
    [113, "No route to host"],
  ])("says of %i what strerror(3) says: %s", (errno, text) => {
    expect(errnoText(errno)).toBe(text);
  });
});

describe("errnoName()", () => {
  it("agrees with the system", () => {
    const system = new Map<string, number>(Object.entries(constants.errno));
    const known = [...system.values()].filter((errno) => !/^E\d/.test(errnoName(errno)));
    expect(new Set(known).size).toBeGreaterThan(30);
    for (const errno of known) expect(system.get(errnoName(errno))).toBe(errno);
  });

  it("names an unknown one by its number", () => {
    expect([errnoName(4711), errnoText(4711)]).toEqual(["E4711", "Unknown error 4711"]);
  });
});
