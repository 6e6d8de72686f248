/**
 * Patterns of prefixes as a filter names them. The lengths are a suffix:
 *
 *   192.0.2.0/24          that prefix                 192.0.2.0/24+         and all within it
 *   192.0.2.0/24{24,28}   lengths 24 to 28 alone      192.0.2.0/24-         and all that contain it
 *   default               0.0.0.0/0 and ::/0
 */

import { isPrefix, maxLength, type Prefix, parsePrefix } from "../lib/prefix.ts";
import type { PrefixPattern } from "../nest/prefix-patterns.ts";
import { didYouMean } from "./problems.ts";
import type { Complaint } from "./spec-rules.ts";

const SUFFIX = /(?:[+-]|\{ *([0-9]{1,3}) *, *([0-9]{1,3}) *\})$/;

/** The pattern, or both for "default". */
export function readPrefixPattern(text: string): readonly PrefixPattern[] | Complaint {
  if (text === "default") return [defaultOf(4), defaultOf(6)];
  const suffix = SUFFIX.exec(text);
  const bare = suffix === null ? text : text.slice(0, suffix.index);
  if (/[{}]/.test(bare)) {
    const message = `"${text}" is not a prefix pattern`;
    return { message, hint: "write 192.0.2.0/24{24,28} for lengths from 24 to 28" };
  }
  const prefix = parsePrefix(bare);
  if (!isPrefix(prefix)) {
    const { message, suggestion } = prefix;
    return { message, hint: didYouMean(suggestion === null ? null : suggestion + (suffix?.[0] ?? "")) };
  }
  const { family, length } = prefix;
  const longest = maxLength(family);
  if (suffix === null) return [{ ...prefix, from: length, to: length }];
  if (suffix[0] === "+") return [{ ...prefix, from: length, to: longest }];
  if (suffix[0] === "-") return [{ ...prefix, from: 0, to: length }];
  const from = Number(suffix[1]);
  const to = Number(suffix[2]);
  if (to > longest) {
    return {
      message: `Pattern "${text}" goes to length ${to}, an IPv${family} prefix has at most ${longest}`,
      hint: null,
    };
  }
  if (from > to) {
    const hint = didYouMean(`${bare}{${to},${from}}`);
    return { message: `Pattern "${text}" fits nothing: the first length is the shortest`, hint };
  }
  return [{ ...prefix, from, to }];
}

function defaultOf(family: Prefix["family"]): PrefixPattern {
  return { family, w0: 0, w1: 0, w2: 0, w3: 0, length: 0, from: 0, to: 0 };
}
