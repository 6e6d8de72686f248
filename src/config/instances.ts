/**
 * Tables and the kernel protocols on them: what names refer to, and that no two kernel protocols can fight. The
 * names of all protocols share one space, since commands take them without their type.
 */

import type { Family } from "../lib/ip.ts";
import { ACCEPT_ALL, REJECT_ALL } from "../nest/filter.ts";
import type { KernelConfig } from "../proto/kernel/config.ts";
import type { TableConfig } from "./config.ts";
import type { KernelInput, KrtInput } from "./input.ts";
import { TABLE_LOCAL } from "./kernel-tables.ts";
import { didYouMean, type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import { readScanTime } from "./settings.ts";
import { suggest } from "./suggest.ts";
import type { Path, Tree } from "./tree.ts";

export const DEFAULT_TABLE = "master4";
export const DEFAULT_KERNEL_SCAN_MS = 20_000;
export const DEFAULT_KERNEL_METRIC = 32;

/** Words that select several things, and the name of the device protocol. */
const RESERVED = new Set(["all", "none", "device"]);

/** master4 and master6, then those of the file. */
export function readTables(input: KrtInput, tree: Tree, problems: Problem[]): TableConfig[] {
  const tables: TableConfig[] = [
    { name: "master4", family: 4, netns: null },
    { name: "master6", family: 6, netns: null },
  ];
  for (const [name, entry] of Object.entries(input.tables ?? {})) {
    const path = ["tables", name];
    const family: Family | null = entry?.family === "ipv4" ? 4 : entry?.family === "ipv6" ? 6 : null;
    const master = tables.slice(0, 2).find((table) => table.name === name);
    if (RESERVED.has(name)) problems.push(tree.atKey(path, `"${name}" cannot be the name of a table`));
    if (master === undefined) {
      // Of unknown family when that is wrong: the name still counts, so that one mistake is one problem.
      if (family !== null) tables.push({ name, family, netns: null });
    } else if (family !== null && family !== master.family) {
      problems.push(tree.atValue([...path, "family"], `Table ${name} is always IPv${master.family}`));
    }
  }
  return tables;
}

/** The table `name` of the protocol at `path`; null when there is none, or no family is known for it. */
export function findTable(
  name: string | undefined,
  path: Path,
  tables: readonly TableConfig[],
  tree: Tree,
  problems: Problem[],
): TableConfig | null {
  const at = [...path, "table"];
  if (name === undefined && tree.has(at)) return null;
  const wanted = name ?? DEFAULT_TABLE;
  const found = tables.find((table) => table.name === wanted);
  if (found !== undefined) return found;
  if (tree.has(["tables", wanted])) return null;
  const near = suggest(
    wanted,
    tables.map((table) => table.name),
  );
  problems.push(tree.atValue(at, `Unknown table "${wanted}"`, didYouMean(near) ?? "name it under tables:"));
  return null;
}

/** No two protocols of one name. */
export function checkProtocolNames(input: KrtInput, tree: Tree, problems: Problem[]): void {
  for (const section of ["kernel", "static"] as const) {
    for (const name of Object.keys(input[section] ?? {})) {
      const path = [section, name];
      if (RESERVED.has(name)) problems.push(tree.atKey(path, `"${name}" cannot be the name of a protocol`));
      if (section === "static" && tree.has(["kernel", name])) {
        const line = tree.lineOfKey(["kernel", name]);
        problems.push(tree.atKey(path, `Kernel protocol "${name}" has this name already, on line ${line}`));
      }
    }
  }
}

/** The kernel protocols; incomplete when there are problems. */
export function readKernels(
  input: KrtInput,
  tables: readonly TableConfig[],
  tableNames: ReadonlyMap<string, number>,
  tree: Tree,
  problems: Problem[],
): KernelConfig[] {
  const kernels: KernelConfig[] = [];
  const onTable = new Map<string, string>();
  const onKernelTable = new Map<string, string>();
  for (const [name, entry] of Object.entries(input.kernel ?? {})) {
    if (entry === undefined) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const path = ["kernel", name];
    const given = entry ?? {};
    const table = findTable(given.table, path, tables, tree, problems);
    const kernelTable = readKernelTable(given, path, tableNames, tree, problems);
    const scanTimePath = [...path, "scan-time"];
    const scanTimeMs = readScanTime(given["scan-time"], scanTimePath, DEFAULT_KERNEL_SCAN_MS, tree, problems);
    if (table !== null && table.family === 6 && given.metric === 0) {
      const message = "metric must not be 0 for IPv6: the kernel takes it for 1024";
      problems.push(tree.atValue([...path, "metric"], message));
    }
    if (table === null) continue;
    const rival = onTable.get(table.name);
    if (rival !== undefined) {
      const message = `Kernel protocols "${rival}" and "${name}" are both on table ${table.name}`;
      problems.push(tree.atKey(tree.has([...path, "table"]) ? [...path, "table"] : path, message));
    } else onTable.set(table.name, name);
    if (kernelTable === null) continue;
    const key = `${kernelTable} IPv${table.family}`;
    const other = onKernelTable.get(key);
    if (other === undefined) onKernelTable.set(key, name);
    else if (rival === undefined) {
      const message = `Kernel protocols "${other}" and "${name}" are both on kernel table ${key}`;
      const at = [...path, "kernel-table"];
      problems.push(tree.atKey(tree.has(at) ? at : path, message));
    }
    const written = given["kernel-table"] ?? "main";
    kernels.push({
      name,
      table: table.name,
      kernelTable,
      kernelTableName: typeof written === "string" && !isNumber(written) ? written : null,
      scanTimeMs,
      metric: given.metric ?? DEFAULT_KERNEL_METRIC,
      learn: given.learn ?? false,
      persist: given.persist ?? false,
      import: given.import === "none" ? REJECT_ALL : ACCEPT_ALL,
      export: given.export === "none" ? REJECT_ALL : ACCEPT_ALL,
      mergePaths: 1,
      netns: null,
    });
  }
  return kernels;
}

function readKernelTable(
  given: KernelInput,
  path: Path,
  tableNames: ReadonlyMap<string, number>,
  tree: Tree,
  problems: Problem[],
): number | null {
  const at = [...path, "kernel-table"];
  const value = given["kernel-table"];
  if (value === undefined && tree.has(at)) return null;
  const wanted = value ?? "main";
  const number =
    typeof wanted === "number" ? wanted : isNumber(wanted) ? Number(wanted) : tableNames.get(wanted);
  if (number === undefined) {
    const near = suggest(String(wanted), tableNames.keys());
    const hint = didYouMean(near) ?? "names come from rt_tables of iproute2; a number works always";
    problems.push(tree.atValue(at, `Unknown kernel table "${wanted}"`, hint));
    return null;
  }
  if (number === TABLE_LOCAL) {
    problems.push(tree.atValue(at, "Kernel table 255 (local) belongs to the kernel"));
    return null;
  }
  if (number < 1 || number > 0xffffffff) {
    problems.push(tree.atValue(at, `kernel-table must be from 1 to 4294967295, not ${number}`));
    return null;
  }
  return number;
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}
