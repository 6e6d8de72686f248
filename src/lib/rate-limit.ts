/**
 * A log that cannot be flooded: of each message (they are fixed sentences) only so many a window get through,
 * the rest are counted, and the count is told when the window is over and anything is logged again. For
 * messages about single routes, of which one broken gateway can cause a million. debug is asked for and
 * passes unlimited.
 */

import type { Clock } from "./clock.ts";
import type { Log, LogFields, LogLevel } from "./log.ts";

export interface RateLimit {
  /** Lines of one message a window, ≥ 1. */
  readonly burst: number;
  /** Length of a window in ms. */
  readonly windowMs: number;
}

interface Window {
  readonly level: LogLevel;
  readonly until: number;
  passed: number;
  suppressed: number;
}

/** `log` with the limit put before it. Children count their messages together with it. */
export function rateLimited(log: Log, clock: Clock, limit: RateLimit): Log {
  return wrap(log, log, clock, limit, new Map());
}

function wrap(root: Log, log: Log, clock: Clock, limit: RateLimit, windows: Map<string, Window>): Log {
  const write = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (!log.enabled(level)) return;
    closeWindows(root, windows, clock.now());
    let window = windows.get(message);
    if (window === undefined) {
      window = { level, until: clock.now() + limit.windowMs, passed: 0, suppressed: 0 };
      windows.set(message, window);
    }
    if (window.passed < limit.burst) {
      window.passed++;
      log[level](message, fields);
    } else {
      window.suppressed++;
    }
  };
  return {
    error: (message, fields) => write("error", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    info: (message, fields) => write("info", message, fields),
    debug: (message, fields) => log.debug(message, fields),
    enabled: (level) => log.enabled(level),
    child: (fields) => wrap(root, log.child(fields), clock, limit, windows),
  };
}

/** Maps keep their order of insertion and all windows are equally long: the oldest end first. */
function closeWindows(root: Log, windows: Map<string, Window>, now: number): void {
  for (const [message, window] of windows) {
    if (window.until > now) return;
    windows.delete(message);
    if (window.suppressed > 0) {
      root[window.level]("Similar messages were left out", { similar: message, count: window.suppressed });
    }
  }
}
