/**
 * A rival: the foreign route that stands at a key we want. The scan keeps it packed in a number, since another
 * daemon with our metric can make a million of them; words are made only when somebody asks.
 */

import { type NodeId, routeTypeName } from "../../nest/route.ts";
import type { SyncState } from "./sync-state.ts";

/** rtm_protocol numbers worth a name (linux/rtnetlink.h). */
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: "redirect",
  2: "kernel",
  3: "boot",
  4: "static",
  9: "ra",
  11: "zebra",
  12: "bird",
  16: "dhcp",
  18: "keepalived",
  186: "bgp",
  188: "ospf",
};

/** What a route fails with when a foreign one holds its key. */
export const KEY_TAKEN = "Another route holds this key";

export function packRival(protocol: number, type: number): number {
  return (type << 8) | protocol;
}

/** "unicast 192.0.2.0/24 proto static metric 32", or null when the last scan saw no rival of the net. */
export function describeRival(state: SyncState, node: NodeId): string | null {
  const packed = state.rivals.get(node);
  if (packed === undefined) return null;
  const type = routeTypeName(packed >> 8) ?? `type ${packed >> 8}`;
  const protocol = PROTOCOL_NAMES[packed & 0xff] ?? String(packed & 0xff);
  return `${type} ${state.table.fib.formatNode(node)} proto ${protocol} metric ${state.wantedMetric(node)}`;
}
