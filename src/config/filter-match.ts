/**
 * The `match` of a filter rule: what a route must be. Each key takes one value or a list of them, and every value
 * that is none is reported at its place.
 */

import { isGlob } from "../lib/glob.ts";
import { parseIp } from "../lib/ip.ts";
import { kernelProtocolNames, kernelProtocolNumber } from "../lib/kernel-names.ts";
import { maxLength, type Prefix } from "../lib/prefix.ts";
import type { FilterMatch, NumberRange } from "../nest/filter-rules.ts";
import type { PrefixPattern } from "../nest/prefix-patterns.ts";
import { ROUTE_TYPE_NUMBERS, type RouteSourceType, type RouteType } from "../nest/route.ts";
import { type ItemReader, type ItemsPlace, mustBe, nameReader, readItems } from "./filter-items.ts";
import type { FilterMatchInput } from "./filter-schema.ts";
import type { KrtInput } from "./input.ts";
import { readPattern } from "./interface-pattern.ts";
import { readPrefixPattern } from "./prefix-pattern.ts";
import { didYouMean, type Problem } from "./problems.ts";
import { isComplaint, readPrefix } from "./spec-rules.ts";
import { suggest } from "./suggest.ts";
import type { Path, Tree } from "./tree.ts";

/** The sections of krt.yaml whose protocols announce routes. */
export type SourceSections = Pick<KrtInput, "kernel" | "static" | "direct" | "pipe">;

const SECTIONS = ["kernel", "static", "direct", "pipe"] as const;

const SOURCE_TYPES: readonly RouteSourceType[] = ["static", "direct", "inherit", "pipe"];
const ROUTE_TYPES = Object.keys(ROUTE_TYPE_NUMBERS) as RouteType[];

const readSourceType = nameReader("source-type", "static, direct, inherit or pipe", SOURCE_TYPES);
const readType = nameReader("type", "unicast, blackhole, unreachable, prohibit or throw", ROUTE_TYPES);
const readMetric = rangeReader("metric", 4294967295);
const readPreference = rangeReader("preference", 65535);

/** What was right of it; incomplete when there are problems. */
export function readMatch(
  given: FilterMatchInput,
  path: Path,
  sections: SourceSections,
  tree: Tree,
  problems: Problem[],
): FilterMatch {
  const at = (key: string): ItemsPlace => ({ key, path: [...path, key], tree, problems });
  const prefix = readItems(given.prefix, at("prefix"), readPatterns);
  const source = readItems(given.source, at("source"), sourceReader(sections, tree));
  const sourceType = readItems(given["source-type"], at("source-type"), readSourceType);
  const protocol = readItems(given.protocol, at("protocol"), readProtocol);
  const type = readItems(given.type, at("type"), readType);
  const gateway = readItems(given.gateway, at("gateway"), readGateway);
  const dev = readItems(given.dev, at("dev"), readDevice);
  const metric = readItems(given.metric, at("metric"), readMetric);
  const preference = readItems(given.preference, at("preference"), readPreference);
  return {
    ...(prefix && { prefix }),
    ...(source && { source }),
    ...(sourceType && { sourceType }),
    ...(protocol && { protocol }),
    ...(type && { type }),
    ...(gateway && { gateway }),
    ...(dev && { dev }),
    ...(metric && { metric }),
    ...(preference && { preference }),
  };
}

const readPatterns: ItemReader<PrefixPattern> = (item) =>
  typeof item === "string"
    ? readPrefixPattern(item)
    : mustBe("prefix", "a prefix pattern such as 192.0.2.0/24+", item);

/** A name without wildcards must be that of a protocol. */
function sourceReader(sections: SourceSections, tree: Tree): ItemReader<string> {
  return (item) => {
    if (typeof item !== "string" || item === "") return mustBe("source", "the name of a protocol", item);
    if (isGlob(item) || SECTIONS.some((section) => tree.has([section, item]))) return [item];
    const names = SECTIONS.flatMap((section) => Object.keys(sections[section] ?? {}));
    return { message: `Unknown protocol "${item}"`, hint: didYouMean(suggest(item, names)) };
  };
}

const readProtocol: ItemReader<number> = (item) => {
  const number = typeof item === "string" ? (kernelProtocolNumber(item) ?? wholeNumber(item)) : item;
  if (typeof number === "number" && Number.isInteger(number) && number >= 1 && number <= 255) return [number];
  const what = "a number from 1 to 255 or a name such as zebra";
  const names = kernelProtocolNames().filter((name) => name !== "unspec");
  return mustBe("protocol", what, item, names);
};

const readGateway: ItemReader<Prefix> = (item) => {
  const address = typeof item === "string" ? parseIp(item) : null;
  if (address !== null) return [{ ...address, length: maxLength(address.family) }];
  if (typeof item !== "string" || !item.includes("/")) {
    return mustBe("gateway", "an IP address or a prefix", item);
  }
  const prefix = readPrefix(item, null, false);
  return isComplaint(prefix) ? prefix : [prefix];
};

const readDevice: ItemReader<string> = (item) => {
  if (typeof item !== "string") return mustBe("dev", "the name of an interface", item);
  const pattern = readPattern(item);
  return isComplaint(pattern) ? pattern : [pattern.latin1];
};

/** Reads 10, "10" or "10-20". */
function rangeReader(key: string, limit: number): ItemReader<NumberRange> {
  const what = `a whole number from 0 to ${limit} or a range such as 10-20`;
  return (item) => {
    const ends = typeof item === "string" ? item.split("-", 3).map((end) => wholeNumber(end.trim())) : [item];
    const [from, to = from] = ends;
    const isRange = typeof from === "number" && typeof to === "number" && ends.length <= 2;
    if (!isRange || !Number.isInteger(from) || from < 0 || from > limit || to > limit) {
      return mustBe(key, what, item);
    }
    if (from <= to) return [{ from, to }];
    const hint = didYouMean(`${to}-${from}`);
    return { message: `${key} "${item}" fits nothing: the smaller number comes first`, hint };
  };
}

function wholeNumber(text: string): number | null {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : null;
}
