/**
 * The in-memory kernel: links, addresses, routing tables, and the events they cause. It obeys semantics.md §11
 * and kernel.md §2–4 and §6; a property test holds it equal to the real kernel (test/live/model-kernel). It is
 * synchronous and has no clock: the same calls always give the same state and the same events.
 */

import { EEXIST, ENODEV } from "../../lib/errno.ts";
import type { Family, IpAddress } from "../../lib/ip.ts";
import type { Prefix } from "../../lib/prefix.ts";
import type { AddressInfo, LinkInfo, RouteChange } from "../os.ts";
import { Connected4 } from "./connected4.ts";
import { Connected6 } from "./connected6.ts";
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from "./constants.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";
import { addressInfo, type Link, type LinkOptions, Links } from "./links.ts";
import { type Answer, type RouteRequest, type RouteView, refuse, SUCCESS } from "./route.ts";

/** The netlink port of everybody who asks for a change. */
const FOREIGN_PORT = 4242;

export type KernelEvent =
  | { readonly kind: "link"; readonly link: LinkInfo; readonly gone: boolean }
  | { readonly kind: "address"; readonly address: AddressInfo; readonly gone: boolean }
  /** `origin`: who asked for the change, as given to route(); null when the kernel acted by itself. */
  | {
      readonly kind: "route";
      readonly route: RouteView;
      readonly change: RouteChange;
      readonly gone: boolean;
      readonly origin: unknown;
      /** Netlink port of whoever asked for it, 0 when the kernel acted by itself. */
      readonly port: number;
    };

export interface AddressOptions {
  readonly peer?: IpAddress;
  /** rt_scope; what iproute2 sends when absent (host for loopback, link for fe80::/10, else global). */
  readonly scope?: number;
  /** More IFA_F_* bits. */
  readonly flags?: number;
}

export class ModelKernel {
  readonly links: Links = new Links();
  private readonly ipv4: Ipv4;
  private readonly ipv6: Ipv6;
  private readonly connected4: Connected4;
  private readonly connected6: Connected6;
  private readonly listeners = new Set<(event: KernelEvent) => void>();
  private origin: unknown = null;
  private port = 0;

  /** A fresh network namespace, with `lo` up unless told otherwise. */
  constructor(options: { readonly loopbackUp?: boolean } = {}) {
    const announcer = {
      route: (route: RouteView, change: RouteChange) =>
        this.emit({
          kind: "route",
          route,
          change,
          gone: change === "gone",
          origin: this.origin,
          port: this.port,
        }),
      address: (address: AddressInfo, gone: boolean) => this.emit({ kind: "address", address, gone }),
    };
    this.ipv6 = new Ipv6(this.links, announcer);
    this.ipv4 = new Ipv4(this.links, announcer, (hop, table) => this.ipv6.gatewayDevice(hop, table));
    this.connected4 = new Connected4(this.ipv4, announcer);
    this.connected6 = new Connected6(this.ipv6, announcer);
    const lo = this.links.create({ name: "lo" })!;
    if (options.loopbackUp !== false) this.setUp(lo.ifindex);
  }

  /** Hears every event, synchronously. Returns a function that stops it. */
  listen(listener: (event: KernelEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Adds, changes or deletes a route. `origin` marks the events it causes. */
  route(request: RouteRequest, origin: unknown = null): Answer {
    const before = this.origin;
    this.origin = origin;
    this.port = FOREIGN_PORT;
    try {
      const { errno, message } = (request.prefix.family === 4 ? this.ipv4 : this.ipv6).route(request);
      return { errno, message };
    } finally {
      this.origin = before;
      this.port = 0;
    }
  }

  /** Makes a link, down. Returns its index; throws when the name or index is taken (a mistake of the test). */
  addLink(options: LinkOptions): number {
    const link = this.links.create(options);
    if (link === undefined) throw new Error(`Cannot add link ${options.name}: name or index is in use`);
    this.linkChanged(link);
    return link.ifindex;
  }

  /** Makes both ends of a veth pair; returns the index of the first. As in the kernel the peer comes first. */
  addVeth(name: string, peer: string, options: Omit<LinkOptions, "name" | "kind"> = {}): number {
    const second = this.addLink({ name: peer, kind: "veth" });
    const first = this.addLink({ ...options, name, kind: "veth" });
    this.links.get(first)!.peer = second;
    this.links.get(second)!.peer = first;
    return first;
  }

  /** Removes a link, and the other end of a veth pair. */
  removeLink(ifindex: number): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    const ends = [link, this.links.get(link.peer)].filter((end) => end !== undefined);
    for (const end of ends) this.setDown(end.ifindex);
    for (const end of ends) {
      this.connected4.linkGone(end);
      this.ipv4.disable(end, { force: true, unregister: true });
      this.connected6.linkDown(end);
      this.ipv6.forget(end);
      const info = this.links.info(end);
      this.links.remove(end.ifindex);
      this.emit({ kind: "link", link: info, gone: true });
    }
    return SUCCESS;
  }

  setUp(ifindex: number): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    if (link.up) return SUCCESS;
    const peerHadCarrier = this.peerCarrier(link);
    link.up = true;
    this.linkChanged(link);
    if (link.loopback) this.addLoopbackAddresses(link);
    this.connected4.linkUp(link);
    this.connected6.linkUp(link);
    if (this.links.carrier(link)) this.connected6.linkReady(link);
    this.peerMayHaveChanged(link, peerHadCarrier);
    return SUCCESS;
  }

