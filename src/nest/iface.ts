/**
 * The table of interfaces and their addresses, kept by the device protocol and read by everybody else.
 * Keyed by ifindex: names are hostile bytes, change, and are taken over by other interfaces.
 *
 * A full update (beginFull … endFull) says all there is: what it did not name is gone. A partial update never
 * infers absence. During a full update transitions wait for its end, so that a new interface stays down until
 * its addresses are read. Events come in the order routes need them: down = addresses, then interface;
 * up = interface, then addresses.
 */

import { globMatches } from "../lib/glob.ts";
import { equalIp, type Family, type IpAddress } from "../lib/ip.ts";
import type { InterfaceEvent } from "./iface-event.ts";

/** linux/if.h */
export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;
export const IFF_LOWER_UP = 0x10000;
/** An address with one of these IFA_F_* is not what the kernel would choose: secondary … tentative. */
const NOT_PREFERRED = 0x01 | 0x08 | 0x20 | 0x40;
const IF_OPER_UNKNOWN = 0;
const IF_OPER_UP = 6;

/** One link, as the OS describes it. */
export interface LinkInfo {
  readonly ifindex: number;
  /** Any bytes but "/" and NUL, decoded as latin1 so that nothing is lost: escape for display. */
  readonly name: string;
  /** IFF_* bits. */
  readonly flags: number;
  readonly mtu: number;
  /** "aa:bb:…", or null when the link has none. */
  readonly mac: string | null;
  /** "veth", "bridge", …, or null for hardware. */
  readonly kind: string | null;
  /** Index of the master device, or null. */
  readonly master: number | null;
  /** IF_OPER_* (0 unknown … 6 up). */
  readonly operstate: number;
  /** Carrier, or null when the kernel did not say. */
  readonly carrier: boolean | null;
}

/** One address, as the OS describes it. */
export interface AddressInfo {
  readonly ifindex: number;
  readonly family: Family;
  /** The local address, four signed words in network order. */
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly length: number;
  /** The far end of a peer link when it differs from the local address, else null. */
  readonly peer: readonly [number, number, number, number] | null;
  /** rt_scope (0 global, 253 link, 254 host). */
  readonly scope: number;
  /** IFA_FLAGS, 32 bits. */
  readonly flags: number;
}

export interface Interface extends LinkInfo {
  /** Usable for routes: admin up, link up, has an address if that is required, and no loopback. */
  readonly up: boolean;
  readonly adminUp: boolean;
  readonly linkUp: boolean;
  readonly loopback: boolean;
  readonly addresses: readonly AddressInfo[];
}

/** What the table keeps of one interface. `up` and `shown` are what was announced last. */
interface Entry {
  link: LinkInfo;
  up: boolean;
  /** False until the addresses were read once: such an interface is not up. */
  addressesRead: boolean;
  /** By address text; the announced ones are `shown`. */
  readonly addresses: Map<string, AddressInfo>;
  readonly shown: Map<string, AddressInfo>;
  /** The addresses while it is not up, as text: what was told of them as "changed". */
  quiet: string;
  seen: boolean;
  readonly seenAddresses: Set<string>;
}

export class Interfaces {
  private requireAddress: boolean;
  private readonly entries = new Map<number, Entry>();
  private readonly names = new Map<string, number>();
  private readonly reserved: string[] = [];
  private readonly listeners = new Set<(event: InterfaceEvent) => void>();
  private full = false;
  private preferences: readonly { readonly pattern: string; readonly preferred: IpAddress }[] = [];

