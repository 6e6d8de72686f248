/**
 * The kernel protocols. No two of them may fight: neither over a table of krtd, nor over a table of the kernel,
 * which is one only within a network namespace and a family.
 */

import type { Family } from "../lib/ip.ts";
import type { KernelConfig } from "../proto/kernel/config.ts";
import type { TableConfig } from "./config.ts";
import type { KernelInput } from "./input.ts";
import { TABLE_LOCAL } from "./kernel-tables.ts";
import { ofNetns, readNetns } from "./netns.ts";
import { didYouMean, TOO_MANY_PROBLEMS } from "./problems.ts";
import { type Reading, readPolicy } from "./reading.ts";
import { readScanTime } from "./settings.ts";
import { NEXTHOP_LIMIT } from "./spec-rules.ts";
import { suggest } from "./suggest.ts";
import { findTable } from "./tables.ts";
import type { Path } from "./tree.ts";

export const DEFAULT_KERNEL_SCAN_MS = 20_000;
export const DEFAULT_KERNEL_METRIC = 32;

/** `mergePaths` of a protocol that does not merge: only the best route counts. */
const NO_MERGE = 1;

/** Who is where: names of kernel protocols by what may be only one's. */
interface Taken {
  readonly tables: Map<string, string>;
  readonly kernelTables: Map<string, string>;
}

/** The kernel protocols; incomplete when there are problems. Says of which namespace their tables are. */
export function readKernels(reading: Reading, tableNames: ReadonlyMap<string, number>): KernelConfig[] {
  const kernels: KernelConfig[] = [];
  const taken: Taken = { tables: new Map(), kernelTables: new Map() };
  for (const [name, entry] of Object.entries(reading.input.kernel ?? {})) {
    if (entry === undefined) continue;
    if (reading.problems.length >= TOO_MANY_PROBLEMS) break;
    const kernel = readKernel(reading, name, entry ?? {}, tableNames, taken);
    if (kernel !== null) kernels.push(kernel);
  }
  return kernels;
}

function readKernel(
  reading: Reading,
  name: string,
  given: KernelInput,
  tableNames: ReadonlyMap<string, number>,
  taken: Taken,
): KernelConfig | null {
  const { tree, problems } = reading;
  const path = ["kernel", name];
  const table = findTable(reading, [...path, "table"], given.table);
  const kernelTable = readKernelTable(reading, given, path, tableNames);
  const scanTimePath = [...path, "scan-time"];
  const scanTimeMs = readScanTime(given["scan-time"], scanTimePath, DEFAULT_KERNEL_SCAN_MS, tree, problems);
  const netns = readNamespace(reading, given, path);
  const importFilter = readPolicy(reading, path, "import", given.import);
  const exportFilter = readPolicy(reading, path, "export", given.export);
  if (table === null) return null;
  if (table.family === 6 && given.metric === 0) {
    const message = "metric must not be 0 for IPv6: the kernel takes it for 1024";
    problems.push(tree.atValue([...path, "metric"], message));
  }
  const mergePaths = readMergePaths(reading, given, path, table.family);
  const isOnlyOne = checkRivals(reading, name, path, table, kernelTable, netns, taken);
  if (isOnlyOne) reading.tables.place(table, netns);
  if (kernelTable === null || netns === undefined) return null;
  const written = given["kernel-table"] ?? "main";
  return {
    name,
    table: table.name,
    kernelTable,
    kernelTableName: typeof written === "string" && !isNumber(written) ? written : null,
    scanTimeMs,
    metric: given.metric ?? DEFAULT_KERNEL_METRIC,
    learn: given.learn ?? false,
    persist: given.persist ?? false,
    import: importFilter,
    export: exportFilter,
    mergePaths,
    netns,
  };
}

/** Reports another kernel protocol on the same table, or else on the same kernel table; false: on the same table. */
function checkRivals(
  { tree, problems }: Reading,
  name: string,
  path: Path,
  table: TableConfig,
  kernelTable: number | null,
  netns: string | null | undefined,
  taken: Taken,
): boolean {
  const complain = (rival: string, where: string, key: string) => {
    const at = [...path, key];
    const message = `Kernel protocols "${rival}" and "${name}" are both on ${where}`;
    problems.push(tree.atKey(tree.has(at) ? at : path, message));
  };
  const rival = taken.tables.get(table.name);
  if (rival === undefined) taken.tables.set(table.name, name);
  else complain(rival, `table ${table.name}`, "table");
  if (kernelTable !== null && netns !== undefined) {
    const where = `kernel table ${kernelTable} IPv${table.family}${ofNetns(netns)}`;
    const other = taken.kernelTables.get(where);
    if (other === undefined) taken.kernelTables.set(where, name);
    else if (rival === undefined) complain(other, where, "kernel-table");
  }
  return rival === undefined;
}

function readKernelTable(
  { tree, problems }: Reading,
  given: KernelInput,
  path: Path,
  tableNames: ReadonlyMap<string, number>,
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

/** The namespace, null for the daemon's own, undefined when what was written is none. */
function readNamespace(
  { input, tree, problems }: Reading,
  given: KernelInput,
  path: Path,
): string | null | undefined {
  const at = [...path, "netns"];
  if (given.netns === null) return null;
  if (given.netns === undefined) return tree.has(at) ? undefined : null;
  const netns = readNetns(given.netns);
  if (typeof netns !== "string") {
    problems.push(tree.atValue(at, netns.message, netns.hint));
    return undefined;
  }
  if (input.netlink?.transport === "node-netlink") {
    const message = "netns is not possible with netlink.transport node-netlink";
    problems.push(tree.atValue(at, message, "use netlink: {transport: socket}"));
  }
  return netns;
}

function readMergePaths({ tree, problems }: Reading, given: KernelInput, path: Path, family: Family): number {
  const value = given["merge-paths"] ?? false;
  const limit = NEXTHOP_LIMIT[family];
  if (value === false) return NO_MERGE;
  if (value === true) return limit;
  if (value > limit) {
    const message = `merge-paths must be at most ${limit} for IPv${family}, not ${value}`;
    problems.push(tree.atValue([...path, "merge-paths"], message));
  }
  return value;
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}
