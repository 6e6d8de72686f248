/** What one route of ours is to what we want: the question of the scan, of `show kernel` and of `explain`. */

import type { NodeId } from "../../nest/route.ts";
import { INSTALLED } from "../../nest/sync-flags.ts";
import type { KernelRoute } from "../../sysdep/os.ts";
import type { SyncState } from "./sync-state.ts";
import { type Verdict, verdict } from "./verdict.ts";

/**
 * The verdict on one route of ours. `node` 0 and `flags` 0 when its prefix has none. Shared by the scan and by
 * `show kernel`, which passes only the flags that do not belong to a running scan.
 */
export function judgeOwn(
  state: SyncState,
  node: NodeId,
  flags: number,
  route: KernelRoute,
  ownProtocol: number,
): Verdict {
  if ((flags & INSTALLED) === 0) return verdict("ours", flags, false, false);
  const sameKey = state.wantedMetric(node) === route.metric;
  const equal =
    sameKey && route.protocol === ownProtocol && state.attrs.matches(state.wantedAttrs(node), route.attrs);
  return verdict("ours", flags, sameKey, equal);
}
