/**
 * Whatever becomes of a device, krtd ends in the right state by the news of it alone: neither routes nor interfaces
 * are scanned by the clock here. What the kernel cannot have waits, with a reason; what only the device took away is
 * nobody's doing; what the change does not concern is not touched.
 */

import { describe, expect, it } from "vitest";
import { escapeName } from "../../src/lib/escape-name.ts";
import { configOf, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createNetns, ifindexOf, type Netns, waitFor } from "../support/netns.ts";
import { goThrough, type Place, type RouteStep } from "../support/route-steps.ts";
import { addAddress, createTwoLinks, V, W } from "../support/two-links.ts";

/** The routes of every test, by a letter each. */
const routesOf = ({ family, net }: FamilyCase) => ({
  A: { prefix: net(1), via: V.gateway[family] },
  B: { prefix: net(2), dev: "v0" },
  C: { prefix: net(3), via: V.gateway[family], dev: "v0" },
  D: { prefix: net(4), nexthops: [{ via: V.gateway[family] }, { via: W.gateway[family], weight: 3 }] },
  E: { prefix: net(5), via: W.gateway[family] },
  F: { prefix: net(6), type: "blackhole" as const },
  G: {
    prefix: net(7),
    nexthops: [
      { via: V.gateway[family], dev: "v0" },
      { via: W.gateway[family], dev: "w0" },
    ],
  },
  L: { prefix: net(8), dev: "late0" },
});

const NO_DEVICE = (name: string): string => `Device "${name}" does not exist`;

interface World {
  readonly it6: FamilyCase;
  readonly ns: Netns;
  /** Another namespace. */
  readonly other: Netns;
  /** Index of v0 at the beginning. */
  readonly index: number;
}

type Step = RouteStep<World>;

const ALL = "ABCDEFG";
const restore = ({ it6 }: World): string[] => [
  "link set v0 up",
  addAddress(V, it6.family).replace("addr add", "addr replace"),
];

interface Row {
  readonly what: string;
  readonly steps: readonly Step[];
}

const ROWS: readonly Row[] = [
  {
    what: "goes down and up",
    steps: [
      { why: "a multipath keeps the dead nexthop", run: () => ["link set v0 down"], left: "DEFG" },
      { why: "", run: () => ["link set v0 up"], left: ALL },
    ],
  },
  {
    what: "is renamed",
    steps: [
      {
        why: "those that name it wait, those with a gateway alone do not notice",
        run: () => ["link set v0 name n0"],
        left: "ADEF",
        says: { B: NO_DEVICE("v0"), C: NO_DEVICE("v0"), G: NO_DEVICE("v0") },
      },
      { why: "one waited for the new name", run: () => ["link set n0 name late0"], left: "ADEFL" },
      { why: "", run: () => ["link set late0 name v0"], left: ALL, says: { L: NO_DEVICE("late0") } },
    ],
  },
  {
    what: "swaps its name with another",
    steps: [
      {
        why: "the routes follow the names",
        run: () => ["link set v0 name x0", "link set w0 name v0", "link set x0 name w0"],
        left: "ABDEF",
        untouched: "ADEF",
      },
      {
        why: "",
        run: () => ["link set v0 name x0", "link set w0 name v0", "link set x0 name w0"],
        left: ALL,
        untouched: "ADEF",
      },
    ],
  },
  {
    what: "is deleted and made again",
    steps: [
      {
        why: "a multipath goes as a whole when one of its devices does",
        run: () => ["link del v0"],
        left: "EF",
        says: { B: NO_DEVICE("v0"), G: NO_DEVICE("v0") },
      },
      {
        why: "",
        run: (world) => ["link add v0 type veth peer name v1", "link set v1 up", ...restore(world)],
        left: ALL,
      },
    ],
  },
  {
    what: "is deleted and made again in one breath",
    steps: [
      {
        why: "nobody had time to look",
        run: (world) => [
          "link del v0",
          "link add v0 type veth peer name v1",
          "link set v1 up",
          ...restore(world),
        ],
        left: ALL,
        untouched: "EF",
      },
    ],
  },
  {
    what: "loses its index to another",
    steps: [
      {
        why: "of another name and kind",
        run: ({ it6, index }) => [
          "link del v0",
          `link add late0 index ${index} type ifb`,
          "link set late0 up",
          addAddress(V, it6.family, "late0"),
        ],
        left: "ADEFL",
        untouched: "EF",
        says: { B: NO_DEVICE("v0") },
      },
      {
        why: "of the old name and another kind",
        run: (world) => ["link del late0", `link add v0 index ${world.index} type ifb`, ...restore(world)],
        left: ALL,
        untouched: "EF",
      },
      {
        why: "of the same name and kind",
        run: (world) => ["link del v0", `link add v0 index ${world.index} type ifb`, ...restore(world)],
        left: ALL,
        untouched: "EF",
      },
    ],
  },
  {
    what: "moves to another namespace and back",
    steps: [
      {
        why: "",
        run: ({ other }) => [`link set v0 netns ${other.name}`],
        left: "EF",
        says: { B: NO_DEVICE("v0") },
      },
      {
        why: "it comes down and without addresses",
        run: async ({ ns, other }) => void (await other.ip(`link set v0 netns ${ns.name}`)),
        left: "EF",
      },
      { why: "", run: restore, left: ALL },
    ],
  },
  {
    what: "becomes a port of a bridge, of another one, and of none",
    steps: [
      {
        why: "a bridge is nothing to routes",
        run: () => ["link add br0 type bridge", "link add br1 type bridge"],
        left: ALL,
      },
      { why: "a port keeps its routes", run: () => ["link set br0 up", "link set v0 master br0"], left: ALL },
      { why: "as does one that changes its master", run: () => ["link set v0 master br1"], left: ALL },
      { why: "leaving a bridge is no deletion", run: () => ["link set v0 nomaster"], left: ALL },
      {
        why: "nor is the deletion of its bridge",
        run: () => ["link set v0 master br0", "link del br0"],
        left: ALL,
      },
    ],
  },
  {
    what: "changes its MTU and hardware address",
    steps: [
      { why: "", run: () => ["link set v0 mtu 1400", "link set v0 address 02:00:00:00:00:07"], left: ALL },
    ],
  },
  {
    what: "has no carrier",
    steps: [
      { why: "the kernel keeps the routes", run: () => ["link set v1 down"], left: ALL },
      { why: "", run: () => ["link set v1 up"], left: ALL },
    ],
  },
  {
    what: "gets an MTU too small for IPv6",
    steps: [
      {
        why: "the kernel takes the addresses of IPv6",
        run: () => ["link set v0 mtu 1200"],
        left: { 4: ALL, 6: "EF" },
      },
      { why: "", run: (world) => ["link set v0 mtu 1500", ...restore(world)], left: ALL },
    ],
  },
  {
    what: "goes down with lo",
    steps: [
      {
        why: "a blackhole of IPv6 sits on lo",
        run: () => ["link set lo down", "link set v0 down"],
        left: "DEFG",
        untouched: "DEG",
      },
      { why: "", run: () => ["link set v0 up", "link set lo up"], left: ALL, untouched: "DEG" },
    ],
  },
];

