/** Status, protocols, interfaces and tables as text. An empty field is "-", so that columns can be cut by number. */

import type { StatusReport } from "../control/backend.ts";
import type {
  ChangeCountersJson,
  ChannelJson,
  InterfaceJson,
  ProtocolJson,
  TableJson,
} from "../control/json.ts";
import { escapeName } from "../lib/escape-name.ts";
import type { Cell, Row } from "./columns.ts";
import { escapeLines, escapeText } from "./escape.ts";
import { tableText } from "./format-route.ts";
import { ageText, type TextStyle, timeText, undoText } from "./format-words.ts";

export function statusRows(status: StatusReport, { paint, terminal }: TextStyle): Row[] {
  const { config, counts, netlink, namespaces } = status;
  const rows: Row[] = [];
  const say = (key: string, text: string, painter?: (text: string) => string): void => {
    const [first = "", ...more] = escapeLines(text).split("\n");
    const shown = terminal || more.length === 0 ? first : `${first} (…)`;
    rows.push({
      cells: [{ text: `${key}:` }, painter === undefined ? { text: shown } : { text: shown, paint: painter }],
      ...(terminal ? { below: more.map((line) => `    ${line}`) } : {}),
    });
  };
  const state =
    status.state === "in-sync" ? paint.good : status.state === "degraded" ? paint.bad : paint.attention;
  say("state", `${status.state}${status.observe ? " (observing: nothing is written)" : ""}`, state);
  say("version", status.version);
  say("pid", String(status.pid));
  say("router-id", status["router-id"] ?? "-");
  say("started", `${timeText(status.started)} (${ageText(status["uptime-seconds"])} ago)`);
  say("config", `${config.file}, loaded ${timeText(config.loaded)}`);
  if (!config.ok) say("config-error", (config.error ?? "unknown").trimEnd(), paint.bad);
  const undo = config["undo-in-seconds"];
  if (undo !== null) say("config-undo", undoText(undo), paint.attention);
  say("protocols", String(counts.protocols));
  say("interfaces", String(counts.interfaces));
  for (const { name, problem } of namespaces ?? []) {
    if (name !== null)
      say(
        "namespace",
        `${name}${problem === null ? "" : `: ${problem}`}`,
        problem === null ? undefined : paint.bad,
      );
  }
  say(
    "routes",
    `${counts.routes} in ${counts.nets} nets, ${counts.waiting} waiting, ${counts.failed} failed`,
  );
  if (counts.withheld > 0) {
    say(
      "withheld",
      `${counts.withheld} routes in the kernel are not wanted, too many to be deleted unasked: krtctl show protocols`,
      paint.bad,
    );
  }
  say(
    "netlink",
    `${netlink.transport}, ${netlink.overruns} overruns, ${netlink.resyncs} resyncs, ${netlink.forged} forged, ${netlink.truncated} truncated`,
  );
  const { resync } = netlink;
  if (resync["last-at"] !== null) {
    const took = resync.state === "live" ? `took ${resync["last-ms"]} ms` : `now: ${resync.state}`;
    const colour = resync.state === "live" ? undefined : paint.attention;
    say("last-resync", `${timeText(resync["last-at"])}, ${resync["last-reason"]}, ${took}`, colour);
  }
  say("event-loop", `${status["event-loop"]["lag-p99-ms"]} ms lag (p99)`);
  return rows;
}

export const PROTOCOL_HEADINGS: readonly string[] = [
  "NAME",
  "TYPE",
  "TABLE",
  "STATE",
  "SINCE",
  "IMPORTED",
  "EXPORTED",
  "INFO",
];

/** `details`: every counter, as `show protocols all` asks. */
export function protocolRow(protocol: ProtocolJson, details: boolean, style: TextStyle): Row {
  const { paint } = style;
  const { routes } = protocol;
  const detailLines = details ? protocolDetails(protocol, style) : [];
  const cells: Cell[] = [
    { text: escapeText(protocol.name), paint: paint.strong },
    { text: protocol.type },
    { text: protocol.tables.length === 0 ? "-" : escapeText(protocol.tables.join(",")) },
    {
      text: protocol.disabled ? "disabled" : protocol.state,
      paint: protocol.state === "up" ? paint.good : paint.attention,
    },
    { text: timeText(protocol.since) },
    { text: String(routes?.imported ?? "-") },
    { text: String(routes?.exported ?? "-") },
    { text: protocol.info === "" ? (style.terminal ? "" : "-") : escapeText(protocol.info) },
  ];
  if (style.terminal) return { cells, below: detailLines.map((line) => `    ${line}`) };
  return { cells: [...cells, ...detailLines.map((text) => ({ text: `${text};` }))] };
}

