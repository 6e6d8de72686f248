/**
 * Keys of a filter that take one value or a list of them: reads each item, and reports each that is wrong where it
 * stands.
 */

import type { FilterItems, FilterScalar } from "./filter-schema.ts";
import { didYouMean, type Problem, shown, TOO_MANY_PROBLEMS } from "./problems.ts";
import type { Complaint } from "./spec-rules.ts";
import { suggest } from "./suggest.ts";
import type { Path, Tree } from "./tree.ts";

/** A key, where its value stands, and where to complain. */
export interface ItemsPlace {
  readonly key: string;
  readonly path: Path;
  readonly tree: Tree;
  readonly problems: Problem[];
}

/** What is wrong with an item, or else what it stands for; a list, since "default" is of both families. */
export type ItemReader<T> = (item: FilterScalar) => readonly T[] | Complaint;

/** The items, or undefined where there is no such key. `what` completes "KEY must be …" for what is no text or number. */
export function readItems<T>(
  given: FilterItems | undefined,
  place: ItemsPlace,
  read: ItemReader<T>,
): T[] | undefined {
  if (given === undefined) return undefined;
  const { key, path, tree, problems } = place;
  if (Array.isArray(given) && given.length === 0) {
    problems.push(tree.atValue(path, `${key} is empty: nothing would fit`));
  }
  const found: T[] = [];
  for (const [i, item] of (Array.isArray(given) ? given : [given]).entries()) {
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const result = read(item);
    if ("message" in result) {
      problems.push(tree.atValue(Array.isArray(given) ? [...path, i] : path, result.message, result.hint));
    } else found.push(...result);
  }
  return found;
}

/** "KEY must be …, not …", and perhaps the name that was meant. */
export function mustBe(
  key: string,
  what: string,
  item: FilterScalar,
  names: readonly string[] = [],
): Complaint {
  const near = typeof item === "string" ? suggest(item, names) : null;
  return { message: `${key} must be ${what}, not ${shown(item)}`, hint: didYouMean(near) };
}

/** One of these names and no other. */
export function nameReader<T extends string>(key: string, what: string, names: readonly T[]): ItemReader<T> {
  return (item) => {
    const name = names.find((known) => known === item);
    return name === undefined ? mustBe(key, what, item, names) : [name];
  };
}
