/** In what a route of the kernel differs from what is wanted, in words. The verdict has said that it does. */

import type { AnyRouteJson, NexthopJson } from "./json.ts";
import { hopText } from "./route-words.ts";

/** What a route is like, by name; scope, table and the like are told elsewhere. */
type Traits = ReadonlyMap<string, string>;

/**
 * `via 10.0.0.3 dev v0 instead of via 10.0.0.2, mtu 1400 instead of none`; "" when nothing that is shown differs.
 * `wanted` without a device takes any.
 */
export function differenceWords(wanted: AnyRouteJson, kernel: AnyRouteJson): string {
  const differences: string[] = [];
  const asked = traits(wanted, true);
  const shown = traits(kernel, hasDevice(wanted));
  for (const name of new Set([...asked.keys(), ...shown.keys()])) {
    const want = asked.get(name);
    const have = shown.get(name);
    if (want === have) continue;
    differences.push(
      have === undefined ? `no ${name} instead of ${want}` : `${have} instead of ${want ?? `no ${name}`}`,
    );
  }
  return differences.join(", ");
}

function hasDevice(route: AnyRouteJson): boolean {
  return [route, ...(route.nexthops ?? [])].some(({ dev }) => dev !== undefined);
}

function traits(route: AnyRouteJson, devices: boolean): Traits {
  const found = new Map<string, string>();
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) found.set(name, `${name} ${value}`);
  };
  set("type", route.type);
  const hops = nexthops(route)
    .map(({ dev, ...hop }) => nexthopWords(devices && dev !== undefined ? { ...hop, dev } : hop))
    .sort();
  // The kernel shows nexthops of its own for the others (IPv6: lo).
  if (route.type === "unicast" && hops.length > 0) found.set("nexthop", hops.join(" and "));
  set("prefsrc", route.prefsrc);
  set("mtu", route.mtu);
  for (const [name, value] of Object.entries(route.metrics ?? {})) set(name, value);
  set("realm", route.realm);
  if (route.opaque === true) found.set("extras", "something krtd does not understand");
  return found;
}

function nexthops(route: AnyRouteJson): readonly Partial<NexthopJson>[] {
  if (route.nexthops !== undefined) return route.nexthops;
  return route.gateway === undefined && route.via === undefined && route.dev === undefined
    ? []
    : [{ ...route, weight: 1 }];
}

function nexthopWords(hop: Partial<NexthopJson>): string {
  const flags = (hop.flags ?? []).map((flag) => ` ${flag}`).join("");
  const weight = hop.weight === undefined || hop.weight === 1 ? "" : ` weight ${hop.weight}`;
  return `${hopText(hop)}${flags}${weight}`;
}
