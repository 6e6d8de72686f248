/**
 * HOT PATH. The one route object that a scan or monitor fills again for every message (a flyweight): what
 * passes it on must say "valid during the call", as KernelRoute does.
 */

import type { Family } from "../../../lib/ip.ts";
import { AttrsDraft } from "../../../nest/attrs-draft.ts";
import type { KernelRoute } from "../../os.ts";

export class RouteView implements KernelRoute {
  family: Family = 4;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  length = 0;
  table = 0;
  protocol = 0;
  type = 0;
  scope = 0;
  tos = 0;
  metric = 0;
  rtmFlags = 0;
  /** rtm_src_len: not 0 for IPv6 routes that only serve some sources. They have the same prefix as others but
   *  are no routes of krtd's kind, and their attributes are marked opaque. */
  sourceLength = 0;
  readonly attrs: AttrsDraft = new AttrsDraft();
}
