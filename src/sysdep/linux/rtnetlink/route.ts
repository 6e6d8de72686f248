/**
 * Route messages of rtnetlink: reading them in place (route-decode.ts) into one reused view, writing them
 * into a batch (route-encode.ts), and the request that dumps one table.
 */

import type { Family } from "../../../lib/ip.ts";
import { putU32 } from "../netlink/attribute.ts";
import { AF_INET, AF_INET6, RT_TABLE_COMPAT, RTA_TABLE, RTMSG_LENGTH } from "../netlink/constants.ts";

export { decodeRoute } from "./route-decode.ts";
export { type EncoderAttrs, RouteEncoder } from "./route-encode.ts";
export { RouteView } from "./route-view.ts";

/**
 * The payload of an RTM_GETROUTE dump of one table. A kernel with NETLINK_GET_STRICT_CHK filters by it, an
 * older one answers with every table of the family. Table 0 asks for all, protocol 0 for those of all.
 */
export function encodeRouteDumpFilter(family: Family, table: number, protocol = 0): Uint8Array {
  const bytes = new Uint8Array(RTMSG_LENGTH + 8);
  const view = new DataView(bytes.buffer);
  bytes[0] = family === 4 ? AF_INET : AF_INET6;
  bytes[4] = table > 255 ? RT_TABLE_COMPAT : table;
  bytes[5] = protocol;
  putU32(view, RTMSG_LENGTH, RTA_TABLE, table);
  return bytes;
}