/** In table 100 the kernel removes as silently as in main, and gateways are found in main. */
const PLACES: readonly Place[] = [
  { it6: FAMILIES[0]!, place: "main" },
  { it6: FAMILIES[0]!, place: 100 },
  { it6: FAMILIES[1]!, place: "main" },
  { it6: FAMILIES[0]!, place: "main", unheard: true },
  { it6: FAMILIES[1]!, place: "main", unheard: true },
];

describe.each(PLACES)(
  "IPv$it6.family, table $place, unheard $unheard: when a device",
  ({ it6, place, unheard = false }) => {
    it.each(ROWS)("$what", async ({ steps }) => {
      await using ns = await createTwoLinks();
      await using other = await createNetns();
      const world = { it6, ns, other, index: await ifindexOf(ns, "v0") };
      await goThrough({ it6, place, unheard, ns, world, routes: routesOf(it6), begin: ALL, steps });
    });
  },
);

describe("a name that", () => {
  const NAMES: readonly (readonly [why: string, name: string])[] = [
    ["is a property of every object", "__proto__"],
    ["is another one", "constructor"],
    ["looks like an option", "-rf"],
    ["is a command for a shell", "$(id>&2)"],
    ["colours a terminal", "\u001b[31mred\u001b[m"],
    ["rings", "bell\u0007"],
    ["is UTF-8", "größe"],
    ["is a pattern", "e*[0-9]?"],
    ["is a string and a comment", "a'b\"c#,{}\\"],
    ["is a number", "4294967296"],
    ["is a bidi mark", "\u202egnp.exe"],
  ];
  const MARK = "2001:db8:77::/48";
  const printable = /^[\n -~]*$/;

  it.each(NAMES)("%s is a name as any other", async (_why, dev) => {
    await using ns = await createNetns();
    const { net } = FAMILIES[1]!;
    const routes = [
      { prefix: net(1), dev },
      { prefix: MARK, type: "blackhole" as const },
    ];
    const files = { "more.routes": `${net(2)} dev ${dev}\n` };
    const config = configOf(FAMILIES[1]!, routes, {
      files: { 6: "more.routes" },
      root: { device: { "scan-time": 0 }, log: { format: "pretty" } },
    });
    await using krtd = await startSynced(ns, config, { files });
    // krtctl would take it for an option.
    const word = dev.replace(/^-/, "\\x2d");
    const bytes = Buffer.from(dev, "utf8").toString("latin1");
    const own = async (): Promise<number> => (await ownLines(ns, "-6")).length;
    const ctl = async (...words: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await krtd.ctl(...words);
      expect(stderr).toBe("");
      expect(stdout).toMatch(printable);
      return stdout;
    };
    expect(await own()).toBe(1);
    for (const i of [1, 2])
      expect((await krtd.route(net(i))).kernel.message).toBe(NO_DEVICE(escapeName(bytes)));
    for (let lives = 0; lives < 2; lives++) {
      await ns.run("ip", ["link", "add", "name", dev, "type", "ifb"]);
      await ns.run("ip", ["link", "set", "dev", dev, "up"]);
      await waitFor("its routes are there", async () => (await own()) === 3);
      expect((await krtd.route(net(1))).dev).toBe(bytes);
      await ctl("show", "interfaces");
      await ctl("show", "routes", "all");
      await ctl("explain", net(1));
      expect(await ctl("show", "routes", "dev", word, "count")).toContain("2");
      await ns.run("ip", ["link", "del", "dev", dev]);
      await waitFor("its routes wait", async () => (await own()) === 1);
      await waitFor("krtd says so", async () => (await krtd.route(net(2))).kernel.state === "waiting");
      await ctl("show", "routes", "all");
      await ctl("explain", net(2));
    }
    expect(krtd.log()).toMatch(/^[\n -~\u00a1-\u{10ffff}]*$/u);
    for (const unsafe of ["\u001b", "\u202e"]) expect(krtd.log()).not.toContain(unsafe);
  });
});
