/**
 * Holds a tree against the schema: unknown keys, wrong types and bad spellings become problems, and what is
 * wrong is taken out, so that the checks of meaning after this see only values they can rely on.
 */

import type { z } from "zod";
import { systemClock } from "../lib/clock.ts";
import type { KrtInput } from "./input.ts";
import { didYouMean, type Problem, shown, TOO_MANY_PROBLEMS } from "./problems.ts";
import { keysAt, krtSchema, LATER_KEYS } from "./schema.ts";
import { type ShapeIssue, shapeIssues } from "./shape-issues.ts";
import { suggest } from "./suggest.ts";
import type { Path, Tree } from "./tree.ts";

export interface Shaped {
  readonly input: KrtInput;
  readonly problems: readonly Problem[];
}

/** Works on `tree.value` in place: it is the input afterwards. The event loop has its turn every few milliseconds. */
export async function checkShape(tree: Tree): Promise<Shaped> {
  const issues = await everyIssue(tree.value);
  if (issues.length === 0) return { input: tree.value as KrtInput, problems: [] };
  const problems: Problem[] = [];
  let rootIsWrong = false;
  for (const { path, issue } of issues) {
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    if (issue.code === "unrecognized_keys") {
      const left = TOO_MANY_PROBLEMS - problems.length;
      for (const key of issue.keys.slice(0, left)) problems.push(unknownKey(tree, path, key));
      continue;
    }
    problems.push(issueProblem(tree, path, issue));
    if (path.length === 0) rootIsWrong = true;
  }
  // Where looking was given up, what is left may be anything.
  if (rootIsWrong || problems.length >= TOO_MANY_PROBLEMS) return { input: {}, problems };
  for (const { path, issue } of issues) {
    if (issue.code !== "unrecognized_keys") takeOut(tree.value, path);
  }
  return { input: tree.value as KrtInput, problems };
}

async function everyIssue(value: unknown): Promise<ShapeIssue[]> {
  const steps = shapeIssues(krtSchema, value, TOO_MANY_PROBLEMS);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await systemClock.yield();
  }
}

function unknownKey(tree: Tree, path: Path, key: string): Problem {
  const at = [...path, key];
  const where = path.length === 0 ? "" : ` in ${pathName(path)}`;
  const pattern = path.map((step, i) => (typeof step === "number" || i === 1 ? "*" : step)).join(".");
  const later = LATER_KEYS[pattern] ?? [];
  if (later.includes(key)) return tree.atKey(at, `${key} is not supported in this version`);
  return tree.atKey(at, `Unknown key "${key}"${where}`, didYouMean(suggest(key, keysAt(path))));
}

function issueProblem(tree: Tree, path: Path, issue: z.core.$ZodIssue): Problem {
  if (issue.code === "invalid_key") {
    return tree.atKey(
      path,
      `Name ${shown(path.at(-1))} must begin with a letter and hold only letters, digits, ".", "_" and "-", at most 64`,
    );
  }
  const value = valueAt(tree.value, path);
  if (value === undefined && path.length > 0) {
    return tree.atValue(path.slice(0, -1), `${label(path)} is missing`);
  }
  const not = typeof value === "number" ? (tree.written(path) ?? shown(value)) : shown(value);
  return tree.atValue(path, `${label(path)} must be ${issue.message}, not ${not}`, hint(issue, value));
}

function hint(issue: z.core.$ZodIssue, value: unknown): string | null {
  if (typeof value !== "string") return null;
  if (issue.code === "invalid_value") return didYouMean(suggest(value, issue.values.map(String)));
  if (!issue.message.includes("true")) return null;
  if (/^(yes|on|y)$/i.test(value)) return "write true";
  return /^(no|off|n)$/i.test(value) ? "write false" : null;
}

function label(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return "The file";
  return typeof last === "number" ? `item ${last + 1} of ${path.at(-2)}` : last;
}

/** kernel.kernel4, static.uplinks.routes[2] */
export function pathName(path: Path): string {
  let text = "";
  for (const step of path) {
    text += typeof step === "number" ? `[${step}]` : text === "" ? step : `.${step}`;
  }
  return text;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let at = root;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return at;
}

function takeOut(root: unknown, path: readonly PropertyKey[]): void {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof parent !== "object" || parent === null || last === undefined) return;
  if (Array.isArray(parent)) parent[Number(last)] = undefined;
  else delete (parent as Record<PropertyKey, unknown>)[last];
}
