/** compileFilter(): what each key of a rule asks and sets, what a filter says of itself, and the slow reference. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Family, parseIp } from "../../src/lib/ip.ts";
import { isPrefix, maxLength, type Prefix, parsePrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import type { FilterContext, FilteredRoute } from "../../src/nest/filter.ts";
import {
  compileFilter,
  type FilterMatch,
  type FilterRule,
  type FilterSet,
} from "../../src/nest/filter-rules.ts";
import type { RouteSourceType } from "../../src/nest/route.ts";
import { type AttrsText, draftOf } from "../support/draft.ts";
import { maskedPrefix } from "../support/reference-fib.ts";
import { type PlainRoute, referenceFilter } from "../support/reference-filter.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!isPrefix(parsed)) throw new Error(parsed.message);
  return parsed;
}

const DEVICES: Readonly<Record<number, string>> = { 1: "lo", 2: "eth0", 3: "eth1", [-1]: "tun0" };
const deviceName = (device: number): string => DEVICES[device] ?? `if${device}`;

interface RouteText {
  readonly prefix: string;
  readonly attrs?: AttrsText;
  readonly metric?: number;
  readonly preference?: number;
  readonly source?: string;
  readonly sourceType?: RouteSourceType;
  readonly protocol?: number;
}

/** A table of attributes, and routes through it. */
function setUp() {
  const attrs = new AttrsTable();
  const context: FilterContext = { attrs, deviceName };
  const make = (text: RouteText): FilteredRoute => ({
    ...prefix(text.prefix),
    attrs: attrs.intern(draftOf(text.attrs ?? {})),
    metric: text.metric ?? 0,
    preference: text.preference ?? 200,
    source: text.source ?? "uplinks",
    sourceType: text.sourceType ?? "static",
    protocol: text.protocol ?? 0,
  });
  return { attrs, context, make };
}

const accept = (match: FilterMatch = {}, set: FilterSet = {}): FilterRule => ({
  match,
  action: "accept",
  set,
});
const reject = (match: FilterMatch = {}): FilterRule => ({ match, action: "reject", set: {} });

function passes(rules: readonly FilterRule[], text: RouteText): boolean {
  const { context, make } = setUp();
  return compileFilter("f", rules).apply(make(text), context);
}

const via = (gateway: string, device = 0) => ({ via: gateway, device });
const net = { prefix: "192.0.2.0/24" };
const unicast = { ...net, attrs: { nexthops: [via("10.1.0.1", 2), via("10.2.0.1", 3)] } };
const device = { ...net, attrs: { nexthops: [{ device: 2 }] } };
const absent = { ...net, attrs: { nexthops: [{ device: -1 }] } };
const anywhere = { ...net, attrs: { nexthops: [via("10.1.0.1")] } };
const blackhole: RouteText = { ...net, attrs: { type: "blackhole" } };
const zebra: RouteText = { ...net, sourceType: "inherit", source: "kernel4", protocol: 11 };