  setDown(ifindex: number): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    if (!link.up) return SUCCESS;
    const peerHadCarrier = this.peerCarrier(link);
    link.up = false;
    this.ipv4.disable(link, { force: false, unregister: false });
    this.connected6.linkDown(link);
    this.linkChanged(link);
    this.peerMayHaveChanged(link, peerHadCarrier);
    return SUCCESS;
  }

  /** Plugs or pulls the cable of a link that is no veth end. */
  setCarrier(ifindex: number, plugged: boolean): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    if (link.plugged === plugged) return SUCCESS;
    link.plugged = plugged;
    this.linkChanged(link);
    if (link.up && this.links.carrier(link)) this.connected6.linkReady(link);
    return SUCCESS;
  }

  rename(ifindex: number, name: string): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    if (this.links.byName(name) !== undefined) return refuse(EEXIST);
    link.name = name;
    this.linkChanged(link);
    return SUCCESS;
  }

  /** `master` 0: none. */
  setMaster(ifindex: number, master: number): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined || (master !== 0 && this.links.get(master) === undefined)) return refuse(ENODEV);
    link.master = master;
    this.linkChanged(link);
    return SUCCESS;
  }

  addAddress(ifindex: number, address: IpAddress, length: number, options: AddressOptions = {}): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    const scope = options.scope ?? defaultScope(address);
    const entry = { address, length, peer: options.peer ?? null, scope, flags: options.flags ?? 0 };
    return (address.family === 4 ? this.connected4 : this.connected6).add(link, entry);
  }

  removeAddress(ifindex: number, address: IpAddress, length: number): Answer {
    const link = this.links.get(ifindex);
    if (link === undefined) return refuse(ENODEV);
    return (address.family === 4 ? this.connected4 : this.connected6).remove(link, address, length);
  }

  /** The nets of one table in the order of a dump. */
  nets(family: Family, table: number): Prefix[] {
    return (family === 4 ? this.ipv4 : this.ipv6).fib.nets.nets(table);
  }

  /** The routes of one net in the order of a dump. */
  routesOf(table: number, net: Prefix): RouteView[] {
    if (net.family === 4) {
      return this.ipv4.fib.nets.list(table, net).map((alias) => this.ipv4.view(alias));
    }
    return this.ipv6.fib.shown(table, net).map((siblings) => this.ipv6.view(siblings));
  }

  /** The routes of one table, or of all (by table id), as a dump shows them. */
  routes(family: Family, table?: number): RouteView[] {
    const { nets } = (family === 4 ? this.ipv4 : this.ipv6).fib;
    const tables = table === undefined ? nets.tableIds() : [table];
    return tables.flatMap((id) => nets.nets(id).flatMap((net) => this.routesOf(id, net)));
  }

  /** Like routes(), but every nexthop of an IPv6 multipath route by itself, with the protocol that is its own. */
  entries(family: Family, table: number): RouteView[] {
    if (family === 4) return this.routes(4, table);
    const { nets } = this.ipv6.fib;
    return nets.nets(table).flatMap((net) => nets.list(table, net).map((entry) => this.ipv6.view([entry])));
  }

  /** The addresses of all links in the order of a dump. */
  addresses(family: Family): AddressInfo[] {
    return this.links
      .all()
      .flatMap((link) =>
        link.addresses
          .filter((entry) => entry.address.family === family)
          .map((entry) => addressInfo(link, entry)),
      );
  }

  private addLoopbackAddresses(lo: Link): void {
    if (!lo.addresses.some((entry) => entry.address.family === 4)) {
      this.addAddress(lo.ifindex, { family: 4, w0: 0x7f000001, w1: 0, w2: 0, w3: 0 }, 8);
    }
    this.addAddress(lo.ifindex, { family: 6, w0: 0, w1: 0, w2: 0, w3: 1 }, 128);
  }

  private peerCarrier(link: Link): boolean {
    const peer = this.links.get(link.peer);
    return peer !== undefined && this.links.carrier(peer);
  }

  /** The other end of a veth pair gets or loses its carrier with this one. */
  private peerMayHaveChanged(link: Link, had: boolean): void {
    const peer = this.links.get(link.peer);
    if (peer === undefined || this.links.carrier(peer) === had) return;
    this.linkChanged(peer);
    if (!had && peer.up) this.connected6.linkReady(peer);
  }

  private linkChanged(link: Link): void {
    this.emit({ kind: "link", link: this.links.info(link), gone: false });
  }

  private emit(event: KernelEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }
}

function defaultScope(address: IpAddress): number {
  if (address.family === 4) return address.w0 >>> 24 === 127 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  if ((address.w0 & 0xffc00000) === (0xfe800000 | 0)) return RT_SCOPE_LINK;
  const loopback = address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1;
  return loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
}
