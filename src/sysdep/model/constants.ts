/**
 * The numbers the model shows to the world, spelled as the kernel spells them. Only what the model uses; the
 * Linux backend has its own list, since neither implementation of the port may lean on the other.
 */

/** linux/rtnetlink.h: rtm_type */
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_MULTICAST = 5;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;
export const RTN_THROW = 9;

/** linux/rtnetlink.h: rtm_scope. A larger number is a narrower scope. */
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
export const RT_SCOPE_NOWHERE = 255;

/** linux/rtnetlink.h: rtm_table */
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

/** linux/rtnetlink.h: rtm_protocol */
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;

/** linux/rtnetlink.h: rtnh_flags */
export const RTNH_F_DEAD = 1;
export const RTNH_F_LINKDOWN = 16;

/** linux/if.h */
export const IFF_UP = 0x1;
export const IFF_BROADCAST = 0x2;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;
export const IFF_MULTICAST = 0x1000;
export const IFF_LOWER_UP = 0x10000;

/** linux/if.h: IF_OPER_* */
export const IF_OPER_UNKNOWN = 0;
export const IF_OPER_DOWN = 2;
export const IF_OPER_LOWERLAYERDOWN = 3;
export const IF_OPER_UP = 6;

/** linux/if_addr.h */
export const IFA_F_SECONDARY = 0x01;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_NOPREFIXROUTE = 0x200;

/** net/ip6_route.h: what an absent or zero metric means on add, and the metric of device routes. */
export const IP6_RT_PRIO_USER = 1024;
export const IP6_RT_PRIO_ADDRCONF = 256;

/** asm-generic/errno.h: the address is not there. The other errors are in lib/errno.ts. */
export const EADDRNOTAVAIL = 99;

/** A route type that sends packets nowhere. */
export function isReject(type: number): boolean {
  return type >= RTN_BLACKHOLE && type <= RTN_THROW;
}
