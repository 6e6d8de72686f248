/**
 * What is announced of other programs' routes (semantics §6): told by scans alone, by events alone, by both. And in
 * every order in which changes, the news of them and a running dump can mix: what is learned is a function of what
 * the kernel holds, and nothing is announced twice.
 */

import { afterEach, describe, expect, it } from "vitest";
import { REJECT_ALL } from "../../../src/nest/filter.ts";
import { originOf } from "../../../src/nest/origin.ts";
import type { RouteId } from "../../../src/nest/route.ts";
import type { RouteOperation, RouteView } from "../../../src/sysdep/model/index.ts";
import { RouteFlyweight } from "../../../src/sysdep/model/kernel-route.ts";
import type { RouteChange } from "../../../src/sysdep/os.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip, OWN, prefixOf, TABLE } from "./fixture.ts";

const KERNEL = 2;
const STATIC = 4;
const FORMER = 77;

const WORDS = {
  4: {
    net: "10.1.0.0/16",
    gateways: ["10.0.0.2", "10.0.0.3", "10.0.0.4"],
    later: Array.from({ length: 8 }, (_, i) => `10.${200 + i}.0.0/16`),
  },
  6: {
    net: "2001:db8:10::/48",
    gateways: ["2001:db8:0:1::2", "2001:db8:0:1::3", "2001:db8:0:1::4"],
    later: Array.from({ length: 8 }, (_, i) => `2001:db8:f${i}::/48`),
  },
} as const;
const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

/** "add 100 via 0", "replace 10 via 1 proto 16", "append 10 blackhole", "delete 10". */
type Change = string;

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

function apply(change: Change): void {
  const { net, gateways } = WORDS[f.family];
  const [, op, metric, gateway, reject, protocol] =
    /^(\w+) (\d+)(?: via (\d))?( blackhole)?(?: proto (\d+))?$/.exec(change) ?? [];
  if (op === undefined) throw new Error(`not a change: ${change}`);
  const hops = gateway === undefined ? [] : [{ gateway: ip(gateways[Number(gateway)]!), device: 0 }];
  const errno = f.foreign({
    op: op as RouteOperation,
    prefix: net,
    metric: Number(metric),
    nexthops: hops,
    ...(reject === undefined ? {} : { type: 6 }),
    ...(op === "delete" && protocol === undefined ? {} : { protocol: Number(protocol ?? STATIC) }),
  });
  expect(errno, change).toBe(0);
}

/** A route of the table as "10 via 1", "10 via 1+0 proto 16", "10 blackhole"; "-": none. */
function routeWords(route: RouteId): string {
  if (route === 0) return "-";
  const { table, attrs } = f;
  const { type, nexthops } = attrs.describe(table.attrsOf(route));
  const { protocol } = originOf(table.origin(route));
  return words(table.metricOf(route), type, nexthops, protocol);
}

function words(
  metric: number,
  type: string,
  nexthops: readonly { readonly gateway: ReturnType<typeof ip> | null }[],
  protocol: number,
): string {
  const known = WORDS[f.family].gateways.map((text) => Object.values(ip(text)).join());
  const via = nexthops.map(({ gateway }) =>
    gateway === null ? "-" : known.indexOf(Object.values(gateway).join()),
  );
  const what = type === "unicast" ? `via ${via.sort().join("+")}` : type;
  return `${metric} ${what}${protocol === STATIC ? "" : ` proto ${protocol}`}`;
}

function best(prefix: string): RouteId {
  const { w0, w1, w2, w3, length } = prefixOf(prefix);
  const node = f.table.fib.find(w0, w1, w2, w3, length);
  return node === 0 ? 0 : f.table.best(node);
}

/** What is announced from now on. */
function listen(): string[] {
  const announced: string[] = [];
  f.table.listen({ bestChanged: (_node, route) => announced.push(routeWords(route)) });
  return announced;
}

