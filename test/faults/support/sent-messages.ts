/**
 * What was sent to the kernel, read by a decoder of its own: krtd's codec must not be the one to say that krtd's
 * messages are right. Layouts: linux/netlink.h, linux/rtnetlink.h.
 */

import type { Family } from "../../../src/lib/ip.ts";

const NLMSG_NOOP = 1;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
/** RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEXTHOP. */
const READING: ReadonlySet<number> = new Set([NLMSG_NOOP, 18, 22, 26, 106]);
const RTA_DST = 1;
const RTA_PRIORITY = 6;
const RTA_TABLE = 15;
const NLMSG_HDRLEN = 16;
const RTMSG_LENGTH = 12;

export interface SentMessage {
  /** Number of the network namespace. */
  readonly namespace: bigint;
  /** Monotonic milliseconds, as performance.now() of no process, but the same for all. */
  readonly atMs: number;
  readonly type: number;
  readonly flags: number;
  /** Bytes, with the padding after it. */
  readonly size: number;
  /** What it asks to change, or null: it only reads. */
  readonly route: SentRoute | "unreadable" | null;
}

export interface SentRoute {
  readonly family: Family;
  readonly table: number;
  readonly protocol: number;
  readonly metric: number;
  /** The prefix in hexadecimal, with its length. */
  readonly prefix: string;
}

/** All messages of one send. Throws when the bytes are no messages. */
export function readMessages(bytes: Buffer, namespace: bigint, atMs: number): SentMessage[] {
  const messages: SentMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < NLMSG_HDRLEN || at + length > bytes.length) throw new Error(`No message at ${at}`);
    const type = bytes.readUInt16LE(at + 4);
    const flags = bytes.readUInt16LE(at + 6);
    const payload = bytes.subarray(at + NLMSG_HDRLEN, at + length);
    const size = Math.min((length + 3) & ~3, bytes.length - at);
    messages.push({ namespace, atMs, type, flags, size, route: routeOf(type, payload) });
    at += size;
  }
  return messages;
}

/** A message that changes nothing: it reads, or it is the question of one byte whether writing is allowed. */
export function changesNothing({ type, route }: SentMessage): boolean {
  return READING.has(type) || (type === RTM_NEWROUTE && route === null);
}

function routeOf(type: number, payload: Buffer): SentRoute | "unreadable" | null {
  if (type !== RTM_NEWROUTE && type !== RTM_DELROUTE) return null;
  if (type === RTM_NEWROUTE && payload.length === 1) return null;
  if (payload.length < RTMSG_LENGTH) return "unreadable";
  const family = payload.readUInt8(0);
  if (family !== 2 && family !== 10) return "unreadable";
  let table = payload.readUInt8(4);
  let metric = 0;
  let prefix = "";
  for (let at = RTMSG_LENGTH; at + 4 <= payload.length; ) {
    const length = payload.readUInt16LE(at);
    if (length < 4 || at + length > payload.length) return "unreadable";
    const value = payload.subarray(at + 4, at + length);
    const attribute = payload.readUInt16LE(at + 2);
    if (attribute === RTA_TABLE) table = value.readUInt32LE(0);
    if (attribute === RTA_PRIORITY) metric = value.readUInt32LE(0);
    if (attribute === RTA_DST) prefix = value.toString("hex");
    at += (length + 3) & ~3;
  }
  return {
    family: family === 2 ? 4 : 6,
    table,
    protocol: payload.readUInt8(5),
    metric,
    prefix: `${prefix}/${payload.readUInt8(1)}`,
  };
}
