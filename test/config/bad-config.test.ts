/** Every mistake krt.yaml can hold, and the exact words for it. */

import { afterAll, describe, expect, it } from "vitest";
import { ConfigDir } from "../support/config-dir.ts";
import { type Mistake, rendered } from "../support/config-mistake.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const TOP: Mistake[] = [
  ["lgo: {level: info}", "lgo", 'Unknown key "lgo"', 'did you mean "log"?'],
  ["zebra: 1", "zebra", 'Unknown key "zebra"'],
  ["safety: 50", "50", "safety must be a mapping (key: value), not 50"],
  [
    "safety: {max-delete-percents: 50}",
    "max-delete-percents",
    'Unknown key "max-delete-percents" in safety',
    'did you mean "max-delete-percent"?',
  ],
  ["safety: {max-delete-percent: 0}", "0", "max-delete-percent must be a whole number from 1 to 100, not 0"],
  [
    "safety: {max-delete-percent: 101}",
    "101",
    "max-delete-percent must be a whole number from 1 to 100, not 101",
  ],
  [
    "safety: {max-delete-percent: 50%}",
    "50%",
    'max-delete-percent must be a whole number from 1 to 100, not "50%"',
  ],
  ["safety: {protect: default}", "default", 'protect must be a list of prefix patterns, not "default"'],
  ["safety: {protect: [5]}", "5", "item 1 of protect must be a prefix pattern such as 192.0.2.0/24+, not 5"],
  [
    "safety: {protect: [default, 192.0.2.1/24]}",
    "192.0.2.1/24",
    'Prefix "192.0.2.1/24" has bits set beyond its length 24',
    'did you mean "192.0.2.0/24"?',
  ],
  [
    "safety: {protect: ['10.0.0.0/8{30,20}']}",
    "'10",
    'Pattern "10.0.0.0/8{30,20}" fits nothing: the first length is the shortest',
    'did you mean "10.0.0.0/8{20,30}"?',
  ],
  ["metrics: {}", "metrics", "metrics is not supported in this version"],
  ["former-protocol-ids: 121", "121", "former-protocol-ids must be a list of numbers, not 121"],
  [
    "former-protocol-ids: [4]",
    "4",
    "item 1 of former-protocol-ids must be a whole number from 5 to 255, not 4",
  ],
  ["former-protocol-ids: [5, 120]", "120", "120 is the protocol-id of now, not a former one"],
  ["former-protocol-ids: [5, 6, 5]", "5]", "5 is there twice"],
  ["graceful-restart: true", "true", "graceful-restart must be a mapping (key: value), not true"],
  ["graceful-restart: {wait: 0}", "0", "wait must be from 10ms to 1d, not 0"],
  ["graceful-restart: {wait: 2d}", "2d", "wait must be from 10ms to 1d, not 2d"],
  ["router-id: 1.2.3", "1.2.3", 'router-id must be an IP address, not "1.2.3"'],
  ["router-id: '::1'", "'::1'", "router-id must be an IPv4 address other than 0.0.0.0, not ::1"],
  ["router-id: 1.2", "1.2", "router-id must be an IP address, not 1.2"],
  ["protocol-id: 4", "4", "protocol-id must be a whole number from 5 to 255, not 4"],
  ["protocol-id: 0x100", "0x100", "protocol-id must be a whole number from 5 to 255, not 0x100"],
  ["protocol-id: 5.5", "5.5", "protocol-id must be a whole number from 5 to 255, not 5.5"],
  ["protocol-id: bird", "bird", 'protocol-id must be a whole number from 5 to 255, not "bird"'],
  [
    "log: {level: inof}",
    "inof",
    'level must be error, warn, info or debug, not "inof"',
    'did you mean "info"?',
  ],
  ["log: {levle: info}", "levle", 'Unknown key "levle" in log', 'did you mean "level"?'],
  ["log: info", "info", 'log must be a mapping (key: value), not "info"'],
  ["log: [info]", "[", "log must be a mapping (key: value), not a list"],
  ["control: {socket: krtd.sock}", "krtd.sock", 'socket must be an absolute path, not "krtd.sock"'],
  ["control: {socket: /run/}", "/run/", "socket must be the path of a file, not of a directory"],
  [
    `control: {socket: /${"é".repeat(54)}}`,
    `/${"é".repeat(54)}`,
    "The path of the socket has 109 bytes, at most 107 are possible",
  ],
  ["control: {mode: 0668}", "0668", 'mode must be three octal digits such as "0660", not 0668'],
  ["control: {mode: rw}", "rw", 'mode must be three octal digits such as "0660", not "rw"'],
  ["control: {read-only-socket: null}", "read", "read-only-socket is not supported in this version"],
  [
    "netlink: {rx-buffer: 16MB}",
    "16MB",
    'rx-buffer must be a size such as 16MiB or 64KiB (a bare number is bytes), not "16MB"',
  ],
  ["netlink: {rx-buffer: 1KiB}", "1KiB", "rx-buffer must be from 64KiB to 1023MiB, not 1KiB"],
  ["netlink: {transport: udp}", "udp", 'transport must be socket or node-netlink, not "udp"'],
  [
    "device: {scan-time: fast}",
    "fast",
    'scan-time must be a duration such as 10s, 500ms or 2m (a bare number is seconds), not "fast"',
  ],
  [
    "device: {scan-time: -1}",
    "-1",
    "scan-time must be a duration such as 10s, 500ms or 2m (a bare number is seconds), not -1",
  ],
  ["device: {scan-time: 1ms}", "1ms", "scan-time must be 0 or from 10ms to 1d, not 1ms"],
  ["device: {scan-time: 2d}", "2d", "scan-time must be 0 or from 10ms to 1d, not 2d"],
  ["device: {require-address: yes}", "yes", 'require-address must be true or false, not "yes"', "write true"],
  [
    "device: {require-address: off}",
    "off",
    'require-address must be true or false, not "off"',
    "write false",
  ],
  [
    "device: {interfaces: [eth0]}",
    "[",
    "interfaces must be a mapping of patterns (PATTERN: {preferred: …}), not a list",
  ],
  ["device: {interfaces: {eth0: {}}}", "{}", "preferred is missing"],
  [
    "device: {interfaces: {eth0: 192.0.2.1}}",
    "192",
    'eth0 must be a mapping such as {preferred: 192.0.2.10}, not "192.0.2.1"',
  ],
  [
    "device: {interfaces: {eth0: {preferred: 192.0.2.1/24}}}",
    "192",
    'preferred must be an IP address, not "192.0.2.1/24"',
    'did you mean "192.0.2.1"?',
  ],
  [
    "device: {interfaces: {eth0: {preferred: 0.0.0.0}}}",
    "0.0.0.0}",
    "preferred 0.0.0.0 is no address of a host",
  ],
  [
    'device: {interfaces: {"a b": {preferred: 192.0.2.1}}}',
    '"a b',
    'Pattern "a b" fits no interface: a name has no spaces, "/" or ":"',
  ],
  [
    'device: {interfaces: {"abcdefgh*ijklmnop": {preferred: 192.0.2.1}}}',
    '"abc',
    'Pattern "abcdefgh*ijklmnop" fits no interface: a name has at most 15 bytes',
  ],
  [
    "tables: {blue4: {family: ipv5}}",
    "ipv5",
    'family must be ipv4 or ipv6, not "ipv5"',
    'did you mean "ipv4"?',
  ],
  ["tables: {blue4: {}}", "{}", "family is missing"],
  ["tables: {blue4: }", "}", "blue4 must be a mapping such as {family: ipv4}, not nothing"],
  ["tables: {master6: {family: ipv4}}", "ipv4", "Table master6 is always IPv6"],
  ["tables: {all: {family: ipv4}}", "all", '"all" cannot be the name of a table'],
  [
    "tables: {4blue: {family: ipv4}}",
    "4blue",
    'Name "4blue" must begin with a letter and hold only letters, digits, ".", "_" and "-", at most 64',
  ],
  ["__proto__: 1", "__proto__", 'Unknown key "__proto__"'],
  ["constructor: 1", "constructor", 'Unknown key "constructor"'],
  ["? [a, b]", "[a", "A key must be a word"],
  ["- a", "- a", "The file must be a mapping (key: value), not a list"],
  ["router-id", "router-id", 'The file must be a mapping (key: value), not "router-id"'],
];

