/**
 * HOT PATH. Reads the nexthops of a route message: RTA_GATEWAY and RTA_VIA, and RTA_MULTIPATH, which is a run
 * of struct rtnexthop, each with attributes of its own:
 *
 *   0 len (16)  2 flags  3 hops (weight - 1)  4 ifindex (32)  8 RTA_GATEWAY | RTA_VIA, RTA_ENCAP, RTA_FLOW …
 *
 * What krtd cannot express in a nexthop (an encapsulation, a realm of its own) is hashed into its ENCAP word:
 * nexthops compare as a set, so the hash must travel with the nexthop and not with the route.
 */

import type { AttrsDraft } from "../../../nest/attrs-draft.ts";
import { AttributeCursor, align4 } from "../netlink/attribute.ts";
import {
  AF_INET,
  AF_INET6,
  RTA_GATEWAY,
  RTA_PAD,
  RTA_VIA,
  RTNEXTHOP_LENGTH,
  RTNH_F_ONLINK,
} from "../netlink/constants.ts";
import { hashBytes, mixHash } from "./opaque-hash.ts";

/** A gateway while it is read; kept and cleared, so that none is made per route. */
export class Gateway {
  /** 0: none. */
  family: 0 | 4 | 6 = 0;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;

  clear(): void {
    this.family = 0;
    this.w0 = 0;
    this.w1 = 0;
    this.w2 = 0;
    this.w3 = 0;
  }

  /** RTA_GATEWAY of 4 or 16 bytes; false for any other size. */
  read(view: DataView, at: number, size: number): boolean {
    if (size === 4) {
      this.clear();
      this.family = 4;
      this.w0 = view.getInt32(at, false);
      return true;
    }
    if (size !== 16) return false;
    this.family = 6;
    this.w0 = view.getInt32(at, false);
    this.w1 = view.getInt32(at + 4, false);
    this.w2 = view.getInt32(at + 8, false);
    this.w3 = view.getInt32(at + 12, false);
    return true;
  }

  /** RTA_VIA, struct rtvia: the family in 16 bits, then the address. False when they do not fit together. */
  readVia(view: DataView, at: number, size: number): boolean {
    if (size < 2) return false;
    const family = view.getUint16(at, true);
    if (family === AF_INET ? size !== 6 : family !== AF_INET6 || size !== 18) return false;
    return this.read(view, at + 2, size - 2);
  }
}

const gateway = new Gateway();
const attributes = new AttributeCursor();

/**
 * Adds every rtnexthop in [start, end), the value of RTA_MULTIPATH, to `attrs`. `addressLength` is that of
 * the route's family, 4 or 16. Returns false when the bytes are malformed.
 */
export function decodeNexthops(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  addressLength: number,
  attrs: AttrsDraft,
): boolean {
  for (let at = start; at < end; ) {
    if (end - at < RTNEXTHOP_LENGTH) return false;
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP_LENGTH || at + length > end) return false;
    let encap = 0;
    gateway.clear();
    attributes.reset(view, at + RTNEXTHOP_LENGTH, at + length);
    while (attributes.next()) {
      const value = attributes.start;
      const size = attributes.end - value;
      if (attributes.type === RTA_GATEWAY) {
        if (size !== addressLength || !gateway.read(view, value, size)) return false;
      } else if (attributes.type === RTA_VIA) {
        if (!gateway.readVia(view, value, size)) return false;
      } else if (attributes.type !== RTA_PAD) {
        encap = mixHash(encap, hashBytes(bytes, value, attributes.end, attributes.type));
      }
    }
    if (attributes.malformed) return false;
    const { family, w0, w1, w2, w3 } = gateway;
    const device = view.getInt32(at + 4, true);
    if (device < 0) return false;
    const onlink = bytes[at + 2]! & RTNH_F_ONLINK;
    attrs.addNexthop(family, w0, w1, w2, w3, device, bytes[at + 3]! + 1, onlink, encap);
    at += align4(length);
  }
  return true;
}
