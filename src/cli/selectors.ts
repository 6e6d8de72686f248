/**
 * The words after `show routes`, `show kernel` and `show drift` as query parameters of the API. Keywords may be abbreviated and
 * come in any order; values are checked by the daemon, which knows the tables and protocols, except states and
 * types, whose words may be abbreviated too.
 */

import { KERNEL_CLASSES, KERNEL_STATES, ROUTE_TYPE_NAMES } from "../control/query.ts";
import { parseName } from "./escape.ts";
import { UsageError } from "./exit-code.ts";
import { expand } from "./words.ts";

type Keyword =
  | "for"
  | "in"
  | "table"
  | "protocol"
  | "state"
  | "class"
  | "type"
  | "dev"
  | "via"
  | "count"
  | "all";

export const ROUTE_KEYWORDS: readonly Keyword[] = [
  "for",
  "in",
  "table",
  "protocol",
  "state",
  "type",
  "dev",
  "via",
  "count",
  "all",
];

export const KERNEL_KEYWORDS: readonly Keyword[] = [
  "for",
  "in",
  "table",
  "protocol",
  "class",
  "type",
  "dev",
  "via",
  "count",
];

export const DRIFT_KEYWORDS: readonly Keyword[] = ["protocol", "count"];

/** Throws UsageError. */
export function parseSelectors(words: readonly string[], keywords: readonly Keyword[]): URLSearchParams {
  const query = new URLSearchParams();
  const set = (key: string, value: string): void => {
    if (query.has(key)) throw new UsageError(`"${key}" is given twice`);
    query.set(key, value);
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (isPrefixWord(word)) {
      set("prefix", word);
      continue;
    }
    const keyword = expand(word, keywords, "selector");
    if (keyword === "count" || keyword === "all") {
      set(keyword, "true");
      continue;
    }
    const value = words[++i];
    if (value === undefined) throw new UsageError(`"${keyword}" needs a value after it`);
    set(keyword, selectorValue(keyword, value));
  }
  return query;
}

/** Anything with a slash, a colon or a leading digit is meant as a prefix, and judged as one. */
function isPrefixWord(word: string): boolean {
  return word === "default" || /[/:]/.test(word) || /^[0-9]/.test(word);
}

function selectorValue(keyword: Exclude<Keyword, "count" | "all">, value: string): string {
  switch (keyword) {
    case "state":
      return expand(value, KERNEL_STATES, "state");
    case "type":
      return expand(value, ROUTE_TYPE_NAMES, "type");
    case "class":
      return expand(value, KERNEL_CLASSES, "class");
    case "dev":
      return parseName(value);
    default:
      return value;
  }
}
