/**
 * The log of the running process: the Log port on pino. pino makes each record a line of JSON; that is the
 * "json" format, and the others are read back from it, so that all formats show the same facts. The level is
 * shared by a log and its children and can be changed while they run.
 *
 * "auto" is: journal when stderr is the stream systemd connected to the journal (JOURNAL_STREAM names its
 * device and inode), pretty on a terminal, JSON otherwise.
 */

import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { type Logger, pino, stdTimeFunctions } from "pino";
import type { Log, LogFields, LogLevel } from "./log.ts";
import { LogSink, nonBlocking } from "./log-sink.ts";
import { escapeUnsafe, formatJournal, formatPretty } from "./log-text.ts";

export type LogFormat = "auto" | "journal" | "pretty" | "json";

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where to write. Default 2, stderr: stdout belongs to answers (--check, --version). */
  readonly fd?: number;
  /** Default process.env. Read: JOURNAL_STREAM, NO_COLOR. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface ProcessLog extends Log {
  /** For this log and all its children, from now on. */
  setLevel(level: LogLevel): void;
  /** Lines that could not be written. */
  readonly lost: number;
}

const RANK: Readonly<Record<LogLevel, number>> = { error: 3, warn: 2, info: 1, debug: 0 };

/** Keys of the record itself; a field of that name gets a trailing underscore. */
const RESERVED: ReadonlySet<string> = new Set(["level", "time", "message"]);

/** Opens the log. Writes nothing by itself and never throws later on. */
export function createLog(options: LogOptions): ProcessLog {
  const env = options.env ?? process.env;
  const fd = options.fd ?? 2;
  const format = options.format === "auto" ? detectFormat(fd, env) : options.format;
  const colour = isatty(fd) && !env["NO_COLOR"];
  const render = (json: string): string => renderLine(json, format, colour);
  const sink = new LogSink(nonBlocking(fd), (count) => render(lostRecord(count)));
  const logger = pino(
    {
      level: "debug",
      base: null,
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json: string) => sink.write(render(json)) },
  );
  const shared = { level: options.level };
  return {
    ...wrap(logger, shared),
    setLevel(level) {
      shared.level = level;
    },
    get lost() {
      return sink.lost;
    },
  };
}

/** What "auto" means for this descriptor. An unreadable descriptor gets JSON. */
export function detectFormat(
  fd: number,
  env: Readonly<Record<string, string | undefined>>,
): Exclude<LogFormat, "auto"> {
  const journal = env["JOURNAL_STREAM"];
  if (journal !== undefined) {
    try {
      const { dev, ino } = fstatSync(fd, { bigint: true });
      if (journal === `${dev}:${ino}`) return "journal";
    } catch {
      return "json";
    }
  }
  return isatty(fd) ? "pretty" : "json";
}

/**
 * Keeps the process alive when its standard streams break: without a listener, one EPIPE on process.stdout or
 * process.stderr (a closed pager, a full disk) ends Node.
 */
export function guardStandardStreams(): void {
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
}

function wrap(logger: Logger, shared: { level: LogLevel }): Log {
  const enabled = (level: LogLevel): boolean => RANK[level] >= RANK[shared.level];
  const write = (level: LogLevel, message: string, fields: LogFields): void => {
    if (enabled(level)) logger[level](plainFields(fields), message);
  };
  return {
    error: (message, fields = {}) => write("error", message, fields),
    warn: (message, fields = {}) => write("warn", message, fields),
    info: (message, fields = {}) => write("info", message, fields),
    debug: (message, fields = {}) => write("debug", message, fields),
    enabled,
    child: (fields) => wrap(logger.child(plainFields(fields)), shared),
  };
}

/** Fields as JSON values. An Error becomes its message, with its code, hint and (for a bug) stack beside it. */
function plainFields(fields: LogFields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    const name = RESERVED.has(key) ? `${key}_` : key;
    if (value instanceof Error) addError(plain, name, value);
    else if (value !== undefined) plain[name] = plainValue(value);
  }
  return plain;
}

function addError(plain: Record<string, unknown>, name: string, error: Error): void {
  plain[name] = error.message;
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  if (typeof code === "string") plain[`${name}-code`] = code;
  if (typeof hint === "string") plain[`${name}-hint`] = hint;
  // Errors with a code are answers of the world; one without is a bug, and its stack says where.
  if (typeof code !== "string" && error.stack !== undefined) plain[`${name}-stack`] = error.stack;
  if (error.cause instanceof Error) addError(plain, `${name}-cause`, error.cause);
}

function plainValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value === "bigint" ? String(value) : value;
  try {
    const text = JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "bigint" ? String(part) : part,
    );
    return text === undefined ? null : (JSON.parse(text) as unknown);
  } catch {
    return "[not representable]";
  }
}

function renderLine(json: string, format: Exclude<LogFormat, "auto">, colour: boolean): string {
  const line = json.trimEnd();
  // In JSON an unsafe character can only stand inside a string, where its escape means the same.
  if (format === "json") return escapeUnsafe(line);
  const { level, time, message, ...fields } = JSON.parse(line) as {
    level: LogLevel;
    time: string;
    message: string;
  };
  const record = { level, time: Date.parse(time), message, fields };
  return format === "journal" ? formatJournal(record) : formatPretty(record, colour);
}

function lostRecord(count: number): string {
  const time = new Date().toISOString();
  return JSON.stringify({ level: "warn", time, message: "Log lines were lost", lines: count });
}
