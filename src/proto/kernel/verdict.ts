/**
 * HOT PATH. The heart: what one route of the kernel means to us. Pure functions of the route, our node's
 * flags and what we want; the daemon, `show kernel` and `explain` all ask here, so there is no second copy
 * of the rules. Deciding is here, acting in prune.ts and export.ts, reporting in kernel.ts.
 */

import type { KernelRouteClass } from "../../nest/protocol.ts";
import { DIRTY, INSTALLED, VERDICT_CREATE, VERDICT_MASK } from "../../nest/sync-flags.ts";

/** linux/rtnetlink.h: RTPROT_* and RTN_* that decide the class of a route. */
const RTPROT_UNSPEC = 0;
const RTPROT_REDIRECT = 1;
const RTPROT_KERNEL = 2;
const RT_TABLE_LOCAL = 255;
/** Where the kernel keeps the routes of its own interfaces. */
export const RT_TABLE_MAIN = 254;
const RTM_F_CLONED = 0x200;
const RTN_UNICAST = 1;
const RTN_BLACKHOLE = 6;
const RTN_THROW = 9;

/**
 * Whose route it is. Skipped are routes outside krtd's world: no protocol, cached clones, the local table,
 * types that are not forwarding decisions, and routes for one type of service. `ours`: 1 for every protocol number that
 * is ours, now or formerly.
 */
export function classify(
  protocol: number,
  type: number,
  tos: number,
  table: number,
  rtmFlags: number,
  ours: Uint8Array,
): KernelRouteClass {
  if (protocol === RTPROT_UNSPEC || tos !== 0 || table === RT_TABLE_LOCAL) return "skipped";
  if ((rtmFlags & RTM_F_CLONED) !== 0) return "skipped";
  if (type !== RTN_UNICAST && (type < RTN_BLACKHOLE || type > RTN_THROW)) return "skipped";
  if (ours[protocol] === 1) return "ours";
  if (protocol === RTPROT_REDIRECT) return "redirect";
  return protocol === RTPROT_KERNEL ? "kernel" : "alien";
}

/** The table that classify() asks: our protocol number and those krtd had before. */
export function ownNumbers(protocolId: number, former: readonly number[]): Uint8Array {
  const ours = new Uint8Array(256);
  for (const number of [protocolId, ...former]) ours[number] = 1;
  return ours;
}

/**
 * - ignore: not ours to judge; sets no verdict
 * - learn: an alien route, for the learner if there is one; sets no verdict
 * - changed: we changed the node since the scan began, the next scan judges
 * - seen: as wanted
 * - update: at the wanted key, but different: replace it
 * - delete: ours and not wanted (any more), or at a key (metric) not wanted: delete by its exact key
 * - duplicate: a second route of ours at the key just judged: only one may stay
 */
export type Verdict = "ignore" | "learn" | "changed" | "seen" | "update" | "delete" | "duplicate";

/**
 * Judges one dumped route. `flags` are the node's (0 without a node). `sameKey`: it has the metric we want it
 * to have. `equal`: it equals what we want in every attribute we set. The last two matter only for a route of
 * ours on an INSTALLED node.
 */
export function verdict(
  routeClass: KernelRouteClass,
  flags: number,
  sameKey: boolean,
  equal: boolean,
): Verdict {
  if (routeClass === "alien") return "learn";
  if (routeClass !== "ours") return "ignore";
  if ((flags & DIRTY) !== 0) return "changed";
  if ((flags & INSTALLED) === 0 || !sameKey) return "delete";
  if ((flags & VERDICT_MASK) !== VERDICT_CREATE) return "duplicate";
  return equal ? "seen" : "update";
}
