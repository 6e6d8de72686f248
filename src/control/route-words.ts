/**
 * What a route says beside its prefix, as text in iproute2's words and order, so that it can be given to `ip route`.
 * The sentences of explain and diff and the rows of krtctl are made of the same words.
 */

import { escapeName } from "../lib/escape-name.ts";
import type { AnyRouteJson, HopJson, MetricsJson, NexthopJson, RouteAttrsJson } from "./json.ts";

/** These are times. */
const MILLISECONDS: ReadonlySet<string> = new Set(["rtt", "rttvar", "rto_min"]);

/** `via 192.0.2.1 dev eth0`; "" without either. */
export function hopText({ gateway, via, dev }: HopJson): string {
  let text = "";
  if (gateway !== undefined) text = `via ${gateway}`;
  else if (via !== undefined) text = `via ${via.family} ${via.host}`;
  if (dev !== undefined) text += `${text === "" ? "" : " "}dev ${escapeName(dev)}`;
  return text;
}

export function nexthopText(hop: NexthopJson): string {
  const flags = hop.flags.map((flag) => ` ${flag}`).join("");
  return `nexthop ${hopText(hop)} weight ${hop.weight}${flags}`;
}

/** All but the way itself: `src 192.0.2.10 metric 50 mtu 1400 onlink`. */
export function attrsText(route: RouteAttrsJson & Pick<AnyRouteJson, "metric">): string {
  let text = "";
  if (route.prefsrc !== undefined) text += ` src ${route.prefsrc}`;
  if (route.metric !== undefined) text += ` metric ${route.metric}`;
  if (route.realm !== undefined) text += realmText(route.realm);
  text += metricsText(route.mtu, route.metrics ?? {});
  for (const flag of route.flags) text += ` ${flag}`;
  if (route.opaque === true) text += " (and more krtd does not understand)";
  return text.slice(1);
}

/** All of it in one line: `via 192.0.2.1 dev eth0 mtu 1400`. */
export function wayText(attrs: RouteAttrsJson & Pick<AnyRouteJson, "metric">): string {
  const words = [
    attrs.type === "unicast" ? "" : attrs.type,
    hopText(attrs),
    attrs.scope === undefined ? "" : `scope ${attrs.scope}`,
    attrsText(attrs),
    ...(attrs.nexthops ?? []).map(nexthopText),
  ];
  return words.filter((word) => word !== "").join(" ");
}

/** The kernel holds two realms in one number: of the source, then of the destination. */
function realmText(realm: number): string {
  const from = realm >>> 16;
  const to = realm & 0xffff;
  return from === 0 ? ` realm ${to}` : ` realms ${from}/${to}`;
}

function metricsText(mtu: number | undefined, metrics: MetricsJson): string {
  const { lock = [], ...others } = metrics;
  const locked = new Set(lock as readonly string[]);
  let text = "";
  for (const [name, value] of Object.entries(mtu === undefined ? others : { mtu, ...others })) {
    const shown = Array.isArray(value) ? value.join(",") : String(value);
    const unit = MILLISECONDS.has(name) ? "ms" : "";
    text += ` ${name}${locked.has(name) ? " lock" : ""} ${escapeName(shown)}${unit}`;
  }
  return text;
}
