/** Builds finished attribute drafts from readable descriptions, for tests. */

import { parseIp } from "../../src/lib/ip.ts";
import { AttrsDraft, RTNH_F_ONLINK } from "../../src/nest/attrs-draft.ts";
import { ROUTE_TYPE_NUMBERS, type RouteType } from "../../src/nest/route.ts";

export interface NexthopText {
  readonly via?: string;
  readonly device?: number;
  readonly weight?: number;
  readonly onlink?: boolean;
  readonly encap?: number;
}

export interface AttrsText {
  readonly type?: RouteType;
  readonly nexthops?: readonly NexthopText[];
  readonly scope?: number;
  readonly prefsrc?: string;
  readonly metrics?: Readonly<Record<number, number>>;
  readonly flow?: number;
  readonly opaque?: number;
}

/** A finished draft. `reuse` is overwritten, as a codec does with its one draft. */
export function draftOf(attrs: AttrsText, reuse?: AttrsDraft): AttrsDraft {
  const draft = reuse ?? new AttrsDraft();
  draft.reset(ROUTE_TYPE_NUMBERS[attrs.type ?? "unicast"]);
  for (const hop of attrs.nexthops ?? []) {
    const via = hop.via === undefined ? null : ip(hop.via);
    draft.addNexthop(
      via?.family ?? 0,
      via?.w0 ?? 0,
      via?.w1 ?? 0,
      via?.w2 ?? 0,
      via?.w3 ?? 0,
      hop.device ?? 0,
      hop.weight ?? 1,
      hop.onlink === true ? RTNH_F_ONLINK : 0,
      hop.encap ?? 0,
    );
  }
  if (attrs.scope !== undefined) draft.setScope(attrs.scope);
  if (attrs.prefsrc !== undefined) {
    const { w0, w1, w2, w3 } = ip(attrs.prefsrc);
    draft.setPrefsrc(w0, w1, w2, w3);
  }
  for (const [rtax, value] of Object.entries(attrs.metrics ?? {})) draft.setMetric(Number(rtax), value);
  if (attrs.flow !== undefined) draft.setFlow(attrs.flow);
  if (attrs.opaque !== undefined) draft.markOpaque(attrs.opaque);
  draft.finish();
  return draft;
}

function ip(text: string): NonNullable<ReturnType<typeof parseIp>> {
  const address = parseIp(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}
