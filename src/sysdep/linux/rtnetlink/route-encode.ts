/**
 * HOT PATH. Writes whole RTM_NEWROUTE and RTM_DELROUTE messages straight from the interned words of a route's
 * attributes (attrs-draft.ts draws them) into the batch buffer: nothing is allocated per route. There is no
 * cache of encoded attributes: copying the bytes of one gateway costs as much as writing them.
 *
 *   nlmsghdr 16 | rtmsg 12 | RTA_TABLE 8 | RTA_DST 8 or 20 | RTA_PRIORITY 8 |
 *   RTA_GATEWAY or RTA_VIA, RTA_OIF | RTA_MULTIPATH, RTA_PREFSRC, RTA_FLOW, RTA_METRICS
 *
 * A delete must hit our route and no other of the same prefix. IPv4: the first alias with this prefix, tos,
 * metric, protocol and table goes; type 0 and scope NOWHERE mean "any". IPv6: without nexthops the kernel
 * removes the whole multipath route, foreign siblings included, so ours are named one by one.
 */

import { congestionName } from "../../../lib/congestion-names.ts";
import type { Family } from "../../../lib/ip.ts";
import {
  ATTRS_FLOW,
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  ATTRS_PREFSRC,
  ATTRS_SCOPE,
  ATTRS_TYPE,
  NEXTHOP_FAMILY,
  NEXTHOP_WORDS,
  RTAX_LIMIT,
} from "../../../nest/attrs-draft.ts";
import type { AttrsId } from "../../../nest/route.ts";
import { ROUTE_ADD, ROUTE_DELETE, ROUTE_DELETE_EXACT } from "../../os.ts";
import { beginNest, endNest, latin1Size, putIpv4, putIpv6, putLatin1, putU32 } from "../netlink/attribute.ts";
import {
  AF_INET,
  AF_INET6,
  NLA_HDRLEN,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_COMPAT,
  RTA_DST,
  RTA_FLOW,
  RTA_METRICS,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTAX_CC_ALGO,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTMSG_LENGTH,
  RTN_UNICAST,
  RTN_UNSPEC,
} from "../netlink/constants.ts";
import { encodeNexthops, nexthopsFlags, nexthopsSize } from "./nexthop-encode.ts";

/** nlmsghdr, rtmsg, RTA_TABLE, RTA_PRIORITY: in every message. */
const FIXED_SIZE = NLMSG_HDRLEN + RTMSG_LENGTH + 16;

const CC_ALGO = 1 << RTAX_CC_ALGO;

/** What the encoder reads of the attribute table (nest/attrs.ts). */
export interface EncoderAttrs {
  readonly words: Int32Array;
  offset(id: AttrsId): number;
}

export class RouteEncoder {
  private readonly attrs: EncoderAttrs;

  constructor(attrs: EncoderAttrs) {
    this.attrs = attrs;
  }

  /**
   * Writes one whole message at `at` (a multiple of 4) and returns the offset after it, or -1, with nothing
   * written, when it does not fit into `bytes`. `view` covers the same memory as `bytes`.
   *
   * `op` is ROUTE_*; `table` a full table id; `metric` the exact one, unsigned; `attrs` 0 is allowed for a
   * delete; `extraFlags` (NLM_F_ACK) joins nlmsg_flags.
   */
  encode(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    op: number,
    family: Family,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    table: number,
    protocol: number,
    metric: number,
    attrs: AttrsId,
    sequence: number,
    extraFlags: number,
  ): number {
    const exact = op === ROUTE_DELETE_EXACT;
    const removes = op === ROUTE_DELETE || exact;
    const words = this.attrs.words;
    const base = attrs === 0 ? -1 : this.attrs.offset(attrs);
    const type = base < 0 ? RTN_UNSPEC : words[base + ATTRS_TYPE]!;
    const names = type === RTN_UNICAST && !(op === ROUTE_DELETE && family === 4);
    const count = names ? words[base + ATTRS_NEXTHOPS]! : 0;
    const first = base + ATTRS_HEADER_WORDS;
    const prefixSize = length === 0 ? 0 : family === 4 ? 8 : 20;
    const size =
      FIXED_SIZE +
      prefixSize +
      nexthopsSize(words, first, count, family) +
      (removes && !exact ? 0 : detailsSize(words, base, family));
    if (at + size > bytes.length) return -1;

    view.setUint32(at, size, true);
    view.setUint16(at + 4, removes ? RTM_DELROUTE : RTM_NEWROUTE, true);
    view.setUint16(at + 6, requestFlags(op) | extraFlags, true);
    view.setUint32(at + 8, sequence, true);
    view.setUint32(at + 12, 0, true);
    const rtmsg = at + NLMSG_HDRLEN;
    bytes[rtmsg] = family === 4 ? AF_INET : AF_INET6;
    bytes[rtmsg + 1] = length;
    bytes[rtmsg + 2] = 0;
    bytes[rtmsg + 3] = 0;
    bytes[rtmsg + 4] = table > 255 ? RT_TABLE_COMPAT : table;
    bytes[rtmsg + 5] = protocol;
    const anyScope = op === ROUTE_DELETE;
    bytes[rtmsg + 6] = family === 6 ? RT_SCOPE_UNIVERSE : anyScope ? RT_SCOPE_NOWHERE : scopeOf(words, base);
    bytes[rtmsg + 7] = anyScope ? RTN_UNSPEC : type;
    view.setUint32(rtmsg + 8, nexthopsFlags(words, first, count), true);

    let next = putU32(view, rtmsg + RTMSG_LENGTH, RTA_TABLE, table);
    if (length > 0) {
      next = family === 4 ? putIpv4(view, next, RTA_DST, w0) : putIpv6(view, next, RTA_DST, w0, w1, w2, w3);
    }
    next = putU32(view, next, RTA_PRIORITY, metric);
    next = encodeNexthops(bytes, view, next, words, first, count, family);
    return removes && !exact ? next : encodeDetails(view, next, words, base, family);
  }
}

