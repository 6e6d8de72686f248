/** Messages as the kernel would send them, with bad news in them. Layouts: linux/rtnetlink.h, linux/if_link.h. */

import type { Family } from "../../../src/lib/ip.ts";
import type { Random } from "./random.ts";

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSG_OVERRUN = 4;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const METRIC = 32;
const PROTOCOL = 120;

export interface ForgedFacts {
  readonly ifindex: number;
  /** By family: an address of the link and the network part of a route of krtd, as bytes. */
  readonly address: Readonly<Record<Family, readonly number[]>>;
  readonly prefix: Readonly<Record<Family, { readonly bytes: readonly number[]; readonly length: number }>>;
}

/** One lie; `port` is what nlmsg_pid claims. */
export function forgedMessage(random: Random, facts: ForgedFacts, port: number): Uint8Array {
  const family = random.pick([4, 6] as const);
  const sequence = random.between(0, 200);
  const make = random.pick([
    () => message(RTM_DELROUTE, route(facts, family)),
    () => message(RTM_NEWROUTE, route(facts, family), 0x100),
    () => message(RTM_DELLINK, link(facts, 0)),
    () => message(RTM_NEWLINK, link(facts, 0)),
    () => message(RTM_DELADDR, address(facts, family)),
    () => message(NLMSG_OVERRUN, []),
    () => message(NLMSG_DONE, words(0), 2),
    () => message(NLMSG_ERROR, [...words(-random.pick([1, 17, 105, 0])), ...Array<number>(16).fill(0)]),
    () => Uint8Array.from({ length: random.between(16, 200) }, () => random.between(0, 256)),
  ]);
  const bytes = make();
  const view = new DataView(bytes.buffer);
  view.setUint32(8, sequence, true);
  view.setUint32(12, port, true);
  return bytes;
}

/** A route of krtd that is not there, or one that goes. */
function route({ prefix, ifindex }: ForgedFacts, family: Family): number[] {
  const { bytes, length } = prefix[family];
  const header = [family === 4 ? 2 : 10, length, 0, 0, 254, PROTOCOL, 0, 1, ...words(0)];
  return [
    ...header,
    ...attribute(1, bytes),
    ...attribute(6, words(METRIC)),
    ...attribute(15, words(254)),
    ...attribute(4, words(ifindex)),
  ];
}

/** ifinfomsg: family, padding, type, index, flags, change; flags 0 is a link that is down. */
function link({ ifindex }: ForgedFacts, flags: number): number[] {
  return [0, 0, 1, 0, ...words(ifindex), ...words(flags), ...words(-1), ...attribute(3, [118, 48, 0])];
}

/** ifaddrmsg: family, length, flags, scope, index. */
function address(facts: ForgedFacts, family: Family): number[] {
  const head = [family === 4 ? 2 : 10, family === 4 ? 24 : 64, 0, 0, ...words(facts.ifindex)];
  return [...head, ...attribute(1, facts.address[family]), ...attribute(2, facts.address[family])];
}

function message(type: number, payload: readonly number[], flags = 0): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(16 + payload.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  bytes.set(payload, 16);
  return bytes;
}

function attribute(type: number, value: readonly number[]): number[] {
  const padding = Array<number>((4 - (value.length & 3)) & 3).fill(0);
  return [4 + value.length, 0, type, 0, ...value, ...padding];
}

/** 32 bits as this machine has them. */
function words(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}
