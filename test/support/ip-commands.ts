/**
 * Random `ip` commands in a small universe, so that they meet each other: the same prefixes, gateways that are
 * sometimes reachable, devices that go up and down. For the property "the model kernel equals the real one".
 */

import * as fc from "fast-check";

/** Devices that always have a carrier, and addresses that skip DAD: what a command did is visible at once. */
export const UNIVERSE: readonly string[] = [
  "link set lo up",
  "link add d0 type ifb",
  "link add d1 type ifb",
  "link set d0 up",
  "link set d1 up",
  "addr add 10.0.0.1/24 dev d0",
  "addr add 10.1.0.1/24 dev d1",
  "addr add 2001:db8::1/64 dev d0 nodad",
  "addr add 2001:db8:1::1/64 dev d1 nodad",
];

interface FamilyWords {
  readonly prefixes: readonly string[];
  readonly gateways: readonly string[];
  readonly sources: readonly string[];
  readonly metrics: readonly string[];
  readonly addresses: readonly string[];
}

const IPV4: FamilyWords = {
  prefixes: [
    "192.0.2.0/24",
    "192.0.2.0/24",
    "192.0.2.0/25",
    "10.0.0.0/24",
    "10.1.0.2/32",
    "0.0.0.0/0",
    "192.0.2.1/24",
  ],
  gateways: [
    "10.0.0.2",
    "10.0.0.2",
    "10.0.0.3",
    "10.1.0.2",
    "10.1.0.3",
    "10.0.0.1",
    "10.0.0.255",
    "192.0.2.7",
    "10.2.0.9",
  ],
  sources: ["10.0.0.1", "10.1.0.1", "10.2.0.1", "10.9.9.9"],
  metrics: ["", "", "", " metric 5", " metric 32", " metric 32"],
  addresses: ["10.0.0.1/24", "10.0.0.9/24", "10.1.0.1/24", "10.2.0.1/16", "10.0.0.1/16", "10.3.0.1/32"],
};

const IPV6: FamilyWords = {
  prefixes: [
    "2001:db8:10::/48",
    "2001:db8:10::/48",
    "2001:db8:10::/49",
    "2001:db8::/64",
    "2001:db8:1::2/128",
    "::/0",
    "2001:db8:10::1/48",
  ],
  gateways: [
    "2001:db8::2",
    "2001:db8::2",
    "2001:db8::3",
    "2001:db8:1::2",
    "2001:db8:1::3",
    "2001:db8::1",
    "fe80::1",
    "2001:db8:10::7",
    "2001:db8:77::1",
  ],
  sources: ["2001:db8::1", "2001:db8:1::1", "2001:db8::9"],
  metrics: ["", "", "", " metric 5", " metric 32", " metric 32", " metric 256", " metric 1024"],
  addresses: [
    "2001:db8::1/64",
    "2001:db8::5/64",
    "2001:db8:1::1/64",
    "2001:db8:2::1/128",
    "2001:db8:10::7/48",
  ],
};

/** `weight` of a hundred times ` word VALUE`, else nothing. */
function sometimes(percent: number, word: string, values: readonly string[]): fc.Arbitrary<string> {
  const given = fc.constantFrom(...values).map((value) => ` ${word}${value === "" ? "" : ` ${value}`}`);
  return fc.oneof(
    { weight: 100 - percent, arbitrary: fc.constant("") },
    { weight: percent, arbitrary: given },
  );
}

const DEVICES = ["d0", "d0", "d1", "d1", "lo"];

function nexthop(words: FamilyWords): fc.Arbitrary<string> {
  const others = words === IPV4 ? ["inet6 fe80::1", "inet6 2001:db8::2"] : [];
  const via = fc.constantFrom(...words.gateways, ...others).map((gateway) => ` via ${gateway}`);
  const dev = fc.constantFrom(...DEVICES).map((device) => ` dev ${device}`);
  const both = fc.tuple(via, dev, sometimes(30, "onlink", [""])).map((parts) => parts.join(""));
  return fc.oneof(
    { weight: 5, arbitrary: via },
    { weight: 3, arbitrary: both },
    { weight: 2, arbitrary: dev },
  );
}