function protocolDetails(protocol: ProtocolJson, style: TextStyle): string[] {
  const lines: string[] = [];
  const { routes, changes, kernel, channels = [], netns } = protocol;
  if (protocol.disabled) lines.push(`switched off by hand, ${protocol.state}`);
  if (netns !== null) lines.push(`netns: ${escapeText(netns)}`);
  for (const channel of channels) lines.push(channelText(channel, channels.length > 1));
  if (routes !== undefined) lines.push(`routes: ${routesText(routes)}`);
  for (const [name, counters] of Object.entries(changes ?? {}))
    lines.push(`${name}: ${countersText(counters)}`);
  if (kernel === undefined) return lines;
  const { scan, writes } = kernel;
  lines.push(`kernel table: ${tableText(kernel.table, style)}`);
  const last = scan["last-at"];
  lines.push(
    `scan: ${scan.state}, ${scan.count} done, ${scan.incomplete} incomplete, ` +
      (last === null
        ? "none yet"
        : `last ${timeText(last)} took ${scan["last-duration-ms"]} ms, ${scan.routes} routes`),
  );
  const problem = scan["last-problem"];
  if (problem !== null) lines.push(`last scan: ${escapeText(problem)}`);
  const errors = Object.entries(writes.errors).map(([name, count]) => `${count} ${escapeText(name)}`);
  lines.push(
    `writes: ${writes.add} added, ${writes.replace} replaced, ${writes.delete} deleted, ${kernel.queued} queued, ` +
      `errors: ${errors.length === 0 ? "none" : errors.join(", ")}`,
  );
  lines.push(
    `learned: ${kernel.learned}, drift repaired: ${kernel.drift.repaired}, contested: ${kernel.contested}`,
  );
  return lines;
}

/** The routes of each channel, when there are several; else they stand in a line of their own. */
function channelText({ table, routes, ...filters }: ChannelJson, several: boolean): string {
  const text = `channel ${escapeText(table)}: import ${escapeText(filters.import)}, export ${escapeText(filters.export)}`;
  return several ? `${text}; ${routesText(routes)}` : text;
}

function routesText({ imported, exported, preferred }: ChannelJson["routes"]): string {
  return `${imported} imported, ${exported} exported, ${preferred} preferred`;
}

function countersText(counters: ChangeCountersJson): string {
  const { received, rejected, filtered, ignored, accepted } = counters;
  return `${received} received, ${rejected} rejected, ${filtered} filtered, ${ignored} ignored, ${accepted} accepted`;
}

export const INTERFACE_HEADINGS: readonly string[] = [
  "NAME",
  "STATE",
  "INDEX",
  "MTU",
  "KIND",
  "MASTER",
  "MAC",
];
export const SUMMARY_HEADINGS: readonly string[] = ["NAME", "STATE", "ADDRESSES"];

export function interfaceRow(iface: InterfaceJson, style: TextStyle): Row {
  const addresses = iface.addresses.map(
    ({ address, peer, scope, flags }) =>
      `${address}${peer === null ? "" : ` peer ${peer}`} scope ${scope}${flags.map((flag) => ` ${flag}`).join("")}`,
  );
  const cells: Cell[] = [
    { text: escapeName(iface.name), paint: style.paint.strong },
    stateCell(iface, style),
    { text: String(iface.ifindex) },
    { text: String(iface.mtu) },
    { text: escapeText(iface.kind ?? "-") },
    { text: iface.master === null ? "-" : escapeName(iface.master) },
    { text: iface.mac ?? "-" },
    ...netnsCells(iface),
  ];
  if (style.terminal) return { cells, below: addresses.map((address) => `    ${address}`) };
  return { cells: [...cells, ...addresses.map((text) => ({ text: `address ${text}` }))] };
}

export function summaryRow(iface: InterfaceJson, style: TextStyle): Row {
  const addresses = iface.addresses.map(({ address }) => address).join(" ");
  return {
    cells: [
      { text: escapeName(iface.name), paint: style.paint.strong },
      stateCell(iface, style),
      { text: addresses === "" ? "-" : addresses },
      ...netnsCells(iface),
    ],
  };
}

/** Behind the last column, where there are interfaces of several namespaces. */
function netnsCells({ netns }: InterfaceJson): Cell[] {
  return netns === undefined || netns === null ? [] : [{ text: `netns ${escapeText(netns)}` }];
}

/** Why it is not up, in one word. */
function stateCell(iface: InterfaceJson, { paint }: TextStyle): Cell {
  if (iface.up) return { text: "up", paint: paint.good };
  if (iface.loopback) return { text: "loopback", paint: paint.dim };
  if (!iface["admin-up"]) return { text: "admin-down", paint: paint.attention };
  return { text: iface["link-up"] ? "down" : "no-link", paint: paint.attention };
}

export const TABLE_HEADINGS: readonly string[] = [
  "NAME",
  "FAMILY",
  "NETS",
  "ROUTES",
  "KERNEL-TABLE",
  "PROTOCOL",
];

export function tableRow(table: TableJson, style: TextStyle): Row {
  const { kernel } = table;
  return {
    cells: [
      { text: escapeText(table.name), paint: style.paint.strong },
      { text: table.family },
      { text: String(table.nets) },
      { text: String(table.routes) },
      { text: kernel === null ? "-" : tableText(kernel.table, style) },
      { text: escapeText(kernel?.protocol ?? "-") },
      ...(table.netns === null ? [] : [{ text: `netns ${escapeText(table.netns)}` }]),
    ],
  };
}
