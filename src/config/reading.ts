/**
 * What the readers of the protocols share: the input with its places, where problems go, and what was read
 * before them and is referred to by name.
 */

import { ACCEPT_ALL, type Filter } from "../nest/filter.ts";
import { resolveFilter } from "./filters.ts";
import type { GlobBudget } from "./glob.ts";
import type { KrtInput } from "./input.ts";
import type { Problem } from "./problems.ts";
import type { Tables } from "./tables.ts";
import type { Path, Tree } from "./tree.ts";
import type { PathTrust } from "./trust.ts";

export interface Reading {
  readonly input: KrtInput;
  readonly tree: Tree;
  /** Added to by every reader; with any of them the result is not to be used. */
  readonly problems: Problem[];
  readonly tables: Tables;
  readonly filters: ReadonlyMap<string, Filter>;
  /** Whose files are taken. */
  readonly trust: PathTrust;
  /** What patterns of file names may still cost. */
  readonly globs: GlobBudget;
}

/** The filter of that name under `key` of the protocol at `path`; all routes pass where none is named. */
export function readPolicy(
  { filters, tree, problems }: Reading,
  path: Path,
  key: "import" | "export",
  name: string | undefined,
): Filter {
  return resolveFilter(name, ACCEPT_ALL, filters, [...path, key], tree, problems);
}
