/** Route files with tens of thousands of lines, for tests that need a push which takes a while. */

import type { FamilyCase } from "./families.ts";
import type { Netns } from "./netns.ts";

/** Many host routes via the gateway of each family: a file for KrtdOptions.files. */
export function manyRoutes({ gateway, host }: FamilyCase, count: number): string {
  return Array.from({ length: count }, (_, i) => `${host(i)} via ${gateway}\n`).join("");
}

/** How many routes of protocol 120 table main has. */
export async function countOwn(ns: Netns, { flag }: FamilyCase): Promise<number> {
  const shown = await ns.ip(`-o ${flag} route show table main proto 120`);
  return shown.split("\n").length - 1;
}
