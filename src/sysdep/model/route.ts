/**
 * The vocabulary of the model's routing half: what one asks of the kernel (RouteRequest), what it answers
 * (Answer), and what it shows (RouteView). Objects, since the model is for understanding and for tests.
 */

import type { IpAddress } from "../../lib/ip.ts";
import { maskWord, type Prefix } from "../../lib/prefix.ts";
import type { AddressInfo, RouteChange } from "../os.ts";

/** iproute2's verbs. On the wire: EXCL|CREATE, APPEND|CREATE, CREATE, REPLACE|CREATE, REPLACE, and DELROUTE. */
export type RouteOperation = "add" | "append" | "prepend" | "replace" | "change" | "delete";

export interface RequestNexthop {
  readonly gateway: IpAddress | null;
  /** ifindex; 0 = none given. */
  readonly device: number;
  /** 1–256; 1 when absent. */
  readonly weight?: number;
  readonly onlink?: boolean;
}

export interface RouteRequest {
  readonly op: RouteOperation;
  /** Host bits are allowed here: what becomes of them is the kernel's business. */
  readonly prefix: Prefix;
  readonly table: number;
  readonly tos?: number;
  /** 0 when absent. On delete 0 means "any". */
  readonly metric?: number;
  /** RTPROT_BOOT when absent; on delete 0 and absent mean "any". */
  readonly protocol?: number;
  /** RTN_UNICAST when absent; on delete absent means "any". */
  readonly type?: number;
  /** Absent: link for a unicast route without gateways, else universe; "any" on delete. IPv4 only. */
  readonly scope?: number;
  readonly nexthops?: readonly RequestNexthop[];
  readonly prefsrc?: IpAddress | null;
  /** By RTAX_* number. */
  readonly metrics?: ReadonlyMap<number, number>;
  /** Realm. */
  readonly flow?: number;
}

/** What the kernel said: errno 0 is success; `message` is its extended-ACK text, if it gave one. */
export interface Answer {
  readonly errno: number;
  readonly message: string | null;
}

export const SUCCESS: Answer = { errno: 0, message: null };

export function refuse(errno: number, message: string | null = null): Answer {
  return { errno, message };
}

export interface NexthopView {
  readonly gateway: IpAddress | null;
  readonly device: number;
  readonly weight: number;
  readonly onlink: boolean;
  /** Its device is down; a multipath route keeps it. */
  readonly dead: boolean;
  /** Its device has no carrier. */
  readonly linkdown: boolean;
}

/** One route as a dump or an event shows it. A snapshot: it does not change any more. */
export interface RouteView {
  readonly prefix: Prefix;
  readonly table: number;
  readonly tos: number;
  readonly metric: number;
  readonly protocol: number;
  readonly type: number;
  readonly scope: number;
  /** In the kernel's order. Empty for IPv4 reject routes; IPv6 ones sit on `lo`. */
  readonly nexthops: readonly NexthopView[];
  readonly prefsrc: IpAddress | null;
  readonly metrics: ReadonlyMap<number, number>;
  readonly flow: number;
}

export const NO_METRICS: ReadonlyMap<number, number> = new Map();

/** An address or prefix as a Map key: one bucket per net. */
export function netKey(w0: number, w1: number, w2: number, w3: number, length: number): string {
  return `${w0},${w1},${w2},${w3}/${length}`;
}

/** The net of `length` bits around an address, host bits cleared. */
export function netOf(address: IpAddress, length: number): Prefix {
  return {
    family: address.family,
    w0: maskWord(address.w0, 0, length),
    w1: maskWord(address.w1, 1, length),
    w2: maskWord(address.w2, 2, length),
    w3: maskWord(address.w3, 3, length),
    length,
  };
}

export function keyOfNet(net: Prefix): string {
  return netKey(net.w0, net.w1, net.w2, net.w3, net.length);
}

/** The flags of the wire, by verb. */
export interface InsertFlags {
  readonly create: boolean;
  readonly exclusive: boolean;
  readonly replace: boolean;
  readonly append: boolean;
}

export function flagsOf(op: Exclude<RouteOperation, "delete">): InsertFlags {
  return {
    create: op !== "change",
    exclusive: op === "add",
    replace: op === "replace" || op === "change",
    append: op === "append",
  };
}

/** Who hears of what happens inside the kernel. */
export interface Announcer {
  route(route: RouteView, change: RouteChange): void;
  address(address: AddressInfo, gone: boolean): void;
}
