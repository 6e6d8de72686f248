/**
 * RTA_METRICS of a request as the kernel takes them: a value of 0 is none, some values are cut, and what it does
 * not know it refuses, before it looks at the nexthops. The list is in nest/attrs-match.ts.
 */

import { congestionName } from "../../lib/congestion-names.ts";
import { EINVAL } from "../../lib/errno.ts";
import { type Answer, NO_METRICS, refuse } from "./route.ts";

/** linux/rtnetlink.h: RTAX_* */
const RTAX_FEATURES = 12;
const RTAX_CC_ALGO = 16;
/** mtu, advmss and hoplimit. */
const LARGEST: ReadonlyMap<number, number> = new Map([
  [2, 65520],
  [8, 65495],
  [10, 255],
]);
/** RTAX_FEATURE_*: five bits. */
const KNOWN_FEATURES = 0x1f;
/** Those every kernel has. */
const ALGORITHMS: readonly (string | null)[] = ["reno", "cubic"];

/** What the kernel keeps of the metrics, or why it refuses the route. */
export function takeMetrics(
  wanted: ReadonlyMap<number, number> | undefined,
): ReadonlyMap<number, number> | Answer {
  if (wanted === undefined || wanted.size === 0) return NO_METRICS;
  const kept = new Map<number, number>();
  for (const [rtax, value] of wanted) {
    if (value === 0) continue;
    if (rtax === RTAX_CC_ALGO && !ALGORITHMS.includes(congestionName(value))) {
      return refuse(EINVAL, "Unknown tcp congestion algorithm");
    }
    if (rtax === RTAX_FEATURES && (value & ~KNOWN_FEATURES) !== 0) {
      return refuse(EINVAL, "Unknown flag set in feature mask in metrics attribute");
    }
    kept.set(rtax, Math.min(value >>> 0, LARGEST.get(rtax) ?? 0xffff_ffff));
  }
  return kept;
}
