/** The JSON of everything there are few of: protocols, interfaces, tables, static routes (interfaces.md §2). */

import { jsonText } from "../lib/ascii-json.ts";
import { formatAddress, formatIp } from "../lib/ip.ts";
import { kernelTableName, scopeName } from "../lib/kernel-names.ts";
import { formatPrefix } from "../lib/prefix.ts";
import type { ChangeCounters, Channel } from "../nest/channel.ts";
import type { AddressInfo, Interface, Interfaces } from "../nest/iface.ts";
import type { KernelReport, ProtocolEntry, StaticRouteView } from "../nest/protocol.ts";
import { NONE } from "../nest/route.ts";
import { absenceOfStatic, infoOf } from "./absence.ts";
import type {
  AddressJson,
  ChangeCountersJson,
  ChannelJson,
  InterfaceJson,
  KernelProtocolJson,
  ProtocolJson,
  TableJson,
  TrafficJson,
} from "./json.ts";
import { type AttrsText, renderAttrs } from "./render-attrs.ts";
import type { TableContext } from "./table-context.ts";

export function protocolJson(entry: ProtocolEntry): ProtocolJson {
  const { protocol, state, since, disabled } = entry;
  const { name, type, netns, kernel, absentKernel } = protocol;
  const channels = protocol.channels.map(channelJson);
  const tables = absentKernel === undefined ? channels.map(({ table }) => table) : [absentKernel.table.name];
  return {
    name,
    type,
    table: tables[0] ?? null,
    tables,
    ...(type === "pipe" && tables[1] !== undefined ? { "peer-table": tables[1] } : {}),
    netns,
    state,
    disabled,
    since: new Date(since).toISOString(),
    info: infoOf(entry),
    ...(channels.length === 0 ? {} : { ...sumOf(channels), channels }),
    ...(kernel === undefined ? {} : { kernel: kernelProtocolJson(kernel.report()) }),
  };
}

function channelJson(channel: Channel): ChannelJson {
  const { stats } = channel;
  return {
    table: channel.table.name,
    import: channel.importing.name,
    export: channel.exporting.name,
    routes: { imported: stats.imported, exported: stats.exported, preferred: stats.preferred },
    changes: {
      "import-updates": countersJson(stats.importUpdates),
      "import-withdraws": countersJson(stats.importWithdraws),
      "export-updates": countersJson(stats.exportUpdates),
      "export-withdraws": countersJson(stats.exportWithdraws),
    },
  };
}

function sumOf(channels: readonly TrafficJson[]): TrafficJson {
  const [first, ...others] = channels.map(({ routes, changes }) => ({ routes, changes }));
  return others.reduce(
    (sum, { routes, changes }) => ({
      routes: added(sum.routes, routes),
      changes: {
        "import-updates": added(sum.changes["import-updates"], changes["import-updates"]),
        "import-withdraws": added(sum.changes["import-withdraws"], changes["import-withdraws"]),
        "export-updates": added(sum.changes["export-updates"], changes["export-updates"]),
        "export-withdraws": added(sum.changes["export-withdraws"], changes["export-withdraws"]),
      },
    }),
    first!,
  );
}

/** The members of both, added up one by one. */
function added<T extends object>(a: T, b: T): T {
  const sum = Object.entries(a).map(([key, value]) => [
    key,
    (value as number) + (b[key as keyof T] as number),
  ]);
  return Object.fromEntries(sum) as T;
}

function countersJson(counters: ChangeCounters): ChangeCountersJson {
  const { received, rejected, filtered, ignored, accepted } = counters;
  return { received, rejected, filtered, ignored, accepted };
}

function kernelProtocolJson(report: KernelReport): KernelProtocolJson {
  const { scan, writes } = report;
  return {
    table: report.table,
    scan: {
      state: scan.state,
      count: scan.count,
      incomplete: scan.incomplete,
      "last-at": scan.lastAt === null ? null : new Date(scan.lastAt).toISOString(),
      "last-duration-ms": scan.lastDurationMs === null ? null : Math.round(scan.lastDurationMs * 10) / 10,
      "last-problem": scan.lastProblem,
      routes: scan.routes,
    },
    writes: { add: writes.add, replace: writes.replace, delete: writes.delete, errors: writes.errors },
    queued: report.queued,
    withheld: report.withheld,
    waiting: report.waiting,
    failed: report.failed,
    learned: report.learned,
    contested: report.contested,
    drift: { repaired: report.repaired },
  };
}