function nexthops(words: FamilyWords): fc.Arbitrary<string> {
  const one = nexthop(words);
  const member = fc
    .tuple(one, sometimes(30, "weight", ["2", "7"]))
    .map(([hop, weight]) => ` nexthop${hop}${weight}`);
  const several = fc.array(member, { minLength: 2, maxLength: 3 }).map((members) => members.join(""));
  return fc.oneof({ weight: 7, arbitrary: one }, { weight: 3, arbitrary: several });
}

function key(words: FamilyWords): fc.Arbitrary<string> {
  const tos = words === IPV4 ? sometimes(8, "tos", ["0x10"]) : fc.constant("");
  return fc
    .tuple(
      fc.constantFrom(...words.prefixes),
      tos,
      fc.constantFrom(...words.metrics),
      sometimes(25, "table", ["1000"]),
      // By number: iproute2 6.1 takes the last number for a name it met before ("static" … "120" … "static").
      sometimes(40, "proto", ["4", "120"]),
    )
    .map((parts) => parts.join(""));
}

function addRoute(words: FamilyWords): fc.Arbitrary<string> {
  const verb = fc.constantFrom("add", "add", "append", "append", "prepend", "replace", "replace", "change");
  const details = fc
    .tuple(
      sometimes(10, "src", words.sources),
      sometimes(10, "mtu", ["1400", "1400", "70000", "0"]),
      sometimes(4, "congctl", ["cubic", "cubic", "no-such"]),
      words === IPV4 ? sometimes(6, "scope", ["link", "host", "global"]) : fc.constant(""),
      words === IPV4 ? sometimes(4, "realm", ["5"]) : fc.constant(""),
    )
    .map((parts) => parts.join(""));
  const unicast = fc
    .tuple(verb, key(words), details, nexthops(words))
    .map(([v, k, d, hops]) => `route ${v} ${k}${d}${hops}`);
  const reject = fc
    .tuple(verb, fc.constantFrom("blackhole", "unreachable", "prohibit", "throw"), key(words))
    .map(([v, type, k]) => `route ${v} ${type} ${k}`);
  return fc.oneof({ weight: 8, arbitrary: unicast }, { weight: 2, arbitrary: reject });
}

function deleteRoute(words: FamilyWords): fc.Arbitrary<string> {
  const hops = fc.oneof(
    { weight: 5, arbitrary: fc.constant("") },
    { weight: 5, arbitrary: nexthops(words).map((text) => text.replace(" onlink", "")) },
  );
  const type = fc.constantFrom("", "", "", "", "blackhole ", "unicast ");
  const source = sometimes(6, "src", words.sources);
  const scope = words === IPV4 ? sometimes(6, "scope", ["link", "global"]) : fc.constant("");
  return fc.tuple(type, key(words), source, scope, hops).map((parts) => `route del ${parts.join("")}`);
}

function address(words: FamilyWords): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom("add", "del"), fc.constantFrom(...words.addresses), fc.constantFrom("d0", "d1"))
    .map(([verb, text, device]) => {
      const nodad = verb === "add" && words === IPV6 ? " nodad" : "";
      return `addr ${verb} ${text} dev ${device}${nodad}`;
    });
}

const link = fc
  .tuple(fc.constantFrom("d0", "d1"), fc.constantFrom("up", "up", "down"))
  .map(([device, state]) => `link set ${device} ${state}`);

const device = fc.constantFrom("link del d1", "link add d1 type ifb");

/** One command. */
export const command: fc.Arbitrary<string> = fc.oneof(
  { weight: 24, arbitrary: addRoute(IPV4) },
  { weight: 9, arbitrary: deleteRoute(IPV4) },
  { weight: 24, arbitrary: addRoute(IPV6) },
  { weight: 9, arbitrary: deleteRoute(IPV6) },
  { weight: 8, arbitrary: link },
  { weight: 7, arbitrary: address(IPV4) },
  { weight: 7, arbitrary: address(IPV6) },
  { weight: 2, arbitrary: device },
);