const NETNS_HINT = "a name as `ip netns` shows it, or the absolute path of a namespace's file";

const KERNEL: Mistake[] = [
  ["  k: {table: mastre4}", "mastre4", 'Unknown table "mastre4"', 'did you mean "master4"?'],
  ["  k: {table: purple}", "purple", 'Unknown table "purple"', "name it under tables:"],
  ["  k: {kernel-table: mian}", "mian", 'Unknown kernel table "mian"', 'did you mean "main"?'],
  [
    "  k: {kernel-table: nothing-like-it}",
    "nothing",
    'Unknown kernel table "nothing-like-it"',
    "names come from rt_tables of iproute2; a number works always",
  ],
  ["  k: {kernel-table: 255}", "255", "Kernel table 255 (local) belongs to the kernel"],
  ["  k: {kernel-table: local}", "local", "Kernel table 255 (local) belongs to the kernel"],
  [
    "  k: {kernel-table: 0}",
    "0",
    "kernel-table must be a kernel table: a number from 1 to 4294967295, or a name such as main, not 0",
  ],
  ['  k: {kernel-table: "0"}', '"0"', "kernel-table must be from 1 to 4294967295, not 0"],
  [
    "  k: {metric: 4294967296}",
    "4294967296",
    "metric must be a whole number from 0 to 4294967295, not 4294967296",
  ],
  ["  k: {table: master6, metric: 0}", "0", "metric must not be 0 for IPv6: the kernel takes it for 1024"],
  ["  k: {learn: some}", "some", 'learn must be true, false or all, not "some"'],
  ["  k: {learn: no}", "no", 'learn must be true, false or all, not "no"', "write false"],
  ["  k: {import: 5}", "5", "import must be all, none or the name of a filter, not 5"],
  ["  k: {scan-tme: 20s}", "scan-tme", 'Unknown key "scan-tme" in kernel.k', 'did you mean "scan-time"?'],
  [
    "  k: {merge-paths: 1}",
    "1",
    "merge-paths must be true, false or a whole number from 2 to 128 (IPv6: 64), not 1",
  ],
  [
    "  k: {merge-paths: 129}",
    "129",
    "merge-paths must be true, false or a whole number from 2 to 128 (IPv6: 64), not 129",
  ],
  ["  k: {table: master6, merge-paths: 65}", "65", "merge-paths must be at most 64 for IPv6, not 65"],
  [
    "  k: {merge-paths: on}",
    "on",
    'merge-paths must be true, false or a whole number from 2 to 128 (IPv6: 64), not "on"',
    "write true",
  ],
  [
    "  k: {netns: 5}",
    "5",
    "netns must be the name of a network namespace or the absolute path of one, not 5",
  ],
  ["  k: {netns: ''}", "''", "netns is empty", NETNS_HINT],
  ["  k: {netns: run/blue}", "run", 'netns must be a name or an absolute path, not "run/blue"', NETNS_HINT],
  ["  k: {netns: //}", "//", "netns must be the path of a file, not of a directory", NETNS_HINT],
  ["  k: {netns: .}", ".", 'netns must be a name or an absolute path, not "."', NETNS_HINT],
  ["  k: {netns: ..}", "..}", 'netns must be a name or an absolute path, not ".."', NETNS_HINT],
  ['  k: {netns: "a\\0b"}', '"a', "netns holds a NUL character", NETNS_HINT],
  ["  k: 3", "3", "k must be a mapping (key: value), not 3"],
  ["  device: {}", "device", '"device" cannot be the name of a protocol'],
];

