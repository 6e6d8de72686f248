/**
 * The Fib written the slow and obvious way: a Map from the prefix as text to its head, and loops over all of
 * it. Property tests hold the real one against this.
 */

import type { Family } from "../../src/lib/ip.ts";
import {
  formatPrefix,
  isPrefix,
  maskWord,
  maxLength,
  type Prefix,
  parsePrefix,
} from "../../src/lib/prefix.ts";

export type Words = readonly [number, number, number, number];

export function textOf(p: Prefix): string {
  return formatPrefix(p.family, p.w0, p.w1, p.w2, p.w3, p.length);
}

/** An address cut to a prefix: what random tests build their prefixes with. */
export function maskedPrefix(family: Family, words: Words, length: number): Prefix {
  const at = Math.min(length, maxLength(family));
  const [w0, w1, w2, w3] = family === 4 ? [words[0], 0, 0, 0] : words;
  return {
    family,
    w0: maskWord(w0, 0, at),
    w1: maskWord(w1, 1, at),
    w2: maskWord(w2, 2, at),
    w3: maskWord(w3, 3, at),
    length: at,
  };
}

export class ReferenceFib {
  private readonly heads = new Map<string, number>();

  get size(): number {
    return this.heads.size;
  }

  has(p: Prefix): boolean {
    return this.heads.has(textOf(p));
  }

  /** Inserts the prefix (once) with this head. */
  insert(p: Prefix, head: number): void {
    this.heads.set(textOf(p), head);
  }

  remove(p: Prefix): void {
    this.heads.delete(textOf(p));
  }

  /** All prefixes as text, sorted. */
  prefixes(): string[] {
    return [...this.heads.keys()].sort();
  }

  /** The longest prefix with a head that contains the address, as text, or null. */
  longestMatch(address: Prefix, limit: number): string | null {
    let best: Prefix | null = null;
    for (const [text, head] of this.heads) {
      const candidate = parsePrefix(text);
      if (!isPrefix(candidate) || head === 0 || candidate.length > limit) continue;
      if (best !== null && best.length >= candidate.length) continue;
      if (bits(address).startsWith(bits(candidate).slice(0, candidate.length))) best = candidate;
    }
    return best === null ? null : textOf(best);
  }
}

function bits(p: Prefix): string {
  const words = p.family === 4 ? [p.w0] : [p.w0, p.w1, p.w2, p.w3];
  return words.map((word) => (word >>> 0).toString(2).padStart(32, "0")).join("");
}