interface Row {
  readonly why: string;
  readonly config?: Parameters<typeof fixture>[0];
  /** Each change, and all that is announced because of it. */
  readonly steps: readonly (readonly [change: Change, ...announced: string[]])[];
  readonly families?: readonly Family[];
}

const ROWS: readonly Row[] = [
  {
    why: "metrics 100, then 10",
    steps: [
      ["add 100 via 0", "100 via 0"],
      ["add 10 via 1", "10 via 1"],
    ],
  },
  {
    why: "the gateway of the best changes",
    steps: [
      ["add 100 via 0", "100 via 0"],
      ["add 10 via 0", "10 via 0"],
      ["replace 10 via 1", "10 via 1"],
    ],
  },
  {
    why: "a worse one is added, changed and removed: silence",
    steps: [
      ["add 10 via 0", "10 via 0"],
      ["add 100 via 1"],
      ["replace 100 via 2"],
      ["add 50 blackhole"],
      ["delete 100"],
      ["delete 50"],
    ],
  },
  {
    why: "the best is removed: the next best; the last: withdrawn",
    steps: [["add 10 via 0", "10 via 0"], ["add 100 via 1"], ["delete 10", "100 via 1"], ["delete 100", "-"]],
  },
  {
    why: "the best changes its program and nothing else",
    steps: [
      ["add 10 via 0", "10 via 0"],
      ["replace 10 via 0 proto 16", "10 via 0 proto 16"],
    ],
  },
  {
    why: "the same once more: silence",
    steps: [["add 10 via 0", "10 via 0"], ["replace 10 via 0"]],
  },
  {
    why: "replaced by one that is not learned",
    steps: [
      ["add 10 via 0", "10 via 0"],
      ["replace 10 via 0 proto 2", "-"],
      ["replace 10 via 0", "10 via 0"],
    ],
  },
  {
    why: "replaced by one that is not learned: what is behind it comes forward",
    steps: [["add 10 via 0", "10 via 0"], ["add 100 via 1"], ["replace 10 via 0 proto 2", "100 via 1"]],
  },
  {
    why: "with `all`, protocol kernel too",
    config: { learn: "all" },
    steps: [
      ["add 10 via 0 proto 2", "10 via 0 proto 2"],
      ["replace 10 via 1", "10 via 1"],
      ["replace 10 via 1 proto 2", "10 via 1 proto 2"],
      ["delete 10", "-"],
    ],
  },
  {
    why: "never a redirect",
    config: { learn: "all" },
    steps: [["add 10 via 0 proto 1"], ["add 20 via 0", "20 via 0"], ["replace 20 via 1 proto 1", "-"]],
  },
  {
    why: "never ours, nor what was ours",
    config: { former: [FORMER] },
    steps: [
      [`add 10 via 0 proto ${OWN}`],
      [`add 20 via 0 proto ${FORMER}`],
      ["add 30 via 0", "30 via 0"],
      [`replace 30 via 0 proto ${FORMER}`, "-"],
      [`replace 30 via 1 proto ${OWN}`],
    ],
  },
  {
    why: "nothing at all without learn",
    config: { learn: false },
    steps: [["add 10 via 0"], ["replace 10 via 1"], ["delete 10"]],
  },
  {
    why: "of equally good ones the one the kernel lists first",
    families: [4],
    steps: [
      ["add 10 via 0", "10 via 0"],
      ["append 10 via 1 proto 16"],
      ["prepend 10 via 2", "10 via 2"],
      ["replace 10 via 2 proto 16", "10 via 2 proto 16"],
      ["delete 10", "10 via 0"],
      ["delete 10", "10 via 1 proto 16"],
      ["delete 10", "-"],
    ],
  },
  {
    why: "nexthops that IPv6 joins to one route",
    families: [6],
    steps: [
      ["add 10 via 0", "10 via 0"],
      ["append 10 via 1", "10 via 0+1"],
      ["delete 10 via 0", "10 via 1"],
      ["append 10 blackhole"],
      ["delete 10 via 1", "10 blackhole"],
    ],
  },
];