const rival = (key: string) => `A recursive route has no ${key}: it goes where packets to its address go`;

const ROUTE: Mistake[] = [
  [
    "  - 10.0.0.0/8",
    "10",
    'item 1 of routes must be a mapping such as {prefix: 192.0.2.0/24, via: 192.0.2.1}, not "10.0.0.0/8"',
  ],
  ["  - {via: 192.0.2.1}", "{", "prefix is missing"],
  ["  - {prefix: 10.0.0.0, dev: a}", "10", 'Prefix "10.0.0.0" has no length', 'did you mean "10.0.0.0/32"?'],
  [
    "  - {prefix: 10.0.0.1/8, dev: a}",
    "10",
    'Prefix "10.0.0.1/8" has bits set beyond its length 8',
    'did you mean "10.0.0.0/8"?',
  ],
  [
    "  - {prefix: 10.0.0.0/33, dev: a}",
    "10",
    'Prefix "10.0.0.0/33" has length 33, an IPv4 prefix has at most 32',
  ],
  ["  - {prefix: ten, dev: a}", "ten", '"ten" is not a prefix (ADDRESS/LENGTH)'],
  [
    "  - {prefix: 10, dev: a}",
    "10",
    "prefix must be a prefix such as 192.0.2.0/24 or 2001:db8::/32, or default, not 10",
  ],
  ["  - {prefix: 2001:db8::/32, dev: a}", "2001", "Prefix 2001:db8::/32 is IPv6, the table is IPv4"],
  [
    "  - {prefix: 10.0.0.0/8}",
    "{",
    "The route says neither via nor dev",
    "a route that discards has a type: blackhole",
  ],
  [
    "  - {prefix: 10.0.0.0/8, vai: 192.0.2.1}",
    "vai",
    'Unknown key "vai" in static.s.routes[0]',
    'did you mean "via"?',
  ],
  ["  - {prefix: 10.0.0.0/8, recursive: eth0}", "eth0", 'recursive must be an IP address, not "eth0"'],
  [
    "  - {prefix: 10.0.0.0/8, recursive: 2001:db8::1}",
    "2001",
    "recursive 2001:db8::1 is IPv6, the table is IPv4",
  ],
  ["  - {prefix: 10.0.0.0/8, recursive: 224.0.0.1}", "224", "recursive 224.0.0.1 is no address of a host"],
  ["  - {prefix: 10.0.0.0/8, recursive: 10.1.2.3, via: 192.0.2.1}", "via", rival("via")],
  ["  - {prefix: 10.0.0.0/8, dev: a, recursive: 10.1.2.3}", "dev", rival("dev")],
  ["  - {prefix: 10.0.0.0/8, recursive: 10.1.2.3, onlink: false}", "onlink", rival("onlink")],
  ["  - {prefix: 10.0.0.0/8, recursive: 10.1.2.3, nexthops: []}", "nexthops", rival("nexthops")],
  ["  - {prefix: 10.0.0.0/8, recursive: 10.1.2.3, type: unicast}", "type", rival("type")],
  ["  - {prefix: 10.0.0.0/8, recursive: []}", "[", "recursive must be an IP address, not a list"],
  [
    "  - {prefix: 10.0.0.0/8, via: 192.0.2.1/24}",
    "192",
    'via must be an IP address, not "192.0.2.1/24"',
    'did you mean "192.0.2.1"?',
  ],
  ["  - {prefix: 10.0.0.0/8, via: eth0}", "eth0", 'via must be an IP address, not "eth0"'],
  [
    "  - {prefix: 10.0.0.0/8, via: 'fe80::1'}",
    "'fe80",
    "Gateway fe80::1 is link-local and needs dev",
    "say on which interface it is",
  ],
  ["  - {prefix: 10.0.0.0/8, via: 'ff02::1', dev: a}", "'ff02", "Gateway ff02::1 is a multicast address"],
  ["  - {prefix: 10.0.0.0/8, via: 0.0.0.0}", "0.0.0.0}", "Gateway 0.0.0.0 is no address"],
  ["  - {prefix: 10.0.0.0/8, via: 224.0.0.1}", "224", "Gateway 224.0.0.1 is a multicast address"],
  ["  - {prefix: 10.0.0.0/8, dev: a/b}", "a/b", 'Interface name "a/b" is impossible: no spaces, "/" or ":"'],
  ["  - {prefix: 10.0.0.0/8, dev: a b}", "a b", 'Interface name "a b" is impossible: no spaces, "/" or ":"'],
  ["  - {prefix: 10.0.0.0/8, dev: ..}", "..", 'Interface name ".." is impossible: no spaces, "/" or ":"'],
  ["  - {prefix: 10.0.0.0/8, dev: ''}", "''", "dev is empty"],
  [
    "  - {prefix: 10.0.0.0/8, dev: abcdefghijklmnop}",
    "abc",
    'Interface name "abcdefghijklmnop" has 16 bytes, at most 15 are possible',
  ],
  ["  - {prefix: 10.0.0.0/8, dev: 5}", "5", "dev must be the name of an interface, not 5"],
  [
    "  - {prefix: 10.0.0.0/8, via: 192.0.2.1, onlink: true}",
    "true",
    "onlink needs dev: it says that the gateway is directly reachable on that interface",
  ],
  [
    "  - {prefix: 10.0.0.0/8, dev: a, onlink: true}",
    "true",
    "onlink needs via: it says that the gateway is directly reachable on that interface",
  ],
  [
    "  - {prefix: 10.0.0.0/8, dev: a, mtu: 67}",
    "67",
    "mtu must be a whole number from 68 to 65520 (IPv6: from 1280), not 67",
  ],
  [
    "  - {prefix: 10.0.0.0/8, dev: a, mtu: 65521}",
    "65521",
    "mtu must be a whole number from 68 to 65520 (IPv6: from 1280), not 65521",
  ],
  [
    "  - {prefix: 10.0.0.0/8, dev: a, metric: 0}",
    "0}",
    "metric must be a whole number from 1 to 4294967295, not 0",
  ],
  ["  - {prefix: 10.0.0.0/8, dev: a, prefsrc: '::1'}", "'::1'", "prefsrc ::1 is IPv6, the prefix is IPv4"],
  [
    "  - {prefix: 10.0.0.0/8, dev: a, prefsrc: 0.0.0.0}",
    "0.0.0.0}",
    "prefsrc 0.0.0.0 is no address of a host",
  ],
  ["  - {prefix: 10.0.0.0/8, dev: a, weight: 2}", "weight", 'Unknown key "weight" in static.s.routes[0]'],
  [
    "  - {prefix: 10.0.0.0/8, type: blakhole}",
    "blak",
    'type must be unicast, blackhole, unreachable, prohibit or throw, not "blakhole"',
    'did you mean "blackhole"?',
  ],
  [
    "  - {prefix: 10.0.0.0/8, type: prohibit, dev: a}",
    "a}",
    "A prohibit route has no nexthop: it forwards nothing",
    "remove via, dev and nexthops",
  ],
  [
    "  - {prefix: 10.0.0.0/8, type: blackhole, nexthops: [{via: 192.0.2.1}]}",
    "192",
    "A blackhole route has no nexthop: it forwards nothing",
    "remove via, dev and nexthops",
  ],
  ["  - {prefix: 10.0.0.0/8, nexthops: []}", "[]", "nexthops is empty"],
  ["  - {prefix: 10.0.0.0/8, nexthops: {}}", "{}", "nexthops must be a list of nexthops, not a mapping"],
  ["  - {prefix: 10.0.0.0/8, nexthops: [{}]}", "{}", "The nexthop says neither via nor dev"],
  [
    "  - {prefix: 10.0.0.0/8, nexthops: [{via: 192.0.2.1}], onlink: true}",
    "onlink",
    "A route with nexthops has no onlink of its own",
    "put it into the nexthops",
  ],
  [
    "  - {prefix: 10.0.0.0/8, nexthops: [{via: 192.0.2.1, weight: 257}]}",
    "257",
    "weight must be a whole number from 1 to 256, not 257",
  ],
  [
    "  - {prefix: 10.0.0.0/8, nexthops: [{dev: a, via: 192.0.2.1}, {weight: 2, via: 192.0.2.1, dev: a}]}",
    "192",
    "The same nexthop is there already, as number 1",
    "give it a greater weight",
  ],
];

