/**
 * A slow, obvious reader of route files, for comparison: it splits lines into words and knows nothing of bytes,
 * caches or pieces. It says what a line means or that it is wrong, not why.
 */

import { type Family, parseIp } from "../../src/lib/ip.ts";
import { formatPrefix, isPrefix, parsePrefix } from "../../src/lib/prefix.ts";

export interface ReferenceRoute {
  readonly prefix: string;
  readonly line: number;
  readonly type: string;
  readonly nexthops: readonly {
    readonly via: string | null;
    readonly dev: string | null;
    readonly weight: number;
  }[];
  readonly metric: number | null;
  readonly recursive: string | null;
}

const TYPES = ["unicast", "blackhole", "unreachable", "prohibit", "throw"];

/** Understands via, dev, weight, nexthop, recursive, metric, proto and scope; no link-local gateways. */
export function readReference(text: string, family: Family): { routes: ReferenceRoute[]; wrong: number[] } {
  const routes: ReferenceRoute[] = [];
  const wrong: number[] = [];
  const seen = new Set<string>();
  for (const [index, raw] of text.split("\n").entries()) {
    const words = raw
      .replace(/(^|[ \t])#[\s\S]*$/, "")
      .replace(/\r$/, "")
      .split(/[ \t]+/)
      .filter((word) => word !== "");
    if (words.length === 0) continue;
    const route = readLine(words, family, index + 1);
    if (route === null || seen.has(route.prefix)) wrong.push(index + 1);
    else {
      seen.add(route.prefix);
      routes.push(route);
    }
  }
  return { routes, wrong };
}

function readLine(words: string[], family: Family, line: number): ReferenceRoute | null {
  const type = TYPES.includes(words[0]!) ? words.shift()! : "unicast";
  const prefix = readPrefix(words.shift() ?? "", family);
  if (prefix === null) return null;
  const first: { via: string | null; dev: string | null; weight: number } = {
    via: null,
    dev: null,
    weight: 1,
  };
  let current = first;
  const listed: (typeof first)[] = [];
  let metric: number | null = null;
  let recursive: string | null = null;
  while (words.length > 0) {
    const word = words.shift()!;
    if (word === "nexthop") {
      current = { via: null, dev: null, weight: 1 };
      listed.push(current);
      continue;
    }
    const value = words.shift();
    if (value === undefined) return null;
    if (word === "proto" || word === "scope") continue;
    if (word === "via") {
      const said = value === "inet" ? 4 : value === "inet6" ? 6 : null;
      const text = said === null ? value : (words.shift() ?? "");
      const gateway = parseIp(text);
      if (gateway === null || current.via !== null) return null;
      if (gateway.family < family || (said !== null && gateway.family !== said)) return null;
      current.via = text;
    } else if (word === "dev") {
      if (current.dev !== null || value.length > 15 || /[/:]/.test(value)) return null;
      current.dev = value;
    } else if (word === "weight") {
      if (listed.length === 0 || !(Number(value) >= 1 && Number(value) <= 256)) return null;
      current.weight = Number(value);
    } else if (word === "recursive") {
      if (recursive !== null || parseIp(value)?.family !== family) return null;
      recursive = value;
    } else if (word === "metric") {
      if (metric !== null || !(Number(value) >= 1 && Number(value) <= 4294967295)) return null;
      metric = Number(value);
    } else return null;
  }
  const own = first.via !== null || first.dev !== null;
  if (own && listed.length > 0) return null;
  const nexthops = listed.length > 0 ? listed : own ? [first] : [];
  if (recursive !== null && nexthops.length > 0) return null;
  if ((type === "unicast") !== (nexthops.length > 0 || recursive !== null)) return null;
  if (nexthops.some((hop) => hop.via === null && hop.dev === null)) return null;
  if (family === 6 && nexthops.length > 1 && nexthops.some((hop) => hop.via === null)) return null;
  const names = nexthops.map((hop) => `${hop.via} ${hop.dev}`);
  if (new Set(names).size < names.length) return null;
  return { prefix, line, type, nexthops, metric, recursive };
}

function readPrefix(word: string, family: Family): string | null {
  if (word === "default") return family === 4 ? "0.0.0.0/0" : "::/0";
  const full = word.includes("/") ? word : `${word}/${family === 4 ? 32 : 128}`;
  const parsed = parsePrefix(full);
  if (!isPrefix(parsed) || parsed.family !== family) return null;
  return formatPrefix(family, parsed.w0, parsed.w1, parsed.w2, parsed.w3, parsed.length);
}