function requestFlags(op: number): number {
  if (op === ROUTE_DELETE || op === ROUTE_DELETE_EXACT) return NLM_F_REQUEST;
  return NLM_F_REQUEST | NLM_F_CREATE | (op === ROUTE_ADD ? NLM_F_EXCL : NLM_F_REPLACE);
}

/** The scope asked for; without one "link" for what is reached without a gateway, as every tool does. */
function scopeOf(words: Int32Array, base: number): number {
  const wanted = words[base + ATTRS_SCOPE]!;
  if (wanted >= 0) return wanted;
  if (words[base + ATTRS_TYPE] !== RTN_UNICAST) return RT_SCOPE_UNIVERSE;
  const end = base + ATTRS_HEADER_WORDS + words[base + ATTRS_NEXTHOPS]! * NEXTHOP_WORDS;
  for (let hop = base + ATTRS_HEADER_WORDS; hop < end; hop += NEXTHOP_WORDS) {
    if (words[hop + NEXTHOP_FAMILY] !== 0) return RT_SCOPE_UNIVERSE;
  }
  return RT_SCOPE_LINK;
}

/** Bytes that encodeDetails writes. */
function detailsSize(words: Int32Array, base: number, family: Family): number {
  let size = 0;
  if (hasPrefsrc(words, base)) size += family === 4 ? 8 : 20;
  if (family === 4 && words[base + ATTRS_FLOW] !== 0) size += 8;
  const metrics = words[base + ATTRS_METRICS]!;
  if (metrics === 0) return size;
  size += NLA_HDRLEN;
  for (let mask = metrics & ~CC_ALGO; mask !== 0; mask &= mask - 1) size += 8;
  return (metrics & CC_ALGO) === 0 ? size : size + latin1Size(congestionOf(words, base));
}

/** Preferred source, realm and metrics. */
function encodeDetails(view: DataView, at: number, words: Int32Array, base: number, family: Family): number {
  let next = at;
  if (hasPrefsrc(words, base)) {
    const w0 = words[base + ATTRS_PREFSRC]!;
    const w1 = words[base + ATTRS_PREFSRC + 1]!;
    const w2 = words[base + ATTRS_PREFSRC + 2]!;
    const w3 = words[base + ATTRS_PREFSRC + 3]!;
    next =
      family === 4 ? putIpv4(view, next, RTA_PREFSRC, w0) : putIpv6(view, next, RTA_PREFSRC, w0, w1, w2, w3);
  }
  const flow = words[base + ATTRS_FLOW]!;
  if (family === 4 && flow !== 0) next = putU32(view, next, RTA_FLOW, flow);
  const mask = words[base + ATTRS_METRICS]!;
  return mask === 0 ? next : encodeMetrics(view, next, words, base, mask);
}

/** RTA_METRICS: 32 bits each but for the congestion algorithm, which is a name to the kernel. */
function encodeMetrics(view: DataView, at: number, words: Int32Array, base: number, mask: number): number {
  let value = firstMetric(words, base);
  let next = beginNest(view, at, RTA_METRICS);
  for (let rtax = 1; rtax < RTAX_LIMIT; rtax++) {
    if ((mask & (1 << rtax)) === 0) continue;
    if (rtax === RTAX_CC_ALGO) next = putLatin1(view, next, rtax, congestionOf(words, base));
    else next = putU32(view, next, rtax, words[value]!);
    value++;
  }
  return endNest(view, at, next);
}

function firstMetric(words: Int32Array, base: number): number {
  return base + ATTRS_HEADER_WORDS + words[base + ATTRS_NEXTHOPS]! * NEXTHOP_WORDS;
}

/** The algorithm's name; a number that stands for none becomes a name the kernel refuses. */
function congestionOf(words: Int32Array, base: number): string {
  let value = firstMetric(words, base);
  for (let mask = words[base + ATTRS_METRICS]! & (CC_ALGO - 1); mask !== 0; mask &= mask - 1) value++;
  return congestionName(words[value]!) ?? "";
}

function hasPrefsrc(words: Int32Array, base: number): boolean {
  const at = base + ATTRS_PREFSRC;
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) !== 0;
}