const ROUTE6: Mistake[] = [
  ["  - {prefix: '::/0', via: 192.0.2.1}", "192", "Gateway 192.0.2.1 is IPv4, the prefix is IPv6"],
  [
    "  - {prefix: '::/0', via: 'fe80::1'}",
    "'fe80",
    "Gateway fe80::1 is link-local and needs dev",
    "say on which interface it is",
  ],
  ["  - {prefix: '::/0', via: 'ff02::1', dev: a}", "'ff02", "Gateway ff02::1 is a multicast address"],
  [
    "  - {prefix: '::/0', recursive: 'fe80::1'}",
    "'fe80",
    "recursive fe80::1 is link-local: no table says where it is",
    "use via and dev",
  ],
  ["  - {prefix: '::/0', dev: a, mtu: 1279}", "1279", "mtu must be at least 1280 for IPv6, not 1279"],
  ["  - {prefix: 10.0.0.0/8, dev: a}", "10", "Prefix 10.0.0.0/8 is IPv4, the table is IPv6"],
  [
    "  - {prefix: '2001:db8::1/32', dev: a}",
    "'2001",
    'Prefix "2001:db8::1/32" has bits set beyond its length 32',
    'did you mean "2001:db8::/32"?',
  ],
];

describe("loadConfig() refuses a mistake in its own words", () => {
  it.each(TOP)("%s", async (...mistake: Mistake) => {
    expect(await dir.problems(`${mistake[0]}\n`)).toBe(rendered(mistake, 1));
  });
  it.each(KERNEL)("kernel: %s", async (...mistake: Mistake) => {
    expect(await dir.problems(`kernel:\n${mistake[0]}\n`)).toBe(rendered(mistake, 2));
  });
  it.each(ROUTE)("static: %s", async (...mistake: Mistake) => {
    const text = `static:\n s:\n  table: master4\n  routes:\n${mistake[0]}\n`;
    expect(await dir.problems(text)).toBe(rendered(mistake, 5));
  });
  it.each(ROUTE6)("static, IPv6: %s", async (...mistake: Mistake) => {
    const text = `static:\n s:\n  table: master6\n  routes:\n${mistake[0]}\n`;
    expect(await dir.problems(text)).toBe(rendered(mistake, 5));
  });

  it("for more nexthops than the family allows", async () => {
    const hops = (count: number, gateway: (i: number) => string) =>
      Array.from({ length: count }, (_, i) => `{via: "${gateway(i + 1)}"}`).join(", ");
    const four = (count: number) =>
      `static: {s: {routes: [{prefix: default, nexthops: [${hops(count, (i) => `10.0.0.${i}`)}]}]}}\n`;
    const six = (count: number) =>
      `static: {s: {table: master6, routes: [{prefix: default, nexthops: [${hops(count, (i) => `2001:db8::${i}`)}]}]}}\n`;
    expect(await dir.problems(four(128))).toBe("");
    expect(await dir.problems(four(129))).toMatch(
      /^krt.yaml:1:23: The route has 129 nexthops, IPv4 allows 128\n/,
    );
    expect(await dir.problems(six(64))).toBe("");
    expect(await dir.problems(six(65))).toMatch(
      /^krt.yaml:1:39: The route has 65 nexthops, IPv6 allows 64\n/,
    );
  });
});

