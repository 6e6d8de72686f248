/**
 * HOT PATH. Which of two routes of a net is better. A total order over the routes of a net, since a net has
 * at most one route per source: the result never depends on the order of arrival.
 *
 *   1. higher preference   2. lower metric, not set (0) first   3. lower source id
 */

/** True when route a is better than route b. Never true both ways; neither is true only for the same source. */
export function isBetter(
  preferenceA: number,
  metricA: number,
  sourceA: number,
  preferenceB: number,
  metricB: number,
  sourceB: number,
): boolean {
  if (preferenceA !== preferenceB) return preferenceA > preferenceB;
  if (metricA !== metricB) return metricA < metricB;
  return sourceA < sourceB;
}
