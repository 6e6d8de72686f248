/**
 * Routes as text, in iproute2's words and order, then who wants the route in brackets and how it stands:
 *
 *   203.0.113.0/24 via 192.0.2.1 dev eth0 metric 32 [uplinks] synced
 *   172.16.0.0/12 dev tun0 metric 32 [uplinks] waiting: Network is down (ENETDOWN), 3 attempts
 *
 * On a pipe a route is one line whatever it has; on a terminal the nexthops of a multipath route stand below it.
 */

import type {
  AnyRouteJson,
  HopJson,
  KernelRouteJson,
  KernelState,
  NexthopJson,
  RouteJson,
  RouteKernelJson,
  StaticRouteJson,
} from "../control/json.ts";
import { errnoName } from "../lib/errno.ts";
import { kernelTableName } from "../lib/kernel-names.ts";
import type { Cell, Row } from "./columns.ts";
import { escapeName, escapeText } from "./escape.ts";
import type { Paint } from "./paint.ts";

export interface TextStyle {
  readonly paint: Paint;
  /** Aligned and with lines below, for a person. */
  readonly terminal: boolean;
  /** Numbers instead of names. */
  readonly numeric: boolean;
  readonly now: () => number;
}

/** The daemon counts no further. */
const MOST_ATTEMPTS = 255;

export function routeRow(route: RouteJson, style: TextStyle): Row {
  const table = isMaster(route.table) ? "" : `table ${escapeText(route.table)}`;
  const state = route.best ? kernelCell(route.kernel, style) : notBest(route.kernel.state, style);
  return rowOf(route, table, `[${escapeText(route.source)}]`, state, style);
}

export function staticRow(route: StaticRouteJson, style: TextStyle): Row {
  const table = isMaster(route.table) ? "" : `table ${escapeText(route.table)}`;
  const state: Cell =
    route.kernel === null
      ? { text: "not in the table", paint: style.paint.dim }
      : route.best
        ? kernelCell(route.kernel, style)
        : notBest(route.kernel.state, style);
  return rowOf(route, table, `[${escapeText(route.protocol)}]`, state, style);
}

export function kernelRow(route: KernelRouteJson, style: TextStyle): Row {
  const words = [`proto ${style.numeric ? route["protocol-id"] : route.protocol}`];
  if (route.scope !== "global") words.push(`scope ${route.scope}`);
  if (route.tos !== undefined) words.push(`tos 0x${route.tos.toString(16)}`);
  if (route.table !== 254) words.push(`table ${tableText(route.table, style)}`);
  const verdict = escapeText(route.verdict);
  const { good, attention, dim } = style.paint;
  const paint = verdict === "seen" ? good : route.class === "ours" ? attention : dim;
  return rowOf(route, words.join(" "), `[${route.class}]`, { text: verdict, paint }, style);
}

/** master4 and master6 go without saying. */
function isMaster(table: string): boolean {
  return table === "master4" || table === "master6";
}

export function tableText(table: number, style: TextStyle): string {
  return (style.numeric ? null : kernelTableName(table)) ?? String(table);
}

function rowOf(route: AnyRouteJson, more: string, owner: string, state: Cell, style: TextStyle): Row {
  const several = route.nexthops ?? [];
  const hops = several.map((hop) => nexthopText(hop));
  const attrs = [attrsText(route), more];
  if (!style.terminal) attrs.push(...hops);
  return {
    cells: [
      { text: destination(route), paint: style.paint.strong },
      { text: hopText(route) },
      { text: attrs.filter((words) => words !== "").join(" ") },
      { text: owner },
      state,
    ],
    ...(style.terminal ? { below: hops.map((hop) => `    ${hop}`) } : {}),
  };
}

/** The row of a route that differs in nothing but its destination. */
export function withDestination(row: Row, type: string, dst: string): Row {
  const [first, ...others] = row.cells;
  return { ...row, cells: [{ ...first, text: destination({ dst, type }) }, ...others] };
}

function destination({ dst, type }: Pick<AnyRouteJson, "dst" | "type">): string {
  const text = dst === "0.0.0.0/0" || dst === "::/0" ? "default" : dst;
  return type === "unicast" ? text : `${type} ${text}`;
}

function hopText({ gateway, via, dev }: HopJson): string {
  let text = "";
  if (gateway !== undefined) text = `via ${gateway}`;
  else if (via !== undefined) text = `via ${via.family} ${via.host}`;
  if (dev !== undefined) text += `${text === "" ? "" : " "}dev ${escapeName(dev)}`;
  return text;
}

function nexthopText(hop: NexthopJson): string {
  const flags = hop.flags.map((flag) => ` ${flag}`).join("");
  return `nexthop ${hopText(hop)} weight ${hop.weight}${flags}`;
}

function attrsText(route: AnyRouteJson): string {
  let text = "";
  if (route.prefsrc !== undefined) text += ` src ${route.prefsrc}`;
  if (route.metric !== undefined) text += ` metric ${route.metric}`;
  if (route.mtu !== undefined) text += ` mtu ${route.mtu}`;
  if (route.metrics !== undefined) {
    for (const [name, value] of Object.entries(route.metrics)) text += ` ${name} ${value}`;
  }
  if (route.realm !== undefined) text += ` realm ${route.realm}`;
  for (const flag of route.flags) text += ` ${flag}`;
  if (route.opaque === true) text += " (and more krtd does not understand)";
  return text.slice(1);
}

function notBest(state: KernelState, { paint }: TextStyle): Cell {
  return { text: state === "learned" ? "learned, not best" : "not best", paint: paint.dim };
}

function kernelCell(kernel: RouteKernelJson, style: TextStyle): Cell {
  return { text: kernelText(kernel, style), paint: statePaint(kernel.state, style.paint) };
}

function statePaint(state: KernelState, paint: Paint): (text: string) => string {
  switch (state) {
    case "synced":
      return paint.good;
    case "failed":
      return paint.bad;
    case "waiting":
    case "pending":
    case "contested":
      return paint.attention;
    default:
      return paint.dim;
  }
}

/** The state, and when all is not well what the kernel said and what happens next. */
function kernelText(kernel: RouteKernelJson, style: TextStyle): string {
  const { state, message, errno, attempts } = kernel;
  if (kernel.protocol === null) return "none: no kernel protocol on this table";
  if (message === null && errno === null && kernel.rival === undefined) return state;
  const details: string[] = [];
  if (message !== null)
    details.push(`${escapeText(message)}${errno === null ? "" : ` (${errnoName(errno)})`}`);
  else if (errno !== null) details.push(errnoName(errno));
  if (kernel.rival !== undefined && message?.includes(kernel.rival) !== true) {
    details.push(`rival: ${escapeText(kernel.rival)}`);
  }
  if (attempts > 1) details.push(`${attempts}${attempts === MOST_ATTEMPTS ? " or more" : ""} attempts`);
  const retry = kernel["next-retry"];
  if (retry !== null) details.push(retryText(Date.parse(retry) - style.now()));
  return `${state}: ${details.join(", ")}`;
}

function retryText(ms: number): string {
  return ms <= 0 ? "next try now" : `next try in ${Math.ceil(ms / 1000)} s`;
}
