/**
 * The numbers of netlink and rtnetlink that krtd uses, under the kernel's own names and grouped by the header
 * that defines them (include/uapi/linux/…). Nothing is computed here, so that a grep for a kernel name finds
 * its value. Netlink headers are in host byte order, which on every machine krtd supports is little endian
 * (message.ts checks); addresses inside attributes are in network order.
 */

// --- linux/socket.h, asm-generic/socket.h ---------------------------------------------------------------
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
/** struct timeval with 64-bit members; the number of 64-bit machines, the only ones Node supports. */
export const SO_RCVTIMEO = 20;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
/** asm-generic/socket.h: a classic BPF program that says which datagrams are kept. */
export const SO_ATTACH_FILTER = 26;
/** Nine 32-bit counters of linux/sock_diag.h. */
export const SO_MEMINFO = 55;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
/** linux/socket.h: recvmmsg(2) waits for the first datagram only. */
export const MSG_WAITFORONE = 0x10000;

// --- linux/sock_diag.h: indexes into SO_MEMINFO ---------------------------------------------------------
export const SK_MEMINFO_VARS = 9;
export const SK_MEMINFO_DROPS = 8;

// --- linux/sched.h --------------------------------------------------------------------------------------
export const CLONE_NEWNET = 0x40000000;

// --- linux/netlink.h ------------------------------------------------------------------------------------
export const NETLINK_ROUTE = 0;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_DROP_MEMBERSHIP = 2;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;

/** sizeof(struct nlmsghdr) */
export const NLMSG_HDRLEN = 16;
/** sizeof(struct nlattr) */
export const NLA_HDRLEN = 4;
export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;
/** Below are control messages of netlink itself. */
export const NLMSG_MIN_TYPE = 0x10;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
/** NEW requests. */
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** NLMSG_ERROR and NLMSG_DONE. */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSGERR_ATTR_MSG = 1;
export const NLMSGERR_ATTR_OFFS = 2;

// --- linux/rtnetlink.h: message types -------------------------------------------------------------------
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_DELNEXTHOP = 105;

// --- linux/rtnetlink.h: routes --------------------------------------------------------------------------
/** sizeof(struct rtmsg) */
export const RTMSG_LENGTH = 12;
/** sizeof(struct rtnexthop) */
export const RTNEXTHOP_LENGTH = 8;

export const RTN_UNSPEC = 0;
export const RTN_UNICAST = 1;
export const RTN_BLACKHOLE = 6;
export const RTN_THROW = 9;

export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_NOWHERE = 255;

/** What rtm_table holds for ids above 255. */
export const RT_TABLE_COMPAT = 252;

export const RTNH_F_ONLINK = 4;

export const RTA_DST = 1;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
export const RTA_MULTIPATH = 9;
export const RTA_FLOW = 11;
export const RTA_CACHEINFO = 12;
export const RTA_TABLE = 15;
export const RTA_VIA = 18;
export const RTA_PREF = 20;
export const RTA_ENCAP_TYPE = 21;
export const RTA_ENCAP = 22;
export const RTA_PAD = 24;
export const RTA_NH_ID = 30;

/** A string, unlike all others. */
export const RTAX_CC_ALGO = 16;

// --- linux/rtnetlink.h: enum rtnetlink_groups -----------------------------------------------------------
export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_NEXTHOP = 32;

// --- linux/rtnetlink.h, linux/if_link.h, linux/if.h: links ----------------------------------------------
/** sizeof(struct ifinfomsg) */
export const IFINFOMSG_LENGTH = 16;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_MASTER = 10;
export const IFLA_WIRELESS = 11;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_CARRIER = 33;

/** Inside IFLA_LINKINFO. */
export const IFLA_INFO_KIND = 1;

export const IFF_UP = 0x1;
export const IFF_RUNNING = 0x40;
export const IFF_LOWER_UP = 0x10000;

export const IF_OPER_UNKNOWN = 0;

// --- linux/if_addr.h ------------------------------------------------------------------------------------
/** sizeof(struct ifaddrmsg) */
export const IFADDRMSG_LENGTH = 8;

export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_FLAGS = 8;
