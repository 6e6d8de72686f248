/** The pipes: two tables, and what goes from one to the other. */

import type { PipeConfig } from "../proto/pipe/config.ts";
import { TOO_MANY_PROBLEMS } from "./problems.ts";
import { type Reading, readPolicy } from "./reading.ts";
import { checkSameNetns, findTable } from "./tables.ts";

/** The pipe protocols; incomplete when there are problems. */
export function readPipes(reading: Reading): PipeConfig[] {
  const pipes: PipeConfig[] = [];
  const { tree, problems } = reading;
  for (const [name, entry] of Object.entries(reading.input.pipe ?? {})) {
    if (entry === undefined || entry === null) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const path = ["pipe", name];
    const peerAt = [...path, "peer-table"];
    const importFilter = readPolicy(reading, path, "import", entry.import);
    const exportFilter = readPolicy(reading, path, "export", entry.export);
    const table = findTable(reading, [...path, "table"], entry.table);
    // A peer table that is missing was reported with the shape, and has no default.
    const peer = entry["peer-table"] === undefined ? null : findTable(reading, peerAt, entry["peer-table"]);
    if (table === null || peer === null) continue;
    if (table === peer) {
      problems.push(tree.atValue(peerAt, `The pipe joins table ${table.name} with itself`));
    } else if (table.family !== peer.family) {
      const message = `Table ${table.name} is IPv${table.family}, ${peer.name} is IPv${peer.family}`;
      problems.push(tree.atValue(peerAt, message, "a pipe joins two tables of one family"));
    } else checkSameNetns(reading, peerAt, table.name, peer.name);
    pipes.push({
      name,
      table: table.name,
      peerTable: peer.name,
      import: importFilter,
      export: exportFilter,
    });
  }
  return pipes;
}
