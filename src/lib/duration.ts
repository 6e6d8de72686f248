/**
 * Durations as people write them in krt.yaml: `500ms`, `10s`, `2m`, `1h`, `1d`; a bare number is seconds.
 * Whole numbers only, so that what is written back reads the same.
 */

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest duration a timer of Node can wait; longer ones would fire at once. */
export const MAX_DURATION_MS = 0x7fffffff;

/** Milliseconds (0 to MAX_DURATION_MS), or null when `value` is not a duration. Never throws. */
export function parseDuration(value: string | number): number | null {
  if (typeof value === "number") return inRange(value * UNITS.s);
  const match = /^([0-9]{1,10})(ms|s|m|h|d)?$/.exec(value);
  if (match === null) return null;
  const unit = (match[2] ?? "s") as keyof typeof UNITS;
  return inRange(Number(match[1]) * UNITS[unit]);
}

function inRange(ms: number): number | null {
  return Number.isInteger(ms) && ms >= 0 && ms <= MAX_DURATION_MS ? ms : null;
}

/** The shortest spelling without a fraction: 120000 → "2m". Takes whole, non-negative milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const unit of ["d", "h", "m", "s"] as const)
    if (ms % UNITS[unit] === 0) return `${ms / UNITS[unit]}${unit}`;
  return `${ms}ms`;
}
