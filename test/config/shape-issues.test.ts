/** shapeIssues() finds in pieces what the schema finds at once. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { krtSchema } from "../../src/config/schema.ts";
import { shapeIssues } from "../../src/config/shape-issues.ts";

const LIMIT = 100_000;

function inPieces(value: unknown, size: number, limit: number = LIMIT): { found: string[]; steps: number } {
  const steps = shapeIssues(krtSchema, value, limit, size);
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done) {
      return {
        found: step.value.flatMap(({ path, issue }) =>
          issue.code === "unrecognized_keys"
            ? issue.keys.map((key) => `${JSON.stringify(path)} ${key} unknown`)
            : [`${JSON.stringify(path)} ${issue.code} ${issue.message}`],
        ),
        steps: count,
      };
    }
  }
}

/** All in one piece. */
const inOne = (value: unknown): string[] => inPieces(value, Number.POSITIVE_INFINITY).found;

const leaf = fc.oneof(
  fc.constantFrom("all", "10.0.0.0/8", "eth0", "reject", 1, 70_000, -1, true, null),
  fc.string({ maxLength: 3 }),
);
const KEYS = [
  "static",
  "kernel",
  "filters",
  "tables",
  "device",
  "log",
  "routes",
  "files",
  "prefix",
  "via",
].concat([
  "nexthops",
  "dev",
  "match",
  "set",
  "action",
  "interfaces",
  "preferred",
  "family",
  "table",
  "source",
  "level",
  "x",
  "-",
]);
const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 7, depthSize: "large" },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 5, noNullPrototype: false }),
  ),
})).value;
/** Often of the right shape, down to some depth. */
const likely = fc.record(
  {
    static: fc.dictionary(
      fc.constantFrom("s", "t", "-"),
      fc.record({ routes: fc.array(anything), files: anything }, { requiredKeys: [] }),
    ),
    filters: fc.dictionary(
      fc.constantFrom("f", "g", "1"),
      fc.array(fc.record({ match: fc.record({ prefix: anything }), action: leaf })),
    ),
    direct: fc.dictionary(fc.constantFrom("d"), fc.record({ table: anything, interfaces: anything })),
    tables: anything,
    x: anything,
  },
  { requiredKeys: [] },
);

describe("shapeIssues()", () => {
  it("finds the same, in whatever pieces", () => {
    fc.assert(
      fc.property(fc.oneof(anything, likely), fc.integer({ min: 2, max: 12 }), (value, size) => {
        expect(inPieces(value, size).found.sort()).toEqual(inOne(value).sort());
      }),
      { numRuns: 2000 },
    );
  });

  it("gives up at the limit, whatever there is: zod alone throws for 150,000 mistakes", () => {
    const value = { static: { s: { routes: Array.from({ length: 150_000 }, () => ({})) } } };
    expect(() => krtSchema.safeParse(value)).toThrow(RangeError);
    const { found } = inPieces(value, 1000, 500);
    expect(found.length).toBeGreaterThanOrEqual(500);
    expect(found.length).toBeLessThan(2000);
  });

  it("lets others run meanwhile", () => {
    const routes = Array.from({ length: 20_000 }, () => ({ prefix: "10.0.0.0/8", via: "192.0.2.1" }));
    const { found, steps } = inPieces({ static: { s: { routes } } }, 1000);
    expect(found).toEqual([]);
    expect(steps).toBeGreaterThan(50);
  });
});
