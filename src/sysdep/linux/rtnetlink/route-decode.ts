/**
 * HOT PATH. Reads RTM_NEWROUTE and RTM_DELROUTE payloads in place: no object, closure or string per route.
 *
 *   0 family  1 dst_len  2 src_len  3 tos  4 table  5 protocol  6 scope  7 type  8 flags (32)    struct rtmsg
 *   12 attributes: RTA_TABLE, RTA_DST, RTA_PRIORITY, RTA_GATEWAY | RTA_VIA, RTA_OIF | RTA_MULTIPATH, …
 *
 * What krtd can say about a route goes into the view and its AttrsDraft; state the kernel adds on its own
 * (dead, linkdown, offload, ages, expiry) is left out, so that it never looks like a change; anything else is
 * mixed into an "opaque" hash, so that a route with something unknown never equals a wanted one. Reject types
 * (blackhole …) have no nexthops here: IPv6 shows them on lo, IPv4 on nothing, and it means the same.
 *
 * Total: whatever the bytes, it reads inside [start, end) only and returns.
 */

import { congestionId } from "../../../lib/congestion-names.ts";
import { type AttrsDraft, RTAX_LIMIT } from "../../../nest/attrs-draft.ts";
import { AttributeCursor, readLatin1 } from "../netlink/attribute.ts";
import {
  AF_INET,
  AF_INET6,
  RTA_CACHEINFO,
  RTA_DST,
  RTA_ENCAP,
  RTA_ENCAP_TYPE,
  RTA_FLOW,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_NH_ID,
  RTA_OIF,
  RTA_PAD,
  RTA_PREF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTA_VIA,
  RTAX_CC_ALGO,
  RTMSG_LENGTH,
  RTN_BLACKHOLE,
  RTN_THROW,
  RTNH_F_ONLINK,
} from "../netlink/constants.ts";
import { decodeNexthops, Gateway } from "./nexthop-decode.ts";
import { hashBytes, mixHash } from "./opaque-hash.ts";
import type { RouteView } from "./route-view.ts";

/** linux/icmpv6.h: ICMPV6_ROUTER_PREF_MEDIUM, which all routes have but those of router advertisements. */
const PREF_MEDIUM = 0;

/** net/tcp.h: with its NUL. */
const TCP_CA_NAME_MAX = 16;

const attributes = new AttributeCursor();
const nested = new AttributeCursor();
const gateway = new Gateway();

/**
 * Decodes the payload bytes[start..end) (rtmsg and attributes, without nlmsghdr) into `into`. `view` covers
 * the same memory as `bytes`. Returns false, and leaves `into` in no particular state, when the family is not
 * AF_INET or AF_INET6 or the message is malformed: cut short, an attribute of a wrong length, host bits set.
 */
export function decodeRoute(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  into: RouteView,
): boolean {
  if (end - start < RTMSG_LENGTH) return false;
  const family = bytes[start]!;
  if (family !== AF_INET && family !== AF_INET6) return false;
  const addressLength = family === AF_INET ? 4 : 16;
  if (bytes[start + 1]! > addressLength * 8) return false;
  decodeHeader(bytes, view, start, into);
  const attrs = into.attrs;
  gateway.clear();
  let device = 0;
  let encap = 0;
  let hasPrefix = false;
  let hasMultipath = false;
  attributes.reset(view, start + RTMSG_LENGTH, end);
  while (attributes.next()) {
    const at = attributes.start;
    const size = attributes.end - at;
    switch (attributes.type) {
      case RTA_DST:
        if (size !== addressLength) return false;
        hasPrefix = true;
        into.w0 = view.getInt32(at, false);
        if (size === 4) break;
        into.w1 = view.getInt32(at + 4, false);
        into.w2 = view.getInt32(at + 8, false);
        into.w3 = view.getInt32(at + 12, false);
        break;
      case RTA_OIF:
        if (size !== 4) return false;
        device = view.getInt32(at, true);
        // Those below 0 are krtd's own, for interfaces that do not exist yet.
        if (device < 0) return false;
        break;
      case RTA_PRIORITY:
        if (size !== 4) return false;
        into.metric = view.getUint32(at, true);
        break;
      case RTA_TABLE:
        if (size !== 4) return false;
        into.table = view.getUint32(at, true);
        break;
      case RTA_GATEWAY:
        if (size !== addressLength || !gateway.read(view, at, size)) return false;
        break;
      case RTA_VIA:
        if (!gateway.readVia(view, at, size)) return false;
        break;
      case RTA_MULTIPATH:
        hasMultipath = true;
        if (!decodeNexthops(bytes, view, at, attributes.end, addressLength, attrs)) return false;
        break;
      case RTA_ENCAP:
      case RTA_ENCAP_TYPE:
        encap = mixHash(encap, hashBytes(bytes, at, attributes.end, attributes.type));
        break;
      case RTA_PREFSRC:
        if (size !== addressLength) return false;
        decodePrefsrc(view, at, size, attrs);
        break;
      case RTA_FLOW:
        if (size !== 4) return false;
        if (family === AF_INET) attrs.setFlow(view.getInt32(at, true));
        else attrs.markOpaque(hashBytes(bytes, at, attributes.end, RTA_FLOW));
        break;
      case RTA_METRICS:
        if (!decodeMetrics(bytes, view, at, attributes.end, attrs)) return false;
        break;
      case RTA_PREF:
        if (size !== 1) return false;
        if (bytes[at] !== PREF_MEDIUM) attrs.markOpaque(hashBytes(bytes, at, attributes.end, RTA_PREF));
        break;
      case RTA_NH_ID:
        attrs.markNexthopObject(hashBytes(bytes, at, attributes.end, RTA_NH_ID));
        break;
      case RTA_CACHEINFO:
      case RTA_PAD:
        break;
      default:
        attrs.markOpaque(hashBytes(bytes, at, attributes.end, attributes.type));
    }
  }
  if (attributes.malformed) return false;
  if (into.length > 0 && !hasPrefix) return false;
  if (!hasNoHostBits(into.w0, into.w1, into.w2, into.w3, into.length)) return false;
  if (into.type >= RTN_BLACKHOLE && into.type <= RTN_THROW) {
    attrs.clearNexthops();
  } else if (!hasMultipath && (gateway.family !== 0 || device !== 0)) {
    const { family: via, w0, w1, w2, w3 } = gateway;
    attrs.addNexthop(via, w0, w1, w2, w3, device, 1, into.rtmFlags & RTNH_F_ONLINK, encap);
  } else if (encap !== 0) {
    attrs.markOpaque(encap);
  }
  attrs.finish();
  return true;
}