describe("loadConfig() sees what does not go together", () => {
  const cases: [string, string, string][] = [
    [
      "a doubled key",
      "log: {}\ndevice: {}\nlog: {}\n",
      `krt.yaml:3:1: Key "log" is there already, on line 1
    3 | log: {}
      | ^
`,
    ],
    [
      "a prefix given twice",
      "static:\n  s:\n    routes:\n    - {prefix: default, dev: a}\n    - {prefix: 0.0.0.0/0, dev: b}\n",
      `krt.yaml:5:16: This prefix is there already, at krt.yaml:4
    5 |     - {prefix: 0.0.0.0/0, dev: b}
      |                ^
  several gateways for one prefix are nexthops of one route
`,
    ],
    [
      "a table whose family is wrong, once",
      "tables: {x: {family: ipv5}}\nkernel: {k: {table: x}}\nstatic: {s: {table: x, routes: [{prefix: default, dev: a}]}}\n",
      `krt.yaml:1:22: family must be ipv4 or ipv6, not "ipv5"
    1 | tables: {x: {family: ipv5}}
      |                      ^
  did you mean "ipv4"?
`,
    ],
  ];
  it.each(cases)("%s", async (_, text, message) => {
    expect(await dir.problems(text)).toBe(message);
  });

  it("but not the same prefix in two static protocols, nor two tables of one kernel table id by family", async () => {
    const text = `kernel: {k4: {}, k6: {table: master6}}
static: {a: {routes: [{prefix: default, dev: a}]}, b: {routes: [{prefix: default, dev: b}]}}
`;
    expect(await dir.problems(text)).toBe("");
  });
});

