/**
 * How one log record looks as a line. Everything that came from outside (interface names are any bytes, error
 * texts may quote them) is escaped here, so that no line can be broken in two, no terminal can be driven and
 * no journal priority can be forged by a name. Pure: pino-log.ts feeds it, log-sink.ts writes what it returns.
 */

import type { LogLevel } from "./log.ts";

/** One record, already reduced to JSON values. */
export interface LogRecord {
  readonly level: LogLevel;
  /** Wall clock, ms since the epoch. */
  readonly time: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** sd-daemon(3): SD_ERR, SD_WARNING, SD_INFO, SD_DEBUG. */
const JOURNAL_PRIORITY: Readonly<Record<LogLevel, string>> = {
  error: "<3>",
  warn: "<4>",
  info: "<6>",
  debug: "<7>",
};

const COLOUR: Readonly<Record<LogLevel, string>> = { error: "31", warn: "33", info: "36", debug: "90" };

/** C0 and C1 controls, and the Unicode that moves, hides or reorders text: bidi and zero-width marks, tags, line separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Makes any text safe inside one line: unsafe characters become `\uXXXX`. Backslashes stay, so it is not reversible. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (unsafe) =>
    unsafe.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
}

/** `key=value`, the value quoted as a JSON string unless it is one plain word. */
export function formatField(key: string, value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const bare = typeof value === "string" ? /^[\w.:/@%+,-]+$/.test(text) : !text.includes(" ");
  return `${escapeUnsafe(key)}=${escapeUnsafe(bare ? text : JSON.stringify(text))}`;
}

/** For journald: a priority prefix, then message and fields. The journal adds the time itself. No newline at the end. */
export function formatJournal(record: LogRecord): string {
  return `${JOURNAL_PRIORITY[record.level]}${body(record)}`;
}

/** For a person at a terminal: local time of day, level, message, fields. No newline at the end. */
export function formatPretty(record: LogRecord, colour: boolean): string {
  const at = new Date(record.time);
  const two = (part: number): string => String(part).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const level = record.level.toUpperCase().padEnd(5);
  if (!colour) return `${time} ${level} ${body(record)}`;
  return `\u001b[90m${time}\u001b[0m \u001b[${COLOUR[record.level]}m${level}\u001b[0m ${body(record)}`;
}

function body({ message, fields }: LogRecord): string {
  const rest = Object.entries(fields).map(([key, value]) => formatField(key, value));
  return [escapeUnsafe(message), ...rest].join(" ");
}
