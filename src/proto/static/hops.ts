/**
 * Nexthops on their way from where they are written to interned attributes: those of a spec, with their devices
 * looked up, and those that a recursive route takes over from the route it follows. A few per spec, not per route.
 */

import type { Family, IpAddress } from "../../lib/ip.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_NEXTHOPS,
  type AttrsDraft,
  NEXTHOP_DEVICE,
  NEXTHOP_ENCAP,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
  RTNH_F_ONLINK,
} from "../../nest/attrs-draft.ts";
import type { Interfaces } from "../../nest/iface.ts";
import type { NexthopSpec } from "./config.ts";

/** The words of one nexthop (attrs-draft.ts). */
export interface Hop {
  /** Of the gateway, which may be of another family than the route; 0: none. */
  readonly family: Family | 0;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /** > 0: ifindex; 0: none given; < 0: a named device that does not exist. */
  readonly device: number;
  readonly weight: number;
  readonly flags: number;
}

/** The nexthops of a spec, in its order. */
export function hopsOfSpec(nexthops: readonly NexthopSpec[], interfaces: Interfaces): Hop[] {
  return nexthops.map(({ via, dev, weight, onlink }) => ({
    ...gateway(via),
    device: dev === null ? 0 : interfaces.resolveDevice(dev),
    weight,
    flags: onlink ? RTNH_F_ONLINK : 0,
  }));
}

/**
 * The nexthops for packets to `address` by a route whose words start at `base`: its gateways stay; where it has
 * none the address itself is on that device. Null: it leads through an encapsulation krtd cannot write.
 */
export function hopsTowards(address: IpAddress, words: Int32Array, base: number): Hop[] | null {
  const hops: Hop[] = [];
  for (let i = 0; i < words[base + ATTRS_NEXTHOPS]!; i++) {
    const at = base + ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS;
    if (words[at + NEXTHOP_ENCAP] !== 0) return null;
    const family = words[at + NEXTHOP_FAMILY]!;
    const to: IpAddress =
      family === 0
        ? address
        : {
            family: family === 4 ? 4 : 6,
            w0: words[at + NEXTHOP_GATEWAY]!,
            w1: words[at + NEXTHOP_GATEWAY + 1]!,
            w2: words[at + NEXTHOP_GATEWAY + 2]!,
            w3: words[at + NEXTHOP_GATEWAY + 3]!,
          };
    const device = words[at + NEXTHOP_DEVICE]!;
    const weight = words[at + NEXTHOP_WEIGHT]!;
    const twin = hops.findIndex((other) => other.device === device && sameGateway(other, to));
    // The device alone, and the address as a gateway on it, are the same for this address.
    if (twin >= 0) hops[twin] = { ...hops[twin]!, weight: Math.min(256, hops[twin]!.weight + weight) };
    else hops.push({ ...gateway(to), device, weight, flags: words[at + NEXTHOP_FLAGS]! });
  }
  return hops;
}

/** Puts the nexthops into a draft. */
export function addHops(draft: AttrsDraft, hops: readonly Hop[]): void {
  // The kernel knows no weight of an only nexthop.
  const alone = hops.length === 1;
  for (const { family, w0, w1, w2, w3, device, weight, flags } of hops) {
    draft.addNexthop(family, w0, w1, w2, w3, device, alone ? 1 : weight, flags, 0);
  }
}

function sameGateway(hop: Hop, { family, w0, w1, w2, w3 }: IpAddress): boolean {
  return hop.family === family && hop.w0 === w0 && hop.w1 === w1 && hop.w2 === w2 && hop.w3 === w3;
}

function gateway(via: IpAddress | null): Pick<Hop, "family" | "w0" | "w1" | "w2" | "w3"> {
  if (via === null) return { family: 0, w0: 0, w1: 0, w2: 0, w3: 0 };
  const { family, w0, w1, w2, w3 } = via;
  return { family, w0, w1, w2, w3 };
}