const PATHS: readonly {
  readonly path: string;
  readonly monitor: boolean;
  readonly told: () => Promise<unknown>;
}[] = [
  { path: "a scan", monitor: false, told: () => f.scan() },
  { path: "events, and the scans they ask for,", monitor: true, told: () => f.clock.advance(200) },
  {
    path: "events and a scan",
    monitor: true,
    async told() {
      await settle();
      await f.scan();
      await f.clock.advance(200);
    },
  },
];

describe.each(PATHS)("learned by $path", ({ monitor, told }) => {
  const rows = ROWS.flatMap((row) => (row.families ?? FAMILIES).map((family) => ({ ...row, family })));

  it.each(rows)("IPv$family: $why", async ({ family, config, steps }) => {
    f = await fixture({ family, learn: true, export: REJECT_ALL, ...config });
    f.os.faults.withoutMonitor = !monitor;
    await f.start();
    const announced = listen();
    for (const [change, ...expected] of steps) {
      announced.length = 0;
      apply(change);
      await told();
      expect([change, ...announced]).toEqual([change, ...expected]);
    }
    expect(f.writes()).toEqual([]);
  });
});

describe("learned by events alone, at once", () => {
  const rows = [
    { why: "one that came", changes: ["add 10 via 0"], is: "10 via 0" },
    { why: "a better one", changes: ["add 100 via 0", "add 10 via 1"], is: "10 via 1" },
    { why: "a worse one", changes: ["add 10 via 0", "add 100 via 1"], is: "10 via 0" },
    { why: "a replaced one", changes: ["add 10 via 0", "replace 10 via 1"], is: "10 via 1" },
    { why: "the best one gone", changes: ["add 10 via 0", "add 100 via 1", "delete 10"], is: "100 via 1" },
    { why: "the last one gone", changes: ["add 10 via 0", "delete 10"], is: "-" },
  ];
  it.each(rows.flatMap((row) => FAMILIES.map((family) => ({ ...row, family }))))(
    "IPv$family: $why",
    async ({ family, changes, is }) => {
      f = await fixture({ family, learn: true, export: REJECT_ALL });
      await f.start();
      const scans = f.protocol.report().scan.count;
      for (const change of changes) apply(change);
      await settle();
      expect(routeWords(best(WORDS[family].net))).toBe(is);
      expect(f.protocol.report().scan.count).toBe(scans);
    },
  );

  it("are not announced back to the kernel", async () => {
    f = await fixture({ learn: true });
    await f.start();
    apply("add 10 via 0");
    await settle();
    expect(f.status(WORDS[4].net).state).toBe("learned");
    apply("replace 10 via 1");
    await f.scan();
    expect(f.writes()).toEqual([]);
  });
});

interface Told {
  readonly route: RouteView;
  readonly change: RouteChange;
  readonly port: number;
}

/** Where in time things happen: before a scan, in its dump before and after the net was shown, after the scan. */
const PHASES = 4;

const STORIES: readonly { readonly changes: readonly Change[]; readonly families?: readonly Family[] }[] = [
  { changes: ["add 100 via 0", "add 10 via 1"] },
  { changes: ["add 10 via 0", "add 100 via 1"] },
  { changes: ["add 10 via 0", "replace 10 via 1", "delete 10"] },
  { changes: ["add 10 via 0", "delete 10", "add 10 via 1"] },
  { changes: ["add 10 via 0", "replace 10 via 1", "replace 10 via 0"] },
  { changes: ["add 10 via 0", "replace 10 via 0 proto 16"] },
  { changes: ["add 10 via 0", "replace 10 via 0 proto 2", "replace 10 via 1"] },
  { changes: ["add 10 via 0", `replace 10 via 1 proto ${OWN}`] },
  { changes: ["add 10 via 0", "replace 10 blackhole", "delete 10"] },
  { changes: ["add 10 via 0", "add 20 via 0", "delete 10"] },
  { changes: ["add 10 via 0", "append 10 via 1 proto 16", "delete 10"], families: [4] },
  { changes: ["add 10 via 0", "prepend 10 via 1", "replace 10 via 2"], families: [4] },
  { changes: ["add 10 via 0", "append 10 via 1", "delete 10 via 0"], families: [6] },
  { changes: ["add 10 via 0", "append 10 blackhole", "replace 10 via 1"], families: [6] },
];

