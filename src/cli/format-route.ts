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
  KernelRouteJson,
  KernelState,
  RouteAttrsJson,
  RouteJson,
  RouteKernelJson,
  StaticRouteJson,
} from "../control/json.ts";
import { attrsText, hopText, nexthopText, wayText } from "../control/route-words.ts";
import { errnoName } from "../lib/errno.ts";
import { kernelTableName } from "../lib/kernel-names.ts";
import type { Cell, Row } from "./columns.ts";
import { escapeText } from "./escape.ts";
import { destinationText, type TextStyle } from "./format-words.ts";
import type { Paint } from "./paint.ts";

/** The daemon counts no further. */
const MOST_ATTEMPTS = 255;

export function routeRow(route: RouteJson, style: TextStyle): Row {
  const words: string[] = [];
  if (route.protocol !== undefined) {
    words.push(`proto ${style.numeric ? route["protocol-id"] : escapeText(route.protocol)}`);
  }
  if (route.scope !== undefined) words.push(`scope ${route.scope}`);
  words.push(...placeWords(route.table));
  if (route.recursive === true) words.push("recursive");
  if (route.trail !== undefined) words.push(`through ${route.trail.map(escapeText).join(",")}`);
  const state = route.best ? kernelCell(route.kernel, style) : notBest(route.kernel.state, style);
  return rowOf(route, words, `[${escapeText(route.source)}]`, state, style, route.kernel.as);
}

export function staticRow(route: StaticRouteJson, style: TextStyle): Row {
  const words = route.recursive === undefined ? [] : [`recursive ${route.recursive}`];
  if (route.scope !== undefined) words.push(`scope ${route.scope}`);
  words.push(...placeWords(route.table));
  const { kernel } = route;
  let state: Cell;
  if (kernel === null) {
    const why = route.reason === undefined ? "" : `: ${escapeText(route.reason)}`;
    state = { text: `${staticAbsence(route)}${why}`, paint: style.paint.dim };
  } else state = route.best ? kernelCell(kernel, style) : notBest(kernel.state, style);
  return rowOf(route, words, `[${escapeText(route.protocol)}]`, state, style, kernel?.as);
}

/** How a static route stands that is not in its table, for the footer too. */
export function staticAbsence({ unresolved }: StaticRouteJson): string {
  return unresolved === true ? "unresolved" : "not in the table";
}

export function kernelRow(route: KernelRouteJson, style: TextStyle): Row {
  const words = [`proto ${style.numeric ? route["protocol-id"] : route.protocol}`];
  if (route.scope !== undefined && route.scope !== "global") words.push(`scope ${route.scope}`);
  if (route.tos !== undefined) words.push(`tos 0x${route.tos.toString(16)}`);
  if (route.table !== 254) words.push(`table ${tableText(route.table, style)}`);
  if (route.netns !== undefined) words.push(`netns ${escapeText(route.netns)}`);
  const verdict = escapeText(route.verdict);
  const { good, attention, dim } = style.paint;
  const paint = verdict === "seen" ? good : route.class === "ours" ? attention : dim;
  return rowOf(route, words, `[${route.class}]`, { text: verdict, paint }, style);
}

/** master4 and master6 go without saying. */
function placeWords(table: string): string[] {
  return table === "master4" || table === "master6" ? [] : [`table ${escapeText(table)}`];
}

export function tableText(table: number, style: TextStyle): string {
  return (style.numeric ? null : kernelTableName(table)) ?? String(table);
}

/** `as`: what is exported instead of the route's own attributes. */
function rowOf(
  route: AnyRouteJson,
  more: readonly string[],
  owner: string,
  state: Cell,
  style: TextStyle,
  as?: RouteAttrsJson,
): Row {
  const hops = (route.nexthops ?? []).map(nexthopText);
  const exported = as === undefined ? [] : [`exported as ${wayText(as)}`];
  const attrs = [attrsText(route), ...more];
  if (!style.terminal) attrs.push(...hops);
  const shown = style.terminal ? state : { ...state, text: [state.text, ...exported].join(", ") };
  return {
    cells: [
      destinationCell(route.type, route.dst, style),
      { text: hopText(route) },
      { text: attrs.filter((words) => words !== "").join(" ") },
      { text: owner },
      shown,
    ],
    ...(style.terminal ? { below: [...hops, ...exported].map((line) => `    ${line}`) } : {}),
  };
}

/** The first cell of a route's row. */
export function destinationCell(type: RouteJson["type"], dst: string, style: TextStyle): Cell {
  return { text: destination({ dst, type }), paint: style.paint.strong };
}

function destination({ dst, type }: Pick<AnyRouteJson, "dst" | "type">): string {
  const text = destinationText(dst);
  return type === "unicast" ? text : `${type} ${text}`;
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
  if (state === "none") return `none: ${escapeText(message ?? `${kernel.protocol} is down`)}`;
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