describe("loadConfig() reports everything at once", () => {
  it("sorted by place, krt.yaml before the route files", async () => {
    dir.write("x.routes", "10.1.0.0/16 via 192.0.2.1\n10.0.0.0/8 dev a\n10.2.0.1/16 dev a\n");
    const text = `static:
  s: {table: master4, routes: [{prefix: 10.1.0.0/16, dev: a}, {prefix: 10.3.0.1/16, dev: a}], files: [x.routes]}
  t: {table: nope}
kernel: {k: {metric: -1}}
lgo: {}
`;
    expect(
      (await dir.problems(text))
        .split("\n")
        .filter((line) => line.includes(".yaml:") || line.includes(".routes:")),
    ).toEqual([
      'krt.yaml:2:72: Prefix "10.3.0.1/16" has bits set beyond its length 16',
      'krt.yaml:3:14: Unknown table "nope"',
      "krt.yaml:4:22: metric must be a whole number from 0 to 4294967295, not -1",
      'krt.yaml:5:1: Unknown key "lgo"',
      "x.routes:1:1: This prefix is there already, at krt.yaml:2",
      'x.routes:3:1: Prefix "10.2.0.1/16" has bits set beyond its length 16',
    ]);
  });

  it("in CRLF files too, with the same places", async () => {
    expect(await dir.problems("log: {}\r\nlgo: 1\r\n")).toBe(
      'krt.yaml:2:1: Unknown key "lgo"\n    2 | lgo: 1\n      | ^\n  did you mean "log"?\n',
    );
  });

  it("with columns in characters, and tabs kept under the caret", async () => {
    expect(await dir.problems('"\u{1f600}": 1\t# x\n')).toContain("krt.yaml:1:1: ");
    expect(await dir.problems('log: {"\u{1f600}\u00e9":\t1, x:\t2}\n')).toBe(
      `krt.yaml:1:7: Unknown key "\u{1f600}\u00e9" in log
    1 | log: {"\u{1f600}\u00e9":\t1, x:\t2}
      |       ^
krt.yaml:1:16: Unknown key "x" in log
    1 | log: {"\u{1f600}\u00e9":\t1, x:\t2}
      |            \t   ^
`,
    );
  });

  it("up to a number that can be read", async () => {
    const many = await dir.problems(Array.from({ length: 1500 }, (_, i) => `x${i}: 1\n`).join(""));
    expect(many.match(/Unknown key/g)).toHaveLength(200);
    expect(many).toMatch(/\n… and 300 more problems\n$/);
  });
});
