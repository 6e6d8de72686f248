/**
 * Filters on the real kernel: what `set` puts into a route is what `ip route` means by the same words, and is seen as
 * such at the next scan; what is rejected never comes, or goes; foreign routes pass the import filter by what they are.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FilterMatchInput, FilterRuleInput, FilterSetInput } from "../../src/config/filter-schema.ts";
import type { RouteInput } from "../../src/config/input.ts";
import type { KernelRouteJson } from "../../src/control/json.ts";
import { configOf, configText, FAMILIES, lines, ownLines } from "../support/families.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor, withNetns } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

/** Where `ip` makes routes to compare with. */
const PATTERN_TABLE = 999;

/** What a filter sets, and the same in the words of `ip route`. */
const SETS: readonly (readonly [set: FilterSetInput, words: string])[] = [
  [{ metric: 77 }, "metric 77"],
  [{ metric: 4_294_967_295 }, "metric 4294967295"],
  [{ mtu: 1400 }, "mtu 1400"],
  [{ mtu: 1400, lock: "mtu" }, "mtu lock 1400"],
  [{ mtu: 65520 }, "mtu 65520"],
  [{ advmss: 1300 }, "advmss 1300"],
  [{ advmss: 1300, lock: ["advmss"] }, "advmss lock 1300"],
  [{ window: 20000 }, "window 20000"],
  [{ rtt: 50 }, "rtt 50ms"],
  [{ rtt: "2s" }, "rtt 2s"],
  [{ rttvar: "20ms" }, "rttvar 20ms"],
  [{ "rto-min": 200 }, "rto_min 200ms"],
  [{ ssthresh: 30 }, "ssthresh 30"],
  [{ cwnd: 40, lock: "cwnd" }, "cwnd lock 40"],
  [{ initcwnd: 20 }, "initcwnd 20"],
  [{ initrwnd: 25 }, "initrwnd 25"],
  [{ reordering: 6 }, "reordering 6"],
  [{ hoplimit: 9 }, "hoplimit 9"],
  [{ features: "ecn" }, "features ecn"],
  [{ quickack: true }, "quickack 1"],
  [{ "fastopen-no-cookie": true }, "fastopen_no_cookie 1"],
  [{ congctl: "reno" }, "congctl reno"],
  [
    {
      metric: 5,
      mtu: 1350,
      advmss: 1310,
      window: 30000,
      rtt: 40,
      initcwnd: 12,
      hoplimit: 33,
      features: ["ecn"],
      quickack: true,
      congctl: "cubic",
      lock: ["mtu", "window"],
    },
    "metric 5 mtu lock 1350 advmss 1310 window lock 30000 rtt 40ms initcwnd 12 hoplimit 33 features ecn quickack 1 congctl cubic",
  ],
  // 0, null and false take away, and set nothing where there is nothing.
  [{ mtu: 0, advmss: null, features: [], quickack: false, congctl: null, lock: [] }, ""],
];

const yamlFilters = (filters: Readonly<Record<string, readonly FilterRuleInput[]>>) => ({
  filters: Object.fromEntries(Object.entries(filters).map(([name, rules]) => [name, [...rules]])),
});

/** One rule for each prefix. */
const setRules = (
  net: (i: number) => string,
  sets: readonly (readonly [set: FilterSetInput, words: string])[],
): FilterRuleInput[] =>
  sets.map(([set], i) => ({
    match: { prefix: net(i) },
    ...(Object.keys(set).length === 0 ? {} : { set }),
    action: "accept",
  }));

