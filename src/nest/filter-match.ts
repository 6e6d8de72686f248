/**
 * HOT PATH. One `match` of a filter rule, ready to ask. The cheap questions come first; those about nexthops read the
 * words of the interned attributes. Nothing about names of devices is kept: an interface may get another name.
 */

import { globMatches, isGlob } from "../lib/glob.ts";
import { maxLength, type Prefix } from "../lib/prefix.ts";
import type { AttrsTable } from "./attrs.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_NEXTHOPS,
  ATTRS_TYPE,
  NEXTHOP_DEVICE,
  NEXTHOP_FAMILY,
  NEXTHOP_GATEWAY,
  NEXTHOP_WORDS,
} from "./attrs-draft.ts";
import type { FilterContext, FilteredRoute } from "./filter.ts";
import type { FilterMatch, NumberRange } from "./filter-rules.ts";
import { PrefixPatterns } from "./prefix-patterns.ts";
import { type AttrsId, ROUTE_TYPE_NUMBERS, type RouteSourceType } from "./route.ts";

/** Prefixes of both families. */
interface BothFamilies {
  readonly ipv4: PrefixPatterns;
  readonly ipv6: PrefixPatterns;
}

/** Null: the rule does not ask. */
export class RouteMatch {
  private readonly sources: Names | null;
  private readonly sourceTypes: ReadonlySet<RouteSourceType> | null;
  private readonly protocols: ReadonlySet<number> | null;
  private readonly metrics: readonly NumberRange[] | null;
  private readonly preferences: readonly NumberRange[] | null;
  private readonly prefixes: BothFamilies | null;
  /** Bit n set = RTN_* n fits. */
  private readonly types: number | null;
  private readonly gateways: BothFamilies | null;
  private readonly devices: Names | null;

  constructor(match: FilterMatch) {
    const { prefix, source, sourceType, protocol, type, gateway, dev, metric, preference } = match;
    this.sources = source === undefined ? null : new Names(source);
    this.sourceTypes = sourceType === undefined ? null : new Set(sourceType);
    this.protocols = protocol === undefined ? null : new Set(protocol);
    this.metrics = metric ?? null;
    this.preferences = preference ?? null;
    this.prefixes =
      prefix === undefined
        ? null
        : { ipv4: new PrefixPatterns(4, prefix), ipv6: new PrefixPatterns(6, prefix) };
    this.types =
      type === undefined ? null : type.reduce((bits, name) => bits | (1 << ROUTE_TYPE_NUMBERS[name]), 0);
    this.gateways = gateway === undefined ? null : addressesIn(gateway);
    this.devices = dev === undefined ? null : new Names(dev);
  }

  fits(route: FilteredRoute, context: FilterContext): boolean {
    const { sources, sourceTypes, protocols, metrics, preferences, prefixes } = this;
    if (sourceTypes !== null && !sourceTypes.has(route.sourceType)) return false;
    if (protocols !== null && !protocols.has(route.protocol)) return false;
    if (metrics !== null && !isIn(metrics, route.metric)) return false;
    if (preferences !== null && !isIn(preferences, route.preference)) return false;
    if (sources !== null && !sources.has(route.source)) return false;
    if (prefixes !== null) {
      const patterns = route.family === 4 ? prefixes.ipv4 : prefixes.ipv6;
      if (!patterns.fits(route.w0, route.w1, route.w2, route.w3, route.length)) return false;
    }
    return this.fitsAttrs(route.attrs, context);
  }

  private fitsAttrs(id: AttrsId, { attrs, deviceName }: FilterContext): boolean {
    const { types, gateways, devices } = this;
    if (types !== null && ((types >>> attrs.words[attrs.offset(id) + ATTRS_TYPE]!) & 1) === 0) return false;
    if (gateways !== null && !hasGatewayIn(gateways, attrs, id)) return false;
    return devices === null || hasDeviceIn(devices, attrs, id, deviceName);
  }
}

/** Names, and patterns of names. */
class Names {
  private readonly exact: ReadonlySet<string>;
  private readonly globs: readonly string[];

  constructor(patterns: readonly string[]) {
    this.exact = new Set(patterns.filter((pattern) => !isGlob(pattern)));
    this.globs = patterns.filter(isGlob);
  }

  has(name: string): boolean {
    if (this.exact.has(name)) return true;
    for (let i = 0; i < this.globs.length; i++) if (globMatches(this.globs[i]!, name)) return true;
    return false;
  }
}

function isIn(ranges: readonly NumberRange[], value: number): boolean {
  for (let i = 0; i < ranges.length; i++) {
    const { from, to } = ranges[i]!;
    if (value >= from && value <= to) return true;
  }
  return false;
}

/** The prefixes as patterns that addresses fit, written as prefixes of full length. */
function addressesIn(prefixes: readonly Prefix[]): BothFamilies {
  const hosts = prefixes.map((prefix) => {
    const full = maxLength(prefix.family);
    return { ...prefix, from: full, to: full };
  });
  return { ipv4: new PrefixPatterns(4, hosts), ipv6: new PrefixPatterns(6, hosts) };
}

function hasGatewayIn({ ipv4, ipv6 }: BothFamilies, attrs: AttrsTable, id: AttrsId): boolean {
  const { words } = attrs;
  let at = attrs.offset(id) + ATTRS_HEADER_WORDS;
  for (let left = words[at - ATTRS_HEADER_WORDS + ATTRS_NEXTHOPS]!; left > 0; left--, at += NEXTHOP_WORDS) {
    const family = words[at + NEXTHOP_FAMILY];
    const gateway = at + NEXTHOP_GATEWAY;
    if (family === 4) {
      if (ipv4.fits(words[gateway]!, 0, 0, 0, 32)) return true;
    } else if (family === 6) {
      const w0 = words[gateway]!;
      if (ipv6.fits(w0, words[gateway + 1]!, words[gateway + 2]!, words[gateway + 3]!, 128)) return true;
    }
  }
  return false;
}

function hasDeviceIn(
  names: Names,
  attrs: AttrsTable,
  id: AttrsId,
  deviceName: (device: number) => string,
): boolean {
  const { words } = attrs;
  let at = attrs.offset(id) + ATTRS_HEADER_WORDS;
  for (let left = words[at - ATTRS_HEADER_WORDS + ATTRS_NEXTHOPS]!; left > 0; left--, at += NEXTHOP_WORDS) {
    const device = words[at + NEXTHOP_DEVICE]!;
    if (device !== 0 && names.has(deviceName(device))) return true;
  }
  return false;
}