  /** `requireAddress`: an interface without any address is not up. */
  constructor(options: { readonly requireAddress: boolean }) {
    this.requireAddress = options.requireAddress;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Whether an interface without any address is not up, from now on. */
  setRequireAddress(requireAddress: boolean): void {
    this.requireAddress = requireAddress;
    for (const entry of [...this.entries.values()]) this.settle(entry);
  }

  /** Which address of an interface is the preferred one of its family; the first pattern that fits the name decides. */
  prefer(rules: readonly { readonly pattern: string; readonly preferred: IpAddress }[]): void {
    this.preferences = rules;
  }

  /**
   * Whether an address is the preferred one of its interface and family: the configured one if the interface has it, or
   * else every one that the kernel does not call deprecated, tentative or secondary.
   */
  isPreferred(iface: Interface, address: AddressInfo): boolean {
    const rule = this.preferences.find(
      ({ pattern, preferred }) => preferred.family === address.family && globMatches(pattern, iface.name),
    );
    const chosen = rule && iface.addresses.find((other) => equalIp(other, rule.preferred));
    return chosen === undefined ? (address.flags & NOT_PREFERRED) === 0 : chosen === address;
  }

  /** There is no interface any more: the namespace they were in is gone. */
  clear(): void {
    this.full = false;
    for (const entry of [...this.entries.values()]) this.remove(entry);
  }

  byIndex(ifindex: number): Interface | undefined {
    const entry = this.entries.get(ifindex);
    return entry && this.view(entry);
  }

  byName(name: string): Interface | undefined {
    const ifindex = this.names.get(name);
    return ifindex === undefined ? undefined : this.byIndex(ifindex);
  }

  all(): Interface[] {
    return [...this.entries.values()].map((entry) => this.view(entry)).sort((a, b) => a.ifindex - b.ifindex);
  }

  /** The ifindex of `name`, or a negative id that stands for the name until such an interface exists. */
  resolveDevice(name: string): number {
    const ifindex = this.names.get(name);
    if (ifindex !== undefined) return ifindex;
    let at = this.reserved.indexOf(name);
    if (at < 0) at = this.reserved.push(name) - 1;
    return -1 - at;
  }

  /** The name of a device id: of an ifindex ("if7" when unknown) or of a negative id of resolveDevice. */
  deviceName(device: number): string {
    if (device < 0) return this.reserved[-1 - device] ?? "?";
    return this.entries.get(device)?.link.name ?? `if${device}`;
  }

  /**
   * The interface whose connected prefix holds the address, or undefined: as in the kernel one that is admin up before
   * one that is not, then the longest prefix; of equals the lowest ifindex.
   */
  covering(family: Family, w0: number, w1: number, w2: number, w3: number): Interface | undefined {
    let best: Entry | undefined;
    let bestLength = -1;
    for (const entry of this.entries.values()) {
      for (const a of entry.addresses.values()) {
        if (a.family !== family || !isCloser(entry, a.length, best, bestLength)) continue;
        const [p0, p1, p2, p3] = a.peer ?? [a.w0, a.w1, a.w2, a.w3];
        if (!sameBits(p0, w0, a.length) || !sameBits(p1, w1, a.length - 32)) continue;
        if (!sameBits(p2, w2, a.length - 64) || !sameBits(p3, w3, a.length - 96)) continue;
        best = entry;
        bestLength = a.length;
      }
    }
    return best && this.view(best);
  }

  listen(listener: (event: InterfaceEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  beginFull(): void {
    this.full = true;
    for (const entry of this.entries.values()) {
      entry.seen = false;
      entry.seenAddresses.clear();
    }
  }

  /** Ends a complete full update: what it did not name is gone. */
  endFull(): void {
    this.full = false;
    for (const entry of [...this.entries.values()]) {
      if (!entry.seen) {
        this.remove(entry);
        continue;
      }
      entry.addressesRead = true;
      for (const key of entry.addresses.keys()) {
        if (!entry.seenAddresses.has(key)) entry.addresses.delete(key);
      }
    }
    for (const entry of this.entries.values()) this.settle(entry);
  }

  /** Ends a full update that was cut short: what came is taken, absence means nothing. */
  abandonFull(): void {
    this.full = false;
    for (const entry of this.entries.values()) this.settle(entry);
  }

  link(link: LinkInfo): void {
    const entry = this.entries.get(link.ifindex);
    if (entry === undefined) this.create(link);
    else this.update(entry, link);
  }

  address(address: AddressInfo): void {
    const entry = this.entries.get(address.ifindex);
    if (entry === undefined) return;
    const key = addressKey(address);
    entry.addresses.set(key, address);
    entry.seenAddresses.add(key);
    if (!this.full) this.settle(entry);
  }

  linkGone(ifindex: number): void {
    const entry = this.entries.get(ifindex);
    if (entry !== undefined) this.remove(entry);
  }

  addressGone(address: AddressInfo): void {
    const entry = this.entries.get(address.ifindex);
    if (entry?.addresses.delete(addressKey(address))) this.settle(entry);
  }

  private create(link: LinkInfo): void {
    const entry: Entry = {
      link,
      up: false,
      addressesRead: false,
      addresses: new Map(),
      shown: new Map(),
      quiet: "",
      seen: true,
      seenAddresses: new Set(),
    };
    this.entries.set(link.ifindex, entry);
    this.names.set(link.name, link.ifindex);
    this.emit({ kind: "created", iface: this.view(entry) });
  }

  private update(entry: Entry, link: LinkInfo): void {
    const before = entry.link;
    entry.seen = true;
    // The same index with another kind is another device: somebody reused the number between two looks.
    if (before.kind !== link.kind || (before.flags ^ link.flags) & IFF_LOOPBACK) {
      this.remove(entry);
      this.create(link);
      return;
    }
    if (before.master !== link.master) this.lower(entry);
    entry.link = link;
    if (before.name !== link.name) {
      if (this.names.get(before.name) === link.ifindex) this.names.delete(before.name);
      this.names.set(link.name, link.ifindex);
      this.emit({ kind: "renamed", iface: this.view(entry), from: before.name });
    } else if (!this.names.has(link.name)) {
      // Another one had it for a while, in a dump that showed both.
      this.names.set(link.name, link.ifindex);
      this.emit({ kind: "renamed", iface: this.view(entry), from: link.name });
    } else if (before.mtu !== link.mtu || before.mac !== link.mac || before.flags !== link.flags) {
      this.emit({ kind: "changed", iface: this.view(entry), family: null });
    }
    if (!this.full) this.settle(entry);
  }

  /** Brings what is announced in line with what is known. */
  private settle(entry: Entry): void {
    const up = this.isUp(entry);
    if (!up) this.lower(entry);
    for (const [key, address] of entry.shown) {
      const now = entry.addresses.get(key);
      if (now === undefined) {
        entry.shown.delete(key);
        this.emit({ kind: "address-removed", iface: this.view(entry), address });
      } else if (now.flags !== address.flags || now.scope !== address.scope) {
        // Duplicate address detection ended, or the like: the address itself neither came nor went.
        entry.shown.set(key, now);
        this.emit({ kind: "changed", iface: this.view(entry), family: now.family });
      }
    }
    if (up && !entry.up) {
      entry.up = true;
      this.emit({ kind: "up", iface: this.view(entry) });
    }
    if (!entry.up) {
      // Routes may lean on the addresses of a loopback, or of a link without carrier, as well.
      const quiet = quietAddresses(entry);
      if (quiet !== entry.quiet) {
        entry.quiet = quiet;
        this.emit({ kind: "changed", iface: this.view(entry), family: null });
      }
      return;
    }
    entry.quiet = "";
    for (const [key, address] of entry.addresses) {
      if (entry.shown.has(key)) continue;
      entry.shown.set(key, address);
      this.emit({ kind: "address-added", iface: this.view(entry), address });
    }
  }

  private lower(entry: Entry): void {
    if (!entry.up) return;
    for (const [key, address] of entry.shown) {
      entry.shown.delete(key);
      this.emit({ kind: "address-removed", iface: this.view(entry), address });
    }
    entry.up = false;
    entry.quiet = quietAddresses(entry);
    this.emit({ kind: "down", iface: this.view(entry) });
  }

  private remove(entry: Entry): void {
    this.lower(entry);
    const { ifindex, name } = entry.link;
    this.entries.delete(ifindex);
    if (this.names.get(name) === ifindex) this.names.delete(name);
    this.emit({ kind: "gone", iface: this.view(entry) });
  }

  private isUp(entry: Entry): boolean {
    const { flags } = entry.link;
    if (!entry.addressesRead || (flags & IFF_UP) === 0 || (flags & IFF_LOOPBACK) !== 0) return false;
    return linkUp(entry.link) && !(this.requireAddress && entry.addresses.size === 0);
  }

  private view(entry: Entry): Interface {
    return {
      ...entry.link,
      up: entry.up,
      adminUp: (entry.link.flags & IFF_UP) !== 0,
      linkUp: linkUp(entry.link),
      loopback: (entry.link.flags & IFF_LOOPBACK) !== 0,
      addresses: [...entry.addresses.values()],
    };
  }

  private emit(event: InterfaceEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

function linkUp(link: LinkInfo): boolean {
  if ((link.flags & (IFF_RUNNING | IFF_LOWER_UP)) === 0) return false;
  return link.operstate === IF_OPER_UP || link.operstate === IF_OPER_UNKNOWN;
}

function quietAddresses(entry: Entry): string {
  return [...entry.addresses.keys()].sort().join("\n");
}

export function addressKey(a: AddressInfo): string {
  return `${a.family} ${a.w0} ${a.w1} ${a.w2} ${a.w3} ${a.length} ${a.peer ?? ""}`;
}

function isCloser(entry: Entry, length: number, than: Entry | undefined, thanLength: number): boolean {
  if (than === undefined) return true;
  const up = entry.link.flags & IFF_UP;
  if (up !== (than.link.flags & IFF_UP)) return up !== 0;
  return length === thanLength ? entry.link.ifindex < than.link.ifindex : length > thanLength;
}

/** Whether the first `bits` bits of two words are equal (≤ 0: none asked; ≥ 32: all). */
function sameBits(a: number, b: number, bits: number): boolean {
  if (bits <= 0) return true;
  return (a ^ b) >>> (bits >= 32 ? 0 : 32 - bits) === 0;
}
