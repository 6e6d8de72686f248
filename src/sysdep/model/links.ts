/**
 * The model's devices: state only. What a change of state does to addresses and routes is the business of
 * connected4.ts and connected6.ts; who is told is decided in kernel.ts.
 *
 * Carrier is derived: a veth end has it while both ends are up, any other device unless a test took it away.
 */

import type { IpAddress } from "../../lib/ip.ts";
import type { AddressInfo, LinkInfo } from "../os.ts";
import {
  IF_OPER_DOWN,
  IF_OPER_LOWERLAYERDOWN,
  IF_OPER_UNKNOWN,
  IF_OPER_UP,
  IFA_F_NOPREFIXROUTE,
  IFA_F_SECONDARY,
  IFF_BROADCAST,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_RUNNING,
  IFF_UP,
} from "./constants.ts";

export interface LinkOptions {
  readonly name: string;
  /** "veth", "bridge", "ifb", …; null: hardware. Hardware when absent. */
  readonly kind?: string | null;
  /** Asks for this index; the next free one when absent. */
  readonly ifindex?: number;
  readonly mtu?: number;
  /** IPv6 link-local addresses come by themselves when it goes up. True when absent. */
  readonly linkLocal?: boolean;
}

/** One address of a device. `address.length` lives in the prefix, host bits kept. */
export interface ModelAddress {
  readonly address: IpAddress;
  readonly length: number;
  readonly peer: IpAddress | null;
  readonly scope: number;
  /** IFA_F_* bits. */
  readonly flags: number;
}

export interface Link {
  readonly ifindex: number;
  name: string;
  readonly kind: string | null;
  readonly loopback: boolean;
  readonly mtu: number;
  readonly mac: readonly number[];
  readonly linkLocal: boolean;
  up: boolean;
  /** False: a test pulled the cable. */
  plugged: boolean;
  /** The other end of a veth pair, or 0. */
  peer: number;
  master: number;
  /** IPv4 ones first come primary, then secondary, as the kernel lists them. */
  readonly addresses: ModelAddress[];
}

export class Links {
  private readonly byIndex = new Map<number, Link>();
  private nextIndex = 1;

  /** The link, or undefined: such an index is not (or no longer) in use. */
  get(ifindex: number): Link | undefined {
    return this.byIndex.get(ifindex);
  }

  byName(name: string): Link | undefined {
    for (const link of this.byIndex.values()) if (link.name === name) return link;
    return undefined;
  }

  /** By index, ascending: the order of a dump. */
  all(): Link[] {
    return [...this.byIndex.values()].sort((a, b) => a.ifindex - b.ifindex);
  }

  /** Makes a link, down and without addresses, or undefined when its name or index is taken. */
  create(options: LinkOptions): Link | undefined {
    if (this.byName(options.name) !== undefined) return undefined;
    while (this.byIndex.has(this.nextIndex)) this.nextIndex++;
    const ifindex = options.ifindex ?? this.nextIndex++;
    if (this.byIndex.has(ifindex)) return undefined;
    const loopback = options.name === "lo";
    const link: Link = {
      ifindex,
      name: options.name,
      kind: options.kind ?? null,
      loopback,
      mtu: options.mtu ?? (loopback ? 65536 : 1500),
      mac: loopback ? [0, 0, 0, 0, 0, 0] : [2, 0, 0, 0, (ifindex >> 8) & 0xff, ifindex & 0xff],
      linkLocal: options.linkLocal ?? true,
      up: false,
      plugged: true,
      peer: 0,
      master: 0,
      addresses: [],
    };
    this.byIndex.set(ifindex, link);
    return link;
  }

  remove(ifindex: number): void {
    this.byIndex.delete(ifindex);
  }

  carrier(link: Link): boolean {
    if (!link.plugged) return false;
    return link.peer === 0 || (link.up && this.byIndex.get(link.peer)?.up === true);
  }

  info(link: Link): LinkInfo {
    const carrier = this.carrier(link);
    let flags = link.loopback ? IFF_LOOPBACK : IFF_BROADCAST;
    if (link.kind === "ifb") flags |= IFF_NOARP;
    else if (!link.loopback) flags |= IFF_MULTICAST;
    if (link.up) flags |= IFF_UP | (carrier ? IFF_RUNNING | IFF_LOWER_UP : 0);
    return {
      ifindex: link.ifindex,
      name: link.name,
      flags,
      mtu: link.mtu,
      mac: link.mac.map((byte) => byte.toString(16).padStart(2, "0")).join(":"),
      kind: link.kind,
      master: link.master === 0 ? null : link.master,
      operstate: operstate(link, carrier),
      carrier,
    };
  }
}

/** Software devices that never report their state say "unknown" while up. */
function operstate(link: Link, carrier: boolean): number {
  if (!link.up) return IF_OPER_DOWN;
  if (!carrier) return link.peer === 0 ? IF_OPER_DOWN : IF_OPER_LOWERLAYERDOWN;
  return link.loopback || link.kind === "ifb" ? IF_OPER_UNKNOWN : IF_OPER_UP;
}

export function isSecondary(address: ModelAddress): boolean {
  return (address.flags & IFA_F_SECONDARY) !== 0;
}

export function hasPrefixRoute(address: ModelAddress): boolean {
  return (address.flags & IFA_F_NOPREFIXROUTE) === 0;
}

export function addressInfo(link: Link, entry: ModelAddress): AddressInfo {
  const { family, w0, w1, w2, w3 } = entry.address;
  const peer = entry.peer;
  return {
    ifindex: link.ifindex,
    family,
    w0,
    w1,
    w2,
    w3,
    length: entry.length,
    peer: peer === null ? null : [peer.w0, peer.w1, peer.w2, peer.w3],
    scope: entry.scope,
    flags: entry.flags,
  };
}
