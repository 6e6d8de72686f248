/**
 * IP prefixes: an address whose bits beyond the length are 0. A prefix with host bits set is not repaired but
 * reported with the masked one as a suggestion: IPv6 in the kernel masks silently, IPv4 refuses, and a typing
 * mistake should never become somebody else's route.
 */

import { type Family, formatIp, type IpAddress, parseIp } from "./ip.ts";

export interface Prefix extends IpAddress {
  /** 0–32 or 0–128. */
  readonly length: number;
}

export type PrefixProblem = {
  /** syntax: not ADDRESS/LENGTH at all · length: out of range · host-bits: set beyond the length. */
  readonly problem: "syntax" | "length" | "host-bits";
  /** One sentence for a person, naming the text. */
  readonly message: string;
  /** What was probably meant, or null. */
  readonly suggestion: string | null;
};

/** The longest prefix length of a family. */
export function maxLength(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** Reads ADDRESS/LENGTH. Never throws. A bare address is a problem too: the host prefix is suggested. */
export function parsePrefix(text: string): Prefix | PrefixProblem {
  const slash = text.indexOf("/");
  if (slash < 0) {
    const bare = parseIp(text);
    if (bare === null) return syntax(text, null);
    const suggestion = `${text}/${maxLength(bare.family)}`;
    return {
      problem: "syntax",
      message: `Prefix "${text}" has no length`,
      suggestion,
    };
  }
  const address = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === null || !/^[0-9]+$/.test(digits)) return syntax(text, null);
  const { family, w0, w1, w2, w3 } = address;
  const length = Number(digits);
  const limit = maxLength(family);
  if (digits.length > 1 && digits.startsWith("0")) {
    return syntax(text, length <= limit ? `${text.slice(0, slash)}/${length}` : null);
  }
  if (length > limit) {
    return {
      problem: "length",
      message: `Prefix "${text}" has length ${digits}, an IPv${family} prefix has at most ${limit}`,
      suggestion: null,
    };
  }
  const masked = {
    family,
    w0: maskWord(w0, 0, length),
    w1: maskWord(w1, 1, length),
    w2: maskWord(w2, 2, length),
    w3: maskWord(w3, 3, length),
    length,
  };
  if (masked.w0 === w0 && masked.w1 === w1 && masked.w2 === w2 && masked.w3 === w3) return masked;
  return {
    problem: "host-bits",
    message: `Prefix "${text}" has bits set beyond its length ${length}`,
    suggestion: formatPrefix(family, masked.w0, masked.w1, masked.w2, masked.w3, length),
  };
}

function syntax(text: string, suggestion: string | null): PrefixProblem {
  return { problem: "syntax", message: `"${text}" is not a prefix (ADDRESS/LENGTH)`, suggestion };
}

/** Tells the two results of parsePrefix() apart. */
export function isPrefix(parsed: Prefix | PrefixProblem): parsed is Prefix {
  return !("problem" in parsed);
}

/** ADDRESS/LENGTH with the address as formatIp() spells it. */
export function formatPrefix(
  family: Family,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  length: number,
): string {
  return `${formatIp(family, w0, w1, w2, w3)}/${length}`;
}

/** Word `index` of an address with only the first `length` bits of the whole address kept. */
export function maskWord(word: number, index: 0 | 1 | 2 | 3, length: number): number {
  const bits = length - index * 32;
  if (bits >= 32) return word;
  return bits <= 0 ? 0 : word & (-1 << (32 - bits));
}

/** True when `inner` is `outer` or lies within it. */
export function prefixContains(outer: Prefix, inner: Prefix): boolean {
  const { family, length } = outer;
  return (
    family === inner.family &&
    length <= inner.length &&
    maskWord(inner.w0, 0, length) === outer.w0 &&
    maskWord(inner.w1, 1, length) === outer.w1 &&
    maskWord(inner.w2, 2, length) === outer.w2 &&
    maskWord(inner.w3, 3, length) === outer.w3
  );
}
