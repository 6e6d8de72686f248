/**
 * The names a pattern of `files:` stands for. * matches any characters but "/", ? one, [a-z] one of a set ([!a-z]
 * one not in it); a file whose name begins with a dot is only matched by a pattern that does too. As the shell
 * does it, because operators know that.
 */

import { access, readdir } from "node:fs/promises";
import { resolve } from "node:path";

/** Names that the patterns of one configuration may look at, all together. */
export const GLOB_LIMIT = 200_000;

/** How many names may still be looked at; 0: there were too many, and what was found is not all. */
export interface GlobBudget {
  left: number;
}

/** Whether a pattern has wildcards: without, it names one file that must exist. */
export function hasWildcard(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** The directory that a pattern begins with: its steps before the first with a wildcard; "." for none. */
export function literalPart(pattern: string): string {
  const steps = pattern.split("/");
  const wild = steps.findIndex(hasWildcard);
  const literal = steps.slice(0, wild).join("/");
  return literal === "" ? (pattern.startsWith("/") ? "/" : ".") : literal;
}

/**
 * The paths below `directory` (or from the root, when the pattern begins with "/") that match, sorted by their
 * code units, in the form of the pattern. A directory that does not exist or cannot be read matches nothing.
 */
export async function expandGlob(directory: string, pattern: string, budget: GlobBudget): Promise<string[]> {
  const steps = pattern.split("/").filter((part) => part !== "");
  let found = [pattern.startsWith("/") ? "/" : ""];
  for (const [i, step] of steps.entries()) {
    const next: string[] = [];
    for (const base of found) {
      if (--budget.left <= 0) return [];
      const prefix = base === "" || base === "/" ? base : `${base}/`;
      if (hasWildcard(step)) {
        const matches = stepMatcher(step);
        const names = await namesIn(directory, base);
        budget.left -= names.length;
        for (const name of names) if (matches(name)) next.push(prefix + name);
      } else if (i < steps.length - 1 || (await exists(directory, prefix + step))) next.push(prefix + step);
    }
    found = next;
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

async function namesIn(directory: string, base: string): Promise<string[]> {
  try {
    return await readdir(resolve(directory, base));
  } catch {
    return [];
  }
}

async function exists(directory: string, path: string): Promise<boolean> {
  try {
    await access(resolve(directory, path));
    return true;
  } catch {
    return false;
  }
}

/** Matches one step of a path without backtracking further than to the last "*": linear enough for any pattern. */
function stepMatcher(pattern: string): (name: string) => boolean {
  const tests = compileStep(pattern);
  return (name) => {
    if (name.startsWith(".") && !pattern.startsWith(".")) return false;
    let at = 0;
    let i = 0;
    let starAt = -1;
    let starEnd = 0;
    while (at < name.length) {
      const test = tests[i];
      if (test === "*") {
        starAt = i++;
        starEnd = at;
      } else if (test?.(name[at]!)) {
        i++;
        at++;
      } else if (starAt >= 0) {
        i = starAt + 1;
        at = ++starEnd;
      } else return false;
    }
    while (tests[i] === "*") i++;
    return i === tests.length;
  };
}

type StepTest = "*" | ((character: string) => boolean);

function compileStep(pattern: string): StepTest[] {
  const tests: StepTest[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === "*") tests.push("*");
    else if (c === "?") tests.push(() => true);
    else if (c === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) tests.push((character) => character === "[");
      else {
        tests.push(setTest(pattern.slice(i + 1, end)));
        i = end;
      }
    } else tests.push((character) => character === c);
  }
  return tests;
}

function setTest(set: string): (character: string) => boolean {
  const negated = set.startsWith("!") || set.startsWith("^");
  const body = negated ? set.slice(1) : set;
  return (character) => {
    let within = false;
    for (let i = 0; i < body.length; i++) {
      if (body[i + 1] === "-" && i + 2 < body.length) {
        within ||= body[i]! <= character && character <= body[i + 2]!;
        i += 2;
      } else within ||= body[i] === character;
    }
    return within !== negated;
  };
}
