/**
 * IPv6 merges gateway routes of one prefix and metric into one multipath route, whoever added them, and shows
 * the protocol of the first. So a route that shows all our nexthops and some more may carry somebody else's:
 * replacing it would harm them. The extra ones are deleted by their gateway and OUR protocol number, which the
 * kernel checks for each; what is still there afterwards is foreign, and stays.
 */

import { EEXIST } from "../../lib/errno.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_NEXTHOPS,
  ATTRS_TYPE,
  type AttrsDraft,
  NEXTHOP_DEVICE,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WORDS,
} from "../../nest/attrs-draft.ts";
import type { AttrsId } from "../../nest/route.ts";
import type { Failure } from "./retry.ts";
import { hasOnlyGateways } from "./write-batch.ts";

/** How a route fails that has extra nexthops still after they were to be deleted: they are not ours. */
export const FOREIGN_NEXTHOPS: Failure = {
  errno: EEXIST,
  message: "Somebody added nexthops to this route",
  class: "rival",
};

/**
 * Puts the nexthops that `shown` has beyond `wanted` into `extra` and returns true, if `shown` has all the wanted
 * ones and more, all with a gateway. Otherwise false, and `extra` means nothing.
 */
export function extraNexthops(
  attrs: AttrsTable,
  wanted: AttrsId,
  shown: AttrsDraft,
  extra: AttrsDraft,
): boolean {
  const { words } = attrs;
  const base = attrs.offset(wanted);
  const wantedCount = words[base + ATTRS_NEXTHOPS]!;
  const shownCount = shown.words[ATTRS_NEXTHOPS]!;
  if (shownCount <= wantedCount || !hasOnlyGateways(attrs, wanted)) return false;
  const found = new Set<number>();
  extra.reset(shown.words[ATTRS_TYPE]!);
  for (let i = 0; i < shownCount; i++) {
    const at = ATTRS_HEADER_WORDS + i * NEXTHOP_WORDS;
    if (shown.words[at + NEXTHOP_FAMILY] === 0) return false;
    let match = -1;
    for (let k = 0; k < wantedCount && match < 0; k++) {
      const other = base + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS;
      if (!found.has(k) && sameWay(words, other, shown.words, at)) match = k;
    }
    if (match >= 0) found.add(match);
    else addNexthop(extra, shown.words, at);
  }
  extra.finish();
  return found.size === wantedCount;
}

/** Whether a shown nexthop is the wanted one; a wanted device of 0 is any. Weights may differ. */
function sameWay(wanted: Int32Array, at: number, shown: Int32Array, from: number): boolean {
  for (let k = NEXTHOP_FAMILY; k < NEXTHOP_GATEWAY + 4; k++) {
    if (wanted[at + k] !== shown[from + k]) return false;
  }
  const device = wanted[at + NEXTHOP_DEVICE]!;
  return device === 0 || device === shown[from + NEXTHOP_DEVICE];
}

function addNexthop(draft: AttrsDraft, words: Int32Array, at: number): void {
  const gateway = at + NEXTHOP_GATEWAY;
  draft.addNexthop(
    words[at + NEXTHOP_FAMILY] === 4 ? 4 : 6,
    words[gateway]!,
    words[gateway + 1]!,
    words[gateway + 2]!,
    words[gateway + 3]!,
    words[at + NEXTHOP_DEVICE]!,
    1,
    words[at + NEXTHOP_FLAGS]!,
    0,
  );
}
