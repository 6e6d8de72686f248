/** RouteFileParser: what lines mean, what is said about bad ones, and that it agrees with a slow reference. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderProblems } from "../../src/config/problems.ts";
import { RouteFileParser } from "../../src/config/route-file.ts";
import { type Family, formatAddress } from "../../src/lib/ip.ts";
import { formatPrefix } from "../../src/lib/prefix.ts";
import { RouteSet, type RouteSpec } from "../../src/proto/static/config.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { readReference } from "../support/reference-route-file.ts";

function parse(text: string, family: Family = 4): RouteFileParser {
  const parser = new RouteFileParser(new RouteSet(family));
  parser.begin("f");
  const bytes = Buffer.from(`${text}\n`);
  parser.parse(bytes, 0, bytes.length);
  parser.end();
  return parser;
}

function specOf(set: RouteSet, i: number): RouteSpec {
  return set.specs[set.spec[i]!]!;
}

function prefixOf(set: RouteSet, i: number): string {
  const length = set.length[i]!;
  return formatPrefix(set.family, set.word(i, 0), set.word(i, 1), set.word(i, 2), set.word(i, 3), length);
}

function words(spec: RouteSpec): string {
  const hops = spec.nexthops.map(({ via, dev, weight, onlink }) =>
    [
      via && `via ${formatAddress(via)}`,
      dev && `dev ${dev}`,
      weight > 1 && `weight ${weight}`,
      onlink && "onlink",
    ]
      .filter((part) => typeof part === "string")
      .join(" "),
  );
  const rest = [
    spec.recursive && `recursive ${formatAddress(spec.recursive)}`,
    spec.prefsrc && `src ${formatAddress(spec.prefsrc)}`,
    spec.mtu !== null && `mtu ${spec.mtu}`,
    spec.metric !== null && `metric ${spec.metric}`,
  ];
  return [spec.type, ...hops, ...rest].filter((part) => typeof part === "string").join(", ");
}

describe("RouteFileParser reads the words of ip route", () => {
  it.each<[string, string, string, Family]>([
    [
      "198.51.100.0/24 via 192.0.2.2 dev eth0 metric 50",
      "198.51.100.0/24",
      "unicast, via 192.0.2.2 dev eth0, metric 50",
      4,
    ],
    ["  10.0.0.0/8\tdev\teth0  # comment", "10.0.0.0/8", "unicast, dev eth0", 4],
    ["10.0.0.0/8 dev a#b\r", "10.0.0.0/8", "unicast, dev a#b", 4],
    [
      "default via 192.0.2.1 proto dhcp src 192.0.2.9 metric 100 ",
      "0.0.0.0/0",
      "unicast, via 192.0.2.1, src 192.0.2.9, metric 100",
      4,
    ],
    [
      "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.9 linkdown",
      "192.0.2.0/24",
      "unicast, dev eth0, src 192.0.2.9",
      4,
    ],
    ["192.0.2.7 dev eth0", "192.0.2.7/32", "unicast, dev eth0", 4],
    ["blackhole 10.0.0.0/8", "10.0.0.0/8", "blackhole", 4],
    ["unreachable default metric 4294967295", "0.0.0.0/0", "unreachable, metric 4294967295", 4],
    ["throw 10.0.0.0/8 mtu 1400", "10.0.0.0/8", "throw, mtu 1400", 4],
    [
      "unicast 10.0.0.0/8 via inet 192.0.2.1 dev e onlink",
      "10.0.0.0/8",
      "unicast, via 192.0.2.1 dev e onlink",
      4,
    ],
    [
      "10.0.0.0/8 metric 5 \\\tnexthop via 192.0.2.1 dev a weight 1 \\\tnexthop via 192.0.2.2 dev b weight 256 onlink",
      "10.0.0.0/8",
      "unicast, via 192.0.2.1 dev a, via 192.0.2.2 dev b weight 256 onlink, metric 5",
      4,
    ],
    ["10.0.0.0/8 nhid 7 via 192.0.2.1 dev a offload", "10.0.0.0/8", "unicast, via 192.0.2.1 dev a", 4],
    [
      "2001:db8::/32 via fe80::1 dev eth0 proto ra pref medium",
      "2001:db8::/32",
      "unicast, via fe80::1 dev eth0",
      6,
    ],
    ["10.0.0.0/8 via inet6 fe80::1 dev eth0", "10.0.0.0/8", "unicast, via fe80::1 dev eth0", 4],
    [
      "10.0.0.0/8 nexthop via inet6 2001:db8::1 nexthop via inet 192.0.2.1",
      "10.0.0.0/8",
      "unicast, via 2001:db8::1, via 192.0.2.1",
      4,
    ],
    ["198.51.100.0/24 recursive 10.1.2.3", "198.51.100.0/24", "unicast, recursive 10.1.2.3", 4],
    [
      "unicast default recursive 2001:db8::1 mtu 1400 metric 5",
      "::/0",
      "unicast, recursive 2001:db8::1, mtu 1400, metric 5",
      6,
    ],
    ["default via fe80::1 dev eth0", "::/0", "unicast, via fe80::1 dev eth0", 6],
    ["dead:beef::/32 dev eth0", "dead:beef::/32", "unicast, dev eth0", 6],
    ["::ffff:192.0.2.0/120 dev eth0", "::ffff:192.0.2.0/120", "unicast, dev eth0", 6],
    [
      "unreachable 2001:db8::/32 dev lo metric 1024 error -101 pref medium",
      "2001:db8::/32",
      "unreachable, metric 1024",
      6,
    ],
  ])("%s", (line, prefix, spec, family) => {
    const { set, problems } = parse(line, family);
    expect(renderProblems(problems)).toBe("");
    expect(set.count).toBe(1);
    expect(prefixOf(set, 0)).toBe(prefix);
    expect(words(specOf(set, 0))).toBe(spec);
  });

  it("skips comments and empty lines, and counts them", () => {
    const { set, problems } = parse("# head\n\n \t\n\r\n  # x\n10.0.0.0/8 dev a\n");
    expect(problems).toEqual([]);
    expect(set.count).toBe(1);
    expect(set.where(0)).toBe("f:6");
  });

  it("shares one spec between equal tails, not between types", () => {
    const { set } = parse(
      "10.0.0.0/8 dev a\n11.0.0.0/8  dev a # x\nblackhole 12.0.0.0/8\nprohibit 13.0.0.0/8",
    );
    expect(set.specs).toHaveLength(3);
    expect(Array.from(set.spec.subarray(0, 4))).toEqual([0, 0, 1, 2]);
  });

  it.each([
    [1, "nonsense"],
    [40_000, "too few"],
    [100_000, "about right"],
    [2 ** 40, "more than room is made for"],
  ])("makes room for routes when told of %d bytes, and reads the same", async (bytes, why) => {
    const lines = Array.from({ length: 5000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24 dev a`);
    const pieces = [lines.slice(0, 1000), lines.slice(1000)].map((some) =>
      Buffer.from(`${some.join("\n")}\n`),
    );
    const parser = new RouteFileParser(new RouteSet(4));
    parser.expect(bytes);
    parser.begin("f");
    for (const piece of pieces) {
      parser.parse(piece, 0, piece.length);
      await parser.makeRoom(new FakeClock());
    }
    const { set } = parser;
    expect(set.count, why).toBe(5000);
    expect(set.length.length).toBeLessThan(6_000_000);
    for (let i = 0; i < 5000; i++) {
      expect(set.find(set.word(i, 0), 0, 0, 0, 24)).toBe(i);
    }
    expect(set.find(0x0b000000, 0, 0, 0, 24)).toBe(-1);
  });

  it("keeps the bytes of a device name", () => {
    expect(specOf(parse("10.0.0.0/8 dev \u00fcber").set, 0).nexthops[0]?.dev).toBe("\u00c3\u00bcber");
  });
});

describe("RouteFileParser says what is wrong", () => {
  const rival = (key: string) => `A recursive route has no ${key}: it goes where packets to its address go`;
  it.each<[string, string, string, string?]>([
    ["10.0.0.0/8 via 192.0.2.1 dve eth0", "dve", 'Unknown word "dve"', 'did you mean "dev"?'],
    ["10.0.0.0/8 \u00e9\u00e8", "\u00e9", 'Unknown word "\u00e9\u00e8"'],
    ["10.0.0.0/8", "10", "The route says neither via nor dev", "a route that discards has a type: blackhole"],
    [
      "  10.0.0.1/8 dev a",
      "10",
      'Prefix "10.0.0.1/8" has bits set beyond its length 8',
      'did you mean "10.0.0.0/8"?',
    ],
    ["10.0.0.0/8x dev a", "10", '"10.0.0.0/8x" is not a prefix (ADDRESS/LENGTH)'],
    ["2001:db8::/32 dev a", "2001", "Prefix 2001:db8::/32 is IPv6, the table is IPv4"],
    ["blackhole", "", "The prefix is missing"],
    [
      "blackhole 10.0.0.0/8 dev a",
      "a",
      "A blackhole route has no nexthop: it forwards nothing",
      "remove via, dev and nexthops",
    ],
    [
      "blackole 10.0.0.0/8",
      "b",
      'A line begins with a prefix, default or a route type, not "blackole"',
      'did you mean "blackhole"?',
    ],
    ["local 10.0.0.0/8 dev a", "local", "A static route cannot be of type local"],
    [
      "nexthop via 192.0.2.1",
      "next",
      "A nexthop stands on the line of its route",
      "`ip -o route show` prints one route a line",
    ],
    ["10.0.0.0/8 via", "via", "via needs a value"],
    ["10.0.0.0/8 via eth0", "eth0", 'via must be an IP address, not "eth0"'],
    [
      "10.0.0.0/8 via inet6 fe80::1",
      "fe80",
      "Gateway fe80::1 is link-local and needs dev",
      "say on which interface it is",
    ],
    ["10.0.0.0/8 via inet6 192.0.2.1", "192", "Gateway 192.0.2.1 is IPv4, the word before it says IPv6"],
    ["10.0.0.0/8 via inet", "via", "via needs a value"],
    ["10.0.0.0/8 recursive inet 10.1.2.3", "inet", 'recursive must be an IP address, not "inet"'],
    ["10.0.0.0/8 recursive 10.1.2.3 dev a", "a", rival("dev")],
    ["10.0.0.0/8 via 192.0.2.1 recursive 10.1.2.3", "192", rival("via")],
    ["10.0.0.0/8 nexthop dev a recursive 10.1.2.3", "a r", rival("dev")],
    ["10.0.0.0/8 recursive ::1", "::1", "recursive ::1 is IPv6, the table is IPv4"],
    ["10.0.0.0/8 recursive 10.1.2.3 recursive 10.1.2.4", "recursive 10.1.2.4", "recursive is there twice"],
    [
      "blackhole 10.0.0.0/8 recursive 10.1.2.3",
      "10.1.2.3",
      "A blackhole route goes nowhere, so it is not recursive",
    ],
    ["10.0.0.0/8 via 192.0.2.1 via 192.0.2.2", "via 192.0.2.2", "via is there twice"],
    [
      "10.0.0.0/8 via 192.0.2.1 onlink",
      "onlink",
      "onlink needs dev: it says that the gateway is directly reachable on that interface",
    ],
    ["10.0.0.0/8 dev a metric 0", "0", 'metric must be a whole number from 1 to 4294967295, not "0"'],
    ["10.0.0.0/8 dev a metric 1 metric 2", "metric 2", "metric is there twice"],
    ["10.0.0.0/8 dev a mtu 65521", "65521", 'mtu must be a whole number from 68 to 65520, not "65521"'],
    ["10.0.0.0/8 dev a src ::1", "::1", "prefsrc ::1 is IPv6, the prefix is IPv4"],
    ["10.0.0.0/8 dev a table 5", "table", "A route cannot name a table: it belongs to that of its protocol"],
    ["10.0.0.0/8 dev a tos 4", "tos", "tos is not supported in this version"],
    ["10.0.0.0/8 dev a weight 4", "weight", "weight belongs to a nexthop", "nexthop via … weight …"],
    ["10.0.0.0/8 nexthop", "nexthop", "The nexthop says neither via nor dev"],
    [
      "10.0.0.0/8 nexthop via 192.0.2.1 nexthop dev a/b",
      "a/b",
      'Interface name "a/b" is impossible: no spaces, "/" or ":"',
    ],
    [
      "10.0.0.0/8 nexthop via 192.0.2.1 nexthop via 192.0.2.1",
      "192",
      "The same nexthop is there already, as number 1",
      "give it a greater weight",
    ],
    [
      "10.0.0.0/8 dev a nexthop via 192.0.2.1",
      "nexthop",
      "The route has both a nexthop of its own and a list of nexthops",
    ],
  ])("%s", (line, caret, message, hint) => {
    const column = caret === "" ? line.length + 1 : line.lastIndexOf(caret) + 1;
    const text = `f:1:${column}: ${message}\n    1 | ${line}\n      | ${" ".repeat(column - 1)}^\n`;
    expect(renderProblems(parse(line).problems)).toBe(hint === undefined ? text : `${text}  ${hint}\n`);
  });

  it("naming the earlier place of a doubled prefix", () => {
    const { set, problems } = parse("10.0.0.0/8 dev a\n\n11.0.0.0/8 dev a\n 10.0.0.0/8 dev b");
    expect(set.count).toBe(2);
    expect(problems).toMatchObject([{ line: 4, column: 2, message: "This prefix is there already, at f:1" }]);
  });

  it("at each line with the same bad tail, up to 20, and counts the rest", () => {
    const { problems } = parse(
      Array.from({ length: 30 }, (_, i) => `10.${i}.0.0/16 vai 192.0.2.1`).join("\n"),
    );
    expect(problems).toHaveLength(21);
    expect(problems[19]).toMatchObject({ line: 20, column: 14, message: 'Unknown word "vai"' });
    expect(renderProblems(problems.slice(20))).toBe("f: … and 10 more problems\n");
  });

  it("without sending control characters to the terminal", () => {
    expect(renderProblems(parse("10.0.0.0/8 \u001b[31m").problems)).toBe(
      'f:1:12: Unknown word "\\x1b[31m"\n    1 | 10.0.0.0/8 \\x1b[31m\n      |            ^\n',
    );
  });
});

describe("RouteFileParser agrees with the reference", () => {
  const prefix4 = fc.constantFrom(
    "10.0.0.0/8",
    "10.1.0.0/16",
    "192.0.2.1",
    "default",
    "10.0.0.1/8",
    "0.0.0.0/0",
    "300.0.0.0/8",
    "172.16.0.0/12",
    "dead::/16",
  );
  const prefix6 = fc.constantFrom(
    "2001:db8::/32",
    "::/0",
    "default",
    "dead:beef::/32",
    "2001:db8::1",
    "::1/64",
    "2001:DB8:0:1::/64",
    "1.2.3.4/32",
  );
  const type = fc.constantFrom("", "", "", "unicast ", "blackhole\t", "prohibit ", "blakhole ");
  const hop = fc.constantFrom(
    "via 192.0.2.1",
    "via 2001:db8::1",
    "via inet6 2001:db8::1",
    "via inet 192.0.2.3",
    "via inet6 192.0.2.3",
    "dev eth0",
    "dev a/b",
    "via 192.0.2.2 dev eth1",
  );
  const part = fc.oneof(
    hop,
    hop.map((text) => `nexthop ${text}`),
    hop.map((text) => `nexthop ${text} weight 3`),
    fc.constantFrom(
      "recursive 10.1.2.3",
      "recursive 2001:db8::5",
      "metric 5",
      "metric 0",
      "metric",
      "proto static",
      "scope link",
      "weight 2",
      "bogus 1",
      "# nexthop",
    ),
  );
  const gap = fc.constantFrom(" ", "  ", "\t");
  const end = fc.constantFrom("", " ", "\r", " # via", "\t#", "#x");
  const line = (prefix: fc.Arbitrary<string>) =>
    fc
      .tuple(fc.constantFrom("", " "), type, prefix, fc.array(fc.tuple(gap, part), { maxLength: 3 }), end)
      .map(
        ([indent, kind, net, parts, tail]) =>
          indent + kind + net + parts.map(([g, p]) => g + p).join("") + tail,
      );
  const text = (prefix: fc.Arbitrary<string>) =>
    fc.array(fc.oneof({ weight: 9, arbitrary: line(prefix) }, fc.constantFrom("", "#", " \t", "\r")), {
      maxLength: 12,
    });

  it.each<[Family, fc.Arbitrary<string>]>([
    [4, prefix4],
    [6, prefix6],
  ])("on routes, doubles and mistakes of IPv%s", (family, prefix) => {
    fc.assert(
      fc.property(text(prefix), (lines) => {
        const { set, problems } = parse(lines.join("\n"), family);
        const expected = readReference(lines.join("\n"), family);
        expect(problems.map((problem) => problem.line)).toEqual(expected.wrong);
        const found = Array.from({ length: set.count }, (_, i) => {
          const { type: kind, nexthops, metric, recursive } = specOf(set, i);
          return {
            prefix: prefixOf(set, i),
            line: Number(set.where(i).slice(2)),
            type: kind,
            nexthops: nexthops.map(({ via, dev, weight }) => ({
              via: via && formatAddress(via),
              dev,
              weight,
            })),
            metric,
            recursive: recursive && formatAddress(recursive),
          };
        });
        expect(found).toEqual(expected.routes);
      }),
      { numRuns: 3000 },
    );
  });

  it("and never throws, on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom<Family>(4, 6), (bytes, family) => {
        const parser = new RouteFileParser(new RouteSet(family));
        parser.begin("f");
        parser.parse(Buffer.concat([bytes, Buffer.from("\n")]), 0, bytes.length + 1);
        renderProblems(parser.problems);
      }),
      { numRuns: 2000 },
    );
  });
});
