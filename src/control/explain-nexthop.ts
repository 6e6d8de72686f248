/**
 * Why the kernel may not take a route's nexthops, in words. The kernel decides, by rules of its own and its own
 * table (a gateway may be reached over a route of somebody else); this only looks for what an operator would look
 * for first, and says what to do about it.
 */

import { escapeName, isPlainName } from "../lib/escape-name.ts";
import { equalIp, formatAddress, type IpAddress } from "../lib/ip.ts";
import type { Interface, Interfaces } from "../nest/iface.ts";
import type { Nexthop, RouteAttrs } from "../nest/route.ts";
import { listWords } from "./explain-words.ts";

export interface NexthopFinding {
  /** `device "eth7" does not exist` */
  readonly problem: string;
  /** What to do, as an imperative: `create device "eth7"`. */
  readonly advice: string;
}

export interface NexthopReview {
  /** In order of the nexthops; empty: nothing speaks against the route. */
  readonly findings: readonly NexthopFinding[];
  /** What is right about it, for when the kernel took it. */
  readonly praise: string;
}

/** Nexthops told one by one; of more only how many there are. */
const TOLD = 3;

export function reviewNexthops(attrs: RouteAttrs, interfaces: Interfaces): NexthopReview {
  const findings: NexthopFinding[] = [];
  for (const hop of attrs.nexthops) {
    const finding = reviewNexthop(hop, interfaces);
    if (finding !== null && !findings.some(({ problem }) => problem === finding.problem))
      findings.push(finding);
  }
  if (attrs.prefsrc !== null && !isLocal(attrs.prefsrc, interfaces)) {
    const source = formatAddress(attrs.prefsrc);
    findings.push({
      problem: `the preferred source ${source} is no address of this machine`,
      advice: `add the address ${source} to an interface`,
    });
  }
  return { findings, praise: praise(attrs, interfaces) };
}

function reviewNexthop(hop: Nexthop, interfaces: Interfaces): NexthopFinding | null {
  const { device, gateway, onlink } = hop;
  if (device !== 0) {
    const finding = reviewDevice(device, interfaces);
    if (finding !== null) return finding;
  }
  if (gateway === null || onlink) return null;
  return reviewGateway(gateway, device, interfaces);
}

function reviewDevice(device: number, interfaces: Interfaces): NexthopFinding | null {
  const name = quoted(interfaces.deviceName(device));
  const iface = interfaces.byIndex(device);
  if (iface === undefined)
    return { problem: `device ${name} does not exist`, advice: `create device ${name}` };
  if (!iface.adminUp) return { problem: `device ${name} is down`, advice: bringUp(iface) };
  return null;
}

function reviewGateway(gateway: IpAddress, device: number, interfaces: Interfaces): NexthopFinding | null {
  const text = formatAddress(gateway);
  // IPv4 takes that.
  if (gateway.family === 6 && isLocal(gateway, interfaces))
    return {
      problem: `gateway ${text} is an address of this machine itself`,
      advice: "name another gateway",
    };
  if (isLinkLocal(gateway)) {
    return device === 0
      ? { problem: `gateway ${text} is link-local and the route names no device`, advice: "give it a device" }
      : null;
  }
  const covering = coveringOf(gateway, interfaces);
  if (covering === undefined) {
    return {
      problem: `no address of an interface covers gateway ${text}`,
      advice: "add such an address, or correct the gateway",
    };
  }
  if (device > 0 && covering.ifindex !== device) {
    return {
      problem: `gateway ${text} is on the link of ${quoted(covering.name)}, not of ${quoted(interfaces.deviceName(device))}`,
      advice: "correct the gateway or the device",
    };
  }
  if (!covering.adminUp) {
    const problem = `gateway ${text} is on the link of ${quoted(covering.name)}, which is down`;
    return { problem, advice: bringUp(covering) };
  }
  return null;
}

function praise(attrs: RouteAttrs, interfaces: Interfaces): string {
  if (attrs.type !== "unicast") return `type ${attrs.type} needs no nexthop`;
  if (attrs.nexthops.length > TOLD) return `all ${attrs.nexthops.length} nexthops are usable`;
  return listWords(attrs.nexthops.map((hop) => praiseOf(hop, interfaces)));
}

function praiseOf({ gateway, device, onlink }: Nexthop, interfaces: Interfaces): string {
  const iface = device > 0 ? interfaces.byIndex(device) : undefined;
  const carrier = iface !== undefined && !iface.linkUp ? " (without carrier)" : "";
  const named = device === 0 ? "" : quoted(interfaces.deviceName(device));
  if (gateway === null)
    return named === "" ? "the kernel chooses the device" : `device ${named} is up${carrier}`;
  const text = formatAddress(gateway);
  if (onlink) return `gateway ${text} is taken to be on the link of ${named} (onlink)${carrier}`;
  const covering = coveringOf(gateway, interfaces);
  if (isLinkLocal(gateway)) return `gateway ${text} is on the link of ${named}${carrier}`;
  if (covering === undefined) return `the kernel reaches gateway ${text} over a route of its own`;
  const lost = covering.linkUp ? "" : " (without carrier)";
  return `gateway ${text} is on the link of ${quoted(covering.name)}${lost}`;
}

function quoted(name: string): string {
  return `"${escapeName(name)}"`;
}

/** With a command to copy, unless the name is more than a word to a shell: whoever made the interface has chosen it. */
function bringUp({ name }: Interface): string {
  return isPlainName(name) ? `bring it up (ip link set ${name} up)` : "bring it up";
}

function coveringOf({ family, w0, w1, w2, w3 }: IpAddress, interfaces: Interfaces): Interface | undefined {
  return interfaces.covering(family, w0, w1, w2, w3);
}

/** fe80::/10. */
function isLinkLocal({ family, w0 }: IpAddress): boolean {
  return family === 6 && w0 >>> 22 === 0x3fa;
}

function isLocal(address: IpAddress, interfaces: Interfaces): boolean {
  return interfaces.all().some(({ addresses }) => addresses.some((own) => equalIp(own, address)));
}
