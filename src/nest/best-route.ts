/**
 * HOT PATH. Which of two routes of a net is better. A total order over the routes of a net, since a net has
 * at most one route per source: the result never depends on the order of arrival, of routes or of their sources. A
 * daemon that came to its configuration step by step prefers what one that starts with it does.
 *
 *   1. higher preference   2. lower metric, not set (0) first   3. lower rank of the source: what was announced here
 *   before what came over a pipe (two tables that prefer each other's routes could rest in two ways), then by name
 */

/**
 * True when route a is better than route b; the ranks are those of their sources. Never true both ways; neither
 * is true only for the same source.
 */
export function isBetter(
  preferenceA: number,
  metricA: number,
  rankA: number,
  preferenceB: number,
  metricB: number,
  rankB: number,
): boolean {
  if (preferenceA !== preferenceB) return preferenceA > preferenceB;
  if (metricA !== metricB) return metricA < metricB;
  return rankA < rankB;
}
