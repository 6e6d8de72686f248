/** A line of `ip -tshort monitor`, with the time when that heard of the change. */
export interface TimedLine {
  /** Wall clock, ms, with three decimals. */
  readonly atMs: number;
  readonly line: string;
}

/** "[2026-11-21T10:44:37.240592] unicast …": Date has no microseconds. Null: no such line. */
export function parseTimedLine(text: string): TimedLine | null {
  const [, toSecond, micros, line] = /^\[(\S+)\.(\d{6})\] (.*)$/s.exec(text) ?? [];
  if (toSecond === undefined || line === undefined) return null;
  return { atMs: Date.parse(toSecond) + Number(micros) / 1000, line };
}
