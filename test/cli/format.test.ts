import { describe, expect, it } from "vitest";
import type { Row } from "../../src/cli/columns.ts";
import { driftRow } from "../../src/cli/format-drift.ts";
import { routeRow, staticRow } from "../../src/cli/format-route.ts";
import type { TextStyle } from "../../src/cli/format-words.ts";
import { NO_PAINT } from "../../src/cli/paint.ts";
import type { DriftJson, RouteAttrsJson, RouteJson, StaticRouteJson } from "../../src/control/json.ts";
import { wayText } from "../../src/control/route-words.ts";

const PIPE: TextStyle = { paint: NO_PAINT, terminal: false, unicode: false, numeric: false, now: () => 0 };

/** As on a pipe: what is empty is left out. */
function line({ cells }: Row): string {
  return cells
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join(" ");
}

const ATTRS: RouteAttrsJson = { type: "unicast", gateway: "192.0.2.1", dev: "eth0", flags: [] };

const ROUTE: RouteJson = {
  ...ATTRS,
  table: "master4",
  dst: "10.0.0.0/8",
  source: "uplinks",
  "source-type": "static",
  preference: 200,
  best: true,
  since: "2026-11-21T02:00:00.000Z",
  kernel: {
    protocol: "kernel4",
    table: 254,
    metric: 32,
    state: "synced",
    errno: null,
    message: null,
    attempts: 0,
    "next-retry": null,
  },
};

const HOPS = [
  { gateway: "192.0.2.2", dev: "eth0", weight: 1, flags: [] },
  { gateway: "192.0.2.3", weight: 3, flags: ["onlink"] },
];

describe("wayText()", () => {
  it.each<[Partial<RouteAttrsJson>, string, string]>([
    [{}, "", "plain"],
    [{ prefsrc: "192.0.2.9", mtu: 1400 }, " src 192.0.2.9 mtu 1400", "source and MTU"],
    [{ mtu: 1400, metrics: { lock: ["mtu", "cwnd"], cwnd: 10 } }, " mtu lock 1400 cwnd lock 10", "locks"],
    [{ metrics: { rtt: 100, rttvar: 0.25, rto_min: 5 } }, " rtt 100ms rttvar 0.25ms rto_min 5ms", "times"],
    [
      { metrics: { features: ["ecn", "sack"], congctl: "cubic" } },
      " features ecn,sack congctl cubic",
      "names",
    ],
    [{ metrics: { congctl: "x\x1b" } }, " congctl x\\x1b", "a hostile name"],
    [{ metrics: { tomorrow: 1 } }, " tomorrow 1", "a metric of tomorrow"],
    [{ realm: 7 }, " realm 7", "one realm"],
    [{ realm: 0x50007 }, " realms 5/7", "two realms"],
    [{ scope: "link" }, " scope link", "a scope"],
    [{ flags: ["onlink"], opaque: true }, " onlink (and more krtd does not understand)", "flags"],
  ])("shows %j as %j: %s", (more, text) => {
    expect(wayText({ ...ATTRS, ...more })).toBe(`via 192.0.2.1 dev eth0${text}`);
  });

  it("shows several nexthops in one line, and types", () => {
    expect(wayText({ type: "unicast", nexthops: HOPS, flags: [] })).toBe(
      "nexthop via 192.0.2.2 dev eth0 weight 1 nexthop via 192.0.2.3 weight 3 onlink",
    );
    expect(wayText({ type: "blackhole", flags: [] })).toBe("blackhole");
  });
});

