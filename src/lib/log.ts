/**
 * The log port: what any part of krtd may say, without knowing where it goes. Fields, not prose: the
 * message is a fixed sentence, what varies stands in `fields`. Levels mean: error = a person must act,
 * warn = will heal by itself, info = state change, debug = per route.
 */

export type LogLevel = "error" | "warn" | "info" | "debug";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** True when `level` would be written: guards the building of per-route fields. */
  enabled(level: LogLevel): boolean;
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log;
}

/** Says nothing. For tests and for parts run outside the daemon. */
export const silentLog: Log = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  enabled: () => false,
  child: () => silentLog,
};
