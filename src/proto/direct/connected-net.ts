/**
 * The net an address puts its interface into. What is skipped is what says nothing about where to send packets:
 *
 *   scope host                    the address is this machine's alone
 *   fe80::/10                     the same net on every interface: a route to one of them would be wrong for the others
 *   tentative, dadfailed          not ours until duplicate address detection is through, and never if it found a rival;
 *                                 an optimistic one may be used at once (RFC 4429)
 *   0.0.0.0/8 or length 0         the kernel gives such an address no net; a slip of the keyboard (10.0.0.1/0) is not to
 *                                 become the default route
 *
 * An address with IFA_F_NOPREFIXROUTE counts: the net is there all the same, only its route is left to somebody else
 * (NetworkManager sets it on all). A lone host address (/32, /128) counts too: that is how anycast addresses on an
 * interface of their own come into a table.
 */

import type { Family } from "../../lib/ip.ts";
import { maskWord, type Prefix } from "../../lib/prefix.ts";
import type { AddressInfo } from "../../nest/iface.ts";

/** linux/rtnetlink.h */
const RT_SCOPE_HOST = 254;
/** linux/if_addr.h */
const IFA_F_OPTIMISTIC = 0x04;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;

/** The prefix that is reached directly through the address's interface, or null: none. */
export function connectedNet(address: AddressInfo): Prefix | null {
  const { family, length, scope, flags } = address;
  if (scope === RT_SCOPE_HOST || length === 0 || !isUsable(flags)) return null;
  // The net of a peer address is the peer's: behind the link, there is nothing else.
  const [w0, w1, w2, w3] = address.peer ?? [address.w0, address.w1, address.w2, address.w3];
  if (isSkipped(family, w0)) return null;
  return {
    family,
    w0: maskWord(w0, 0, length),
    w1: maskWord(w1, 1, length),
    w2: maskWord(w2, 2, length),
    w3: maskWord(w3, 3, length),
    length,
  };
}

function isUsable(flags: number): boolean {
  if ((flags & IFA_F_DADFAILED) !== 0) return false;
  return (flags & IFA_F_TENTATIVE) === 0 || (flags & IFA_F_OPTIMISTIC) !== 0;
}

function isSkipped(family: Family, w0: number): boolean {
  return family === 4 ? w0 >>> 24 === 0 : w0 >>> 22 === 0xfe80 >>> 6;
}
