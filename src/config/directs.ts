/** The direct protocols: which interfaces, into which tables. */

import type { DirectConfig } from "../proto/direct/config.ts";
import type { TableConfig } from "./config.ts";
import type { DirectInput } from "./input.ts";
import { readPattern } from "./interface-pattern.ts";
import { TOO_MANY_PROBLEMS } from "./problems.ts";
import { type Reading, readPolicy } from "./reading.ts";
import { isComplaint } from "./spec-rules.ts";
import { checkSameNetns, findTable } from "./tables.ts";
import type { Path } from "./tree.ts";

export const DEFAULT_DIRECT_PREFERENCE = 240;

/** Where the networks of the interfaces go when the file does not say it. */
const DEFAULT_TABLES = ["master4", "master6"];

/** The direct protocols; incomplete when there are problems. */
export function readDirects(reading: Reading): DirectConfig[] {
  const directs: DirectConfig[] = [];
  for (const [name, entry] of Object.entries(reading.input.direct ?? {})) {
    if (entry === undefined) continue;
    if (reading.problems.length >= TOO_MANY_PROBLEMS) break;
    const path = ["direct", name];
    const given = entry ?? {};
    const tables = readDirectTables(reading, given, path);
    directs.push({
      name,
      tables: tables.map((table) => table.name),
      interfaces: readInterfaces(reading, given, path),
      preference: given.preference ?? DEFAULT_DIRECT_PREFERENCE,
      import: readPolicy(reading, path, "import", given.import),
    });
  }
  return directs;
}

/** IPv4 first, in whatever order they were written. */
function readDirectTables(reading: Reading, given: DirectInput, path: Path): TableConfig[] {
  const { tree, problems } = reading;
  const at = [...path, "table"];
  const { table: written } = given;
  if (written === undefined && tree.has(at)) return [];
  const listed = Array.isArray(written);
  const names = listed ? written : written === undefined ? DEFAULT_TABLES : [written];
  if (names.length === 0) problems.push(tree.atValue(at, "table is empty"));
  const tables: TableConfig[] = [];
  for (const [i, name] of names.entries()) {
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const place = listed ? [...at, i] : at;
    const table = findTable(reading, place, name);
    if (table === null) continue;
    const twin = tables.find(({ family }) => family === table.family);
    if (twin === undefined) {
      if (tables[0] !== undefined) checkSameNetns(reading, place, tables[0].name, table.name);
      tables.push(table);
    } else {
      const message =
        twin.name === table.name
          ? `Table ${table.name} is there twice`
          : `Tables ${twin.name} and ${table.name} are both IPv${table.family}`;
      problems.push(tree.atValue(place, message, "a direct protocol has at most one table of each family"));
    }
  }
  return tables.sort((a, b) => a.family - b.family);
}

function readInterfaces({ tree, problems }: Reading, given: DirectInput, path: Path): string[] {
  const patterns: string[] = [];
  for (const [i, text] of (given.interfaces ?? []).entries()) {
    if (text === undefined) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const excludes = text.startsWith("!");
    const pattern = readPattern(excludes ? text.slice(1) : text);
    if (isComplaint(pattern)) {
      problems.push(tree.atValue([...path, "interfaces", i], pattern.message, pattern.hint));
    } else patterns.push(excludes ? `!${pattern.latin1}` : pattern.latin1);
  }
  return patterns;
}
