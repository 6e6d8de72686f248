/** The `safety` part of krt.yaml: how much may be deleted without asking, and which prefixes are left alone. */

import type { SafetyConfig } from "../proto/kernel/config.ts";
import type { KrtInput } from "./input.ts";
import { readPrefixPattern } from "./prefix-pattern.ts";
import { type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import { isComplaint } from "./spec-rules.ts";
import type { Tree } from "./tree.ts";

export const DEFAULT_MAX_DELETE_PERCENT = 50;

/** Reports into `problems`; with any of them the result is not to be used. */
export function readSafety(input: KrtInput, tree: Tree, problems: Problem[]): SafetyConfig {
  const protect = [];
  for (const [i, text] of (input.safety?.protect ?? []).entries()) {
    if (text === undefined) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const patterns = readPrefixPattern(text);
    if (isComplaint(patterns)) {
      problems.push(tree.atValue(["safety", "protect", i], patterns.message, patterns.hint));
    } else protect.push(...patterns);
  }
  return {
    maxDeletePercent: input.safety?.["max-delete-percent"] ?? DEFAULT_MAX_DELETE_PERCENT,
    protect,
  };
}