/** linux/if.h, in the order of iproute2. LOWER_UP and RUNNING are told by link-up. */
const LINK_FLAGS: readonly (readonly [number, string])[] = [
  [0x2, "broadcast"],
  [0x8, "loopback"],
  [0x10, "pointopoint"],
  [0x80, "noarp"],
  [0x100, "promisc"],
  [0x200, "allmulti"],
  [0x1000, "multicast"],
];

/** linux/if_addr.h. */
const ADDRESS_FLAGS: readonly (readonly [number, string])[] = [
  [0x01, "secondary"],
  [0x02, "nodad"],
  [0x04, "optimistic"],
  [0x08, "dadfailed"],
  [0x20, "deprecated"],
  [0x40, "tentative"],
  [0x100, "mngtmpaddr"],
  [0x200, "noprefixroute"],
];

function names(flags: number, table: readonly (readonly [number, string])[]): string[] {
  return table.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

/** `netns` undefined: there is only one namespace, and it goes without saying. */
export function interfaceJson(
  iface: Interface,
  interfaces: Interfaces,
  netns: string | null | undefined,
): InterfaceJson {
  return {
    ...(netns === undefined ? {} : { netns }),
    ifindex: iface.ifindex,
    name: iface.name,
    up: iface.up,
    "admin-up": iface.adminUp,
    "link-up": iface.linkUp,
    loopback: iface.loopback,
    mtu: iface.mtu,
    mac: iface.mac,
    kind: iface.kind,
    master: iface.master === null ? null : interfaces.deviceName(iface.master),
    flags: names(iface.flags, LINK_FLAGS),
    addresses: iface.addresses.map((address) => addressJson(address, interfaces.isPreferred(iface, address))),
  };
}

function addressJson(a: AddressInfo, preferred: boolean): AddressJson {
  return {
    address: `${formatIp(a.family, a.w0, a.w1, a.w2, a.w3)}/${a.length}`,
    peer: a.peer === null ? null : formatIp(a.family, ...a.peer),
    scope: scopeName(a.scope),
    flags: names(a.flags, ADDRESS_FLAGS),
    preferred,
  };
}

export function tableJson(table: TableContext): TableJson {
  const { rtable, netns, place } = table;
  return {
    name: rtable.name,
    family: rtable.family === 4 ? "ipv4" : "ipv6",
    netns,
    routes: rtable.routeCount,
    nets: rtable.netCount,
    kernel:
      place === null
        ? null
        : { protocol: place.name, table: place.kernelTable, name: kernelTableName(place.kernelTable) },
  };
}

/** What a route that tells nothing of its way has to say for itself. */
const NO_WAY: AttrsText = { head: `"type":"unicast"`, tail: `,"flags":[]` };

/** One configured static route of the protocol, whose channel leads to `table`: its JSON before, in and after `dst`. */
export function staticRouteText(
  entry: ProtocolEntry,
  channel: Channel,
  table: TableContext,
  route: StaticRouteView,
): { readonly head: string; readonly dst: string; readonly tail: string } {
  const { rtable } = table;
  const { family, w0, w1, w2, w3, length } = route.prefix;
  const shown = route.attrs ?? route.configured;
  const attrs = shown === null ? NO_WAY : renderAttrs(family, shown, (device) => table.deviceName(device));
  const node = rtable.fib.find(w0, w1, w2, w3, length);
  const own = node === NONE ? NONE : rtable.routeOf(node, channel.source);
  const best = own !== NONE && rtable.best(node) === own;
  return {
    head: `{"protocol":${jsonText(entry.protocol.name)},"table":${jsonText(rtable.name)},"dst":"`,
    dst: formatPrefix(family, w0, w1, w2, w3, length),
    tail:
      `",${attrs.head}${route.metric === null ? "" : `,"metric":${route.metric}`}${attrs.tail}` +
      `${route.recursive === null ? "" : `,"recursive":"${formatAddress(route.recursive)}"`}` +
      `${route.attrs === null && entry.state === "up" ? `,"unresolved":true` : ""}` +
      `,"preference":${route.preference},"in-table":${own !== NONE},"best":${best}` +
      `${own === NONE ? absenceText(entry, channel, route) : `,"kernel":${table.kernelOf(node, own, best)}`}}`,
  };
}

function absenceText(entry: ProtocolEntry, channel: Channel, route: StaticRouteView): string {
  const { text } = absenceOfStatic(entry, route, channel);
  const reason = entry.state === "up" ? text : `${entry.protocol.name} ${text}`;
  return `,"kernel":null,"reason":${jsonText(reason)}`;
}