describe("a match", () => {
  const within = { ...prefix("192.0.0.0/16"), from: 16, to: 32 };
  it.each<[why: string, match: FilterMatch, route: RouteText, fits: boolean]>([
    ["without keys fits all", {}, net, true],
    ["prefix: in the range", { prefix: [within] }, net, true],
    ["prefix: of the other family", { prefix: [within] }, { prefix: "2001:db8::/32" }, false],
    ["an empty list fits nothing", { prefix: [] }, net, false],
    ["source: exact", { source: ["uplinks"] }, net, true],
    ["source: any of several", { source: ["x", "up*"] }, net, true],
    ["source: a glob takes the whole name", { source: ["up"] }, net, false],
    ["source: ? is one character", { source: ["uplink?"] }, net, true],
    ["source: no name is special", { source: ["__proto__"] }, net, false],
    ["source-type", { sourceType: ["direct", "static"] }, net, true],
    ["source-type: another", { sourceType: ["pipe"] }, net, false],
    ["protocol: of a learned route", { protocol: [11, 12] }, zebra, true],
    ["protocol: another", { protocol: [12] }, zebra, false],
    ["protocol: of a route that was not learned", { protocol: [11] }, net, false],
    ["type", { type: ["blackhole", "throw"] }, blackhole, true],
    ["type: another", { type: ["unicast"] }, blackhole, false],
    ["gateway: the address", { gateway: [prefix("10.1.0.1/32")] }, unicast, true],
    ["gateway: of any nexthop", { gateway: [prefix("10.2.0.0/16")] }, unicast, true],
    ["gateway: of none", { gateway: [prefix("10.3.0.0/16")] }, unicast, false],
    ["gateway: without one", { gateway: [prefix("0.0.0.0/0")] }, device, false],
    ["gateway: of a route without nexthops", { gateway: [prefix("0.0.0.0/0")] }, blackhole, false],
    [
      "gateway: an IPv6 one of an IPv4 route",
      { gateway: [prefix("fe80::/10")] },
      { ...net, attrs: { nexthops: [via("fe80::1", 2)] } },
      true,
    ],
    [
      "gateway: IPv4 is not IPv6 with the same words",
      { gateway: [prefix("::/0")] },
      { ...net, attrs: { nexthops: [via("0.0.0.1")] } },
      false,
    ],
    ["dev: of any nexthop", { dev: ["eth1"] }, unicast, true],
    ["dev: a glob", { dev: ["eth*"] }, device, true],
    ["dev: another", { dev: ["eth2"] }, unicast, false],
    ["dev: one that does not exist yet", { dev: ["tun*"] }, absent, true],
    ["dev: none given", { dev: ["*"] }, anywhere, false],
    ["dev: of a route without nexthops", { dev: ["*"] }, blackhole, false],
    [
      "gateway and dev may be of different nexthops",
      { gateway: [prefix("10.1.0.1/32")], dev: ["eth1"] },
      unicast,
      true,
    ],
    ["metric: in a range", { metric: [{ from: 10, to: 20 }] }, { ...net, metric: 20 }, true],
    ["metric: beside it", { metric: [{ from: 10, to: 20 }] }, { ...net, metric: 21 }, false],
    ["metric: none of its own is 0", { metric: [{ from: 0, to: 0 }] }, net, true],
    [
      "metric: the greatest",
      { metric: [{ from: 4294967295, to: 4294967295 }] },
      { ...net, metric: 4294967295 },
      true,
    ],
    [
      "preference",
      {
        preference: [
          { from: 1, to: 5 },
          { from: 200, to: 200 },
        ],
      },
      net,
      true,
    ],
    ["preference: another", { preference: [{ from: 0, to: 199 }] }, net, false],
    ["all keys must fit", { source: ["uplinks"], sourceType: ["pipe"] }, net, false],
    ["a key without a value is not asked", { type: undefined } as unknown as FilterMatch, blackhole, true],
  ])("%s", (_why, match, route, fits) => {
    expect(passes([accept(match)], route)).toBe(fits);
    expect(passes([reject(match), accept()], route)).toBe(!fits);
  });
});

describe("the rules of a filter", () => {
  it.each<[why: string, rules: FilterRule[], passes: boolean]>([
    ["the first that fits decides: accept", [accept(), reject()], true],
    ["the first that fits decides: reject", [reject(), accept()], false],
    ["one that does not fit decides nothing", [reject({ source: ["x"] }), accept()], true],
    ["where none fits, the route is rejected", [accept({ source: ["x"] })], false],
    ["no rules reject", [], false],
  ])("%s", (_why, rules, expected) => {
    expect(passes(rules, net)).toBe(expected);
  });

  it("set metric and preference of what they accept, and nothing of what they reject", () => {
    const { attrs, context, make } = setUp();
    const filter = compileFilter("f", [
      { match: { metric: [{ from: 7, to: 7 }] }, action: "reject", set: { metric: 1, preference: 1 } },
      accept({}, { metric: 0, preference: 0, realm: 5 }),
    ]);
    const rejected = make({ ...net, metric: 7 });
    const before = { ...rejected };
    expect(filter.apply(rejected, context)).toBe(false);
    expect(rejected).toEqual(before);
    const accepted = make({ ...net, metric: 8 });
    expect(filter.apply(accepted, context)).toBe(true);
    expect(accepted).toMatchObject({ metric: 0, preference: 0 });
    expect(attrs.describe(accepted.attrs).flow).toBe(5);
  });

  it("give a changed attribute id with one reference, and leave the one that came with its own", () => {
    const { attrs, context, make } = setUp();
    const route = make(unicast);
    const before = route.attrs;
    const filter = compileFilter("f", [accept({}, { prefsrc: parseIp("192.0.2.9") })]);
    expect(filter.apply(route, context)).toBe(true);
    expect(route.attrs).not.toBe(before);
    expect([attrs.references(before), attrs.references(route.attrs)]).toEqual([1, 1]);
    attrs.release(route.attrs);
    attrs.release(before);
    expect(attrs.size).toBe(0);
  });

  it("ask for names of devices anew, since an interface may be renamed", () => {
    const { attrs, make } = setUp();
    const names = ["eth0"];
    const context: FilterContext = { attrs, deviceName: () => names[0]! };
    const filter = compileFilter("f", [accept({ dev: ["eth0"] }, { realm: 1 })]);
    expect(filter.apply(make(device), context)).toBe(true);
    names[0] = "lan0";
    expect(filter.apply(make(device), context)).toBe(false);
  });

  it("keep settings of two rules and two families apart", () => {
    const { attrs, context, make } = setUp();
    const filter = compileFilter("f", [
      accept({ source: ["a"] }, { realm: 1 }),
      accept({ source: ["b"] }, { realm: 2, prefsrc: parseIp("192.0.2.9") }),
    ]);
    for (let round = 0; round < 3; round++) {
      const realmOf = (source: string, net: string): unknown => {
        const route = make({ prefix: net, source, attrs: { type: "blackhole" } });
        filter.apply(route, context);
        const { flow, prefsrc } = attrs.describe(route.attrs);
        return [flow, prefsrc !== null];
      };
      expect(realmOf("a", "192.0.2.0/24")).toEqual([1, false]);
      expect(realmOf("b", "192.0.2.0/24")).toEqual([2, true]);
      expect(realmOf("b", "2001:db8::/32")).toEqual([0, false]);
    }
  });
});

