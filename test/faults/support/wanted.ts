/**
 * Oracle A, which knows nothing of krtd: the routes a test asks for, which of them the kernel can take as its links
 * and addresses are now, and what `ip -j` says of those that are there. All in one form of text.
 */

import { BlockList, isIPv6 } from "node:net";
import type { RouteInput } from "../../../src/config/input.ts";
import type { Family } from "../../../src/lib/ip.ts";
import type { Netns } from "../../support/netns.ts";

interface Hop {
  readonly via?: string;
  readonly dev?: string;
  readonly weight?: number;
}

/** A route as a configuration has it, of the shapes that faults use. */
export type WantedRoute =
  | (Hop & { readonly prefix: string })
  | { readonly prefix: string; readonly nexthops: readonly Hop[] }
  | { readonly prefix: string; readonly type: "blackhole" | "unreachable" | "prohibit" };

export type WantedRoutes = Readonly<Record<Family, readonly WantedRoute[]>>;

const METRIC = 32;
const PROTOCOL = 120;

interface LinkJson {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

interface RouteJson {
  readonly type: string;
  readonly dst: string;
  readonly table: string;
  readonly metric?: number;
  readonly gateway?: string;
  readonly dev?: string;
  readonly nexthops?: readonly { readonly gateway?: string; readonly dev: string; readonly weight: number }[];
}

/** The same for a configuration: the wanted shapes are a part of what it takes. */
export function inputOf(routes: readonly WantedRoute[]): readonly RouteInput[] {
  return routes as readonly RouteInput[];
}

/** The same as a route file, which krtd reads much faster than YAML. */
export function routeFile(routes: readonly WantedRoute[]): string {
  const words = ({ via, dev, weight }: Hop): string =>
    [
      ...(via === undefined ? [] : [`via ${via}`]),
      ...(dev === undefined ? [] : [`dev ${dev}`]),
      ...(weight === undefined ? [] : [`weight ${weight}`]),
    ].join(" ");
  const line = (route: WantedRoute): string => {
    if ("type" in route) return `${route.type} ${route.prefix}`;
    if (!("nexthops" in route)) return `${route.prefix} ${words(route)}`;
    return `${route.prefix} ${route.nexthops.map((hop) => `nexthop ${words(hop)}`).join(" ")}`;
  };
  return routes.map((route) => `${line(route)}\n`).join("");
}

/** Those that the kernel can take now, sorted. */
export async function installable(ns: Netns, wanted: WantedRoutes): Promise<string[]> {
  const links = JSON.parse(await ns.ip("-j addr show")) as LinkJson[];
  const up = links.filter(({ flags }) => flags.includes("UP"));
  const texts = ([4, 6] as const).flatMap((family) => {
    const onLink = up.map((link) => ({ name: link.ifname, nets: netsOf(link, family) }));
    return wanted[family].flatMap((route) => textOfWanted(family, route, onLink) ?? []);
  });
  return texts.sort();
}

/** Those of protocol 120 that table main has, sorted: what an independent program shows. */
export async function installed(ns: Netns): Promise<string[]> {
  const texts: string[] = [];
  for (const family of [4, 6] as const) {
    const shown = await ns.ip(`-j -d -${family} route show table all proto ${PROTOCOL}`);
    const routes = (shown.trim() === "" ? [] : JSON.parse(shown)) as RouteJson[];
    texts.push(...routes.filter(({ table }) => table === "main").map((route) => textOfShown(family, route)));
  }
  return texts.sort();
}

interface OnLink {
  readonly name: string;
  readonly nets: BlockList;
}

function netsOf({ addr_info: addresses = [] }: LinkJson, family: Family): BlockList {
  const nets = new BlockList();
  for (const { family: name, local, prefixlen } of addresses) {
    if (name === (family === 4 ? "inet" : "inet6"))
      nets.addSubnet(local, prefixlen, family === 4 ? "ipv4" : "ipv6");
  }
  return nets;
}

/** Null: a nexthop of it cannot be used, and the kernel refuses such a route whole. */
function textOfWanted(family: Family, route: WantedRoute, links: readonly OnLink[]): string | null {
  if ("type" in route) return text(family, route.type, route.prefix, METRIC, []);
  const hops = "nexthops" in route ? route.nexthops : [route];
  const shown: string[] = [];
  for (const { via, dev, weight = 1 } of hops) {
    const kind = family === 4 ? "ipv4" : "ipv6";
    const fits = ({ name, nets }: OnLink): boolean =>
      (dev === undefined || dev === name) && (via === undefined || nets.check(via, kind));
    const link = links.find(fits);
    if (link === undefined) return null;
    shown.push(hopText(via, link.name, weight));
  }
  return text(family, "unicast", route.prefix, METRIC, shown);
}

function textOfShown(family: Family, route: RouteJson): string {
  const { type, dst, metric = 0, gateway, dev = "", nexthops } = route;
  if (type !== "unicast") return text(family, type, dst, metric, []);
  const hops = nexthops ?? [{ ...(gateway === undefined ? {} : { gateway }), dev, weight: 1 }];
  const shown = hops.map((hop) => hopText(hop.gateway, hop.dev, hop.weight));
  return text(family, type, dst, metric, shown);
}

function hopText(gateway: string | undefined, dev: string, weight: number): string {
  return `${gateway === undefined ? "" : `via ${gateway} `}dev ${dev} weight ${weight}`;
}

function text(family: Family, type: string, dst: string, metric: number, hops: readonly string[]): string {
  return `${family} ${type} ${normalPrefix(family, dst)} metric ${metric} ${[...hops].sort().join(", ")}`;
}

/** ip leaves the length of host prefixes out and has a word for the default route. */
function normalPrefix(family: Family, dst: string): string {
  if (dst === "default") return family === 4 ? "0.0.0.0/0" : "::/0";
  if (dst.includes("/")) return dst;
  return `${dst}/${isIPv6(dst) ? 128 : 32}`;
}
