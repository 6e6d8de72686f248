/**
 * Addresses come and go, and with them what routes lean on: gateways and preferred sources. Each step ends in the right
 * state by the news of it alone. What the kernel takes away without a word (IPv4 routes, the source of an IPv6 route)
 * krtd notices; what it leaves standing, though it would not accept it now, is as wanted and is left alone.
 */

import { describe, expect, it } from "vitest";
import { configOf, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createNetns, type Netns, waitFor } from "../support/netns.ts";
import { goThrough, type Place, type RouteStep } from "../support/route-steps.ts";
import { createTwoLinks, V, W } from "../support/two-links.ts";

/** Another address of v0, of another net, and a gateway in that. */
const SECOND = {
  4: { address: "10.0.7.1/24", gateway: "10.0.7.2" },
  6: { address: "2001:db8:0:7::1/64", gateway: "2001:db8:0:7::2" },
};
/** An address of lo. */
const ANYCAST = { 4: "10.255.0.1/32", 6: "2001:db8:0:ff::1/128" };
/** An address of w0, and its peer's. */
const PEER = { 4: ["10.9.0.1", "10.9.0.2/32"], 6: ["2001:db8:0:9::1", "2001:db8:0:9::2/128"] } as const;

const plain = (address: string): string => address.replace(/\/.*/, "");

const routesOf = ({ family, net }: FamilyCase) => ({
  A: { prefix: net(1), via: V.gateway[family] },
  B: { prefix: net(2), dev: "v0" },
  E: { prefix: net(3), via: W.gateway[family] },
  P: { prefix: net(4), via: W.gateway[family], prefsrc: plain(V.address[family]) },
  Q: { prefix: net(5), dev: "w0", prefsrc: plain(V.address[family]) },
  R: { prefix: net(6), via: W.gateway[family], prefsrc: plain(SECOND[family].address) },
  S: { prefix: net(7), via: SECOND[family].gateway },
  T: { prefix: net(8), via: W.gateway[family], prefsrc: plain(ANYCAST[family]), mtu: 1400 },
  X: { prefix: net(9), via: plain(PEER[family][1]) },
  Y: {
    prefix: net(10),
    prefsrc: plain(V.address[family]),
    nexthops: [{ via: SECOND[family].gateway }, { via: W.gateway[family], weight: 2 }],
  },
});

const ALL = "ABEPQRSTXY";

interface World {
  readonly it6: FamilyCase;
  readonly ns: Netns;
}
type Step = RouteStep<World>;

const del =
  (of: (family: 4 | 6) => string) =>
  ({ it6 }: World) => [`addr del ${of(it6.family)}`];
const add =
  (of: (family: 4 | 6) => string) =>
  ({ it6 }: World) => [`addr add ${of(it6.family)}`];

const first = (family: 4 | 6): string => `${V.address[family]} dev v0`;
const second = (family: 4 | 6): string => `${SECOND[family].address} dev v0`;
const anycast = (family: 4 | 6): string => `${ANYCAST[family]} dev lo`;
const peer = (family: 4 | 6): string => `${PEER[family][0]} peer ${PEER[family][1]} dev w0`;

interface Row {
  readonly what: string;
  readonly steps: readonly Step[];
}

const ROWS: readonly Row[] = [
  {
    what: "an address that is a preferred source, and not the last of its link",
    steps: [
      {
        why: "gateways in its net stay, though off-link now; in a policy table IPv4 keeps the stale source",
        run: del(first),
        left: { 4: "ABERSTX", 6: "ABERSTX", 100: ALL },
      },
      { why: "it is back", run: add(first), left: ALL },
    ],
  },
  {
    what: "an address that is not the last",
    steps: [
      { why: "", run: del(second), left: { 4: "ABEPQSTXY", 6: "ABEPQSTXY", 100: ALL } },
      { why: "it is back", run: add(second), left: ALL },
    ],
  },
  {
    what: "all addresses of a link",
    steps: [
      {
        why: "IPv4 goes with the last address, and only a device route may come back; IPv6 has still its link-local one",
        run: ({ it6 }) => [...del(second)({ it6 } as World), ...del(first)({ it6 } as World)],
        left: { 4: "BETX", 6: "ABESTX", 100: "BEPQRTXY" },
        untouched: "ETX",
      },
      {
        why: "one is back",
        run: add(first),
        left: { 4: "ABEPQTX", 6: "ABEPQSTX", 100: "ABEPQRTXY" },
      },
      { why: "both are", run: add(second), left: ALL },
    ],
  },
  {
    what: "an address of lo",
    steps: [
      { why: "", run: del(anycast), left: { 4: "ABEPQRSXY", 6: "ABEPQRSXY", 100: ALL } },
      { why: "it is back", run: add(anycast), left: ALL },
    ],
  },
  {
    what: "an address with a peer",
    steps: [
      { why: "not the last of its link", run: del(peer), left: ALL },
      { why: "", run: add(peer), left: ALL },
      {
        why: "what had to be written again while it is away could not be",
        run: ({ it6 }) => [...del(peer)({ it6 } as World), "link set w0 down", "link set w0 up"],
        left: "ABEPQRSTY",
        untouched: "ABS",
      },
      { why: "", run: add(peer), left: ALL },
    ],
  },
  {
    what: "an address, for one of another length",
    steps: [
      {
        why: "in one breath",
        run: ({ it6: { family } }) => [
          `addr del ${first(family)}`,
          `addr add ${first(family).replace("/24", "/23").replace("/64", "/60")}`,
        ],
        left: ALL,
        untouched: "ABERSTX",
      },
    ],
  },
];

