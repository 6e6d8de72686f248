/**
 * Text from elsewhere on its way to a terminal. Interface names are any bytes but "/" and NUL, chosen by whoever
 * can create an interface, a container for example: a name must not move the cursor, set the title or look like
 * two words. What is escaped here can be given back on the command line.
 */

/** An interface name (latin1-decoded bytes): printable ASCII stays, all else becomes \xNN, a backslash doubles. */
export function escapeName(name: string): string {
  return /^[!-[\]-~]*$/.test(name) ? name : name.replace(/[^!-[\]-~]/g, escapeCharacter);
}

function escapeCharacter(c: string): string {
  if (c === "\\") return "\\\\";
  const code = c.charCodeAt(0);
  return code <= 0xff
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** A sentence: spaces and letters of any script stay, control characters and direction marks are escaped. */
export function escapeText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escapeCharacter);
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