describe("a filter says of itself", () => {
  const some: FilterMatch = { source: ["x"] };
  it.each<[why: string, rules: FilterRule[], says: [asksDevices: boolean, rejectsAll: boolean]]>([
    ["no rules", [], [false, true]],
    ["accept all", [accept()], [false, false]],
    ["dev", [reject({ dev: ["eth0"] }), accept()], [true, false]],
    ["dev in a rule that changes nothing", [accept(some), reject({ dev: ["eth0"] })], [false, false]],
    ["dev nobody reaches", [accept(), accept({ dev: ["eth0"] })], [false, false]],
    ["only rejections", [reject(some), reject({ dev: ["x"] })], [false, true]],
    ["an acceptance nobody reaches", [reject(), accept()], [false, true]],
  ])("%s", (_why, rules, [asksDevices, rejectsAll]) => {
    expect(compileFilter("f", rules)).toMatchObject({ name: "f", asksDevices, rejectsAll });
  });

  const a = { ...prefix("10.0.0.0/8"), from: 8, to: 8 };
  const b = { ...prefix("10.0.0.0/8"), from: 8, to: 32 };
  it.each<[why: string, one: FilterRule[], other: FilterRule[], equal: boolean]>([
    ["equal rules", [accept({ prefix: [a] })], [accept({ prefix: [{ ...a }] })], true],
    [
      "items in another order, one twice",
      [accept({ prefix: [a, b, a] })],
      [accept({ prefix: [b, a] })],
      true,
    ],
    ["other lengths", [accept({ prefix: [a] })], [accept({ prefix: [b] })], false],
    ["an empty list is not none", [accept({ source: [] })], [accept()], false],
    ["the same word under another key", [accept({ source: ["x"] })], [accept({ dev: ["x"] })], false],
    [
      "rules in another order",
      [accept(some), reject({ source: ["y"] }), accept()],
      [reject({ source: ["y"] }), accept(some), accept()],
      false,
    ],
    ["a rejection at the end says nothing", [accept(some), reject()], [accept(some)], true],
    ["rules nobody reaches", [accept(), reject()], [accept()], true],
    ["no metric is not an untouched one", [accept({}, { metric: 0 })], [accept()], false],
    ["no source is not an untouched one", [accept({}, { prefsrc: null })], [accept()], false],
    ["no scope is not an untouched one", [accept({}, { scope: null })], [accept()], false],
    ["nor is scope 0", [accept({}, { scope: 0 })], [accept({}, { scope: null })], false],
    ["realm is not metric", [accept({}, { realm: 5 })], [accept({}, { metric: 5 })], false],
    [
      "metrics in another order",
      [
        accept(
          {},
          {
            metrics: new Map([
              [2, 1400],
              [8, 1200],
            ]),
          },
        ),
      ],
      [
        accept(
          {},
          {
            metrics: new Map([
              [8, 1200],
              [2, 1400],
            ]),
          },
        ),
      ],
      true,
    ],
    ["a metric that goes", [accept({}, { metrics: new Map([[2, 0]]) })], [accept()], false],
  ])("its key: %s", (_why, one, other, equal) => {
    expect(compileFilter("f", one).key === compileFilter("g", other).key).toBe(equal);
  });
});

