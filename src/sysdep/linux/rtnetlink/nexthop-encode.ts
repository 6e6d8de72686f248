/**
 * HOT PATH. Writes the nexthops of a route from its interned words: one as RTA_GATEWAY (or RTA_VIA) and
 * RTA_OIF of the route itself, with its flags in rtm_flags; several as a run of struct rtnexthop in
 * RTA_MULTIPATH. A gateway of the other family than the route's goes into RTA_VIA (IPv4 via IPv6).
 */

import type { Family } from "../../../lib/ip.ts";
import {
  NEXTHOP_DEVICE,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
} from "../../../nest/attrs-draft.ts";
import { putHeader, putIpv4, putIpv6, putU32 } from "../netlink/attribute.ts";
import {
  AF_INET,
  AF_INET6,
  NLA_HDRLEN,
  RTA_GATEWAY,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_VIA,
  RTNEXTHOP_LENGTH,
} from "../netlink/constants.ts";

/** Bytes that encodeNexthops writes for the `count` nexthops at words[first…]. */
export function nexthopsSize(words: Int32Array, first: number, count: number, family: Family): number {
  if (count === 0) return 0;
  if (count === 1) {
    return (
      gatewaySize(words[first + NEXTHOP_FAMILY]!, family) + (words[first + NEXTHOP_DEVICE] === 0 ? 0 : 8)
    );
  }
  let size = NLA_HDRLEN + count * RTNEXTHOP_LENGTH;
  for (let hop = first; hop < first + count * NEXTHOP_WORDS; hop += NEXTHOP_WORDS) {
    size += gatewaySize(words[hop + NEXTHOP_FAMILY]!, family);
  }
  return size;
}

/** What of the nexthops belongs into rtm_flags. */
export function nexthopsFlags(words: Int32Array, first: number, count: number): number {
  return count === 1 ? words[first + NEXTHOP_FLAGS]! : 0;
}

/** Writes them at `at`; there must be nexthopsSize() bytes of room. Returns the next offset. */
export function encodeNexthops(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  words: Int32Array,
  first: number,
  count: number,
  family: Family,
): number {
  if (count === 0) return at;
  if (count === 1) {
    const next = encodeGateway(view, at, words, first, family);
    const device = words[first + NEXTHOP_DEVICE]!;
    return device === 0 ? next : putU32(view, next, RTA_OIF, device);
  }
  let next = at + NLA_HDRLEN;
  for (let hop = first; hop < first + count * NEXTHOP_WORDS; hop += NEXTHOP_WORDS) {
    const end = encodeGateway(view, next + RTNEXTHOP_LENGTH, words, hop, family);
    view.setUint16(next, end - next, true);
    bytes[next + 2] = words[hop + NEXTHOP_FLAGS]!;
    bytes[next + 3] = words[hop + NEXTHOP_WEIGHT]! - 1;
    view.setInt32(next + 4, words[hop + NEXTHOP_DEVICE]!, true);
    next = end;
  }
  putHeader(view, at, RTA_MULTIPATH, next - at - NLA_HDRLEN);
  return next;
}

function gatewaySize(gateway: number, family: Family): number {
  if (gateway === 0) return 0;
  const length = gateway === 4 ? 4 : 16;
  return NLA_HDRLEN + (gateway === family ? length : length + 4);
}

function encodeGateway(view: DataView, at: number, words: Int32Array, hop: number, family: Family): number {
  const gateway = words[hop + NEXTHOP_FAMILY]!;
  if (gateway === 0) return at;
  const w0 = words[hop + NEXTHOP_GATEWAY]!;
  if (gateway === family && gateway === 4) return putIpv4(view, at, RTA_GATEWAY, w0);
  const w1 = words[hop + NEXTHOP_GATEWAY + 1]!;
  const w2 = words[hop + NEXTHOP_GATEWAY + 2]!;
  const w3 = words[hop + NEXTHOP_GATEWAY + 3]!;
  if (gateway === family) return putIpv6(view, at, RTA_GATEWAY, w0, w1, w2, w3);
  // struct rtvia: the family in 16 bits and the address, which leaves two bytes of padding.
  const words32 = gateway === 4 ? 1 : 4;
  const value = putHeader(view, at, RTA_VIA, 2 + words32 * 4);
  view.setUint16(value, gateway === 4 ? AF_INET : AF_INET6, true);
  view.setInt32(value + 2, w0, false);
  if (words32 === 4) {
    view.setInt32(value + 6, w1, false);
    view.setInt32(value + 10, w2, false);
    view.setInt32(value + 14, w3, false);
  }
  view.setUint16(value + 2 + words32 * 4, 0, true);
  return value + words32 * 4 + 4;
}
