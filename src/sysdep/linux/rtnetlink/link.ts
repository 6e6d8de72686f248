/**
 * RTM_NEWLINK and RTM_DELLINK payloads (linux/if_link.h, struct ifinfomsg and IFLA_*). Not hot: a link is an
 * object. Names may be any bytes but "/" and NUL, so they are read as latin1, which loses none.
 */

import type { LinkInfo } from "../../os.ts";
import { AttributeCursor, readLatin1, readU32 } from "../netlink/attribute.ts";
import {
  AF_BRIDGE,
  IF_OPER_UNKNOWN,
  IFINFOMSG_LENGTH,
  IFLA_ADDRESS,
  IFLA_CARRIER,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_OPERSTATE,
  IFLA_WIRELESS,
} from "../netlink/constants.ts";

/** ifinfomsg of a dump of all links: AF_UNSPEC and nothing else. */
export const LINK_DUMP_PAYLOAD: Uint8Array = new Uint8Array(IFINFOMSG_LENGTH);

/** linux/if.h: with its NUL. */
const IFNAMSIZ = 16;

/** linux/netdevice.h */
const MAX_ADDR_LEN = 32;

/** The kernel's own kinds have a dozen letters at most. */
const LONGEST_KIND = 64;

/**
 * Whether it is a wireless event (net/wireless/wext-core.c): of the link itself it says nothing but the name, so what
 * it leaves out is not gone.
 */
export function isWirelessEvent(view: DataView, start: number, end: number): boolean {
  if (end - start < IFINFOMSG_LENGTH) return false;
  const cursor = new AttributeCursor();
  cursor.reset(view, start + IFINFOMSG_LENGTH, end);
  while (cursor.next()) if (cursor.type === IFLA_WIRELESS) return true;
  return false;
}

/**
 * Decodes the payload bytes[start..end). Null when it is malformed or nameless, and for AF_BRIDGE: those tell of a
 * bridge port, and their deletion is not the deletion of the link.
 */
export function decodeLink(bytes: Uint8Array, view: DataView, start: number, end: number): LinkInfo | null {
  if (end - start < IFINFOMSG_LENGTH || bytes[start] === AF_BRIDGE) return null;
  let name = "";
  let mtu = 0;
  let mac: string | null = null;
  let kind: string | null = null;
  let master: number | null = null;
  let operstate = IF_OPER_UNKNOWN;
  let carrier: boolean | null = null;
  const cursor = new AttributeCursor();
  cursor.reset(view, start + IFINFOMSG_LENGTH, end);
  while (cursor.next()) {
    const { start: at, end: valueEnd } = cursor;
    switch (cursor.type) {
      case IFLA_IFNAME:
        if (valueEnd - at > IFNAMSIZ) return null;
        name = readLatin1(bytes, at, valueEnd);
        if (name.length === IFNAMSIZ) return null;
        break;
      case IFLA_MTU:
        mtu = readU32(view, at, valueEnd, mtu);
        break;
      case IFLA_ADDRESS:
        if (valueEnd - at > MAX_ADDR_LEN) return null;
        mac = valueEnd > at ? formatMac(bytes, at, valueEnd) : null;
        break;
      case IFLA_LINKINFO:
        kind = decodeKind(bytes, view, at, valueEnd);
        break;
      case IFLA_MASTER:
        master = readU32(view, at, valueEnd, 0) || null;
        break;
      case IFLA_OPERSTATE:
        if (valueEnd - at === 1) operstate = bytes[at]!;
        break;
      case IFLA_CARRIER:
        if (valueEnd - at === 1) carrier = bytes[at] !== 0;
        break;
    }
  }
  const ifindex = view.getInt32(start + 4, true);
  if (cursor.malformed || name === "" || ifindex <= 0) return null;
  return {
    ifindex,
    name,
    flags: view.getUint32(start + 8, true),
    mtu,
    mac,
    kind,
    master,
    operstate,
    carrier,
  };
}

/** IFLA_INFO_KIND inside IFLA_LINKINFO. */
function decodeKind(bytes: Uint8Array, view: DataView, start: number, end: number): string | null {
  const cursor = new AttributeCursor();
  cursor.reset(view, start, end);
  while (cursor.next()) {
    if (cursor.type !== IFLA_INFO_KIND) continue;
    return cursor.end - cursor.start > LONGEST_KIND
      ? null
      : readLatin1(bytes, cursor.start, cursor.end) || null;
  }
  return null;
}

/** "02:00:5e:…": link layer addresses have 6 bytes, or 4, 16 or 20 on tunnels and InfiniBand. */
function formatMac(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) {
    if (i > start) text += ":";
    text += bytes[i]!.toString(16).padStart(2, "0");
  }
  return text;
}