describe("compileFilter()", () => {
  const address = fc.constantFrom(0, 1, 2, 3).map((i) => (10 << 24) | (i << 22));
  const length = fc.constantFrom(0, 6, 8, 9, 10, 11, 32);
  const prefixOf = (family: Family): fc.Arbitrary<Prefix> =>
    fc.tuple(address, length).map(([w0, bits]) => maskedPrefix(family, [w0, 0, 0, 0], bits));
  const anyPrefix = fc.oneof(prefixOf(4), prefixOf(6));
  const pattern = fc.tuple(anyPrefix, fc.nat(12), fc.nat(12)).map(([p, a, b]) => ({
    ...p,
    from: Math.min(a, b),
    to: Math.max(a, b) === 12 ? maxLength(p.family) : Math.max(a, b),
  }));
  const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 0, maxLength: 3 });
  const ranges = list(fc.tuple(fc.nat(4), fc.nat(4)).map(([a, b]) => ({ from: a, to: a + b })));
  const sourceTypes = fc.constantFrom<RouteSourceType>("static", "direct", "inherit", "pipe");
  const types = fc.constantFrom("unicast" as const, "blackhole" as const, "throw" as const);

  const match: fc.Arbitrary<FilterMatch> = fc.record(
    {
      prefix: list(pattern),
      source: list(fc.constantFrom("a", "ab", "a*", "?b", "*", "b?*")),
      sourceType: list(sourceTypes),
      protocol: list(fc.nat(3)),
      type: list(types),
      gateway: list(anyPrefix),
      dev: list(fc.constantFrom("eth0", "eth*", "tun?", "*1")),
      metric: ranges,
      preference: ranges,
    },
    { requiredKeys: [] },
  );
  const source = fc.constantFrom("192.0.2.1", "2001:db8::1").map((text) => parseIp(text));
  const set: fc.Arbitrary<FilterSet> = fc.record(
    {
      metric: fc.nat(5),
      preference: fc.nat(5),
      prefsrc: fc.option(source),
      scope: fc.option(fc.constantFrom(0, 253)),
      realm: fc.nat(2),
      metrics: fc
        .array(fc.tuple(fc.constantFrom(1, 2, 4, 13), fc.constantFrom(0, 4, 1400, 0x2004)), { maxLength: 3 })
        .map((pairs) => new Map(pairs)),
    },
    { requiredKeys: [] },
  );
  const rule: fc.Arbitrary<FilterRule> = fc.record({
    match,
    action: fc.constantFrom("accept" as const, "reject" as const),
    set,
  });
  const gateway = fc.constantFrom(undefined, "10.0.0.1", "10.64.0.1", "a40::1", "::1");
  const nexthop = fc
    .record({ via: gateway, device: fc.integer({ min: -1, max: 3 }) })
    .map(({ via: gw, device: d }) => (gw === undefined ? { device: d } : { via: gw, device: d }));
  const attrsText: fc.Arbitrary<AttrsText> = fc.record({
    type: types,
    nexthops: fc.array(nexthop, { maxLength: 3 }),
    flow: fc.nat(2),
    metrics: fc.constantFrom<Record<number, number>>({}, { 2: 1500 }, { 1: 0x2004, 2: 1400, 13: 50 }),
  });
  const route = fc.record({
    prefix: anyPrefix,
    attrs: attrsText,
    metric: fc.nat(5),
    preference: fc.nat(5),
    source: fc.constantFrom("a", "ab", "b", "bb1"),
    sourceType: sourceTypes,
    protocol: fc.nat(3),
  });

  it("does what a slow and obvious filter does, and keeps no reference", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 4 }),
        fc.array(route, { minLength: 1, maxLength: 20 }),
        (rules, routes) => {
          const { attrs, context } = setUp();
          const filter = compileFilter("f", rules);
          let accepted = 0;
          for (const { prefix: p, attrs: text, ...rest } of [...routes, ...routes]) {
            const id = attrs.intern(draftOf(text));
            const plain: PlainRoute = { prefix: p, attrs: attrs.describe(id, p.family), ...rest };
            const expected = referenceFilter(rules, plain, deviceName);
            const given: FilteredRoute = { ...p, attrs: id, ...rest };
            expect(filter.apply(given, context)).toBe(expected !== null);
            const { metric, preference } = given;
            const made = { ...plain, metric, preference, attrs: attrs.describe(given.attrs, p.family) };
            expect(made).toEqual(expected ?? plain);
            if (expected !== null) accepted++;
            if (given.attrs !== id) attrs.release(given.attrs);
            attrs.release(id);
          }
          expect(attrs.size).toBe(0);
          if (filter.rejectsAll) expect(accepted).toBe(0);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("makes equal keys only of rules that treat all routes alike", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 3 }), fc.array(rule, { maxLength: 3 }), route, (a, b, text) => {
        const { attrs, context } = setUp();
        const [one, other] = [compileFilter("f", a), compileFilter("f", b)];
        expect(compileFilter("g", structuredClone(a)).key).toBe(one.key);
        if (one.key !== other.key) return;
        const { prefix: p, attrs: words, ...rest } = text;
        const results = [one, other].map((filter) => {
          const given: FilteredRoute = { ...p, attrs: attrs.intern(draftOf(words)), ...rest };
          return [filter.apply(given, context), given];
        });
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 500 },
    );
  });
});
