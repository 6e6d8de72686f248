/** Measured figures of a live test, for whoever reads its output: the test itself asserts only what a busy machine keeps. */

/** "repair of IPv4 routes: 12 times, median 0.9 ms, longest 3.1 ms". Returns the median. */
export function printTimes(what: string, timesMs: readonly number[]): number {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? Number.NaN;
  const longest = sorted.at(-1) ?? Number.NaN;
  printFigure(
    `${what}: ${sorted.length} times, median ${median.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`,
  );
  return median;
}

export function printFigure(text: string): void {
  process.stdout.write(`      ${text}\n`);
}
