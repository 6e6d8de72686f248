/**
 * HOT PATH. Reads the routes of one kernel table. The kernel filters by table when it can (strict checking);
 * every route is filtered again here, so that an older kernel, or a transport without strict checking, gives
 * the same answer by way of a dump of the whole family.
 */

import { EINVAL, ENOENT, EOPNOTSUPP } from "../../lib/errno.ts";
import type { Family } from "../../lib/ip.ts";
import type { RouteQuery, RouteSink, ScanOutcome } from "../os.ts";
import { NLA_HDRLEN, RTA_DST, RTM_GETROUTE, RTM_NEWROUTE, RTMSG_LENGTH } from "./netlink/constants.ts";
import type { DumpReply, NetlinkTransport } from "./netlink/transport.ts";
import { decodeRoute, encodeRouteDumpFilter, RouteView } from "./rtnetlink/route.ts";

/** Bytes of a 32-bit attribute. */
const RTA_TABLE_SIZE = 8;

export class RouteScanner {
  /** Messages that could not be decoded, since the scanner was made. */
  malformed = 0;
  private readonly transport: NetlinkTransport;

  constructor(transport: NetlinkTransport) {
    this.transport = transport;
  }

  /** Hands each route of the table to `sink` in one reused view. Rejects only with what the sink threw. */
  async scan(query: RouteQuery, sink: RouteSink): Promise<ScanOutcome> {
    const filtered = encodeRouteDumpFilter(query.family, query.table, query.protocol);
    const first = await this.run(query, filtered, sink);
    if (!refusesFilter(first.reply)) return first.outcome;
    return (await this.run(query, withoutFilter(filtered), sink)).outcome;
  }

  private async run(
    query: RouteQuery,
    payload: Uint8Array,
    sink: RouteSink,
  ): Promise<{ readonly reply: DumpReply; readonly outcome: ScanOutcome }> {
    // A view of its own: a scan of another table may be queued behind this one.
    const view = new RouteView();
    const { family, table, protocol } = query;
    let undecoded = 0;
    const reply = await this.transport.dump(
      { type: RTM_GETROUTE, payload },
      (bytes, data, start, end, type) => {
        if (type !== RTM_NEWROUTE) return;
        if (!decodeRoute(bytes, data, start, end, view)) undecoded++;
        // Routes for certain sources (ip -6 route … from …) have a key of their own, which krtd has no name for.
        else if (view.table === table && view.family === family && view.sourceLength === 0) {
          if (protocol === undefined || view.protocol === protocol) sink.route(view);
        }
      },
      sink.ahead === undefined
        ? undefined
        : (data, start, end, type) => {
            if (type === RTM_NEWROUTE) showPrefix(data, start, end, family, sink);
          },
    );
    this.malformed += undecoded;
    return { reply, outcome: outcomeOf(reply, undecoded) };
  }
}

/** What a dump means for a scan. A route that could not be read might be any: the scan then proves nothing. */
export function outcomeOf(reply: DumpReply, undecoded: number): ScanOutcome {
  const { messages } = reply;
  // DONE with ENOENT: the table does not exist, that is, it is empty.
  if (reply.errno === ENOENT && messages === 0 && !reply.interrupted) {
    return { complete: true, reason: null, messages };
  }
  if (!reply.complete) return { complete: false, reason: reply.reason, messages };
  if (undecoded > 0) {
    return { complete: false, reason: `${undecoded} messages could not be decoded`, messages };
  }
  return { complete: true, reason: null, messages };
}

function refusesFilter(reply: DumpReply): boolean {
  return reply.messages === 0 && (reply.errno === EINVAL || reply.errno === EOPNOTSUPP);
}

/** The bare rtmsg with nothing but the family. */
function withoutFilter(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(RTMSG_LENGTH);
  bytes[0] = payload[0]!;
  return bytes;
}

/**
 * Finds the prefix of a route where the kernel writes it: right after RTA_TABLE. Elsewhere it is not looked for. A
 * default route has none.
 */
function showPrefix(data: DataView, start: number, end: number, family: Family, sink: RouteSink): void {
  const at = start + RTMSG_LENGTH + RTA_TABLE_SIZE;
  const words = family === 4 ? 1 : 4;
  const length = data.getUint8(start + 1);
  if (length === 0) {
    sink.ahead?.(0, 0, 0, 0, 0);
    return;
  }
  if (at + NLA_HDRLEN + 4 * words > end || data.getUint16(at + 2, true) !== RTA_DST) return;
  const value = at + NLA_HDRLEN;
  const w0 = data.getInt32(value, false);
  if (words === 1) sink.ahead?.(w0, 0, 0, 0, length);
  else {
    const w1 = data.getInt32(value + 4, false);
    sink.ahead?.(w0, w1, data.getInt32(value + 8, false), data.getInt32(value + 12, false), length);
  }
}
