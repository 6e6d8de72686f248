/**
 * The text of krt.yaml with positions. Everything that could confuse a later stage is refused here, before any
 * parser sees it: size, encoding, control characters.
 */

import { fileProblem, type Problem } from "./problems.ts";

/** The most bytes krt.yaml may have; routes by the thousand belong in `files:`. */
export const SIZE_LIMIT: number = 1024 * 1024;

export interface Position {
  readonly line: number;
  readonly column: number;
}

export class Source {
  readonly file: string;
  readonly text: string;
  private readonly end: number;
  private readonly lineStarts: readonly number[];
  private last = { offset: 0, line: 1, column: 1 };

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.end = text.trimEnd().length;
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.lineStarts = starts;
  }

  /** The line an index into `text` is on. */
  lineAt(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  /** Line and column of an index into `text`. */
  position(offset: number): Position {
    const line = this.lineAt(offset);
    // Counted on from the last place when that is before on the same line: a file may be one long line.
    const { last } = this;
    const near = last.line === line && last.offset <= offset;
    const from = near ? last.offset : this.lineStarts[line - 1]!;
    const column = (near ? last.column : 1) + codePoints(this.text, from, offset);
    this.last = { offset, line, column };
    return { line, column };
  }

  /** Line `line`, counted from 1, without its end. */
  line(line: number): string {
    const text = this.text.slice(this.lineStarts[line - 1], this.lineStarts[line]);
    return text.replace(/\r?\n$/, "");
  }

  /** A problem at an index; at the end of the text it is shown after the last word, not on an empty line. */
  problem(offset: number, message: string, hint: string | null = null): Problem {
    const { line, column } = this.position(Math.min(offset, this.end));
    return { file: this.file, line, column, message, hint, sourceLine: this.line(line) };
  }
}

/** Characters in text[from..to): a surrogate pair is one. */
function codePoints(text: string, from: number, to: number): number {
  let count = to - from;
  for (let i = from; i + 1 < to; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) count--;
  }
  return count;
}

/** Decodes the bytes of krt.yaml. A byte order mark at the start is dropped; line ends may be LF or CRLF. */
export function decodeSource(file: string, bytes: Uint8Array): Source | Problem {
  if (bytes.length === 0) return fileProblem(file, "The file is empty");
  if (bytes.length > SIZE_LIMIT) {
    return fileProblem(
      file,
      `The file has more than ${SIZE_LIMIT} bytes`,
      "put routes in files of their own and name those under files:",
    );
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return fileProblem(file, "The file is UTF-16", "save it as UTF-8");
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return badUtf8(file, bytes);
  }
  const source = new Source(file, text);
  const control = CONTROL.exec(text);
  if (control === null) return source;
  const code = control[0].charCodeAt(0);
  const name =
    code === 0
      ? "a NUL character"
      : code === 13
        ? "a carriage return without a line feed"
        : "a control character";
  return source.problem(control.index, `The file holds ${name} (0x${code.toString(16).padStart(2, "0")})`);
}

// biome reads control characters in a pattern as a mistake: they are built here instead.
const CONTROL = new RegExp(
  `[${range(0, 8)}${range(11, 12)}${range(14, 31)}${String.fromCharCode(127)}]|\\r(?!\\n)`,
);

function range(from: number, to: number): string {
  return `\\x${from.toString(16).padStart(2, "0")}-\\x${to.toString(16).padStart(2, "0")}`;
}

/** Points at the first byte that is not UTF-8. */
function badUtf8(file: string, bytes: Uint8Array): Problem {
  // Lossy decoding marks the place; a genuine U+FFFD before it re-encodes to itself and is passed over.
  const text = new TextDecoder("utf-8").decode(bytes);
  const source = new Source(file, text);
  let at = text.indexOf("\ufffd");
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let byte = mark + Buffer.byteLength(text.slice(0, Math.max(at, 0)));
  while (at >= 0 && bytes[byte] === 0xef && bytes[byte + 1] === 0xbf && bytes[byte + 2] === 0xbd) {
    const next = text.indexOf("\ufffd", at + 1);
    byte += Buffer.byteLength(text.slice(at, next < 0 ? undefined : next));
    at = next;
  }
  const value = bytes[byte];
  return source.problem(
    Math.max(at, 0),
    `The file is not UTF-8${value === undefined ? "" : ` (byte 0x${value.toString(16).padStart(2, "0")})`}`,
    "save it as UTF-8",
  );
}