describe("routeRow()", () => {
  const head = "10.0.0.0/8 via 192.0.2.1 dev eth0";

  it.each<[Partial<RouteJson>, string, string]>([
    [{}, "[uplinks] synced", "plain"],
    [
      { protocol: "zebra", "protocol-id": 11, scope: "link" },
      "proto zebra scope link [uplinks] synced",
      "learned",
    ],
    [{ recursive: true }, "recursive [uplinks] synced", "recursive"],
    [
      { table: "blue4", trail: ["master4", "red4"] },
      "table blue4 through master4,red4 [uplinks] synced",
      "piped",
    ],
  ])("shows %j as %j: %s", (more, text) => {
    expect(line(routeRow({ ...ROUTE, ...more }, PIPE))).toBe(`${head} ${text}`);
  });

  it("says why nobody brings it to the kernel", () => {
    const none = { ...ROUTE.kernel, state: "none", metric: null } as const;
    expect(line(routeRow({ ...ROUTE, kernel: none }, PIPE))).toBe(`${head} [uplinks] none: kernel4 is down`);
    const gone = { ...none, message: "kernel4 is down: There is no network namespace blue" };
    expect(line(routeRow({ ...ROUTE, kernel: gone }, PIPE))).toBe(`${head} [uplinks] none: ${gone.message}`);
    expect(line(routeRow({ ...ROUTE, kernel: { ...none, protocol: null } }, PIPE))).toBe(
      `${head} [uplinks] none: no kernel protocol on this table`,
    );
  });

  it("gives numbers when asked for", () => {
    const learned = { ...ROUTE, protocol: "zebra", "protocol-id": 11 };
    expect(line(routeRow(learned, { ...PIPE, numeric: true }))).toContain("proto 11 ");
  });

  it("shows what is exported instead: in line on a pipe, below on a terminal", () => {
    const as: RouteAttrsJson = { type: "unicast", nexthops: HOPS, mtu: 1300, flags: [] };
    const route = { ...ROUTE, kernel: { ...ROUTE.kernel, as } };
    const told = `exported as ${wayText(as)}`;
    expect(line(routeRow(route, PIPE))).toBe(`${head} [uplinks] synced, ${told}`);
    const row = routeRow(route, { ...PIPE, terminal: true });
    expect(line(row)).toBe(`${head} [uplinks] synced`);
    expect(row.below).toEqual([`    ${told}`]);
  });
});

describe("staticRow()", () => {
  const route: StaticRouteJson = {
    ...ATTRS,
    dst: "10.0.0.0/8",
    protocol: "uplinks",
    table: "master4",
    preference: 200,
    "in-table": true,
    best: true,
    kernel: ROUTE.kernel,
  };

  it("shows the address a route follows, and that it leads nowhere", () => {
    expect(line(staticRow({ ...route, recursive: "10.1.2.3" }, PIPE))).toBe(
      "10.0.0.0/8 via 192.0.2.1 dev eth0 recursive 10.1.2.3 [uplinks] synced",
    );
    const { gateway: _, dev: __, ...nowhere } = route;
    const lost = {
      ...nowhere,
      recursive: "10.1.2.3",
      unresolved: true,
      "in-table": false,
      kernel: null,
    } as const;
    expect(line(staticRow(lost, PIPE))).toBe("10.0.0.0/8 recursive 10.1.2.3 [uplinks] unresolved");
  });
});

describe("driftRow()", () => {
  const drift: DriftJson = {
    at: "2026-11-21T02:00:00.000Z",
    protocol: "kernel4",
    table: 254,
    dst: "0.0.0.0/0",
    metric: 32,
    kind: "deleted",
    "seen-by": "event",
    port: 1234,
    before: null,
    after: null,
    reaction: "repaired",
  };

  it.each<[Partial<DriftJson>, string, string]>([
    [{}, "deleted [kernel4] by port 1234 repaired", "who did it is known"],
    [{ port: 0, reaction: "scan" }, "deleted [kernel4] by the kernel left to the next scan", "nobody did"],
    [{ port: null, reaction: "left" }, "deleted [kernel4] by somebody left alone", "nobody knows"],
    [{ port: null, "seen-by": "scan" }, "deleted [kernel4] found by a scan repaired", "it was not seen"],
    [
      { kind: "changed", before: ATTRS, after: { ...ATTRS, mtu: 1300 } },
      "changed, was via 192.0.2.1 dev eth0, now via 192.0.2.1 dev eth0 mtu 1300 [kernel4] by port 1234 repaired",
      "from what to what",
    ],
    [
      { kind: "taken", after: { type: "blackhole", flags: [] } },
      "taken, now blackhole [kernel4] by port 1234 repaired",
      "by another route",
    ],
  ])("shows %j as %j: %s", (more, text) => {
    expect(line(driftRow({ ...drift, ...more }, PIPE))).toBe(
      `2026-11-21T02:00:00Z default metric 32 ${text}`,
    );
  });
});