describe.each(FAMILIES)("IPv$family: an export filter", (it6) => {
  const { family, flag, net, gateway, otherGateway, suffix } = it6;
  const secondAddress = family === 4 ? "10.0.0.77" : "2001:db8:0:1::77";
  const sets = [
    ...SETS,
    [{ prefsrc: secondAddress }, `src ${secondAddress}`] as const,
    // What the other family has alone is passed over, the rest of the set is not.
    family === 4
      ? ([{ realm: 5 * 65536 + 6, initcwnd: 3 }, "realm 5/6 initcwnd 3"] as const)
      : ([{ realm: 9, scope: "link", initcwnd: 3 }, "initcwnd 3"] as const),
    [{ prefsrc: family === 4 ? "2001:db8:0:1::77" : "10.0.0.77", mtu: 1399 }, "mtu 1399"] as const,
  ];
  const routes: RouteInput[] = sets.map((_, i) =>
    i % 3 === 2
      ? { prefix: net(i), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] }
      : { prefix: net(i), via: gateway },
  );
  const viaWords = (i: number): string =>
    i % 3 === 2 ? `nexthop via ${gateway} nexthop via ${otherGateway} weight 3` : `via ${gateway}`;
  const configured = (rules: readonly FilterRuleInput[]): string =>
    configOf(it6, routes, {
      kernel: { export: "out" },
      root: { ...yamlFilters({ out: rules }), safety: { "max-delete-percent": 100 } },
    });

  let ns: Netns;
  let krtd: RunningKrtd;

  /** What `ip` makes of the words, as `ip` shows it in table main. */
  async function pattern(words: readonly string[]): Promise<string[]> {
    await ns.tryIp(`${flag} route flush table ${PATTERN_TABLE}`);
    for (const [i, more] of words.entries()) {
      const metric = / ?metric \d+/.exec(more)?.[0] ?? " metric 32";
      const rest = more.replace(metric, "").trim();
      // Attributes of the route stand before its nexthops.
      await ns.ip(
        `${flag} route add ${net(i)} proto 120 table ${PATTERN_TABLE} ${metric} ${rest} ${viaWords(i)}`,
      );
    }
    const shown = await ns.ip(`-o -d ${flag} route show table ${PATTERN_TABLE}`);
    return lines(shown.replaceAll(` table ${PATTERN_TABLE}`, ""));
  }

  beforeAll(async () => {
    ns = await createTopology();
    await ns.ip(`addr add ${secondAddress}/${family === 4 ? 24 : 64} dev v0${family === 6 ? " nodad" : ""}`);
    krtd = await startSynced(ns, configured(setRules(net, sets)));
  });

  afterAll(async () => {
    await krtd?.[Symbol.asyncDispose]();
    await ns?.dispose();
  });

  it("sets what ip route means by the same words", async () => {
    expect(await ownLines(ns, flag)).toEqual(await pattern(sets.map(([, words]) => words)));
    const states = (await krtd.routes()).map(({ dst, kernel }) => [dst, kernel.state, kernel.message]);
    expect(states).toEqual(routes.map(({ prefix }) => [prefix, "synced", null]));
  });

  it("finds all that as it wants it: further scans write nothing", async () => {
    await using monitor = await monitorRoutes(ns);
    const writes = await krtd.writes();
    expect(writes).toBe(routes.length);
    await krtd.scan();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    expect(await monitor.events()).toEqual([]);
    expect((await krtd.ctl("diff")).code).toBe(0);
  });

  it("leaves the table as it was", async () => {
    const shown = await krtd.routes();
    expect(shown.filter(({ mtu }) => mtu !== undefined)).toEqual([]);
    expect(shown[2]?.kernel.as).toMatchObject({ mtu: 1400 });
  });

  it("brings back what somebody changed of it", async () => {
    const wanted = await ownLines(ns, flag);
    const at = sets.findIndex(([, words]) => words === "initcwnd 20");
    await ns.ip(`${flag} route replace ${net(at)} initcwnd 21 metric 32 proto 120 ${viaWords(at)}`);
    await waitFor("it is repaired", async () => (await ownLines(ns, flag)).join() === wanted.join());
  });

  it("that changes is applied in place: a write for each route that is another then, no other", async () => {
    await using monitor = await monitorRoutes(ns);
    const before = await krtd.writes();
    // Three: another mtu, an mtu where there was none, none where there was one.
    const changed = sets.map(([set, words]) => {
      if (words === "mtu 1400") return [{ mtu: 1380 }, "mtu 1380"] as const;
      if (words === "advmss 1300") return [{ advmss: 1300, mtu: 1390 }, "advmss 1300 mtu 1390"] as const;
      if (words === "window 20000") return [{}, ""] as const;
      return [set, words] as const;
    });
    await krtd.configure(configured(setRules(net, changed)));
    const words = changed.map(([, more]) => more);
    await waitFor("three are changed", async () => (await krtd.writes()) === before + 3);
    await krtd.scan();
    expect(await krtd.writes()).toBe(before + 3);
    const events = await monitor.events();
    expect(events.filter((line) => line.includes(" proto 120 "))).toHaveLength(3);
    expect(events.filter((line) => line.startsWith("Deleted "))).toEqual([]);
    expect(await ownLines(ns, flag)).toEqual(await pattern(words));
  });

  it("takes what it rejects out of the kernel, and puts what it lets through in", async () => {
    const bare = (i: number) =>
      `unicast ${net(i)} via ${gateway} dev v0 proto 120 scope global metric 32${suffix}`;
    await using monitor = await monitorRoutes(ns);
    await krtd.configure(
      configured([
        { match: { prefix: [net(0), net(1)] }, action: "accept" },
        { match: { prefix: family === 4 ? "198.18.0.0/15+" : "2001:db8::/32+" }, action: "reject" },
      ]),
    );
    await waitFor("two are left", async () => (await ownLines(ns, flag)).length === 2);
    expect(await ownLines(ns, flag)).toEqual([bare(0), bare(1)]);
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect((await krtd.route(net(5))).kernel.state).toBe("filtered");
    await krtd.scan();
    const again = (await monitor.events()).filter((line) => !line.startsWith("Deleted "));
    expect(again.filter((line) => line.includes(` ${net(5)} `))).toEqual([]);

    await krtd.configure(configured([{ action: "accept" }]));
    await waitFor("all are there", async () => (await ownLines(ns, flag)).length === routes.length);
    expect(await ownLines(ns, flag)).toEqual(await pattern(sets.map(() => "")));
  });

  it("that changes a route is no obstacle to taking it out at the end", async () => {
    await krtd.configure(configured(setRules(net, sets)));
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, flag, "table all")).toEqual([]);
  });
});

