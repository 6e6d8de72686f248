/**
 * A route of so many nexthops that it fits into no frame of a dump. iproute2 cannot make one of IPv4, so the message is
 * written here by hand.
 */

import type { Family } from "../../src/lib/ip.ts";
import { isPrefix, parsePrefix } from "../../src/lib/prefix.ts";
import { buildRequest } from "../../src/sysdep/linux/netlink/message.ts";
import { createReceiveBuffer, openSocket } from "../../src/sysdep/linux/netlink/socket.ts";
import { ifindexOf, type Netns } from "./netns.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RTA_DST = 1;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTN_UNICAST = 1;

/** From so many nexthops on Linux 6.18 leaves it out of dumps, and all behind it. */
export const FAT_NEXTHOPS: Readonly<Record<Family, number>> = { 4: 2040, 6: 1160 };

export interface FatRoute {
  readonly prefix: string;
  readonly nexthops: number;
  readonly protocol: number;
  readonly table?: number;
}

/** Gateways 10.0.x.y and 2001:db8:0:1::x:y by way of v0, which must have a network as large as that (see wide()). */
export async function changeFatRoute(ns: Netns, verb: "add" | "del", route: FatRoute): Promise<void> {
  const device = await ifindexOf(ns, "v0");
  const flags = verb === "add" ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK;
  const request = buildRequest(
    verb === "add" ? RTM_NEWROUTE : RTM_DELROUTE,
    flags,
    1,
    payload(route, device),
  );
  const socket = ns.inside(() =>
    openSocket({
      receiveBufferBytes: 1 << 20,
      sendBufferBytes: 1 << 20,
      options: [],
      receiveTimeoutMs: 5000,
    }),
  );
  try {
    const answer = createReceiveBuffer();
    await socket.send(request, request.length);
    if ((await socket.receive(answer)) < 20) throw new Error("No answer to a fat route");
    const errno = -answer.view.getInt32(16, true);
    if (errno !== 0) throw new Error(`Cannot ${verb} a route of ${route.nexthops} nexthops: errno ${errno}`);
  } finally {
    await socket.close();
  }
}

/** Makes room for the gateways. */
export async function wide(ns: Netns): Promise<void> {
  await ns.ip("addr add 10.0.0.9/16 dev v0");
}

function payload({ prefix, nexthops, protocol, table = 254 }: FatRoute, device: number): Uint8Array {
  const parsed = parsePrefix(prefix);
  if (!isPrefix(parsed)) throw new Error(parsed.message);
  const { family, w0, w1, w2, w3, length } = parsed;
  const address = family === 4 ? 4 : 16;
  const hop = 8 + 4 + address;
  const bytes = new Uint8Array(12 + 8 + 8 + 4 + address + 4 + nexthops * hop);
  const view = new DataView(bytes.buffer);
  bytes.set([family === 4 ? 2 : 10, length, 0, 0, 0, protocol, 0, RTN_UNICAST]);
  let at = 12;
  const head = (type: number, size: number): void => {
    view.setUint16(at, size, true);
    view.setUint16(at + 2, type, true);
    at += 4;
  };
  const word = (value: number, littleEndian: boolean): void => {
    view.setInt32(at, value, littleEndian);
    at += 4;
  };
  head(RTA_TABLE, 8);
  word(table, true);
  head(RTA_PRIORITY, 8);
  word(5, true);
  head(RTA_DST, 4 + address);
  for (const value of [w0, w1, w2, w3].slice(0, address / 4)) word(value, false);
  head(RTA_MULTIPATH, 4 + nexthops * hop);
  for (let i = 0; i < nexthops; i++) {
    view.setUint16(at, hop, true);
    view.setInt32(at + 4, device, true);
    at += 8;
    head(RTA_GATEWAY, 4 + address);
    const low = ((1 + (i >> 8)) << 8) | (i & 255);
    if (family === 4) {
      word(0x0a000000 | low, false);
    } else {
      for (const value of [0x20010db8, 1, 0, 0x10000 | low]) word(value, false);
    }
  }
  return bytes;
}
