/**
 * The same live test for both families: addresses of the topology of netns.ts by family, and configurations
 * built from plain values (JSON is YAML, so nothing needs quoting).
 */

import type { KernelInput, KrtInput, RouteInput } from "../../src/config/input.ts";
import type { Family } from "../../src/lib/ip.ts";
import type { Netns } from "./netns.ts";

export interface FamilyCase {
  readonly family: Family;
  /** What `ip` takes: -4 or -6. */
  readonly flag: "-4" | "-6";
  /** krtd's table. */
  readonly table: "master4" | "master6";
  /** On-link at v0. */
  readonly gateway: string;
  readonly otherGateway: string;
  /** On-link nowhere, until v1 gets `farAddress`. */
  readonly farGateway: string;
  readonly farAddress: string;
  /** The address of v0. */
  readonly address: string;
  /** What `ip -d route` appends to each route. */
  readonly suffix: string;
  /** The i-th prefix for tests, 0 ≤ i < 4096. */
  net(i: number): string;
  /** The i-th of many host prefixes, 0 ≤ i < 65536. */
  host(i: number): string;
}

export const FAMILIES: readonly FamilyCase[] = [
  {
    family: 4,
    flag: "-4",
    table: "master4",
    gateway: "10.0.0.2",
    otherGateway: "10.0.0.3",
    farGateway: "10.9.0.2",
    farAddress: "10.9.0.1/24",
    address: "10.0.0.1",
    suffix: "",
    net: (i) => `198.${18 + (i >> 8)}.${i & 255}.0/24`,
    host: (i) => `172.16.${i >> 8}.${i & 255}/32`,
  },
  {
    family: 6,
    flag: "-6",
    table: "master6",
    gateway: "2001:db8:0:1::2",
    otherGateway: "2001:db8:0:1::3",
    farGateway: "2001:db8:0:9::2",
    farAddress: "2001:db8:0:9::1/64",
    address: "2001:db8:0:1::1",
    suffix: " pref medium",
    net: (i) => `2001:db8:${(0x1000 + i).toString(16)}::/48`,
    host: (i) => `2001:db8:ffff::${(i + 1).toString(16)}/128`,
  },
];

/** Scan only when asked: what a test sees without asking was done by an event. */
export const ON_DEMAND = 0;

export interface ConfigOptions {
  /** Scan time in seconds or as text; default: on demand. */
  readonly scanTime?: number | string;
  /** Further keys of both kernel protocols. */
  readonly kernel?: KernelInput;
  /** Names of route files of the static protocols, by family. */
  readonly files?: Readonly<Partial<Record<Family, string>>>;
  /** Further keys of the root. */
  readonly root?: KrtInput;
}

/** A configuration with kernel4, kernel6, and these routes as static4 and static6. */
export function configText(
  routes: Readonly<Partial<Record<Family, readonly RouteInput[]>>>,
  options: ConfigOptions = {},
): string {
  const kernel = { "scan-time": options.scanTime ?? ON_DEMAND, ...options.kernel };
  const statics = (family: Family): object => ({
    table: `master${family}`,
    routes: routes[family] ?? [],
    ...(options.files?.[family] === undefined ? {} : { files: [options.files[family]] }),
  });
  const config = {
    log: { format: "json" },
    kernel: { kernel4: { table: "master4", ...kernel }, kernel6: { table: "master6", ...kernel } },
    static: { static4: statics(4), static6: statics(6) },
    ...options.root,
  };
  return `${JSON.stringify(config, null, 1)}\n`;
}

/** Routes of this family alone. */
export function configOf(
  { family }: FamilyCase,
  routes: readonly RouteInput[],
  options?: ConfigOptions,
): string {
  return configText({ [family]: routes }, options);
}

/** `ip -d route` of one table, a route a line (`-o` joins nexthops with "\"), without trailing spaces. */
export async function routeLines(ns: Netns, flag: "-4" | "-6", selector = "table main"): Promise<string[]> {
  const shown = await ns.ip(`-o -d ${flag} route show ${selector}`);
  return lines(shown);
}

/** The routes of krtd in one table. */
export async function ownLines(ns: Netns, flag: "-4" | "-6", selector = "table main"): Promise<string[]> {
  return (await routeLines(ns, flag, selector)).filter(isOwn);
}

/** Everything that is not krtd's, in every table of both families. Protocol 120 is krtd's in table main alone. */
export async function foreignLines(ns: Netns): Promise<string[]> {
  const both = [await routeLines(ns, "-4", "table all"), await routeLines(ns, "-6", "table all")].flat();
  return both.filter((line) => !isOwn(line));
}

/** Non-empty lines; a machine that has config/iproute2/krtd.conf installed shows the same. */
export function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(" proto krtd ", " proto 120 ").trimEnd())
    .filter((line) => line !== "");
}

/** Whether a line of `ip -d`, of a dump or of the monitor, is a route of krtd in table main. */
export function isOwn(line: string): boolean {
  return line.includes(" proto 120 ") && !/ table (?!main )/.test(line);
}
