/**
 * A static protocol with a table, interfaces and a fake clock, and routes as text in iproute2's order of words:
 * what the tests of the protocol share.
 */

import type { Family } from "../../../src/lib/ip.ts";
import { formatAddress, parseIp } from "../../../src/lib/ip.ts";
import { isPrefix, type Prefix, parsePrefix } from "../../../src/lib/prefix.ts";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { ACCEPT_ALL } from "../../../src/nest/filter.ts";
import { type AddressInfo, Interfaces, type LinkInfo } from "../../../src/nest/iface.ts";
import { internOrigin, PLAIN_ORIGIN } from "../../../src/nest/origin.ts";
import type { RouteAttrs, RouteId } from "../../../src/nest/route.ts";
import { Rtable } from "../../../src/nest/rtable.ts";
import {
  type NexthopSpec,
  RouteSet,
  type RouteSpec,
  type StaticConfig,
} from "../../../src/proto/static/config.ts";
import { StaticProtocol } from "../../../src/proto/static/static.ts";
import { type AttrsText, draftOf } from "../../support/draft.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** [prefix, "via 10.0.0.1 dev eth0 weight 2 nexthop dev eth1 metric 5"]. */
export type RouteText = readonly [prefix: string, spec: string];

export const RECURSIVE: number = internOrigin({ protocol: 0, recursive: true, connected: false, trail: [] });
const FLAGS_UP = 0x1 | 0x40 | 0x10000;

export function ip(text: string): NonNullable<ReturnType<typeof parseIp>> {
  const address = parseIp(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

export function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!isPrefix(prefix)) throw new Error(`not a prefix: ${text}`);
  return prefix;
}

export function specOf(text: string): RouteSpec {
  const words = text.split(" ");
  const route = { prefsrc: null, mtu: null, metric: null, recursive: null, type: "unicast" } as {
    -readonly [K in keyof RouteSpec]: RouteSpec[K];
  };
  const nexthops: { -readonly [K in keyof NexthopSpec]: NexthopSpec[K] }[] = [];
  const hop = () => {
    if (nexthops.length === 0) nexthops.push({ via: null, dev: null, weight: 1, onlink: false });
    return nexthops.at(-1)!;
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "via") hop().via = ip(words[++i]!);
    else if (word === "dev") hop().dev = words[++i]!;
    else if (word === "weight") hop().weight = Number(words[++i]);
    else if (word === "onlink") hop().onlink = true;
    else if (word === "nexthop") nexthops.push({ via: null, dev: null, weight: 1, onlink: false });
    else if (word === "metric") route.metric = Number(words[++i]);
    else if (word === "mtu") route.mtu = Number(words[++i]);
    else if (word === "src") route.prefsrc = ip(words[++i]!);
    else if (word === "recursive") route.recursive = ip(words[++i]!);
    else route.type = word as RouteSpec["type"];
  }
  return { ...route, nexthops };
}

export function routeSet(routes: readonly RouteText[], family: Family = 4): RouteSet {
  const set = new RouteSet(family);
  set.from("krt.yaml");
  routes.forEach(([prefix, spec], i) => {
    const { w0, w1, w2, w3, length } = prefixOf(prefix);
    set.add(w0, w1, w2, w3, length, set.internSpec(specOf(spec)), i + 1);
  });
  return set;
}

export function configOf(
  routes: readonly RouteText[],
  more: Partial<StaticConfig> & { family?: Family } = {},
): StaticConfig {
  const { family = 4, ...rest } = more;
  return {
    name: "s",
    table: "master",
    preference: 200,
    checkLink: false,
    import: ACCEPT_ALL,
    routes: routeSet(routes, family),
    ...rest,
  };
}

/** What is to be seen of attributes: "via 10.0.0.1 dev 7 weight 2 & dev 8 mtu 1400". */
export function textOf({ type, nexthops, prefsrc, metrics }: RouteAttrs): string {
  const hops = nexthops.map(({ gateway, device, weight, onlink }) =>
    [
      gateway === null ? "" : `via ${formatAddress(gateway)}`,
      device === 0 ? "" : `dev ${device}`,
      weight === 1 ? "" : `weight ${weight}`,
      onlink ? "onlink" : "",
    ]
      .filter((part) => part !== "")
      .join(" "),
  );
  const parts = [type === "unicast" ? hops.sort().join(" & ") : type];
  if (prefsrc !== null) parts.push(`src ${formatAddress(prefsrc)}`);
  if (metrics.has(2)) parts.push(`mtu ${metrics.get(2)}`);
  return parts.join(" ");
}

