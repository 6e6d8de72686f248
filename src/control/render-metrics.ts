/**
 * The kernel's metrics of a route (RTAX_*) as JSON: names and units are iproute2's, so rtt and rttvar, which the
 * kernel counts in eighths and quarters, are milliseconds; features and locks are names instead of bits.
 */

import { jsonText } from "../lib/ascii-json.ts";
import { congestionName } from "../lib/congestion-names.ts";

/** linux/rtnetlink.h: RTAX_* */
const RTAX_LOCK = 1;
const RTAX_MTU = 2;
const RTAX_RTT = 4;
const RTAX_RTTVAR = 5;
const RTAX_FEATURES = 12;
const RTAX_CC_ALGO = 16;

/** By RTAX_* number. */
const NAMES: readonly (string | undefined)[] = [
  undefined,
  "lock",
  "mtu",
  "window",
  "rtt",
  "rttvar",
  "ssthresh",
  "cwnd",
  "advmss",
  "reordering",
  "hoplimit",
  "initcwnd",
  "features",
  "rto_min",
  "initrwnd",
  "quickack",
  "congctl",
  "fastopen_no_cookie",
];

/** linux/rtnetlink.h: RTAX_FEATURE_*, by bit. */
const FEATURES: readonly string[] = ["ecn", "sack", "timestamp", "allfrag", "tcp_usec_ts"];

/** `,"mtu":1400,"metrics":{"advmss":1360,"lock":["mtu"]}`; "" when there are none. */
export function metricsText(metrics: ReadonlyMap<number, number>): string {
  if (metrics.size === 0) return "";
  let text = "";
  let rest = "";
  for (const [rtax, value] of metrics) {
    if (rtax === RTAX_MTU) text = `,"mtu":${value >>> 0}`;
    else rest += `,"${metricName(rtax)}":${valueText(rtax, value)}`;
  }
  return rest === "" ? text : `${text},"metrics":{${rest.slice(1)}}`;
}

function metricName(rtax: number): string {
  return NAMES[rtax] ?? `rtax${rtax}`;
}

function valueText(rtax: number, value: number): string {
  switch (rtax) {
    case RTAX_LOCK:
      return namesText(value, metricName);
    case RTAX_RTT:
      return String((value >>> 0) / 8);
    case RTAX_RTTVAR:
      return String((value >>> 0) / 4);
    case RTAX_FEATURES:
      return namesText(value, (bit) => FEATURES[bit] ?? `feature${bit}`);
    case RTAX_CC_ALGO:
      return jsonText(congestionName(value) ?? String(value));
    default:
      return String(value >>> 0);
  }
}

/** The names of the bits that are set. */
function namesText(bits: number, name: (bit: number) => string): string {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) if ((bits & (1 << bit)) !== 0) names.push(name(bit));
  return JSON.stringify(names);
}
