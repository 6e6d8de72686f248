/**
 * Filters the slow and obvious way: routes are objects, prefixes are strings of bits, globs are regular expressions,
 * and every rule is asked in turn. Property tests hold compileFilter() against this.
 */

import type { IpAddress } from "../../src/lib/ip.ts";
import { maxLength, type Prefix } from "../../src/lib/prefix.ts";
import type { FilterMatch, FilterRule, FilterSet, NumberRange } from "../../src/nest/filter-rules.ts";
import type { PrefixPattern } from "../../src/nest/prefix-patterns.ts";
import type { RouteAttrs, RouteSourceType } from "../../src/nest/route.ts";

export interface PlainRoute {
  readonly prefix: Prefix;
  readonly attrs: RouteAttrs;
  readonly metric: number;
  readonly preference: number;
  readonly source: string;
  readonly sourceType: RouteSourceType;
  readonly protocol: number;
}

/** linux/rtnetlink.h: RTAX_* */
const LOCK = 1;
const MTU = 2;
const RTO_MIN = 13;

/** The route as it passes, or null: it does not. */
export function referenceFilter(
  rules: readonly FilterRule[],
  route: PlainRoute,
  deviceName: (device: number) => string,
): PlainRoute | null {
  const rule = rules.find(({ match }) => fits(match, route, deviceName));
  if (rule === undefined || rule.action === "reject") return null;
  const { metric = route.metric, preference = route.preference } = rule.set;
  return { ...route, metric, preference, attrs: changed(route, rule.set) };
}

function fits(match: FilterMatch, route: PlainRoute, deviceName: (device: number) => string): boolean {
  const { prefix, attrs } = route;
  const gateways = attrs.nexthops.flatMap(({ gateway }) => (gateway === null ? [] : [gateway]));
  const devices = attrs.nexthops.filter(({ device }) => device !== 0).map(({ device }) => deviceName(device));
  const any = <T>(list: readonly T[] | undefined, test: (item: T) => boolean): boolean =>
    list === undefined || list.some(test);
  return (
    any(match.prefix, (pattern) => takes(pattern, prefix)) &&
    any(match.source, (pattern) => globFits(pattern, route.source)) &&
    any(match.sourceType, (type) => type === route.sourceType) &&
    any(match.protocol, (protocol) => protocol === route.protocol) &&
    any(match.type, (type) => type === attrs.type) &&
    any(match.gateway, (net) => gateways.some((gateway) => contains(net, gateway))) &&
    any(match.dev, (pattern) => devices.some((name) => globFits(pattern, name))) &&
    any(match.metric, (range) => isIn(range, route.metric)) &&
    any(match.preference, (range) => isIn(range, route.preference))
  );
}

/** Whether a pattern takes a prefix: the length is right, and the bits that both have are equal. */
export function takes(pattern: PrefixPattern, prefix: Prefix): boolean {
  if (pattern.family !== prefix.family) return false;
  if (prefix.length < pattern.from || prefix.length > pattern.to) return false;
  const a = bits(pattern).slice(0, pattern.length);
  const b = bits(prefix).slice(0, prefix.length);
  return a.startsWith(b) || b.startsWith(a);
}

function contains(net: Prefix, address: IpAddress): boolean {
  return net.family === address.family && bits(address).startsWith(bits(net).slice(0, net.length));
}

function bits({ family, w0, w1, w2, w3 }: IpAddress): string {
  const all = [w0, w1, w2, w3].map((word) => (word >>> 0).toString(2).padStart(32, "0")).join("");
  return all.slice(0, maxLength(family));
}

function globFits(pattern: string, name: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${expression}$`).test(name);
}

function isIn({ from, to }: NumberRange, value: number): boolean {
  return from <= value && value <= to;
}

function changed({ prefix, attrs }: PlainRoute, set: FilterSet): RouteAttrs {
  const isIpv4 = prefix.family === 4;
  let { prefsrc, scope, flow } = attrs;
  if (set.prefsrc === null || set.prefsrc?.family === prefix.family) prefsrc = set.prefsrc;
  if (isIpv4 && set.scope !== undefined) scope = set.scope;
  if (isIpv4 && set.realm !== undefined) flow = set.realm;
  const metrics = new Map(attrs.metrics);
  for (const [rtax, value] of set.metrics ?? []) {
    if (rtax === MTU && !isIpv4 && value !== 0 && value < 1280) continue;
    if (value === 0) metrics.delete(rtax);
    else metrics.set(rtax, value);
  }
  if (set.metrics?.has(LOCK) || set.metrics?.has(RTO_MIN)) {
    const others = (metrics.get(LOCK) ?? 0) & ~(1 << RTO_MIN);
    const locks = metrics.has(RTO_MIN) ? others | (1 << RTO_MIN) : others;
    if (locks === 0) metrics.delete(LOCK);
    else metrics.set(LOCK, locks);
  }
  return { ...attrs, prefsrc, scope, flow, metrics };
}