describe("an export filter", () => {
  const [v4] = FAMILIES;

  it("sets the scope of device routes", async () => {
    await using ns = await createTopology();
    const scopes = ["host", "link", "global", "site"] as const;
    const routes = scopes.map((_, i) => ({ prefix: v4!.net(i), dev: "v0" }));
    const rules = scopes.map((scope, i) => ({
      match: { prefix: v4!.net(i) },
      set: { scope },
      action: "accept" as const,
    }));
    await using krtd = await startSynced(
      ns,
      configOf(v4!, routes, { kernel: { export: "out" }, root: yamlFilters({ out: rules }) }),
    );
    const shown = (await ownLines(ns, "-4")).map((line) => / scope (\S+)/.exec(line)?.[1]);
    expect(shown).toEqual(["host", "link", "global", "site"]);
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
  });

  it("that sets what the kernel refuses says so, and the old route is gone", async () => {
    await using ns = await createTopology();
    const rules = (congctl: string): FilterRuleInput[] => [{ set: { congctl }, action: "accept" }];
    const config = (congctl: string): string =>
      configOf(v4!, [{ prefix: v4!.net(1), via: v4!.gateway }], {
        kernel: { export: "out" },
        root: yamlFilters({ out: rules(congctl) }),
      });
    await using krtd = await startSynced(ns, config("reno"));
    expect(await ownLines(ns, "-4")).toHaveLength(1);
    await krtd.configure(config("no-such-one"));
    await waitFor("it has failed", async () => (await krtd.route(v4!.net(1))).kernel.state === "failed");
    await waitFor("what it was is gone", async () => (await ownLines(ns, "-4")).length === 0);
    await krtd.configure(config("cubic"));
    await waitFor(
      "it is there",
      async () => (await ownLines(ns, "-4"))[0]?.includes("congctl cubic") === true,
    );
  });

  it("asks for devices by name, also when one gets another name", async () => {
    await using ns = await createTopology();
    await ns.ip("addr add 10.1.0.1/24 dev v1");
    const routes = [
      { prefix: v4!.net(1), via: v4!.gateway, dev: "v0" },
      { prefix: v4!.net(2), via: "10.1.0.2", dev: "v1" },
      { prefix: v4!.net(3), dev: "v1" },
      { prefix: v4!.net(4), type: "blackhole" as const },
    ];
    const rules: FilterRuleInput[] = [
      { match: { dev: "v1" }, set: { mtu: 1300 }, action: "accept" },
      { match: { dev: ["w*", "x0"] }, set: { mtu: 1200 }, action: "accept" },
      { match: { type: "blackhole" }, set: { metric: 9 }, action: "accept" },
      { match: { gateway: "10.0.0.0/24" }, action: "accept" },
    ];
    await using krtd = await startSynced(
      ns,
      configOf(v4!, routes, { kernel: { export: "out" }, root: yamlFilters({ out: rules }) }),
    );
    const mtus = async () =>
      (await ownLines(ns, "-4")).map((line) => [line.split(" ")[1], / mtu (\d+)/.exec(line)?.[1] ?? null]);
    expect(await mtus()).toEqual([
      [v4!.net(1), null],
      [v4!.net(2), "1300"],
      [v4!.net(3), "1300"],
      [v4!.net(4), null],
    ]);
    expect((await ownLines(ns, "-4"))[3]).toContain(
      "blackhole 198.18.4.0/24 proto 120 scope global metric 9",
    );
    await ns.ip("link set v1 down");
    await ns.ip("link set v1 name w1");
    await ns.ip("link set w1 up");
    await waitFor("the routes of v1 wait for it", async () => (await krtd.status()).counts.waiting === 2);
    expect(await mtus()).toEqual([
      [v4!.net(1), null],
      [v4!.net(4), null],
    ]);
    await ns.ip("link set w1 down");
    await ns.ip("link set w1 name v1");
    await ns.ip("link set v1 up");
    await waitFor("they are back", async () => (await mtus()).length === 4);
    expect((await mtus())[1]).toEqual([v4!.net(2), "1300"]);
  });

  it("sees the new name of a device that a route has by number", async () => {
    await using ns = await createTopology();
    await ns.ip("addr add 10.1.0.1/24 dev v1");
    const root = {
      tables: { blue4: { family: "ipv4" as const } },
      kernel: { blue: { table: "blue4", "kernel-table": 100, "scan-time": 0, export: "out" } },
      direct: { direct4: { table: "blue4" } },
      static: {},
      ...yamlFilters({
        out: [
          { match: { dev: "v1" }, set: { mtu: 1300 }, action: "accept" },
          { match: { dev: ["w*", "x0"] }, set: { mtu: 1200 }, action: "accept" },
        ],
      }),
    };
    await using _krtd = await startSynced(ns, configText({}, { root }));
    const shown = async () => lines(await ns.ip("-d route show table 100"));
    const line = (dev: string, mtu: number) =>
      `unicast 10.1.0.0/24 dev ${dev} proto 120 scope link metric 32 mtu ${mtu}`;
    expect(await shown()).toEqual([line("v1", 1300)]);
    await ns.ip("link set v1 down");
    await ns.ip("link set v1 name w1");
    await ns.ip("link set w1 up");
    await waitFor("the other rule fits", async () => (await shown()).join() === line("w1", 1200));
    await ns.ip("link set w1 down");
    await ns.ip("link set w1 name y1");
    await ns.ip("link set y1 up");
    await waitFor("no rule fits", async () => (await shown()).length === 0);
  });
});

