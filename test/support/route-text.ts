/**
 * A decoded route as one line in the manner of `ip -d route`, for tests: everything the codec says about it,
 * with defaults (table main, metric 0, scope global, weight 1) left out. Devices are numbers.
 */

import { congestionName } from "../../src/lib/congestion-names.ts";
import { formatIp } from "../../src/lib/ip.ts";
import {
  ATTRS_FLOW,
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  ATTRS_OPAQUE,
  ATTRS_PREFSRC,
  ATTRS_SCOPE,
  ATTRS_TYPE,
  type AttrsDraft,
  NEXTHOP_DEVICE,
  NEXTHOP_ENCAP,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
  RTAX_LIMIT,
} from "../../src/nest/attrs-draft.ts";
import { routeTypeName } from "../../src/nest/route.ts";
import type { KernelRoute } from "../../src/sysdep/os.ts";

const RTAX_CC_ALGO = 16;

export function routeText(route: KernelRoute): string {
  const { attrs } = route;
  const words: string[] = [];
  const type = routeTypeName(route.type) ?? `type${route.type}`;
  if (type !== "unicast") words.push(type);
  words.push(`${formatIp(route.family, route.w0, route.w1, route.w2, route.w3)}/${route.length}`);
  if (attrs.words[ATTRS_TYPE] !== route.type) words.push(`attrs-type ${attrs.words[ATTRS_TYPE]}`);
  if (route.tos !== 0) words.push(`tos ${route.tos}`);
  if (route.table !== 254) words.push(`table ${route.table}`);
  words.push(`proto ${route.protocol}`);
  if (route.metric !== 0) words.push(`metric ${route.metric}`);
  const scope = attrs.words[ATTRS_SCOPE]!;
  if (scope !== (route.family === 4 ? 0 : -1)) words.push(`scope ${scope}`);
  if (route.rtmFlags !== 0) words.push(`flags 0x${route.rtmFlags.toString(16)}`);
  return `${words.join(" ")}${attrsText(attrs)}`;
}

/** Nexthops, preferred source, realm, metrics and marks; each part led by " | ". */
export function attrsText(attrs: AttrsDraft): string {
  const { words } = attrs;
  const parts: string[] = [];
  const count = words[ATTRS_NEXTHOPS]!;
  for (let i = 0; i < count; i++) parts.push(nexthopText(words, ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS));
  if (words.subarray(ATTRS_PREFSRC, ATTRS_PREFSRC + 4).some((word) => word !== 0)) {
    const family = words.subarray(ATTRS_PREFSRC + 1, ATTRS_PREFSRC + 4).some((word) => word !== 0) ? 6 : 4;
    parts.push(`src ${addressAt(words, ATTRS_PREFSRC, family)}`);
  }
  if (words[ATTRS_FLOW] !== 0)
    parts.push(`realm ${words[ATTRS_FLOW]! >>> 16}/${words[ATTRS_FLOW]! & 0xffff}`);
  let at = ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
  for (let rtax = 1; rtax < RTAX_LIMIT; rtax++) {
    if ((words[ATTRS_METRICS]! & (1 << rtax)) === 0) continue;
    const value = words[at++]! >>> 0;
    parts.push(rtax === RTAX_CC_ALGO ? `congctl ${congestionName(value)}` : `rtax${rtax} ${value}`);
  }
  if (at !== attrs.length) parts.push(`length ${attrs.length} and not ${at}`);
  if (words[ATTRS_OPAQUE] !== 0) parts.push("opaque");
  return parts.map((part) => ` | ${part}`).join("");
}

function nexthopText(words: Int32Array, at: number): string {
  const text: string[] = [];
  const family = words[at + NEXTHOP_FAMILY]!;
  if (family === 4 || family === 6) text.push(`via ${addressAt(words, at + NEXTHOP_GATEWAY, family)}`);
  text.push(`dev ${words[at + NEXTHOP_DEVICE]}`);
  if (words[at + NEXTHOP_WEIGHT] !== 1) text.push(`weight ${words[at + NEXTHOP_WEIGHT]}`);
  if (words[at + NEXTHOP_FLAGS] !== 0) text.push(words[at + NEXTHOP_FLAGS] === 4 ? "onlink" : "flags?");
  if (words[at + NEXTHOP_ENCAP] !== 0) text.push("encap");
  return text.join(" ");
}

function addressAt(words: Int32Array, at: number, family: 4 | 6): string {
  return formatIp(family, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
}
