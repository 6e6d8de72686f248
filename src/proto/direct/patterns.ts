/**
 * Which interfaces a list of patterns takes. Names are bytes that anybody with a namespace may choose, so they are
 * compared as they are (latin1), never as anything a shell or a regular expression would see.
 */

import { globMatches } from "../../lib/glob.ts";

/** Whether the patterns of a DirectConfig take an interface of this name: config.ts says how they are read. */
export function takesInterface(patterns: readonly string[], name: string): boolean {
  let named = false;
  let allExclude = true;
  for (const pattern of patterns) {
    const excludes = pattern.startsWith("!");
    if (!excludes) allExclude = false;
    if (!globMatches(excludes ? pattern.slice(1) : pattern, name)) continue;
    if (excludes) return false;
    named = true;
  }
  return named || allExclude;
}
