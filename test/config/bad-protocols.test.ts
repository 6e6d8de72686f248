/** Protocols that do not go together, or with their tables: the exact words, and where they point. */

import { afterAll, describe, expect, it } from "vitest";
import { ConfigDir } from "../support/config-dir.ts";
import { type Mistake, rendered } from "../support/config-mistake.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

/** Tables in two namespaces, and one without a kernel protocol: it belongs to the daemon's own. */
const HEAD = `filters: {no-tests: [{action: reject}]}
tables: {blue4: {family: ipv4}, blue6: {family: ipv6}, far4: {family: ipv4}, far6: {family: ipv6}}
kernel: {kernel4: {}, k-far4: {table: far4, netns: far}, k-far6: {table: far6, netns: /run/netns/far}}
`;

const APART = "a table belongs to the namespace of the kernel protocol on it";
const ONE_EACH = "a direct protocol has at most one table of each family";

const DIRECT: Mistake[] = [
  ["  d: {table: blue}", "blue", 'Unknown table "blue"', 'did you mean "blue4"?'],
  ["  d: {table: [blue4, purple]}", "purple", 'Unknown table "purple"', "name it under tables:"],
  ["  d: {table: []}", "[", "table is empty"],
  ["  d: {table: 5}", "5", "table must be the name of a table or a list of such names, not 5"],
  ["  d: {table: [5]}", "[", "table must be the name of a table or a list of such names, not a list"],
  ["  d: {table: [blue4, far4]}", "far4", "Tables blue4 and far4 are both IPv4", ONE_EACH],
  ["  d: {table: [blue4, blue4]}", "blue4]", "Table blue4 is there twice", ONE_EACH],
  [
    "  d: {table: [blue4, far6]}",
    "far6",
    "Tables blue4 and far6 belong to different network namespaces",
    APART,
  ],
  ["  d: {import: no-tets}", "no-tets", 'Unknown filter "no-tets"', 'did you mean "no-tests"?'],
  ["  d: {interfaces: eth0}", "eth0", 'interfaces must be a list of patterns, not "eth0"'],
  ["  d: {interfaces: [5]}", "5", "item 1 of interfaces must be a pattern of interface names, not 5"],
  ["  d: {interfaces: ['']}", "''", "A pattern of interface names is empty"],
  ["  d: {interfaces: [a, '!']}", "'!'", "A pattern of interface names is empty"],
  ["  d: {interfaces: ['!a/b']}", "'!a", 'Pattern "a/b" fits no interface: a name has no spaces, "/" or ":"'],
  [
    "  d: {interfaces: [eth?abcdefghijkl]}",
    "eth",
    'Pattern "eth?abcdefghijkl" fits no interface: a name has at most 15 bytes',
  ],
  ["  d: {preference: 65536}", "65536", "preference must be a whole number from 0 to 65535, not 65536"],
  ["  d: {export: all}", "export", 'Unknown key "export" in direct.d', 'did you mean "import"?'],
  ["  d: [a]", "[", "d must be a mapping (key: value), not a list"],
];

const PIPE: Mistake[] = [
  ["  p: {table: blue4}", "{", "peer-table is missing"],
  ["  p: ", " ", "p must be a mapping such as {table: master4, peer-table: blue4}, not nothing"],
  ["  p: {peer-table: blu4}", "blu4", 'Unknown table "blu4"', 'did you mean "blue4"?'],
  [
    "  p: {table: mastre4, peer-table: blue4}",
    "mastre4",
    'Unknown table "mastre4"',
    'did you mean "master4"?',
  ],
  ["  p: {peer-table: blue4, import: nil}", "nil", 'Unknown filter "nil"'],
  ["  p: {peer-table: blue4, export: al}", "al}", 'Unknown filter "al"', 'did you mean "all"?'],
  ["  p: {peer-table: master4}", "master4", "The pipe joins table master4 with itself"],
  [
    "  p: {peer-table: blue6}",
    "blue6",
    "Table master4 is IPv4, blue6 is IPv6",
    "a pipe joins two tables of one family",
  ],
  [
    "  p: {peer-table: far4}",
    "far4",
    "Tables master4 and far4 belong to different network namespaces",
    APART,
  ],
  ["  p: {peer-table: blue4, preference: 5}", "preference", 'Unknown key "preference" in pipe.p'],
];

const STATIC: Mistake[] = [
  ["  s: {import: no-tests-}", "no-tests-", 'Unknown filter "no-tests-"', 'did you mean "no-tests"?'],
  ["  s: {export: all}", "export", 'Unknown key "export" in static.s', 'did you mean "import"?'],
  ["  s: {check-link: 1}", "1", "check-link must be true or false, not 1"],
];

