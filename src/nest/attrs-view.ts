/**
 * Attribute words (attrs-draft.ts draws them) as objects, for control, logs and explain. The words do not
 * tell the family of the preferred source; the caller may, else it is taken from the words themselves.
 */

import type { Family, IpAddress } from "../lib/ip.ts";
import {
  ATTRS_FLOW,
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  ATTRS_OPAQUE,
  ATTRS_PREFSRC,
  ATTRS_SCOPE,
  ATTRS_TYPE,
  NEXTHOP_DEVICE,
  NEXTHOP_ENCAP,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
  RTAX_LIMIT,
  RTNH_F_ONLINK,
} from "./attrs-draft.ts";
import { type Nexthop, type RouteAttrs, routeTypeName } from "./route.ts";

/**
 * Describes the words from `at`. `family` is that of the route's prefix; without it a preferred source with
 * only its first word set counts as IPv4. A type krtd does not handle shows as an opaque unicast route.
 */
export function describeWords(words: Int32Array, at: number, family: Family | null): RouteAttrs {
  const type = routeTypeName(words[at + ATTRS_TYPE]!);
  const scope = words[at + ATTRS_SCOPE]!;
  const count = words[at + ATTRS_NEXTHOPS]!;
  const nexthops: Nexthop[] = [];
  for (let i = 0; i < count; i++) {
    nexthops.push(describeNexthop(words, at + ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS));
  }
  const metrics = new Map<number, number>();
  let value = at + ATTRS_HEADER_WORDS + count * NEXTHOP_WORDS;
  for (let rtax = 1; rtax < RTAX_LIMIT; rtax++) {
    if ((words[at + ATTRS_METRICS]! & (1 << rtax)) !== 0) metrics.set(rtax, words[value++]! >>> 0);
  }
  return {
    type: type ?? "unicast",
    nexthops,
    prefsrc: describePrefsrc(words, at + ATTRS_PREFSRC, family),
    scope: scope === -1 ? null : scope,
    flow: words[at + ATTRS_FLOW]! >>> 0,
    metrics,
    opaque: type === null || words[at + ATTRS_OPAQUE] !== 0,
  };
}

function describeNexthop(words: Int32Array, at: number): Nexthop {
  const gatewayFamily = words[at + NEXTHOP_FAMILY]!;
  return {
    gateway: gatewayFamily === 0 ? null : address(words, at + NEXTHOP_GATEWAY, gatewayFamily === 4 ? 4 : 6),
    device: words[at + NEXTHOP_DEVICE]!,
    weight: words[at + NEXTHOP_WEIGHT]!,
    onlink: (words[at + NEXTHOP_FLAGS]! & RTNH_F_ONLINK) !== 0,
    opaque: words[at + NEXTHOP_ENCAP] !== 0,
  };
}

function describePrefsrc(words: Int32Array, at: number, family: Family | null): IpAddress | null {
  const tail = words[at + 1]! | words[at + 2]! | words[at + 3]!;
  if ((words[at]! | tail) === 0) return null;
  return address(words, at, family ?? (tail === 0 ? 4 : 6));
}

function address(words: Int32Array, at: number, family: Family): IpAddress {
  return { family, w0: words[at]!, w1: words[at + 1]!, w2: words[at + 2]!, w3: words[at + 3]! };
}