describe("an import filter", () => {
  const [v4] = FAMILIES;
  const route = (i: number, words: string): string => `route add ${v4!.net(i)} via ${v4!.gateway} ${words}`;
  const rules = (match: FilterMatchInput): FilterRuleInput[] => [
    { match: { protocol: "dhcp" }, set: { preference: 300, mtu: 1234 }, action: "accept" },
    { match, action: "accept" },
  ];
  const config = (match: FilterMatchInput, learn: boolean | "all" = true): string =>
    configOf(v4!, [{ prefix: v4!.net(9), via: v4!.gateway }], {
      kernel: { learn, import: "in" },
      root: yamlFilters({ in: rules(match) }),
    });

  it("takes learned routes by rtm_protocol, as they come, change and go", async () => {
    await using ns = await createTopology();
    await ns.ip(route(1, "proto zebra"));
    await ns.ip(route(2, "proto dhcp"));
    await ns.ip(route(3, "proto static"));
    await ns.ip(route(9, "proto dhcp metric 500"));
    await using krtd = await startSynced(ns, config({ protocol: ["zebra", 77] }));
    const learned = async () =>
      (await krtd.routes("all=true"))
        .filter((one) => one["source-type"] === "inherit")
        .map(({ dst, preference, mtu }) => [dst, preference, mtu ?? null])
        .sort();
    expect(await learned()).toEqual([
      [v4!.net(1), 10, null],
      [v4!.net(2), 300, 1234],
      [v4!.net(9), 300, 1234],
    ]);
    // What is preferred to ours is not exported, as it came from there; ours is not wanted any more.
    await waitFor("ours is gone", async () => (await ownLines(ns, "-4")).length === 0);
    await ns.ip(`route del ${v4!.net(9)} metric 500`);
    await waitFor("ours is there", async () => (await ownLines(ns, "-4")).length === 1);

    await ns.ip(route(4, "proto 77"));
    await waitFor("one more", async () => (await learned()).length === 3);
    // A change of protocol takes it out of what the filter lets through, or in.
    await ns.ip(`route replace ${v4!.net(1)} via ${v4!.gateway} proto static`);
    await ns.ip(`route replace ${v4!.net(3)} via ${v4!.gateway} proto zebra`);
    const expected = [
      [v4!.net(2), 300, 1234],
      [v4!.net(3), 10, null],
      [v4!.net(4), 10, null],
    ];
    await waitFor(
      "the one for the other",
      async () => JSON.stringify(await learned()) === JSON.stringify(expected),
    );
    // Another filter judges what was learned, and nothing is written.
    await using monitor = await monitorRoutes(ns);
    await krtd.configure(config({ protocol: "static" }));
    await waitFor("the other ones", async () => (await learned()).length === 2);
    expect(await learned()).toEqual([
      [v4!.net(1), 10, null],
      [v4!.net(2), 300, 1234],
    ]);
    expect(await monitor.events()).toEqual([]);
    // The kernel's own, when asked for.
    await krtd.configure(config({ protocol: "kernel" }, "all"));
    await waitFor("connected", async () => (await learned()).some(([dst]) => dst === "10.0.0.0/24"));
    await krtd.configure(config({ protocol: "kernel" }, false));
    await waitFor("nothing is learned", async () => (await learned()).length === 0);
    expect((await monitor.events()).filter((line) => !line.includes(v4!.net(9)))).toEqual([]);
  });
});

