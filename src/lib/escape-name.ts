/**
 * Interface names in sentences and on terminals. A name is any bytes but "/" and NUL, chosen by whoever can create an
 * interface, a container for example: it must not move the cursor, look like two words, or be taken by a shell for more
 * than a word when a person copies a command.
 */

/** An interface name (latin1-decoded bytes): printable ASCII stays, all else becomes \xNN, a backslash doubles. */
export function escapeName(name: string): string {
  return /^[!-[\]-~]*$/.test(name) ? name : name.replace(/[^!-[\]-~]/g, escapeCharacter);
}

/** Whether any shell, and any program that takes options, takes the name for just itself. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name);
}

/** `\\`, `\xNN` or `\uNNNN`, twice for a character of two UTF-16 units. */
export function escapeCharacter(c: string): string {
  if (c === "\\") return "\\\\";
  if (c.length > 1) return c.replace(/./gs, escapeCharacter);
  const code = c.charCodeAt(0);
  return code <= 0xff
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