/** [why, text, what is said] */
const TOGETHER: [string, string, string][] = [
  [
    "two kernel protocols on one table",
    "kernel:\n  a: {kernel-table: 1}\n  b: {table: master4, kernel-table: 2}\n",
    `krt.yaml:3:7: Kernel protocols "a" and "b" are both on table master4
    3 |   b: {table: master4, kernel-table: 2}
      |       ^
`,
  ],
  [
    "two kernel protocols on one kernel table",
    "tables: {x: {family: ipv4}}\nkernel:\n  a: {}\n  b: {table: x, kernel-table: 254}\n  c: {table: master6}\n",
    `krt.yaml:4:17: Kernel protocols "a" and "b" are both on kernel table 254 IPv4
    4 |   b: {table: x, kernel-table: 254}
      |                 ^
`,
  ],
  [
    "a name used twice",
    "kernel:\n  a: {}\nstatic:\n  a: {}\n",
    `krt.yaml:4:3: Kernel protocol "a" has this name already, on line 2
    4 |   a: {}
      |   ^
`,
  ],
  [
    "two kernel protocols on one kernel table of one namespace, spelled in two ways",
    "tables: {x: {family: ipv4}}\nkernel:\n  a: {netns: blue}\n  b: {table: x, netns: /var/run/netns/../netns/blue, kernel-table: main}\n",
    `krt.yaml:4:54: Kernel protocols "a" and "b" are both on kernel table 254 IPv4 of network namespace blue
    4 |   b: {table: x, netns: /var/run/netns/../netns/blue, kernel-table: main}
      |                                                      ^
`,
  ],
  [
    "two kernel protocols on one table, though in two namespaces",
    "kernel:\n  a: {}\n  b: {netns: blue}\n",
    `krt.yaml:3:3: Kernel protocols "a" and "b" are both on table master4
    3 |   b: {netns: blue}
      |   ^
`,
  ],
  [
    "a namespace over node-netlink",
    "netlink: {transport: node-netlink}\nkernel:\n  a: {netns: blue}\n",
    `krt.yaml:3:14: netns is not possible with netlink.transport node-netlink
    3 |   a: {netns: blue}
      |              ^
  use netlink: {transport: socket}
`,
  ],
  [
    "a name used by three types, whatever their order",
    "pipe:\n  a: {peer-table: x}\ndirect: {a: }\nkernel: {a: }\ntables: {x: {family: ipv4}}\n",
    `krt.yaml:3:10: Pipe protocol "a" has this name already, on line 2
    3 | direct: {a: }
      |          ^
krt.yaml:4:10: Pipe protocol "a" has this name already, on line 2
    4 | kernel: {a: }
      |          ^
`,
  ],
  [
    "a name that selects several",
    "direct: {all: }\npipe: {none: {peer-table: x}}\ntables: {x: {family: ipv4}}\n",
    `krt.yaml:1:10: "all" cannot be the name of a protocol
    1 | direct: {all: }
      |          ^
krt.yaml:2:8: "none" cannot be the name of a protocol
    2 | pipe: {none: {peer-table: x}}
      |        ^
`,
  ],
  [
    "a namespace that is wrong, once: nothing follows from it",
    "tables: {x: {family: ipv4}}\nkernel: {a: {netns: .}}\npipe: {p: {peer-table: x}}\ndirect: {d: }\n",
    `krt.yaml:2:21: netns must be a name or an absolute path, not "."
    2 | kernel: {a: {netns: .}}
      |                     ^
  a name as \`ip netns\` shows it, or the absolute path of a namespace's file
`,
  ],
  [
    "the default tables of a direct protocol in two namespaces",
    "kernel: {a: {netns: blue}}\ndirect:\n  d:\n",
    `krt.yaml:3:5: Tables master4 and master6 belong to different network namespaces
    3 |   d:
      |     ^
  a table belongs to the namespace of the kernel protocol on it
`,
  ],
];

describe("loadConfig() refuses, in its own words,", () => {
  it.each(DIRECT)("direct: %s", async (...mistake: Mistake) => {
    expect(await dir.problems(`${HEAD}direct:\n${mistake[0]}\n`)).toBe(rendered(mistake, 5));
  });
  it.each(PIPE)("pipe: %s", async (...mistake: Mistake) => {
    expect(await dir.problems(`${HEAD}pipe:\n${mistake[0]}\n`)).toBe(rendered(mistake, 5));
  });
  it.each(STATIC)("static: %s", async (...mistake: Mistake) => {
    expect(await dir.problems(`${HEAD}static:\n${mistake[0]}\n`)).toBe(rendered(mistake, 5));
  });
  it.each(TOGETHER)("%s", async (_, text, message) => {
    expect(await dir.problems(text)).toBe(message);
  });

  it("a name or a path of a namespace that is too long", async () => {
    const why = async (netns: string) =>
      (await dir.problems(`kernel: {k: {netns: ${netns}}}\n`)).split("\n")[0];
    expect(await why("n".repeat(255))).toBe("");
    expect(await why("n".repeat(256))).toBe("krt.yaml:1:21: netns has 256 bytes, at most 255 are possible");
    expect(await why(`/${"n/".repeat(2050)}`)).toBe(
      "krt.yaml:1:21: netns has 4101 bytes, at most 4095 are possible",
    );
  });
});

describe("loadConfig() does not mind", () => {
  it.each([
    [
      "one kernel table id in two namespaces, by two families, and as two tables of one family",
      `tables: {x: {family: ipv4}, y: {family: ipv4}}
kernel:
  a: {}
  b: {table: x, netns: blue}
  c: {table: y, netns: /some/where/run/netns/blue}
  d: {table: master6, scan-time: 5s}
`,
    ],
    [
      "two pipes and two direct protocols on the same tables",
      `${HEAD}
pipe: {p: {peer-table: blue4}, q: {peer-table: blue4}}
direct: {d: , e: }
`,
    ],
    [
      "a direct protocol and a pipe within a namespace",
      `${HEAD}
direct: {d: {table: [far6, far4]}}
pipe: {p: {table: blue4, peer-table: master4}}
`,
    ],
    [
      "a protocol with the name of a table, and one with that of a filter",
      `${HEAD}static: {blue4: , no-tests: {import: no-tests}}\n`,
    ],
  ])("%s", async (_, text) => {
    expect(await dir.problems(text)).toBe("");
  });
});
