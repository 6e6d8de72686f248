/**
 * `filters:` of krt.yaml as filters of the nest, and the names by which protocols refer to them. Every mistake is
 * reported where it stands; a filter with mistakes still has its name, so that those who use it are not blamed too.
 */

import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../nest/filter.ts";
import { compileFilter, type FilterRule } from "../nest/filter-rules.ts";
import { readMatch } from "./filter-match.ts";
import type { FilterInput, FilterRuleInput } from "./filter-schema.ts";
import { readSet } from "./filter-set.ts";
import type { KrtInput } from "./input.ts";
import { didYouMean, type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import { suggest } from "./suggest.ts";
import type { Path, Tree } from "./tree.ts";

/** What of krt.yaml is read here: the filters, and the protocols whose names they may say. */
export interface FiltersInput extends Pick<KrtInput, "kernel" | "static" | "direct" | "pipe"> {
  filters?: Record<string, FilterInput | null | undefined> | null | undefined;
}

/** The filters by name, without the two built-in ones. */
export function readFilters(
  input: FiltersInput,
  tree: Tree,
  problems: Problem[],
): ReadonlyMap<string, Filter> {
  const filters = new Map<string, Filter>();
  for (const [name, given] of Object.entries(input.filters ?? {})) {
    if (given === undefined) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const path = ["filters", name];
    if (name === ACCEPT_ALL.name || name === REJECT_ALL.name) {
      problems.push(tree.atKey(path, `Filter "${name}" is built in`, "give yours another name"));
      continue;
    }
    if (given === null || given.length === 0) {
      const message = `Filter "${name}" has no rules: nothing would pass`;
      problems.push(tree.atKey(path, message, "write [{action: reject}] if that is meant"));
    }
    filters.set(name, compileFilter(name, readRules(given ?? [], path, input, tree, problems)));
  }
  return filters;
}

/**
 * The filter that `name` means at `path` of krt.yaml: a filter of the configuration, all or none; `fallback` where no
 * name is given. An unknown name is a problem.
 */
export function resolveFilter(
  name: string | undefined,
  fallback: Filter,
  filters: ReadonlyMap<string, Filter>,
  path: Path,
  tree: Tree,
  problems: Problem[],
): Filter {
  if (name === undefined) return fallback;
  if (name === ACCEPT_ALL.name) return ACCEPT_ALL;
  if (name === REJECT_ALL.name) return REJECT_ALL;
  const filter = filters.get(name);
  if (filter !== undefined) return filter;
  // What is written there is no list of rules, or comes after too many problems: that is reported.
  if (!tree.has(["filters", name])) {
    const near = suggest(name, [ACCEPT_ALL.name, REJECT_ALL.name, ...filters.keys()]);
    problems.push(tree.atValue(path, `Unknown filter "${name}"`, didYouMean(near)));
  }
  return fallback;
}

function readRules(
  given: FilterInput,
  path: Path,
  input: FiltersInput,
  tree: Tree,
  problems: Problem[],
): FilterRule[] {
  const rules: FilterRule[] = [];
  for (const [i, rule] of given.entries()) {
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    if (rule !== undefined) rules.push(readRule(rule, [...path, i], input, tree, problems));
  }
  return rules;
}

function readRule(
  rule: FilterRuleInput,
  path: Path,
  input: FiltersInput,
  tree: Tree,
  problems: Problem[],
): FilterRule {
  const action = rule.action ?? "reject";
  const given = rule.set ?? {};
  if (rule.action === "reject" && Object.keys(given).length > 0) {
    const message = "A rule that rejects sets nothing";
    problems.push(tree.atKey([...path, "set"], message, "remove set, or write action: accept"));
  }
  const match = readMatch(rule.match ?? {}, [...path, "match"], input, tree, problems);
  return { match, action, set: readSet(given, [...path, "set"], tree, problems) };
}
