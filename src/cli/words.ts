/** Words of the command line: any unambiguous prefix of a word stands for it, the whole word always does. */

import { UsageError } from "./exit-code.ts";

/** The words `text` may stand for: itself if it is one, else all it begins. */
export function candidates<T extends string>(text: string, words: readonly T[]): readonly T[] {
  const exact = words.filter((word) => word === text);
  return exact.length > 0 ? exact : words.filter((word) => text !== "" && word.startsWith(text));
}

/** The one word that `text` stands for. `what` names the kind of word: "state". Throws UsageError. */
export function expand<T extends string>(text: string, words: readonly T[], what: string): T {
  const found = candidates(text, words);
  if (found.length === 1) return found[0]!;
  if (found.length === 0)
    throw new UsageError(`Unknown ${what} "${text}"`, `It is one of ${words.join(", ")}.`);
  throw ambiguous(text, found);
}

export function ambiguous(text: string, found: readonly string[]): UsageError {
  return new UsageError(`"${text}" is ambiguous`, `It may be ${found.join(" or ")}.`);
}
