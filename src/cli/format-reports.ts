/** Status, protocols, interfaces and tables as text. An empty field is "-", so that columns can be cut by number. */

import type { StatusReport } from "../control/backend.ts";
import type { ChangeCountersJson, InterfaceJson, ProtocolJson, TableJson } from "../control/json.ts";
import type { Cell, Row } from "./columns.ts";
import { escapeName, escapeText } from "./escape.ts";
import { type TextStyle, tableText } from "./format-route.ts";

/** "2026-11-21T02:00:00Z": to the second, which is what people compare with logs. */
function timeText(iso: string): string {
  return iso.replace(/\.[0-9]+Z$/, "Z");
}

/** "1 d 2 h", "5 min 3 s": the two largest units. */
export function ageText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

export function statusRows(status: StatusReport, { paint }: TextStyle): Row[] {
  const { config, counts, netlink } = status;
  const state =
    status.state === "in-sync" ? paint.good : status.state === "degraded" ? paint.bad : paint.attention;
  const lines: [key: string, text: string, paint?: (text: string) => string][] = [
    ["state", `${status.state}${status.observe ? " (observing: nothing is written)" : ""}`, state],
    ["version", escapeText(status.version)],
    ["pid", String(status.pid)],
    ["router-id", status["router-id"] ?? "-"],
    ["started", `${timeText(status.started)} (${ageText(status["uptime-seconds"])} ago)`],
    ["config", `${escapeText(config.file)}, loaded ${timeText(config.loaded)}`],
    ["protocols", String(counts.protocols)],
    ["interfaces", String(counts.interfaces)],
    ["routes", `${counts.routes} in ${counts.nets} nets, ${counts.waiting} waiting, ${counts.failed} failed`],
    [
      "netlink",
      `${netlink.transport}, ${netlink.overruns} overruns, ${netlink.resyncs} resyncs, ${netlink.forged} forged, ${netlink.truncated} truncated`,
    ],
    ["event-loop", `${status["event-loop"]["lag-p99-ms"]} ms lag (p99)`],
  ];
  if (!config.ok) lines.splice(6, 0, ["config-error", escapeText(config.error ?? "unknown"), paint.bad]);
  return lines.map(([key, text, painter]) => ({
    cells: [{ text: `${key}:` }, painter === undefined ? { text } : { text, paint: painter }],
  }));
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
    { text: escapeText(protocol.table ?? "-") },
    { text: protocol.state, paint: protocol.state === "up" ? paint.good : paint.attention },
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
  const { routes, changes, kernel } = protocol;
  if (routes !== undefined) {
    lines.push(
      `routes: ${routes.imported} imported, ${routes.exported} exported, ${routes.preferred} preferred`,
    );
  }
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
  lines.push(`learned: ${kernel.learned}, drift repaired: ${kernel.drift.repaired}`);
  return lines;
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
    ],
  };
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
    ],
  };
}
