/**
 * The direct protocol on the real kernel: the nets of interfaces go into a policy table as addresses and links come and
 * go, by events alone; into main, where the kernel keeps them itself, they never go.
 */

import { describe, expect, it } from "vitest";
import type { DirectInput, KrtInput } from "../../src/config/input.ts";
import { configText, foreignLines, lines, routeLines } from "../support/families.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createNetns, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";
import { createTwoLinks } from "../support/two-links.ts";

const TABLE = 100;

/** Two tables of the direct protocol, which kernel protocols keep in table 100. */
function config(direct: DirectInput, more: KrtInput = {}): string {
  return configText(
    {},
    {
      root: {
        device: { "scan-time": 0 },
        tables: { blue4: { family: "ipv4" }, blue6: { family: "ipv6" } },
        direct: { direct1: { table: ["blue4", "blue6"], ...direct } },
        kernel: {
          blue4: { table: "blue4", "kernel-table": TABLE, "scan-time": 0 },
          blue6: { table: "blue6", "kernel-table": TABLE, "scan-time": 0 },
        },
        ...more,
      },
    },
  );
}

/** `10.0.0.0/24 dev v0` of each route in table 100, sorted; what else they say is always the same. */
async function nets(ns: Netns): Promise<string[]> {
  const shown = await Promise.all(
    (["-4", "-6"] as const).map((flag) => routeLines(ns, flag, `table ${TABLE}`)),
  );
  return shown
    .flat()
    .map((line) =>
      line.replace(
        /^unicast (\S+ dev \S+) proto 120 scope (?:link|global) metric 32(?: pref medium)?( linkdown)?$/,
        "$1",
      ),
    )
    .sort();
}

async function expectNets(
  ns: Netns,
  krtd: RunningKrtd,
  why: string,
  wanted: readonly string[],
): Promise<void> {
  const sorted = [...wanted].sort();
  const there = async (): Promise<boolean> =>
    (await nets(ns)).join() === sorted.join() && (await krtd.state()) === "in-sync";
  await waitFor(why, there).catch(() => {});
  expect(await nets(ns), why).toEqual(sorted);
  const states = (await krtd.routes())
    .filter(({ kernel }) => kernel.table === TABLE)
    .map(({ kernel }) => kernel.state);
  expect(new Set(states), why).toEqual(new Set(wanted.length === 0 ? [] : ["synced"]));
}

const V4 = "10.0.0.0/24 dev v0";
const V6 = "2001:db8:0:1::/64 dev v0";
const W4 = "10.0.1.0/24 dev w0";
const W6 = "2001:db8:0:2::/64 dev w0";
const BOTH = [V4, V6, W4, W6];

interface Step {
  readonly why: string;
  readonly run: readonly string[];
  readonly nets: readonly string[];
}

interface Row {
  readonly what: string;
  readonly interfaces?: readonly string[];
  readonly begin: readonly string[];
  readonly steps: readonly Step[];
}

