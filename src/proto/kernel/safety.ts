/**
 * What a kernel protocol must not do, whatever its table says.
 *
 *   protect             nothing is deleted or replaced at these prefixes. Asked for deletions and replacements only,
 *                       never for an ADD: that harms nothing, the kernel refuses it when the key is taken.
 *   max-delete-percent  what one change or one scan would delete of the routes that stand in the kernel
 */

import type { Family } from "../../lib/ip.ts";
import type { Prefix } from "../../lib/prefix.ts";
import type { Fib } from "../../nest/fib.ts";
import { PrefixPatterns } from "../../nest/prefix-patterns.ts";
import type { NodeId } from "../../nest/route.ts";
import type { SafetyConfig } from "./config.ts";
import type { Failure } from "./retry.ts";

/** Fewer deletions than this are never asked about: with two routes one of them is half. */
export const FEW = 10;

/** Of a route that would have to replace what stands at a protected prefix. No write was tried: no errno. */
export const PROTECTED: Failure = {
  errno: 0,
  message:
    "what stands at this prefix is kept by safety.protect: take the prefix out of the list and configure, or change the route by hand",
  class: "permanent",
};

/** How many routes go, of how many. */
export interface Deletions {
  readonly deletions: number;
  readonly standing: number;
}

/** Whether somebody has to be asked before so many routes go. */
export function isTooMany({ deletions, standing }: Deletions, percent: number): boolean {
  return percent < 100 && deletions >= FEW && deletions * 100 > standing * percent;
}

/** `950 of 1000 routes (95 %)`; rounded so that it never reads as the limit itself. */
export function deletionWords({ deletions, standing }: Deletions): string {
  return `${deletions} of ${standing} routes (${Math.ceil((deletions * 100) / standing)} %)`;
}

export class Safety {
  maxDeletePercent: number;
  private readonly family: Family;
  /** Null: nothing is protected. */
  private patterns: PrefixPatterns | null = null;
  private list = "[]";

  constructor(family: Family, config: SafetyConfig) {
    this.family = family;
    this.maxDeletePercent = config.maxDeletePercent;
    this.set(config);
  }

  /** Takes over another configuration. Returns whether other prefixes are protected now. */
  set({ maxDeletePercent, protect }: SafetyConfig): boolean {
    this.maxDeletePercent = maxDeletePercent;
    const own = protect.filter(({ family }) => family === this.family);
    const list = JSON.stringify(own);
    if (list === this.list) return false;
    this.list = list;
    this.patterns = own.length === 0 ? null : new PrefixPatterns(this.family, own);
    return true;
  }

  /** Whether nothing may be deleted or replaced at this prefix. */
  protects(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    return this.patterns?.fits(w0, w1, w2, w3, length) ?? false;
  }

  protectsPrefix({ w0, w1, w2, w3, length }: Omit<Prefix, "family">): boolean {
    return this.protects(w0, w1, w2, w3, length);
  }

  protectsNode(fib: Fib, node: NodeId): boolean {
    if (this.patterns === null) return false;
    return this.protects(
      fib.word(node, 0),
      fib.word(node, 1),
      fib.word(node, 2),
      fib.word(node, 3),
      fib.length(node),
    );
  }
}