/** struct rtmsg; resets everything in `into`. */
function decodeHeader(bytes: Uint8Array, view: DataView, start: number, into: RouteView): void {
  into.family = bytes[start] === AF_INET ? 4 : 6;
  into.w0 = 0;
  into.w1 = 0;
  into.w2 = 0;
  into.w3 = 0;
  into.length = bytes[start + 1]!;
  into.sourceLength = bytes[start + 2]!;
  into.tos = bytes[start + 3]!;
  into.table = bytes[start + 4]!;
  into.protocol = bytes[start + 5]!;
  into.scope = bytes[start + 6]!;
  into.type = bytes[start + 7]!;
  into.metric = 0;
  into.rtmFlags = view.getUint32(start + 8, true);
  into.attrs.reset(into.type);
  // The kernel says 0 for every IPv6 route: that is no scope.
  if (into.family === 4) into.attrs.setScope(into.scope);
}

function decodePrefsrc(view: DataView, at: number, size: number, attrs: AttrsDraft): void {
  const isIpv6 = size === 16;
  attrs.setPrefsrc(
    view.getInt32(at, false),
    isIpv6 ? view.getInt32(at + 4, false) : 0,
    isIpv6 ? view.getInt32(at + 8, false) : 0,
    isIpv6 ? view.getInt32(at + 12, false) : 0,
  );
}

/**
 * RTA_METRICS: one nested 32-bit attribute per RTAX_*, but for the congestion algorithm, which is a name. (That
 * costs a string, the only one here; hardly any route has it.)
 */
function decodeMetrics(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  attrs: AttrsDraft,
): boolean {
  nested.reset(view, start, end);
  while (nested.next()) {
    const rtax = nested.type;
    if (rtax === RTAX_CC_ALGO) {
      if (nested.end - nested.start > TCP_CA_NAME_MAX) return false;
      attrs.setMetric(rtax, congestionId(readLatin1(bytes, nested.start, nested.end)));
    } else if (rtax >= RTAX_LIMIT) {
      attrs.markOpaque(hashBytes(bytes, nested.start, nested.end, rtax));
    } else {
      if (nested.end - nested.start !== 4) return false;
      attrs.setMetric(rtax, view.getInt32(nested.start, true));
    }
  }
  return !nested.malformed;
}

/** All bits after the first `length` are 0; of an IPv4 prefix the words after the first are 0 anyway. */
function hasNoHostBits(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
  if (length <= 32) return (length === 32 || w0 << length === 0) && (w1 | w2 | w3) === 0;
  if (length <= 64) return (length === 64 || w1 << (length - 32) === 0) && (w2 | w3) === 0;
  if (length <= 96) return (length === 96 || w2 << (length - 64) === 0) && w3 === 0;
  return length === 128 || w3 << (length - 96) === 0;
}
