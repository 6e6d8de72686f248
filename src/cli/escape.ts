/**
 * Text from elsewhere on its way to a terminal, which it must not drive. Names of interfaces are escaped by
 * lib/escape-name.ts; what is escaped there can be given back on the command line, and is read here.
 */

import { escapeCharacter } from "../lib/escape-name.ts";

/** A sentence: spaces and letters of any script stay, control characters and direction marks are escaped. */
export function escapeText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, escapeCharacter);
}

/** Text of several lines with excerpts of files: line ends and tabs stay, all else is escaped as in a sentence. */
export function escapeLines(text: string): string {
  return text.replace(/[^\n\t]+/g, escapeText);
}

/** The bytes of an interface name given on the command line, latin1-decoded; undoes escapeName. */
export function parseName(text: string): string {
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  return bytes.replace(/\\(?:x([0-9a-fA-F]{2})|\\)/g, (_, hex: string | undefined) =>
    hex === undefined ? "\\" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