const ROWS: readonly Row[] = [
  {
    what: "addresses that come and go",
    begin: BOTH,
    steps: [
      {
        why: "another net of the same interface, and a lone address",
        run: ["addr add 10.0.7.1/24 dev v0", "addr add 2001:db8:0:7::1/128 dev w0"],
        nets: [...BOTH, "10.0.7.0/24 dev v0", "2001:db8:0:7::1 dev w0"],
      },
      {
        why: "a second address in a net says nothing new",
        run: ["addr add 10.0.7.2/24 dev v0"],
        nets: [...BOTH, "10.0.7.0/24 dev v0", "2001:db8:0:7::1 dev w0"],
      },
      {
        // Linux takes the second address with the first.
        why: "they go",
        run: ["addr del 10.0.7.1/24 dev v0", "addr del 2001:db8:0:7::1/128 dev w0"],
        nets: BOTH,
      },
      {
        why: "the last of an interface",
        run: ["addr del 10.0.0.1/24 dev v0", "addr del 2001:db8:0:1::1/64 dev v0"],
        nets: [W4, W6],
      },
      { why: "all", run: ["addr flush dev w0"], nets: [] },
      {
        why: "and back",
        run: ["addr add 10.0.0.1/24 dev v0", "addr add 2001:db8:0:2::1/64 dev w0"],
        nets: [V4, W6],
      },
      {
        why: "the net of a peer is the peer's",
        run: [
          "addr add 10.9.0.1 peer 10.9.0.2/32 dev v0",
          "addr add 2001:db8:9::1 peer 2001:db8:9::2/128 dev v0",
        ],
        nets: [V4, W6, "10.9.0.2 dev v0", "2001:db8:9::2 dev v0"],
      },
      {
        why: "a net that only krtd announces",
        run: ["addr add 10.8.0.1/24 dev w0 noprefixroute", "addr add 10.255.0.1/32 dev lo"],
        nets: [V4, W6, "10.9.0.2 dev v0", "2001:db8:9::2 dev v0", "10.8.0.0/24 dev w0"],
      },
    ],
  },
  {
    what: "links that go down and up, lose carrier, change their names and vanish",
    begin: BOTH,
    steps: [
      { why: "down", run: ["link set v0 down"], nets: [W4, W6] },
      { why: "up", run: ["link set v0 up"], nets: BOTH },
      { why: "without carrier", run: ["link set v1 down"], nets: [W4, W6] },
      { why: "with carrier", run: ["link set v1 up"], nets: BOTH },
      {
        why: "renamed",
        run: ["link set v0 name n0"],
        nets: ["10.0.0.0/24 dev n0", "2001:db8:0:1::/64 dev n0", W4, W6],
      },
      { why: "deleted", run: ["link del n0"], nets: [W4, W6] },
      {
        why: "made anew",
        run: [
          "link add v0 type ifb",
          "addr add 10.0.0.1/24 dev v0",
          "link set v0 up",
          "addr add 2001:db8:0:1::1/64 dev v0",
        ],
        nets: BOTH,
      },
    ],
  },
  {
    what: "patterns, one of which excludes",
    interfaces: ["v*", "!v1", "late?"],
    begin: [V4, V6],
    steps: [
      { why: "an excluded one", run: ["addr add 10.7.0.1/24 dev v1"], nets: [V4, V6] },
      {
        why: "one that fits by its new name",
        run: ["link set w0 name late0"],
        nets: [V4, V6, "10.0.1.0/24 dev late0", "2001:db8:0:2::/64 dev late0"],
      },
      { why: "one that fits no more", run: ["link set late0 name late10"], nets: [V4, V6] },
      {
        why: "an excluded name is not that any more",
        run: ["link set v1 name v2"],
        nets: [V4, V6, "10.7.0.0/24 dev v2"],
      },
    ],
  },
  {
    what: "patterns, all of which exclude",
    interfaces: ["!w*", "!lo"],
    begin: [V4, V6],
    steps: [
      { why: "all others fit", run: ["addr add 10.7.0.1/24 dev v1"], nets: [V4, V6, "10.7.0.0/24 dev v1"] },
    ],
  },
  {
    what: "a net on two interfaces",
    begin: BOTH,
    steps: [
      { why: "the lower index has it", run: ["addr add 10.0.0.9/24 dev w0"], nets: BOTH },
      { why: "the other takes over", run: ["link set v0 down"], nets: ["10.0.0.0/24 dev w0", W4, W6] },
      { why: "and gives it back", run: ["link set v0 up"], nets: BOTH },
      {
        why: "the first loses its address",
        run: ["addr del 10.0.0.1/24 dev v0"],
        nets: [V6, "10.0.0.0/24 dev w0", W4, W6],
      },
    ],
  },
];