describe("routes that krtd does not speak", () => {
  const [v4, v6] = FAMILIES;
  /** Tunnels without a device: each with the words of `ip`, and the family of the route. */
  const ENCAPS: readonly (readonly [flag: "-4" | "-6", words: string])[] = [
    ["-4", "encap ip id 1 dst 10.0.0.9"],
    ["-4", "encap seg6 mode encap segs fc00::1"],
    ["-6", "encap ip6 id 1 dst fc00::9"],
    ["-6", "encap seg6 mode encap segs fc00::1,fc00::2"],
    ["-6", "encap seg6local action End"],
  ];

  it("are left alone, are never taken for ours, and show kernel shows them", async () => {
    await using ns = await createTopology();
    const taken: (readonly ["-4" | "-6", string, string])[] = [];
    for (const [i, [flag, words]] of ENCAPS.entries()) {
      const prefix = (flag === "-4" ? v4! : v6!).net(i);
      const command = `${flag} route add ${prefix} ${words} dev v0 proto static metric 32`;
      // Not every kernel is built with all of them.
      if ((await ns.tryIp(command)).code === 0) taken.push([flag, prefix, words]);
    }
    // This kernel has lightweight tunnels at all, or there is nothing to be seen here.
    expect(taken.length).toBeGreaterThan(0);
    const wanted = (flag: "-4" | "-6"): RouteInput[] =>
      taken.filter(([of]) => of === flag).map(([, prefix]) => ({ prefix, dev: "v0" }));
    const foreign = async () => {
      const shown = await Promise.all(
        ["-4", "-6"].map((flag) => ns.ip(`-o -d ${flag} route show proto static`)),
      );
      return shown.flatMap(lines);
    };
    const before = await foreign();
    expect(before).toHaveLength(taken.length);
    await using monitor = await monitorRoutes(ns);
    const kernel = { learn: true };
    await using krtd = await startSynced(ns, configText({ 4: wanted("-4"), 6: wanted("-6") }, { kernel }));
    await krtd.scan();
    for (const [, prefix] of taken) {
      const { kernel: state } = await krtd.route(prefix);
      expect([prefix, state.state, state.message]).toEqual([
        prefix,
        "failed",
        `Key held by unicast ${prefix} proto static metric 32`,
      ]);
      const [shown] = await krtd.get<KernelRouteJson[]>(`/v1/kernel?prefix=${encodeURIComponent(prefix)}`);
      expect(shown).toMatchObject({ dst: prefix, class: "alien", verdict: "learn" });
    }
    const text = (await krtd.ctl("show", "kernel")).stdout;
    for (const [, prefix] of taken) expect(text).toContain(prefix);
    expect(await monitor.events()).toEqual([]);
    expect(await krtd.stop()).toBe(0);
    expect(await foreign()).toEqual(before);
    expect(await monitor.events()).toEqual([]);
  });

  it("are not carried into another kernel table, where they would mean something else", async () => {
    await using ns = await createTopology();
    await ns.ip("route add 198.18.1.0/24 encap ip id 1 dst 10.0.0.9 dev v0 proto static");
    await ns.ip("route add 198.18.2.0/24 via 10.0.0.2 proto static");
    const root = {
      tables: { blue4: { family: "ipv4" as const } },
      kernel: {
        kernel4: { learn: true, "scan-time": 0 },
        blue: { table: "blue4", "kernel-table": 100, "scan-time": 0 },
      },
      pipe: { pipe1: { "peer-table": "blue4" } },
      static: {},
    };
    await using krtd = await startSynced(ns, configText({}, { root }));
    await waitFor("the plain one is there", async () =>
      (await ns.ip("route show table 100")).includes("198.18.2.0/24"),
    );
    for (let scans = 0; scans < 3; scans++) await krtd.scan();
    expect(lines(await ns.ip("-d route show table 100"))).toHaveLength(1);
    expect(await krtd.writes()).toBe(1);
    const [there] = (await krtd.routes("prefix=198.18.1.0/24")).filter(({ table }) => table === "blue4");
    expect(there?.kernel.state).toBe("filtered");
    const explained = (await krtd.ctl("explain", "198.18.1.0/24", "table", "blue4")).stdout;
    expect(explained).toContain("Protocol blue does not take it: there is more to it than krtd understands");
    await ns.ip("route del 198.18.2.0/24 proto static");
    await waitFor("it goes", async () => (await ns.ip("route show table 100")) === "");
  });

  it("for nexthop objects are read: such routes are learned and carried by their nexthops", async () => {
    await using ns = await createTopology();
    await ns.ip("nexthop add id 7 via 10.0.0.7 dev v0");
    await ns.ip("nexthop add id 8 via 10.0.0.8 dev v0");
    await ns.ip("nexthop add id 9 group 7/8,3");
    await ns.ip("nexthop add id 10 blackhole");
    await ns.ip("route add 198.18.1.0/24 nhid 7 proto zebra metric 20");
    const root = {
      tables: { blue4: { family: "ipv4" as const } },
      kernel: {
        kernel4: { learn: true, "scan-time": 0 },
        blue: { table: "blue4", "kernel-table": 100, "scan-time": 0 },
      },
      pipe: { pipe1: { "peer-table": "blue4" } },
      static: {},
    };
    await using krtd = await startSynced(ns, configText({}, { root }));
    await ns.ip("route add 198.18.2.0/24 nhid 9 proto zebra metric 20");
    await ns.ip("route add 198.18.3.0/24 nhid 10 proto zebra metric 20");
    const carried = async () => lines(await ns.ip("-o -d route show table 100"));
    const expected = [
      "unicast 198.18.1.0/24 via 10.0.0.7 dev v0 proto 120 scope global metric 20",
      "unicast 198.18.2.0/24 proto 120 scope global metric 20 " +
        "\\\tnexthop via 10.0.0.7 dev v0 weight 1 \\\tnexthop via 10.0.0.8 dev v0 weight 3",
      "blackhole 198.18.3.0/24 proto 120 scope global metric 20",
    ];
    await waitFor("all three are carried", async () => (await carried()).length === 3);
    expect(await carried()).toEqual(expected);
    expect((await krtd.routes()).filter(({ opaque }) => opaque === true)).toEqual([]);
    const writes = await krtd.writes();
    await krtd.scan();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    // Another content of the object is another content of its routes.
    await ns.ip("nexthop replace id 7 via 10.0.0.17 dev v0");
    await waitFor("they follow", async () => (await carried())[0]?.includes("via 10.0.0.17") === true);
    await ns.ip("route del 198.18.2.0/24 proto zebra");
    await waitFor("it goes", async () => (await carried()).length === 2);
  });

  it("with our number are ours: made what is wanted, or taken out", async () => {
    await withNetns(async (ns) => {
      await ns.ip("link add v0 type veth peer name v1");
      await ns.ip("link set v0 up");
      await ns.ip("addr add 10.0.0.1/24 dev v0");
      await ns.ip("route add 198.18.1.0/24 encap ip id 1 dst 10.0.0.9 dev v0 proto 120 metric 32");
      await ns.ip("route add 198.18.2.0/24 encap ip id 1 dst 10.0.0.9 dev v0 proto 120 metric 32");
      await using krtd = await startSynced(ns, configOf(v4!, [{ prefix: v4!.net(1), dev: "v0" }]));
      expect(await ownLines(ns, "-4")).toEqual([
        "unicast 198.18.1.0/24 dev v0 proto 120 scope link metric 32 linkdown",
      ]);
      const writes = await krtd.writes();
      await krtd.scan();
      expect(await krtd.writes()).toBe(writes);
    });
  });
});