export function link(ifindex: number, name: string, up = true): LinkInfo {
  return {
    ifindex,
    name,
    flags: up ? FLAGS_UP : 0x1,
    mtu: 1500,
    mac: null,
    kind: "veth",
    master: null,
    operstate: up ? 6 : 2,
    carrier: up,
  };
}

export function address(ifindex: number, text: string): AddressInfo {
  const [local, length] = text.split("/");
  return { ifindex, ...ip(local!), length: Number(length), peer: null, scope: 0, flags: 0x80 };
}

interface OtherRoute {
  readonly from?: string;
  readonly preference?: number;
  readonly metric?: number;
  readonly origin?: number;
}

export interface Fixture {
  readonly protocol: StaticProtocol;
  readonly table: Rtable;
  readonly attrs: AttrsTable;
  readonly interfaces: Interfaces;
  readonly clock: FakeClock;
  /** "+ 10.1.0.0/16" for every new best route of the table, "- …" when there is none any more. */
  readonly changes: string[];
  /** Announces a route of another source. */
  other(prefix: string, route: AttrsText, more?: OtherRoute): void;
  unother(prefix: string, from?: string): void;
  /** The protocol's routes in the table: "via 10.0.0.1 dev 7 metric 5 pref 200 recursive" by prefix. */
  announced(): Record<string, string>;
  /** Stops everything; what is left then: nets, nodes, attributes. All are to be 0. */
  leftovers(): Promise<number[]>;
  /** Id of another source. */
  source(name: string): number;
}

export function fixture(config: StaticConfig): Fixture {
  const { family } = config.routes;
  const clock = new FakeClock();
  const attrs = new AttrsTable();
  const table = new Rtable("master", family, attrs, clock);
  const interfaces = new Interfaces({ requireAddress: false });
  /** Somebody else's routes in the table, by source name. */
  const sources = new Map<string, number>();
  const source = (name: string): number => {
    const id = sources.get(name) ?? table.addSource(name, "inherit");
    sources.set(name, id);
    return id;
  };
  source("other");
  const protocol = new StaticProtocol({ config, table, interfaces, clock });
  const changes: string[] = [];
  table.listen({
    bestChanged: (node, best) => {
      changes.push(`${best === 0 ? "-" : "+"} ${table.fib.formatNode(node)}`);
    },
  });

  const other = (prefix: string, route: AttrsText, more: OtherRoute = {}): void => {
    const { w0, w1, w2, w3, length } = prefixOf(prefix);
    const { from = "other", preference = 10, metric = 0, origin = PLAIN_ORIGIN } = more;
    const id = attrs.intern(draftOf(route));
    table.update(source(from), w0, w1, w2, w3, length, id, preference, metric, origin);
  };
  const unother = (prefix: string, from = "other"): void => {
    const { w0, w1, w2, w3, length } = prefixOf(prefix);
    table.withdraw(source(from), w0, w1, w2, w3, length);
  };

  const announced = (): Record<string, string> => {
    const shown: Record<string, string> = {};
    const own = protocol.channels[0]!.source;
    for (let node = table.fib.next(0); node !== 0; node = table.fib.next(node)) {
      const route: RouteId = own === 0 ? 0 : table.routeOf(node, own);
      if (route === 0) continue;
      const words = [textOf(attrs.describe(table.attrsOf(route), family))];
      if (table.metricOf(route) !== 0) words.push(`metric ${table.metricOf(route)}`);
      if (table.preferenceOf(route) !== 200) words.push(`pref ${table.preferenceOf(route)}`);
      if (table.origin(route) === RECURSIVE) words.push("recursive");
      shown[table.fib.formatNode(node)] = words.join(" ");
    }
    return shown;
  };

  const leftovers = async (): Promise<number[]> => {
    await protocol.stop();
    for (const id of sources.values()) await table.withdrawAll(id);
    return [table.netCount, table.fib.size, attrs.size];
  };
  return {
    protocol,
    table,
    attrs,
    interfaces,
    clock,
    changes,
    other,
    unother,
    announced,
    leftovers,
    source,
  };
}
