/**
 * Turns notifications into events. Anything that cannot be read is told as a loss: the truth is then only in a
 * scan. Changes our own command socket made are left out, its acknowledgements have already told them.
 */

import type { Monitor, MonitorSink, RouteChange } from "../os.ts";
import {
  AF_BRIDGE,
  AF_INET,
  AF_INET6,
  NLM_F_REPLACE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  RTNLGRP_NEXTHOP,
} from "./netlink/constants.ts";
import type { NetlinkTransport } from "./netlink/transport.ts";
import { decodeAddress } from "./rtnetlink/address.ts";
import { decodeLink, isWirelessEvent } from "./rtnetlink/link.ts";
import { decodeRoute, RouteView } from "./rtnetlink/route.ts";

const GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_NEXTHOP,
] as const;

export class RouteMonitor {
  /** Messages that could not be decoded, since the monitor was made. */
  malformed = 0;
  private readonly transport: NetlinkTransport;
  private readonly view = new RouteView();

  constructor(transport: NetlinkTransport) {
    this.transport = transport;
  }

  /** Null when the transport has no notifications. */
  async start(sink: MonitorSink): Promise<Monitor | null> {
    if (!this.transport.supportsMonitor) return null;
    return this.transport.subscribe(
      GROUPS,
      (bytes, view, start, end, type, flags, port, ownEcho) => {
        if (!ownEcho) this.dispatch(sink, bytes, view, start, end, type, flags, port);
      },
      (reason) => sink.lost(reason),
    );
  }

  private dispatch(
    sink: MonitorSink,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    type: number,
    flags: number,
    port: number,
  ): void {
    const family = start < end ? bytes[start]! : -1;
    switch (type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        // AF_BRIDGE tells that a port joined or left its bridge: the link itself neither came nor went.
        if (family === AF_BRIDGE || isWirelessEvent(view, start, end)) return;
        const link = decodeLink(bytes, view, start, end);
        if (link === null) this.unreadable(sink, type);
        else if (type === RTM_NEWLINK) sink.link(link);
        else sink.linkGone(link.ifindex);
        return;
      }
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        if (family !== AF_INET && family !== AF_INET6) return;
        const address = decodeAddress(bytes, view, start, end);
        if (address === null) this.unreadable(sink, type);
        else if (type === RTM_NEWADDR) sink.address(address);
        else sink.addressGone(address);
        return;
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        if (family !== AF_INET && family !== AF_INET6) return;
        if (!decodeRoute(bytes, view, start, end, this.view)) this.unreadable(sink, type);
        else if (this.view.sourceLength === 0) sink.route(this.view, routeChange(type, flags), port);
        return;
      case RTM_DELNEXTHOP:
        sink.nexthopGone();
        return;
      default:
        // The groups carry more than krtd asked for (prefix information, statistics): none of it is state.
        return;
    }
  }

  private unreadable(sink: MonitorSink, type: number): void {
    this.malformed++;
    sink.lost(`a notification of type ${type} could not be decoded`);
  }
}

function routeChange(type: number, flags: number): RouteChange {
  if (type === RTM_DELROUTE) return "gone";
  return (flags & NLM_F_REPLACE) === 0 ? "new" : "replaced";
}
