/** What went wrong on the wire, counted since the transport was opened; shared by its channels. */

import type { NetlinkCounters } from "../../os.ts";

export type WireCounters = Omit<NetlinkCounters, "routeWrites">;

export class MutableWireCounters implements WireCounters {
  overruns = 0;
  truncated = 0;
  forged = 0;
  malformed = 0;
}