/** Every order of changes C and their news E (each after its change), as lists of "C" and "E". */
function orders(changes: number): string[] {
  const all: string[] = [];
  const grow = (order: string, c: number, e: number): void => {
    if (e === changes) all.push(order);
    if (c < changes) grow(`${order}C`, c + 1, e);
    if (e < c) grow(`${order}E`, c, e + 1);
  };
  grow("", 0, 0);
  return all;
}

/** Every way to cut a text into `parts` parts, which may be empty. */
function cuts(text: string, parts: number): string[][] {
  if (parts === 1) return [[text]];
  return Array.from({ length: text.length + 1 }, (_, at) =>
    cuts(text.slice(at), parts - 1).map((rest) => [text.slice(0, at), ...rest]),
  ).flat();
}

describe("learned in every order of changes, their news and a scan", () => {
  const rows = STORIES.flatMap(({ changes, families = FAMILIES }) =>
    families.map((family) => ({ family, changes, what: changes.join(", ") })),
  );

  it.each(rows)("IPv$family: $what", async ({ family, changes }) => {
    f = await fixture({ family, learn: true, export: REJECT_ALL });
    f.os.faults.withoutMonitor = true;
    const { net, later } = WORDS[family];
    // Not learned; what comes in a dump before and after the net.
    for (const prefix of later) f.foreign({ op: "add", prefix, protocol: KERNEL, metric: 1, type: 6 });
    await f.start();
    const earlier = f.kernel.routes(family, TABLE).length - later.length;
    const announced = listen();
    const flyweight = new RouteFlyweight();
    const news: Told[] = [];
    f.kernel.listen((event) => {
      if (event.kind === "route") news.push(event);
    });
    let next = 0;
    const run = (part: string): void => {
      for (const what of part) {
        if (what === "C") apply(changes[next++]!);
        else tell();
      }
    };
    const tell = (): void => {
      const event = news.shift();
      if (event === undefined) throw new Error("no news");
      f.protocol.routeEvent(flyweight.show(event.route), event.change, event.port);
    };
    const reference = (): string => {
      const routes = f.kernel
        .routes(family, TABLE)
        .filter(
          ({ prefix, protocol }) =>
            prefix.w0 === prefixOf(net).w0 && prefix.w1 === prefixOf(net).w1 && protocol > KERNEL,
        )
        .filter(({ protocol }) => protocol !== OWN)
        .sort((a, b) => a.metric - b.metric);
      const [first] = routes;
      if (first === undefined) return "-";
      const { metric, type, nexthops, protocol } = first;
      return words(metric, type === 1 ? "unicast" : "blackhole", nexthops, protocol);
    };

    for (const order of orders(changes.length)) {
      for (const [before, early, late, after] of cuts(order, PHASES)) {
        const what = `${before}(${early}|${late})${after}`;
        announced.length = 0;
        next = 0;
        run(before!);
        f.os.faults.duringScan(earlier, () => {
          run(early!);
          // Behind all that may stand at the net, and before the last of the dump.
          f.os.faults.duringScan(earlier + changes.length + 1, () => run(late!));
        });
        await f.scan();
        run(after!);
        await f.clock.advance(500);
        expect(`${what}: ${routeWords(best(net))}`).toBe(`${what}: ${reference()}`);
        for (const [i, line] of announced.entries()) expect(line, what).not.toBe(announced[i - 1]);

        for (const { metric } of f.kernel.routesOf(TABLE, prefixOf(net))) apply(`delete ${metric}`);
        while (news.length > 0) tell();
        await f.clock.advance(500);
        expect(routeWords(best(net)), `${what}, then all gone`).toBe("-");
        expect(f.protocol.report().learned).toBe(0);
      }
    }
  });
});
