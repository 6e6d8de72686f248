/**
 * Which routes make sense, whatever they were written in: the rules that krt.yaml and route files share. They
 * refuse what the kernel would refuse for ever (a gateway of the wrong family, onlink without a device); what
 * depends on the moment (a gateway that is not reachable now) is left to the kernel.
 */

import { equalIp, type Family, formatAddress, type IpAddress, parseIp } from "../lib/ip.ts";
import { formatPrefix, isPrefix, maxLength, type Prefix, parsePrefix } from "../lib/prefix.ts";
import type { NexthopSpec, RouteSpec } from "../proto/static/config.ts";

export interface Complaint {
  readonly message: string;
  readonly hint: string | null;
}

/** What is wrong with a spec, and where: a field of the route, or of one of its nexthops. */
export interface Fault extends Complaint {
  readonly nexthop: number | null;
  readonly field: "route" | "via" | "dev" | "onlink" | "recursive" | "prefsrc" | "mtu";
}

/** The most nexthops of one route that the kernel's message and its own limits allow. */
export const NEXTHOP_LIMIT: Readonly<Record<Family, number>> = { 4: 128, 6: 64 };

/** The smallest MTU of a family (RFC 791, RFC 8200). */
export const SMALLEST_MTU: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 };

/** Every fault of `spec` as a route to a prefix of `family`. */
export function specFaults(spec: RouteSpec, family: Family): Fault[] {
  const faults: Fault[] = [];
  const fault = (
    nexthop: number | null,
    field: Fault["field"],
    message: string,
    hint: string | null = null,
  ) => {
    faults.push({ nexthop, field, message, hint });
  };
  const { nexthops, type, recursive } = spec;
  if (recursive !== null) {
    if (type !== "unicast") fault(null, "recursive", `A ${type} route goes nowhere, so it is not recursive`);
    if (nexthops.length > 0) fault(0, nexthopField(nexthops[0]!), recursiveRival(nexthopField(nexthops[0]!)));
    const wrong = recursiveComplaint(recursive, family);
    if (wrong !== null) fault(null, "recursive", wrong.message, wrong.hint);
  } else if (type !== "unicast") {
    if (nexthops.length > 0) {
      const message = `A ${type} route has no nexthop: it forwards nothing`;
      fault(0, nexthopField(nexthops[0]!), message, "remove via, dev and nexthops");
    }
  } else if (nexthops.length === 0) {
    fault(null, "route", "The route says neither via nor dev", "a route that discards has a type: blackhole");
  } else if (nexthops.length > NEXTHOP_LIMIT[family]) {
    const limit = NEXTHOP_LIMIT[family];
    fault(null, "route", `The route has ${nexthops.length} nexthops, IPv${family} allows ${limit}`);
  } else {
    for (const [i, nexthop] of nexthops.entries()) {
      for (const one of nexthopFaults(nexthop, family)) fault(i, one.field, one.message, one.hint);
      if (family === 6 && nexthops.length > 1 && nexthop.via === null && nexthop.dev !== null) {
        fault(i, "dev", "A nexthop of several needs via: IPv6 shares traffic between gateways only");
      }
      const twin = nexthops.findIndex((other) => sameNexthop(other, nexthop));
      if (twin < i) {
        const field = nexthop.via === null ? "dev" : "via";
        fault(
          i,
          field,
          `The same nexthop is there already, as number ${twin + 1}`,
          "give it a greater weight",
        );
      }
    }
  }
  if (spec.prefsrc !== null) {
    const wrong = sourceComplaint(spec.prefsrc, family);
    if (wrong !== null) fault(null, "prefsrc", wrong.message, wrong.hint);
  }
  if (spec.mtu !== null && spec.mtu < SMALLEST_MTU[family]) {
    fault(null, "mtu", `mtu must be at least ${SMALLEST_MTU[family]} for IPv${family}, not ${spec.mtu}`);
  }
  return faults;
}

type NexthopFault = Complaint & { readonly field: "route" | "via" | "dev" | "onlink" };

function nexthopFaults({ via, dev, onlink }: NexthopSpec, family: Family): NexthopFault[] {
  const faults: NexthopFault[] = [];
  if (via === null && dev === null) {
    faults.push({ field: "route", message: "The nexthop says neither via nor dev", hint: null });
  }
  if (via !== null) {
    const wrong = gatewayComplaint(via, dev, family);
    if (wrong !== null) faults.push({ field: "via", ...wrong });
  }
  const badName = dev === null ? null : deviceComplaint(dev);
  if (badName !== null) faults.push({ field: "dev", message: badName, hint: null });
  if (onlink && (via === null || dev === null)) {
    const lacks = dev === null ? "dev" : "via";
    faults.push({
      field: "onlink",
      message: `onlink needs ${lacks}: it says that the gateway is directly reachable on that interface`,
      hint: null,
    });
  }
  return faults;
}

