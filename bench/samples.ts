/** What was measured: any number of values for each key, one or more a round. */

export class Samples {
  private readonly values = new Map<string, number[]>();

  add(key: string, value: number): void {
    const known = this.values.get(key);
    if (known === undefined) this.values.set(key, [value]);
    else known.push(value);
  }

  /** In the order they came; empty for an unknown key. */
  of(key: string): readonly number[] {
    return this.values.get(key) ?? [];
  }

  /** Null when there is no value. */
  median(key: string): number | null {
    return quantile(this.of(key), 0.5);
  }

  all(): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries(this.values);
  }
}

/** Nearest rank above; the median of an even number is the mean of the middle two. Null for no values. */
export function quantile(values: readonly number[], q: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  if (q === 0.5 && sorted.length % 2 === 0) {
    return (sorted[sorted.length / 2 - 1]! + sorted[sorted.length / 2]!) / 2;
  }
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}
