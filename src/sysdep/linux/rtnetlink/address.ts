/**
 * RTM_NEWADDR and RTM_DELADDR payloads (linux/if_addr.h, struct ifaddrmsg and IFA_*). Not hot: an address is
 * an object. The tricky part is whose address is whose: IFA_LOCAL is ours; IFA_ADDRESS is the peer's on a
 * point-to-point link and ours again on all others; IPv6 leaves IFA_LOCAL out when there is no peer.
 */

import type { AddressInfo } from "../../os.ts";
import { AttributeCursor, readU32 } from "../netlink/attribute.ts";
import {
  AF_INET,
  AF_INET6,
  IFA_ADDRESS,
  IFA_FLAGS,
  IFA_LOCAL,
  IFADDRMSG_LENGTH,
} from "../netlink/constants.ts";

type Words = readonly [number, number, number, number];

/** ifaddrmsg of a dump of all addresses: AF_UNSPEC and nothing else. */
export const ADDRESS_DUMP_PAYLOAD: Uint8Array = new Uint8Array(IFADDRMSG_LENGTH);

/** Decodes the payload bytes[start..end). Null when it is malformed or of another family than IPv4 and IPv6. */
export function decodeAddress(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): AddressInfo | null {
  if (end - start < IFADDRMSG_LENGTH) return null;
  const family = bytes[start];
  if (family !== AF_INET && family !== AF_INET6) return null;
  const addressLength = family === AF_INET ? 4 : 16;
  const length = bytes[start + 1]!;
  const ifindex = view.getInt32(start + 4, true);
  if (length > addressLength * 8 || ifindex <= 0) return null;
  let local: Words | null = null;
  let address: Words | null = null;
  // The header has eight bits of flags; IFA_FLAGS has them all (noprefixroute is above).
  let flags = bytes[start + 2]!;
  const cursor = new AttributeCursor();
  cursor.reset(view, start + IFADDRMSG_LENGTH, end);
  while (cursor.next()) {
    const size = cursor.end - cursor.start;
    if (cursor.type === IFA_FLAGS) {
      flags = readU32(view, cursor.start, cursor.end, flags);
    } else if (cursor.type === IFA_LOCAL || cursor.type === IFA_ADDRESS) {
      if (size !== addressLength) return null;
      const words = readWords(view, cursor.start, size);
      if (cursor.type === IFA_LOCAL) local = words;
      else address = words;
    }
  }
  const own = local ?? address;
  if (cursor.malformed || own === null) return null;
  const [w0, w1, w2, w3] = own;
  return {
    ifindex,
    family: family === AF_INET ? 4 : 6,
    w0,
    w1,
    w2,
    w3,
    length,
    peer: address?.some((word, i) => word !== own[i]) ? address : null,
    scope: bytes[start + 3]!,
    flags,
  };
}

function readWords(view: DataView, at: number, size: number): Words {
  const w0 = view.getInt32(at, false);
  if (size === 4) return [w0, 0, 0, 0];
  return [w0, view.getInt32(at + 4, false), view.getInt32(at + 8, false), view.getInt32(at + 12, false)];
}
