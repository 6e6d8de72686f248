/**
 * Routing tables as lines of text in one canonical form, from the model kernel and from what
 * `ip -j -d route show table all` prints for the real one: two kernels agree when their lines are equal.
 * Order within a table and net is kept, for it means something; table local and the net order are left out
 * (the addresses in it come from random MACs, and IPv6 walks its tree in an order of its own).
 */

import { congestionName } from "../../src/lib/congestion-names.ts";
import { formatAddress, formatIp } from "../../src/lib/ip.ts";
import type { ModelKernel, RouteView } from "../../src/sysdep/model/index.ts";

const TYPE_NAMES = new Map([
  [1, "unicast"],
  [6, "blackhole"],
  [7, "unreachable"],
  [8, "prohibit"],
  [9, "throw"],
]);
const PROTOCOL_NAMES = new Map([
  [2, "kernel"],
  [3, "boot"],
  [4, "static"],
]);
const SCOPE_NAMES = new Map([
  [0, "global"],
  [253, "link"],
  [254, "host"],
]);
const RTAX_CC_ALGO = 16;
const METRIC_NAMES = new Map([
  [2, "mtu"],
  [8, "advmss"],
  [RTAX_CC_ALGO, "congestion"],
]);

/** What the model holds in every table but local. */
export function modelDump(kernel: ModelKernel): string[] {
  const views = [...kernel.routes(4), ...kernel.routes(6)].filter((view) => view.table !== 255);
  return sorted(views.map((view) => [netOf(view), viewText(view, kernel)]));
}

function netOf(view: RouteView): string {
  const { family, w0, w1, w2, w3, length } = view.prefix;
  return `${tableName(view.table)} ${formatIp(family, w0, w1, w2, w3)}/${length}`;
}

function viewText(view: RouteView, kernel: ModelKernel): string {
  const words = [
    TYPE_NAMES.get(view.type) ?? String(view.type),
    `proto ${PROTOCOL_NAMES.get(view.protocol) ?? view.protocol}`,
    `scope ${SCOPE_NAMES.get(view.scope) ?? view.scope}`,
    `tos ${view.tos}`,
    `metric ${view.metric}`,
  ];
  if (view.prefsrc !== null) words.push(`src ${formatAddress(view.prefsrc)}`);
  if (view.flow !== 0) words.push(`realm ${view.flow}`);
  for (const [rtax, value] of view.metrics) {
    words.push(`${METRIC_NAMES.get(rtax) ?? rtax} ${rtax === RTAX_CC_ALGO ? congestionName(value) : value}`);
  }
  for (const hop of view.nexthops) {
    const flags = [hop.dead ? "dead" : "", hop.onlink ? "onlink" : ""].filter((flag) => flag !== "");
    const via = hop.gateway === null ? "" : ` via ${formatAddress(hop.gateway)}`;
    const device = kernel.links.get(hop.device)?.name ?? `if${hop.device}`;
    words.push(`|${via} dev ${device} weight ${hop.weight} ${flags.join(" ")}`.trimEnd());
  }
  return words.join(" ");
}

/** What `ip -j -d route show table all` printed, without table local. */
export function linuxDump(json: string): string[] {
  const routes: unknown = JSON.parse(json);
  if (!Array.isArray(routes)) throw new Error("Cannot read the output of ip -j route: not an array");
  const shown = routes.filter((route: Fields) => route["table"] !== "local");
  return sorted(shown.map((route: Fields) => [`${route["table"]} ${destination(route)}`, fieldsText(route)]));
}

type Fields = Readonly<Record<string, unknown>>;

function destination(route: Fields): string {
  const dst = String(route["dst"]);
  if (dst === "default") return route["pref"] === undefined ? "0.0.0.0/0" : "::/0";
  return dst.includes("/") ? dst : `${dst}/${dst.includes(":") ? 128 : 32}`;
}

function fieldsText(route: Fields): string {
  const words = [
    String(route["type"]),
    `proto ${route["protocol"]}`,
    `scope ${route["scope"]}`,
    `tos ${Number(route["tos"] ?? 0)}`,
    `metric ${route["metric"] ?? 0}`,
  ];
  if (route["prefsrc"] !== undefined) words.push(`src ${route["prefsrc"]}`);
  if (route["flow"] !== undefined) words.push(`realm ${(route["flow"] as Fields)["to"]}`);
  for (const metrics of (route["metrics"] ?? []) as Fields[]) {
    for (const [name, value] of Object.entries(metrics)) words.push(`${name} ${value}`);
  }
  const several = route["nexthops"];
  if (Array.isArray(several)) for (const hop of several) words.push(hopText(hop));
  else if (route["dev"] !== undefined) words.push(hopText({ ...route, weight: 1 }));
  return words.join(" ");
}

function hopText(hop: Fields): string {
  const via = hop["via"] as Fields | undefined;
  const gateway = hop["gateway"] ?? via?.["host"];
  const flags = (hop["flags"] as string[]).filter((flag) => flag === "dead" || flag === "onlink").sort();
  const words = `|${gateway === undefined ? "" : ` via ${gateway}`} dev ${hop["dev"]} weight ${hop["weight"]}`;
  return `${words} ${flags.join(" ")}`.trimEnd();
}

/** "NET: ROUTE", ordered by net, the routes of one net in the order given. */
function sorted(lines: (readonly [string, string])[]): string[] {
  const order = lines.map((line, i) => ({ line, i }));
  order.sort((a, b) => (a.line[0] < b.line[0] ? -1 : a.line[0] > b.line[0] ? 1 : a.i - b.i));
  return order.map(({ line }) => `${line[0]}: ${line[1]}`);
}

function tableName(table: number): string {
  return table === 254 ? "main" : String(table);
}
