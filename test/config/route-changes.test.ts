/** compareRouteSets() against a reference over maps of text, and that it lets others run. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareRouteSets, describeRouteChanges, type RouteChanges } from "../../src/config/route-changes.ts";
import { RouteFileParser } from "../../src/config/route-file.ts";
import { RouteSet } from "../../src/proto/static/config.ts";
import { FakeClock } from "../support/fake-clock.ts";

function parse(lines: readonly string[]): RouteSet {
  const parser = new RouteFileParser(new RouteSet(4));
  parser.begin("f");
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  parser.parse(bytes, 0, bytes.length);
  expect(parser.problems).toEqual([]);
  return parser.set;
}

/** Prefix → tail, in the words of the file. */
type Routes = ReadonlyMap<string, string>;

function linesOf(routes: Routes): string[] {
  return [...routes].map(([prefix, tail]) => `${prefix} ${tail}`);
}

function reference(before: Routes, after: Routes): RouteChanges {
  const kept = [...after.keys()].filter((prefix) => before.has(prefix));
  return {
    added: after.size - kept.length,
    removed: before.size - kept.length,
    changed: kept.filter((prefix) => before.get(prefix) !== after.get(prefix)).length,
  };
}

/** Each tail is in the spelling it would be printed in, so that equal texts are equal routes and others are not. */
const tail = fc.constantFrom(
  "via 192.0.2.1",
  "via 192.0.2.2",
  "via 192.0.2.1 dev a",
  "via 192.0.2.1 dev a onlink",
  "via 2001:db8::1",
  "dev a",
  "dev a metric 5",
  "dev a mtu 1400",
  "dev a src 192.0.2.9",
  "recursive 10.1.2.3",
  "recursive 10.1.2.4",
  "nexthop via 192.0.2.1 weight 2 nexthop dev a",
  "nexthop via 192.0.2.1 nexthop dev a",
  "nexthop dev a nexthop via 192.0.2.1",
);
const prefix = fc.integer({ min: 0, max: 30 }).map((i) => `10.${i}.0.0/16`);
const routes = fc.array(fc.tuple(prefix, tail), { maxLength: 30 }).map((entries): Routes => new Map(entries));

describe("compareRouteSets()", () => {
  it("agrees with a comparison of texts, whatever the order", async () => {
    await fc.assert(
      fc.asyncProperty(routes, routes, async (before, after) => {
        const found = await compareRouteSets(parse(linesOf(before)), parse(linesOf(after)), new FakeClock());
        expect(found).toEqual(reference(before, after));
      }),
      { numRuns: 1000 },
    );
  });

  it("finds nothing between a set and itself in another order", async () => {
    await fc.assert(
      fc.asyncProperty(
        routes.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray([...all], { minLength: all.size })),
        ),
        async ([before, after]) => {
          const found = await compareRouteSets(
            parse(linesOf(before)),
            parse(linesOf(new Map(after))),
            new FakeClock(),
          );
          expect(found).toEqual({ added: 0, removed: 0, changed: 0 });
        },
      ),
    );
  });

  it("yields every few thousand routes", async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24 dev a`);
    let yields = 0;
    const clock = {
      now: () => 0,
      yield: async () => {
        yields++;
      },
    };
    const found = await compareRouteSets(parse(lines), parse(lines.toReversed()), clock);
    expect(found).toEqual({ added: 0, removed: 0, changed: 0 });
    expect(yields).toBeGreaterThanOrEqual(10);
    expect(yields).toBeLessThan(100);
  });
});

describe("describeRouteChanges()", () => {
  it.each<[RouteChanges, string | null]>([
    [{ added: 3, removed: 1, changed: 2 }, "routes: 3 added, 1 removed, 2 changed"],
    [{ added: 0, removed: 1, changed: 0 }, "routes: 1 removed"],
    [{ added: 0, removed: 0, changed: 0 }, null],
  ])("%j as %s", (changes, text) => {
    expect(describeRouteChanges(changes)).toBe(text);
  });
});