describe("direct into a policy table", () => {
  it.each(ROWS)("$what", async ({ interfaces, begin, steps }) => {
    await using ns = await createTwoLinks();
    const direct = interfaces === undefined ? {} : { interfaces: [...interfaces] };
    await using krtd = await startSynced(ns, config(direct));
    await expectNets(ns, krtd, "at the start", begin);
    for (const { why, run, nets: wanted } of steps) {
      const before = await nets(ns);
      await using monitor = await monitorRoutes(ns);
      await ns.batch(run);
      await expectNets(ns, krtd, why, wanted);
      // What the step does not concern is not touched.
      const kept = before.filter((net) => wanted.includes(net));
      const concerned = (line: string): boolean => !kept.some((net) => line.includes(` ${net} `));
      const events = (await monitor.events()).filter((line) => line.includes(` table ${TABLE} `));
      expect(
        events.filter((line) => !concerned(line)),
        why,
      ).toEqual([]);
      const writes = await krtd.writes();
      await krtd.scan();
      expect(await krtd.writes(), why).toBe(writes);
    }
    expect(krtd.log()).not.toContain("by somebody else");
    const strangers = await foreignLines(ns);
    expect(await krtd.stop()).toBe(0);
    expect(await nets(ns)).toEqual([]);
    expect((await foreignLines(ns)).filter((line) => !line.includes(" proto 120 "))).toEqual(
      strangers.filter((line) => !line.includes(" proto 120 ")),
    );
  });

  it("leaves out an IPv6 address until duplicate address detection has ended, and if it failed", async () => {
    await using ns = await createTwoLinks();
    await using other = await createNetns();
    await ns.ip(`link set v1 netns ${other.name}`);
    await other.batch(["link set v1 up", "addr add 2001:db8:0:8::bad/64 dev v1 nodad"]);
    await ns.run("sysctl", ["-qw", "net.ipv6.conf.v0.accept_dad=1"]);
    await using krtd = await startSynced(ns, config({}));
    await expectNets(ns, krtd, "at the start", BOTH);
    await ns.batch(["addr add 2001:db8:0:7::1/64 dev v0", "addr add 2001:db8:0:8::bad/64 dev v0"]);
    expect(await nets(ns)).toEqual([...BOTH].sort());
    await expectNets(ns, krtd, "one of them is through", [...BOTH, "2001:db8:0:7::/64 dev v0"]);
    expect(await ns.ip("-o addr show dev v0 dadfailed")).toContain("2001:db8:0:8::bad/64");
  });
});

describe("direct into master4 and master6", () => {
  it("never doubles in main what the kernel keeps there, also not over a pipe and back", async () => {
    await using ns = await createTwoLinks();
    const main = async (): Promise<string[]> =>
      lines(`${await ns.ip("-4 route show")}${await ns.ip("-6 route show")}`);
    const before = await main();
    const pipe = (family: 4 | 6) => ({
      table: `master${family}`,
      "peer-table": `blue${family}`,
      import: "none",
      export: "all",
    });
    const kernel = (table: string, place: "main" | number) => ({
      table,
      "kernel-table": place,
      "scan-time": 0,
      learn: place === "main" ? ("all" as const) : false,
    });
    const text = config(
      { table: ["master4", "master6"] },
      {
        pipe: { pipe4: pipe(4), pipe6: pipe(6) },
        kernel: {
          main4: kernel("master4", "main"),
          main6: kernel("master6", "main"),
          blue4: kernel("blue4", TABLE),
          blue6: kernel("blue6", TABLE),
        },
      },
    );
    await using krtd = await startSynced(ns, text);
    const expectAll = async (why: string, wanted: readonly string[]): Promise<void> => {
      // learn: all takes that too.
      const withoutLinkLocal = (net: string): boolean => !net.includes("fe80::");
      await waitFor(
        why,
        async () => (await nets(ns)).filter(withoutLinkLocal).join() === [...wanted].sort().join(),
      ).catch(() => {});
      expect((await nets(ns)).filter(withoutLinkLocal), why).toEqual([...wanted].sort());
      expect(
        (await main()).filter((line) => line.includes(" proto 120 ")),
        why,
      ).toEqual([]);
    };
    await expectAll("at the start", BOTH);
    expect(await main()).toEqual(before);
    const route = (await krtd.routes("prefix=10.0.0.0/24")).find(({ table }) => table === "master4");
    expect(route).toMatchObject({ source: "direct1", preference: 240, kernel: { state: "filtered" } });
    await ns.batch(["link set v0 down", "link set v0 up", "addr add 10.0.7.1/24 dev v0"]);
    await expectAll("after a flap", [...BOTH, "10.0.7.0/24 dev v0"]);
    await ns.batch(["addr flush dev v0", "link set w0 down"]);
    await expectAll("without addresses", []);
    await ns.batch(["link set w0 up", "addr add 10.0.0.1/24 dev v0", "addr add 2001:db8:0:1::1/64 dev v0"]);
    await expectAll("all is back", BOTH);
    expect((await main()).filter((line) => !line.startsWith("fe80::")).sort()).toEqual(
      before.filter((line) => !line.startsWith("fe80::")).sort(),
    );
  });
});
