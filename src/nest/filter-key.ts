/**
 * Rules as one text that is equal for equal rules, whatever the order in which a list names its items or an object
 * its keys. Reconfiguration compares filters by it.
 */

import { formatAddress } from "../lib/ip.ts";
import { formatPrefix, type Prefix } from "../lib/prefix.ts";
import type { FilterMatch, FilterRule, FilterSet, NumberRange } from "./filter-rules.ts";

export function filterKey(rules: readonly FilterRule[]): string {
  return JSON.stringify(rules.map(ruleParts));
}

function ruleParts({ match, action, set }: FilterRule): unknown[] {
  return action === "accept" ? [action, matchParts(match), setParts(set)] : [action, matchParts(match)];
}

function matchParts(match: FilterMatch): unknown[] {
  return [
    items(match.prefix, (pattern) => `${prefixText(pattern)}{${pattern.from},${pattern.to}}`),
    items(match.source, String),
    items(match.sourceType, String),
    items(match.protocol, String),
    items(match.type, String),
    items(match.gateway, prefixText),
    items(match.dev, String),
    items(match.metric, rangeText),
    items(match.preference, rangeText),
  ];
}

function setParts({ metric, preference, prefsrc, scope, realm, metrics }: FilterSet): unknown[] {
  const source = prefsrc === undefined ? null : prefsrc === null ? "" : formatAddress(prefsrc);
  const words = [...(metrics ?? [])].sort(([a], [b]) => a - b);
  return [metric, preference, source, scope === null ? "" : scope, realm, words];
}

/** Null for a key that is not given, which an empty list is not. */
function items<T>(list: readonly T[] | undefined, text: (item: T) => string): string[] | null {
  return list === undefined ? null : [...new Set(list.map(text))].sort();
}

function prefixText({ family, w0, w1, w2, w3, length }: Prefix): string {
  return formatPrefix(family, w0, w1, w2, w3, length);
}

function rangeText({ from, to }: NumberRange): string {
  return `${from}-${to}`;
}
