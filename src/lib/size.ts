/** Sizes as people write them in krt.yaml: `16MiB`, `64KiB`, `1GiB`, `512B`; a bare number is bytes. */

const UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Bytes (0 to 2^53 - 1), or null when `value` is not a size. Never throws. */
export function parseSize(value: string | number): number | null {
  if (typeof value === "number") return inRange(value);
  const match = /^([0-9]{1,16})(B|KiB|MiB|GiB)?$/.exec(value);
  if (match === null) return null;
  const unit = (match[2] ?? "B") as keyof typeof UNITS;
  return inRange(Number(match[1]) * UNITS[unit]);
}

function inRange(bytes: number): number | null {
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null;
}

/** The shortest spelling without a fraction: 65536 → "64KiB". Takes whole, non-negative bytes. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return "0B";
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    if (bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}`;
  }
  return `${bytes}B`;
}
