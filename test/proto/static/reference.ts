/**
 * The slow and obvious static protocol: what should be announced, computed from scratch from a configuration, the
 * interfaces, and the routes that others have in the table. Shares no code with the real one.
 */

import { equalIp, type IpAddress } from "../../../src/lib/ip.ts";
import type { Prefix } from "../../../src/lib/prefix.ts";
import type { Interface, Interfaces } from "../../../src/nest/iface.ts";
import type { Nexthop, RouteAttrs } from "../../../src/nest/route.ts";
import type { NexthopSpec, RouteSpec } from "../../../src/proto/static/config.ts";
import { textOf } from "./fixture.ts";

/** A route in the table that is not of the protocol under test. */
export interface OtherRoute {
  readonly prefix: Prefix;
  readonly attrs: RouteAttrs;
  readonly recursive: boolean;
  readonly preference: number;
  readonly metric: number;
  readonly source: number;
}

export interface Situation {
  readonly routes: readonly { readonly prefix: Prefix; readonly text: string; readonly spec: RouteSpec }[];
  readonly preference: number;
  readonly checkLink: boolean;
  /** Source id of the protocol. */
  readonly source: number;
  readonly interfaces: Interfaces;
  readonly others: readonly OtherRoute[];
  /** Whether the import filter lets a route with these nexthops pass. */
  readonly passes: (attrs: RouteAttrs) => boolean;
}

/** What Fixture.announced() should show. */
export function reference(situation: Situation): Record<string, string> {
  const shown: Record<string, string> = {};
  const candidates = [...situation.others.filter(({ recursive }) => !recursive)];
  const announce = (text: string, spec: RouteSpec, attrs: RouteAttrs, recursive: boolean): boolean => {
    const alive = withLiveLinks(attrs, situation);
    if (alive === null || !situation.passes(alive)) return false;
    const words = [textOf(alive)];
    if (spec.metric !== null) words.push(`metric ${spec.metric}`);
    if (situation.preference !== 200) words.push(`pref ${situation.preference}`);
    if (recursive) words.push("recursive");
    shown[text] = words.join(" ");
    return true;
  };
  for (const { prefix, text, spec } of situation.routes) {
    if (spec.recursive !== null) continue;
    const attrs = attrsOf(
      spec,
      spec.type,
      spec.nexthops.map((hop) => nexthop(hop, situation.interfaces)),
    );
    if (!announce(text, spec, attrs, false)) continue;
    const { preference, source } = situation;
    const alive = withLiveLinks(attrs, situation)!;
    candidates.push({ prefix, attrs: alive, recursive: false, preference, metric: spec.metric ?? 0, source });
  }
  for (const { text, spec } of situation.routes) {
    if (spec.recursive === null) continue;
    const to = spec.recursive;
    const way = candidates.filter(({ prefix }) => holds(prefix, prefix.length, to)).sort(byRank)[0];
    if (way === undefined || way.attrs.nexthops.some(({ opaque }) => opaque)) continue;
    const nexthops = way.attrs.nexthops.map((hop) => ({ ...hop, gateway: hop.gateway ?? to }));
    announce(text, spec, attrsOf(spec, way.attrs.type, merged(nexthops)), true);
  }
  return shown;
}

/** Longest prefix, then highest preference, then lowest metric, then lowest source. */
function byRank(a: OtherRoute, b: OtherRoute): number {
  return (
    b.prefix.length - a.prefix.length ||
    b.preference - a.preference ||
    a.metric - b.metric ||
    a.source - b.source
  );
}

function attrsOf(spec: RouteSpec, type: RouteAttrs["type"], nexthops: readonly Nexthop[]): RouteAttrs {
  return {
    type,
    nexthops: type === "unicast" ? nexthops : [],
    prefsrc: spec.prefsrc,
    scope: null,
    flow: 0,
    metrics: new Map(spec.mtu === null ? [] : [[2, spec.mtu]]),
    opaque: false,
  };
}

function nexthop({ via, dev, weight, onlink }: NexthopSpec, interfaces: Interfaces): Nexthop {
  const iface = interfaces.all().find(({ name }) => name === dev);
  const device = dev === null ? 0 : (iface?.ifindex ?? interfaces.resolveDevice(dev));
  return { gateway: via, device, weight, onlink, opaque: false };
}

function merged(nexthops: readonly Nexthop[]): Nexthop[] {
  const kept: Nexthop[] = [];
  for (const hop of nexthops) {
    const twin = kept.findIndex(
      ({ gateway, device }) => device === hop.device && equalIp(gateway!, hop.gateway!),
    );
    if (twin < 0) kept.push(hop);
    else kept[twin] = { ...kept[twin]!, weight: Math.min(256, kept[twin]!.weight + hop.weight) };
  }
  return kept;
}

/** Null: no nexthop is left. */
function withLiveLinks(attrs: RouteAttrs, { checkLink, interfaces }: Situation): RouteAttrs | null {
  if (attrs.type !== "unicast") return attrs;
  const alive = attrs.nexthops.filter((hop) => !checkLink || isAlive(hop, interfaces));
  if (alive.length === 0) return null;
  return { ...attrs, nexthops: alive.length === 1 ? [{ ...alive[0]!, weight: 1 }] : alive };
}

function isAlive({ device, gateway }: Nexthop, interfaces: Interfaces): boolean {
  const up = (iface: Interface): boolean => iface.adminUp && iface.linkUp;
  if (device !== 0) return interfaces.all().some((iface) => iface.ifindex === device && up(iface));
  const subnets = interfaces
    .all()
    .flatMap((iface) => iface.addresses.map((address) => ({ iface, address })))
    .filter(({ address }) => holds(address, address.length, gateway!))
    .sort((a, b) => b.address.length - a.address.length);
  return subnets.length === 0 || up(subnets[0]!.iface);
}

/** Whether the first `length` bits agree, one by one. */
function holds(net: Omit<Prefix, "length">, length: number, address: IpAddress): boolean {
  if (net.family !== address.family) return false;
  const a = [net.w0, net.w1, net.w2, net.w3];
  const b = [address.w0, address.w1, address.w2, address.w3];
  for (let bit = 0; bit < length; bit++) {
    const word = bit >> 5;
    if ((((a[word]! ^ b[word]!) >>> (31 - (bit & 31))) & 1) !== 0) return false;
  }
  return true;
}
