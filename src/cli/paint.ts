/** Colours, or none: every part of the text side asks here, so that "no colour" means no escape sequence at all. */

import type { CliIo } from "./io.ts";
import type { ColorMode } from "./options.ts";

export interface Paint {
  good(text: string): string;
  attention(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
  strong(text: string): string;
}

const plain = (text: string): string => text;

export const NO_PAINT: Paint = { good: plain, attention: plain, bad: plain, dim: plain, strong: plain };

function sgr(code: number): (text: string) => string {
  return (text) => (text === "" ? "" : `\x1b[${code}m${text}\x1b[0m`);
}

const COLOURS: Paint = { good: sgr(32), attention: sgr(33), bad: sgr(31), dim: sgr(2), strong: sgr(1) };

/** auto: colours on a terminal unless NO_COLOR is set (no-color.org) or the terminal is dumb. */
export function choosePaint(mode: ColorMode, io: CliIo): Paint {
  if (mode === "never") return NO_PAINT;
  if (mode === "always") return COLOURS;
  const refused = (io.env["NO_COLOR"] ?? "") !== "" || io.env["TERM"] === "dumb";
  return io.stdout.isTTY === true && !refused ? COLOURS : NO_PAINT;
}