describe("an IPv4 route through an IPv6 gateway", () => {
  const [v4] = FAMILIES;

  it("is installed, filtered by its gateway, repaired and adopted", async () => {
    await using ns = await createTopology();
    const routes: RouteInput[] = [
      { prefix: v4!.net(1), via: "fe80::77", dev: "v0" },
      {
        prefix: v4!.net(2),
        nexthops: [
          { via: "fe80::77", dev: "v0" },
          { via: "10.0.0.2", weight: 2 },
        ],
      },
      { prefix: v4!.net(3), via: "2001:db8:0:1::9" },
    ];
    const rules: FilterRuleInput[] = [
      { match: { gateway: "fe80::/10" }, set: { mtu: 1280 }, action: "accept" },
      { action: "accept" },
    ];
    const config = configOf(v4!, routes, { kernel: { export: "out" }, root: yamlFilters({ out: rules }) });
    await using krtd = await startSynced(ns, config);
    const wanted = await ownLines(ns, "-4");
    expect(wanted).toEqual([
      "unicast 198.18.1.0/24 via inet6 fe80::77 dev v0 proto 120 scope global metric 32 mtu 1280",
      expect.stringMatching(
        /^unicast 198\.18\.2\.0\/24 proto 120 scope global metric 32 mtu 1280.*via inet6 fe80::77 dev v0/,
      ),
      "unicast 198.18.3.0/24 via inet6 2001:db8:0:1::9 dev v0 proto 120 scope global metric 32",
    ]);
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    await ns.ip(`route replace ${v4!.net(1)} via 10.0.0.9 metric 32 proto 120`);
    await ns.ip(`route del ${v4!.net(2)} metric 32`);
    await waitFor("all is as before", async () => (await ownLines(ns, "-4")).join() === wanted.join());
    await ns.ip("link set v0 down");
    await waitFor("they wait", async () => (await krtd.status()).counts.waiting === 3);
    await ns.ip("link set v0 up");
    await ns.tryIp("addr add 2001:db8:0:1::1/64 dev v0 nodad");
    await waitFor("all is as before", async () => (await ownLines(ns, "-4")).join() === wanted.join());
  });
});