/** An IPv4 prefix may have an IPv6 gateway (RFC 5549, RTA_VIA); the reverse no kernel knows. */
function gatewayComplaint(via: IpAddress, dev: string | null, family: Family): Complaint | null {
  const text = formatAddress(via);
  if (via.family < family) {
    return { message: `Gateway ${text} is IPv${via.family}, the prefix is IPv${family}`, hint: null };
  }
  if (isUnspecified(via)) return { message: `Gateway ${text} is no address`, hint: null };
  if (isMulticast(via)) return { message: `Gateway ${text} is a multicast address`, hint: null };
  if (dev === null && isLinkLocal(via)) {
    return { message: `Gateway ${text} is link-local and needs dev`, hint: "say on which interface it is" };
  }
  return null;
}

/** Why `word` cannot stand beside recursive. */
export function recursiveRival(word: string): string {
  return `A recursive route has no ${word}: it goes where packets to its address go`;
}

/** The address is looked up in the table of the route itself. */
function recursiveComplaint(address: IpAddress, family: Family): Complaint | null {
  const text = formatAddress(address);
  if (address.family !== family) {
    return { message: `recursive ${text} is IPv${address.family}, the table is IPv${family}`, hint: null };
  }
  if (isLinkLocal(address)) {
    const message = `recursive ${text} is link-local: no table says where it is`;
    return { message, hint: "use via and dev" };
  }
  return hostComplaint("recursive", address);
}

function sourceComplaint(source: IpAddress, family: Family): Complaint | null {
  if (source.family === family) return hostComplaint("prefsrc", source);
  const text = formatAddress(source);
  return { message: `prefsrc ${text} is IPv${source.family}, the prefix is IPv${family}`, hint: null };
}

/** Why no host can have that address; null when one can. */
export function hostComplaint(field: string, address: IpAddress): Complaint | null {
  if (!isUnspecified(address) && !isMulticast(address)) return null;
  return { message: `${field} ${formatAddress(address)} is no address of a host`, hint: null };
}

/** As the kernel's dev_valid_name(), on one character a byte. */
function deviceComplaint(dev: string): string | null {
  if (dev.length === 0) return "dev is empty";
  const text = Buffer.from(dev, "latin1").toString("utf8");
  if (dev.length > 15) return `Interface name "${text}" has ${dev.length} bytes, at most 15 are possible`;
  if (dev === "." || dev === ".." || /[/:\s\0]/.test(dev)) {
    return `Interface name "${text}" is impossible: no spaces, "/" or ":"`;
  }
  return null;
}

function isUnspecified({ w0, w1, w2, w3 }: IpAddress): boolean {
  return (w0 | w1 | w2 | w3) === 0;
}

/** fe80::/10 (RFC 4291). IPv4's 169.254.0.0/16 is routed like any other. */
function isLinkLocal({ family, w0 }: IpAddress): boolean {
  return family === 6 && w0 >>> 22 === 0x3fa;
}

function isMulticast({ family, w0 }: IpAddress): boolean {
  return family === 4 ? w0 >>> 28 === 0xe : w0 >>> 24 === 0xff;
}

/** What of a nexthop to point at. */
function nexthopField({ via, dev }: NexthopSpec): "via" | "dev" | "onlink" {
  return via !== null ? "via" : dev !== null ? "dev" : "onlink";
}

function sameNexthop(a: NexthopSpec, b: NexthopSpec): boolean {
  if (a.dev !== b.dev) return false;
  return a.via === null || b.via === null ? a.via === b.via : equalIp(a.via, b.via);
}

/** Reads an address for `field`; a prefix written by mistake is recognized. */
export function readAddress(field: string, text: string): IpAddress | Complaint {
  const address = parseIp(text);
  if (address !== null) return address;
  const slash = text.indexOf("/");
  const bare = slash > 0 ? parseIp(text.slice(0, slash)) : null;
  return {
    message: `${field} must be an IP address, not "${text}"`,
    hint: bare === null ? null : `did you mean "${text.slice(0, slash)}"?`,
  };
}

/**
 * Reads a prefix of `family`, or of any family when that is null. "default" is the prefix of length 0;
 * `bareHost` allows an address alone, as `ip route` prints a host route.
 */
export function readPrefix(text: string, family: Family | null, bareHost: boolean): Prefix | Complaint {
  if (text === "default") {
    return family === null
      ? { message: 'The family of "default" is not known', hint: null }
      : { family, w0: 0, w1: 0, w2: 0, w3: 0, length: 0 };
  }
  const host = bareHost ? parseIp(text) : null;
  const parsed = host === null ? parsePrefix(text) : { ...host, length: maxLength(host.family) };
  if (!isPrefix(parsed)) {
    const { suggestion } = parsed;
    return { message: parsed.message, hint: suggestion === null ? null : `did you mean "${suggestion}"?` };
  }
  if (family === null || parsed.family === family) return parsed;
  const { w0, w1, w2, w3, length } = parsed;
  const written = formatPrefix(parsed.family, w0, w1, w2, w3, length);
  return { message: `Prefix ${written} is IPv${parsed.family}, the table is IPv${family}`, hint: null };
}

/** Tells a complaint from what was read. */
export function isComplaint<T extends object>(read: T | Complaint): read is Complaint {
  return "message" in read;
}
