/**
 * Names of kernel tables, as iproute2 knows them: main, default, local, and what the administrator wrote into
 * rt_tables. Read again for each configuration, so that a new name needs no restart.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where iproute2 looks; later directories win. */
export const IPROUTE2_DIRECTORIES: readonly string[] = [
  "/usr/share/iproute2",
  "/usr/lib/iproute2",
  "/etc/iproute2",
];

/** RT_TABLE_LOCAL (linux/rtnetlink.h): the kernel's own, not to be written by anybody. */
export const TABLE_LOCAL = 255;

/** All names with their numbers. Files that are missing or unreadable are passed over, as iproute2 does. */
export async function kernelTableNames(
  directories: readonly string[] = IPROUTE2_DIRECTORIES,
): Promise<Map<string, number>> {
  const names = new Map([
    ["default", 253],
    ["main", 254],
    ["local", TABLE_LOCAL],
  ]);
  for (const directory of directories) {
    await readNames(join(directory, "rt_tables"), names);
    const extra = await readdir(join(directory, "rt_tables.d")).catch(() => []);
    for (const file of extra.sort()) {
      if (file.endsWith(".conf") && !file.startsWith(".")) {
        await readNames(join(directory, "rt_tables.d", file), names);
      }
    }
  }
  return names;
}

async function readNames(file: string, names: Map<string, number>): Promise<void> {
  const text = await readFile(file, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    const match = /^\s*(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})\s+([^\s#]+)/.exec(line);
    if (match === null) continue;
    const number = Number(match[1]);
    if (number <= 0xffffffff) names.set(match[2]!, number);
  }
}
