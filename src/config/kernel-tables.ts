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
  const texts = await Promise.all(directories.map(textsOf));
  for (const text of texts.flat()) readNames(text, names);
  return names;
}

/** rt_tables of the directory, and all of its rt_tables.d/*.conf, in the order in which they count. */
async function textsOf(directory: string): Promise<string[]> {
  const read = (file: string): Promise<string> => readFile(join(directory, file), "utf8").catch(() => "");
  const [first, extra] = await Promise.all([
    read("rt_tables"),
    readdir(join(directory, "rt_tables.d")).catch(() => []),
  ]);
  const files = extra.sort().filter((file) => file.endsWith(".conf") && !file.startsWith("."));
  return [first, ...(await Promise.all(files.map((file) => read(join("rt_tables.d", file)))))];
}

function readNames(text: string, names: Map<string, number>): void {
  for (const line of text.split("\n")) {
    const match = /^\s*(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})\s+([^\s#]+)/.exec(line);
    if (match === null) continue;
    const number = Number(match[1]);
    if (number <= 0xffffffff) names.set(match[2]!, number);
  }
}
