/**
 * Routes, times and lists as words for the sentences of explain and diff. They are made from the JSON that the same
 * answer carries, so that the words and the keys never tell two things.
 */

import { errnoName } from "../lib/errno.ts";
import { kernelTableName } from "../lib/kernel-names.ts";
import type { KernelFacet, KernelRouteStatus } from "../nest/protocol.ts";
import type { KernelRouteJson } from "./json.ts";
import { attrsText, hopText, nexthopText } from "./route-words.ts";

/** The daemon counts no further. */
const MOST_ATTEMPTS = 255;

/** `203.0.113.0/24 via 192.0.2.1 dev eth0 proto static metric 32`: what tells it from other routes. */
export function kernelRouteWords(route: KernelRouteJson): string {
  return `${destinationWords(route)} proto ${route.protocol}${metricWords(route.metric)}`;
}

/** The same with all that it says: `… proto krtd src 192.0.2.10 metric 32 mtu lock 1400`. */
export function wholeKernelRouteWords(route: KernelRouteJson): string {
  const scope = route.scope === "global" ? "" : ` scope ${route.scope}`;
  const attrs = attrsText(route);
  return `${destinationWords(route)} proto ${route.protocol}${scope}${attrs === "" ? "" : ` ${attrs}`}`;
}

function destinationWords(route: KernelRouteJson): string {
  if (route.type !== "unicast") return `${route.type} ${route.dst}`;
  const way = route.nexthops === undefined ? hopText(route) : route.nexthops.map(nexthopText).join(" ");
  return `${route.dst} ${way}`;
}

/** ` metric 32`; IPv6 has no other, IPv4 may have none. */
function metricWords(metric: number | undefined): string {
  return metric === undefined ? "" : ` metric ${metric}`;
}

/** "main (254)", or the number alone. */
export function kernelTableWords(table: number): string {
  const name = kernelTableName(table);
  return name === null ? String(table) : `${name} (${table})`;
}

/** `Network is unreachable (ENETUNREACH), 3 attempts`; null when no write has failed. */
export function failureWords({ errno, message, attempts }: KernelRouteStatus): string | null {
  if (errno === null) return null;
  const count = attempts === MOST_ATTEMPTS ? `${MOST_ATTEMPTS} or more` : String(attempts);
  const tries = attempts > 1 ? `, ${count} attempts` : "";
  return `${message === null ? errnoName(errno) : `${message} (${errnoName(errno)})`}${tries}`;
}

/** "2026-11-21T02:00:00.000Z". */
export function timeWords(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** "a", "a and b", "a, b and c". */
export function listWords(words: readonly string[]): string {
  const last = words.at(-1);
  if (last === undefined) return "";
  return words.length === 1 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}

/** Why a wanted route is not in the kernel, as far as its state tells; null when it is settled. */
export function standingWords(
  status: KernelRouteStatus,
  writing: boolean,
  facet: KernelFacet,
): string | null {
  const { state, message, nextRetryAt } = status;
  const failure = failureWords(status);
  const next = nextRetryAt === null ? "" : `, next try at ${timeWords(nextRetryAt)}`;
  switch (state) {
    case "synced":
      return null;
    case "waiting":
      return `${failure ?? "not possible now"}; tried again when an interface, an address or a route changes`;
    case "failed":
      return `${failure ?? message ?? "failed"}${next}`;
    case "contested":
      return `${message ?? "others keep changing it"}${next}`;
    default:
      return failure === null ? (message ?? pendingWords(writing, facet)) : `${failure}${next}`;
  }
}

/** Why a route without any trouble is not there yet. */
export function pendingWords(writing: boolean, facet: KernelFacet): string {
  if (writing) return "being written";
  if (facet.report().scan.lastAt === null) return "nothing is written before the first complete scan";
  return "it waits for the next scan";
}
