/**
 * krtd's tables as the protocols refer to them. A table belongs to the network namespace of the kernel protocol on
 * it, since its routes leave through that namespace's interfaces; so the kernel protocols are read first and say
 * it here, and then the others can be asked whether their tables go together.
 */

import type { Family } from "../lib/ip.ts";
import type { TableConfig } from "./config.ts";
import type { KrtInput } from "./input.ts";
import { didYouMean, type Problem } from "./problems.ts";
import type { Reading } from "./reading.ts";
import { suggest } from "./suggest.ts";
import type { Path, Tree } from "./tree.ts";

export const DEFAULT_TABLE = "master4";

/** Words that select several tables or none. */
const RESERVED = new Set(["all", "none", "device"]);

export class Tables {
  private readonly byName = new Map<string, TableConfig>();
  /** The namespace of these was given, and is wrong: nothing follows from it. */
  private readonly unplaced = new Set<string>();

  add(name: string, family: Family): void {
    this.byName.set(name, { name, family, netns: null });
  }

  get(name: string): TableConfig | undefined {
    return this.byName.get(name);
  }

  names(): IterableIterator<string> {
    return this.byName.keys();
  }

  /** In the order they were added. */
  all(): TableConfig[] {
    return [...this.byName.values()];
  }

  /** Says the namespace of a table; undefined: it could not be read. */
  place({ name, family }: TableConfig, netns: string | null | undefined): void {
    if (netns === undefined) this.unplaced.add(name);
    else this.byName.set(name, { name, family, netns });
  }

  /** Whether two tables belong to different namespaces, for certain. */
  areApart(one: string, other: string): boolean {
    if (this.unplaced.has(one) || this.unplaced.has(other)) return false;
    return this.byName.get(one)?.netns !== this.byName.get(other)?.netns;
  }
}

/** master4 and master6, then those of the file. */
export function readTables(input: KrtInput, tree: Tree, problems: Problem[]): Tables {
  const tables = new Tables();
  tables.add("master4", 4);
  tables.add("master6", 6);
  for (const [name, entry] of Object.entries(input.tables ?? {})) {
    const path = ["tables", name];
    const family: Family | null = entry?.family === "ipv4" ? 4 : entry?.family === "ipv6" ? 6 : null;
    if (RESERVED.has(name)) problems.push(tree.atKey(path, `"${name}" cannot be the name of a table`));
    const master = tables.get(name);
    if (master === undefined) {
      // Of unknown family when that is wrong: the name still counts, so that one mistake is one problem.
      if (family !== null) tables.add(name, family);
    } else if (family !== null && family !== master.family) {
      problems.push(tree.atValue([...path, "family"], `Table ${name} is always IPv${master.family}`));
    }
  }
  return tables;
}

/**
 * The table that is named at `path`, or the default one when there is nothing; null when there is no such table,
 * or no family is known for it.
 */
export function findTable(
  { tables, tree, problems }: Reading,
  path: Path,
  name: string | undefined,
): TableConfig | null {
  if (name === undefined && tree.has(path)) return null;
  const wanted = name ?? DEFAULT_TABLE;
  const found = tables.get(wanted);
  if (found !== undefined) return found;
  if (tree.has(["tables", wanted])) return null;
  const hint = didYouMean(suggest(wanted, tables.names())) ?? "name it under tables:";
  problems.push(tree.atValue(path, `Unknown table "${wanted}"`, hint));
  return null;
}

/** Reports, at `path`, two tables of different namespaces. */
export function checkSameNetns(
  { tables, tree, problems }: Reading,
  path: Path,
  one: string,
  other: string,
): void {
  if (!tables.areApart(one, other)) return;
  const message = `Tables ${one} and ${other} belong to different network namespaces`;
  problems.push(tree.atValue(path, message, "a table belongs to the namespace of the kernel protocol on it"));
}
