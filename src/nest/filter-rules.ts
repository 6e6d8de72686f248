/**
 * HOT PATH. Filters written as rules: the first rule that fits a route decides, and a route that none fits is
 * rejected. compileFilter() turns the rules into what is quick to ask, once; a route then costs no object and no
 * string, however many prefixes a rule names.
 *
 * Rules are plain values in the kernel's units; config/filters.ts reads them from krt.yaml, docs/filters.md explains
 * them to operators.
 */

import type { Prefix } from "../lib/prefix.ts";
import { type AttrsChanges, AttrsEdit, changesNothing, EditMemo } from "./attrs-edit.ts";
import type { Filter, FilterContext, FilteredRoute } from "./filter.ts";
import { filterKey } from "./filter-key.ts";
import { RouteMatch } from "./filter-match.ts";
import type { PrefixPattern } from "./prefix-patterns.ts";
import type { RouteSourceType, RouteType } from "./route.ts";

/** Both ends belong to it. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** What a route must be: every key given must fit, and of a list one is enough. Without keys all routes fit. */
export interface FilterMatch {
  readonly prefix?: readonly PrefixPattern[];
  /** Names of protocols, * and ? allowed. */
  readonly source?: readonly string[];
  readonly sourceType?: readonly RouteSourceType[];
  /** rtm_protocol (1–255) of learned routes; no other route fits. */
  readonly protocol?: readonly number[];
  readonly type?: readonly RouteType[];
  /** A nexthop's gateway lies in one of these. */
  readonly gateway?: readonly Prefix[];
  /** A nexthop's device has such a name: one character a byte (latin1), * and ? allowed. */
  readonly dev?: readonly string[];
  /** 0 is a route without a metric of its own. */
  readonly metric?: readonly NumberRange[];
  readonly preference?: readonly NumberRange[];
}

/** What becomes of a route that passes; a key that is absent leaves it as it was. */
export interface FilterSet extends AttrsChanges {
  /** 0–4294967295; 0: none of its own. */
  readonly metric?: number;
  /** 0–65535. */
  readonly preference?: number;
}

export interface FilterRule {
  readonly match: FilterMatch;
  readonly action: "accept" | "reject";
  /** Means something with "accept" only. */
  readonly set: FilterSet;
}

/** The rules as a filter of that name, for routes of both families and any number of channels. */
export function compileFilter(name: string, rules: readonly FilterRule[]): Filter {
  return new RuleFilter(name, reachable(rules));
}

/** One rule, ready to ask. */
interface Step {
  /** Null: all fit. */
  readonly match: RouteMatch | null;
  readonly accepts: boolean;
  /** -1: left as it is. */
  readonly metric: number;
  readonly preference: number;
  /** Null: the attributes are left as they are. */
  readonly edit: AttrsEdit | null;
}

class RuleFilter implements Filter {
  readonly name: string;
  readonly key: string;
  readonly asksDevices: boolean;
  readonly rejectsAll: boolean;
  private readonly steps: readonly Step[];
  private readonly memo = new EditMemo();

  constructor(name: string, rules: readonly FilterRule[]) {
    this.name = name;
    this.key = filterKey(rules);
    this.steps = rules.map(stepOf);
    this.asksDevices = rules.some(({ match }) => match.dev !== undefined);
    this.rejectsAll = !rules.some(({ action }) => action === "accept");
  }

  apply(route: FilteredRoute, context: FilterContext): boolean {
    const { steps } = this;
    for (let i = 0; i < steps.length; i++) {
      const { match, accepts, metric, preference, edit } = steps[i]!;
      if (match !== null && !match.fits(route, context)) continue;
      if (!accepts) return false;
      if (metric >= 0) route.metric = metric;
      if (preference >= 0) route.preference = preference;
      if (edit !== null) route.attrs = this.memo.apply(edit, i, context.attrs, route.attrs, route.family);
      return true;
    }
    return false;
  }
}

function stepOf({ match, action, set }: FilterRule): Step {
  const accepts = action === "accept";
  return {
    match: fitsAll(match) ? null : new RouteMatch(match),
    accepts,
    metric: set.metric ?? -1,
    preference: set.preference ?? -1,
    edit: accepts && !changesNothing(set) ? new AttrsEdit(set) : null,
  };
}

/** The rules that can make a difference: none after one that all fit, and no rejection at the end. */
function reachable(rules: readonly FilterRule[]): FilterRule[] {
  const last = rules.findIndex(({ match }) => fitsAll(match));
  const some = last < 0 ? [...rules] : rules.slice(0, last + 1);
  while (some.at(-1)?.action === "reject") some.pop();
  return some;
}

function fitsAll(match: FilterMatch): boolean {
  return Object.values(match).every((list) => list === undefined);
}
