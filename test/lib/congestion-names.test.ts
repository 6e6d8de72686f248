import { describe, expect, it } from "vitest";
import { congestionId, congestionName } from "../../src/lib/congestion-names.ts";

describe("congestionId()", () => {
  it("is the same for equal names, another for others, and never 0", () => {
    const reno = congestionId("reno");
    const cubic = congestionId("cubic");
    expect(congestionId("reno")).toBe(reno);
    expect(cubic).not.toBe(reno);
    expect(Math.min(reno, cubic)).toBeGreaterThan(0);
  });

  it("takes any name, also those of Object.prototype", () => {
    for (const name of ["__proto__", "constructor", ""]) {
      expect(congestionName(congestionId(name)), name).toBe(name);
    }
  });
});

describe("congestionName()", () => {
  it.each([0, -1, 1 << 30, 0.5])("is null for %d, which no name has", (id) => {
    expect(congestionName(id)).toBeNull();
  });
});
