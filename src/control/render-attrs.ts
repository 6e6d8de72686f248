/**
 * Route attributes as pieces of JSON text with iproute2's keys: gateway and dev for one nexthop, nexthops for
 * several. Text and not objects, because a piece is made once per attribute set and pasted into the line of
 * every route that has it. All text is ASCII: interface names are hostile bytes, and a JSON answer must do
 * nothing to a terminal it is looked at with.
 */

import { jsonText } from "../lib/ascii-json.ts";
import { type Family, formatAddress, formatIp, type IpAddress } from "../lib/ip.ts";
import { scopeName } from "../lib/kernel-names.ts";
import type { Nexthop, RouteAttrs } from "../nest/route.ts";
import { metricsText } from "./render-metrics.ts";

/** RT_SCOPE_UNIVERSE: that of any route with a gateway. */
const SCOPE_GLOBAL = 0;

export interface AttrsText {
  /** `"type":"unicast","gateway":"192.0.2.1","dev":"eth0"`: comes before the metric. */
  readonly head: string;
  /** `,"prefsrc":"…","mtu":1400,"flags":[],"nexthops":[…]`: comes after it. */
  readonly tail: string;
}

/**
 * `type` overrides attrs.type, for kernel routes of a type krtd does not handle; with `scope` "told" that is told
 * elsewhere.
 */
export function renderAttrs(
  family: Family,
  attrs: RouteAttrs,
  deviceName: (device: number) => string,
  options: { readonly type?: string; readonly scope?: "told" } = {},
): AttrsText {
  let head = `"type":${jsonText(options.type ?? attrs.type)}`;
  let tail = "";
  const flags: string[] = [];
  const [only, ...others] = attrs.nexthops;
  const several = others.length > 0;
  if (only !== undefined && !several) {
    head += hopKeys(family, only, deviceName);
    if (only.onlink) flags.push("onlink");
    if (only.opaque) flags.push("encap");
  }
  if (attrs.prefsrc !== null) tail += `,"prefsrc":"${formatAddress(attrs.prefsrc)}"`;
  tail += metricsText(attrs.metrics);
  if (options.scope !== "told" && attrs.scope !== null && attrs.scope !== SCOPE_GLOBAL) {
    tail += `,"scope":"${scopeName(attrs.scope)}"`;
  }
  if (attrs.flow !== 0) tail += `,"realm":${attrs.flow >>> 0}`;
  tail += `,"flags":${JSON.stringify(flags)}`;
  if (several) {
    tail += `,"nexthops":[${attrs.nexthops.map((hop) => hopObject(family, hop, deviceName)).join(",")}]`;
  }
  if (attrs.opaque) tail += `,"opaque":true`;
  return { head, tail };
}

function hopKeys(family: Family, hop: Nexthop, deviceName: (device: number) => string): string {
  let text = "";
  if (hop.gateway !== null) text += gatewayKey(family, hop.gateway);
  if (hop.device !== 0) text += `,"dev":${jsonText(deviceName(hop.device))}`;
  return text;
}

/** An IPv4 route over an IPv6 gateway: iproute2 says "via", so that no reader takes it for an IPv4 address. */
function gatewayKey(family: Family, gateway: IpAddress): string {
  const text = formatAddress(gateway);
  if (gateway.family === family) return `,"gateway":"${text}"`;
  return `,"via":{"family":"${gateway.family === 4 ? "inet" : "inet6"}","host":"${text}"}`;
}

function hopObject(family: Family, hop: Nexthop, deviceName: (device: number) => string): string {
  const flags = [...(hop.onlink ? ["onlink"] : []), ...(hop.opaque ? ["encap"] : [])];
  return `{${`${hopKeys(family, hop, deviceName)},"weight":${hop.weight},"flags":${JSON.stringify(flags)}`.slice(1)}}`;
}

/** `"203.0.113.0/24"`, quoted. */
export function prefixText(
  family: Family,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  length: number,
): string {
  return `"${formatIp(family, w0, w1, w2, w3)}/${length}"`;
}