const PLACES: readonly Place[] = [
  { it6: FAMILIES[0]!, place: "main" },
  { it6: FAMILIES[0]!, place: 100 },
  { it6: FAMILIES[1]!, place: "main" },
  { it6: FAMILIES[0]!, place: "main", unheard: true },
  { it6: FAMILIES[1]!, place: "main", unheard: true },
];

async function createAddresses(it6: FamilyCase): Promise<Netns> {
  const ns = await createTwoLinks();
  for (const commands of [second, anycast, peer].map(add)) await ns.batch(commands({ it6, ns }));
  return ns;
}

describe.each(PLACES)(
  "IPv$it6.family, table $place, unheard $unheard: without",
  ({ it6, place, unheard = false }) => {
    it.each(ROWS)("$what", async ({ steps }) => {
      await using ns = await createAddresses(it6);
      await goThrough({
        it6,
        place,
        unheard,
        ns,
        world: { it6, ns },
        routes: routesOf(it6),
        begin: ALL,
        steps,
      });
    });
  },
);

describe("a preferred source", () => {
  const v4 = FAMILIES[0]!;
  const v6 = FAMILIES[1]!;
  const SECONDARY = "10.0.0.5";
  const routes = {
    A: { prefix: v4.net(1), via: V.gateway[4] },
    U: { prefix: v4.net(2), via: W.gateway[4], prefsrc: SECONDARY },
  };

  it.each([
    { promoted: 0, left: "", why: "a secondary address goes with the primary one" },
    { promoted: 1, left: "AU", why: "or takes its place" },
  ])("that is a secondary address: $why", async ({ promoted, left, why }) => {
    await using ns = await createTwoLinks();
    await ns.run("sysctl", ["-qw", `net.ipv4.conf.v0.promote_secondaries=${promoted}`]);
    await ns.ip(`addr add ${SECONDARY}/24 dev v0`);
    const steps: Step[] = [
      { why, run: () => [`addr del ${V.address[4]} dev v0`], left },
      {
        why: "all is back",
        run: () => [`addr replace ${V.address[4]} dev v0`, `addr replace ${SECONDARY}/24 dev v0`],
        left: "AU",
      },
    ];
    await goThrough({ it6: v4, place: "main", ns, world: { it6: v4, ns }, routes, begin: "AU", steps });
  });

  it("that is tentative: the route waits until duplicate address detection has ended, and longer if it failed", async () => {
    await using ns = await createTwoLinks();
    await ns.run("sysctl", ["-qw", "net.ipv6.conf.v0.accept_dad=1"]);
    const [good, bad] = ["2001:db8:0:7::1", "2001:db8:0:7::bad"];
    await using other = await createNetns();
    await ns.ip(`link set v1 netns ${other.name}`);
    await other.batch(["link set v1 up", `addr add ${bad}/64 dev v1 nodad`]);
    const steps: Step[] = [
      {
        why: "two addresses come, one of which the neighbour has",
        run: () => [good, bad].map((address) => `addr add ${address}/64 dev v0`),
        left: "G",
      },
      {
        why: "the neighbour has gone, and the address comes anew",
        run: async () => {
          await other.ip(`addr del ${bad}/64 dev v1`);
          await ns.batch([`addr del ${bad}/64 dev v0`, `addr add ${bad}/64 dev v0`]);
        },
        left: "BG",
      },
    ];
    const sources = {
      B: { prefix: v6.net(1), via: W.gateway[6], prefsrc: bad },
      G: { prefix: v6.net(2), via: W.gateway[6], prefsrc: good },
    };
    await goThrough({
      it6: v6,
      place: "main",
      ns,
      world: { it6: v6, ns },
      routes: sources,
      begin: "",
      steps,
    });
  });

  it("of the same route in two tables, which the kernel keeps once", async () => {
    await using ns = await createTwoLinks();
    await ns.ip(`addr add ${SECOND[4].address} dev v0`);
    const route = { prefix: v4.net(1), via: W.gateway[4], prefsrc: plain(SECOND[4].address) };
    const text = configOf(v4, [route], {
      root: {
        tables: { blue4: { family: "ipv4" } },
        device: { "scan-time": 0 },
        pipe: { pipe1: { table: "master4", "peer-table": "blue4", import: "none", export: "all" } },
        kernel: {
          kernel4: { table: "master4", "scan-time": 0 },
          blue: { table: "blue4", "kernel-table": 100, "scan-time": 0 },
        },
      },
    });
    await using krtd = await startSynced(ns, text);
    const here = async (): Promise<number[]> => [
      (await ownLines(ns, "-4")).length,
      (await ownLines(ns, "-4", "table 100")).length,
    ];
    const states = async (): Promise<string[]> => (await krtd.routes()).map(({ kernel }) => kernel.state);
    expect(await here()).toEqual([1, 1]);
    for (let i = 0; i < 3; i++) {
      await ns.ip(`addr del ${SECOND[4].address} dev v0`);
      await waitFor("main has lost it", async () => (await here())[0] === 0);
      // Whether table 100 has lost it too depends on which table had it first.
      const left = (await here())[1] === 1 ? "synced" : "waiting";
      await waitFor(
        "krtd knows",
        async () =>
          (await states()).join() === `${left},waiting` || (await states()).join() === `waiting,${left}`,
      );
      await ns.ip(`addr add ${SECOND[4].address} dev v0`);
      await waitFor("both are back", async () => (await here()).join() === "1,1");
      await waitFor("krtd knows", async () => (await states()).join() === "synced,synced");
    }
    expect(krtd.log()).not.toContain("by somebody else");
  });
});
