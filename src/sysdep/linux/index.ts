/**
 * The Linux implementation of the OS port: puts a netlink transport, the codecs, and the scan, set, interface
 * and monitor parts together. One object serves one network namespace.
 */

import { type Clock, systemClock } from "../../lib/clock.ts";
import { EPERM } from "../../lib/errno.ts";
import { KrtdError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type {
  InterfaceSink,
  Monitor,
  MonitorSink,
  NetlinkCounters,
  Os,
  RouteBatch,
  RouteQuery,
  RouteSink,
  ScanOutcome,
} from "../os.ts";
import { InterfaceScanner } from "./iface.ts";
import { RouteMonitor } from "./monitor.ts";
import { AF_INET, NLM_F_ACK, RTM_NEWROUTE } from "./netlink/constants.ts";
import { buildRequest } from "./netlink/message.ts";
import { insideNetns } from "./netlink/netns.ts";
import { NodeNetlinkTransport } from "./netlink/node-netlink-transport.ts";
import type { OpenNetlinkSocket } from "./netlink/socket.ts";
import { SocketTransport } from "./netlink/socket-transport.ts";
import type { NetlinkTransport } from "./netlink/transport.ts";
import type { EncoderAttrs } from "./rtnetlink/route.ts";
import { RouteScanner } from "./scan.ts";
import { RouteWriter } from "./set.ts";

export interface LinuxOsOptions {
  readonly transport: "socket" | "node-netlink";
  /** Receive buffer of the notification socket. */
  readonly rxBufferBytes: number;
  /** Opens the sockets of transport "socket"; default: those of the system. */
  readonly openSocket?: OpenNetlinkSocket | undefined;
  /** Where the words of an AttrsId are. */
  readonly attrs: EncoderAttrs;
  readonly log: Log;
  /** Name (`ip netns`) or path of the network namespace to serve; null or absent: the process's own. */
  readonly netns?: string | null;
  readonly clock?: Clock;
}

/** Opens nothing yet: call open(). */
export function openLinuxOs(options: LinuxOsOptions): Os {
  if (options.transport !== "socket") return new LinuxOs(new NodeNetlinkTransport(), options);
  const { rxBufferBytes, netns = null, clock, log } = options;
  const transport = new SocketTransport({
    rxBufferBytes,
    netns,
    open: options.openSocket,
    ...(clock === undefined ? {} : { clock }),
    onSmallBuffer(grantedBytes) {
      log.info("the receive buffer is smaller than rx-buffer asks: bursts of changes may overflow it", {
        netns,
        "asked-bytes": rxBufferBytes,
        "granted-bytes": grantedBytes,
        hint: "CAP_NET_ADMIN, or a larger sysctl net.core.rmem_max, gives all of it.",
      });
    },
  });
  return new LinuxOs(transport, options);
}

/** For tests: the same over any transport. */
export class LinuxOs implements Os {
  readonly transport: "socket" | "node-netlink";
  readonly counters: NetlinkCounters;
  private readonly netlink: NetlinkTransport;
  private readonly log: Log;
  private readonly netns: string | null;
  private readonly routes: RouteScanner;
  private readonly interfaces: InterfaceScanner;
  private readonly writer: RouteWriter;
  private readonly events: RouteMonitor;

  constructor(netlink: NetlinkTransport, options: Omit<LinuxOsOptions, "transport" | "rxBufferBytes">) {
    this.transport = netlink.name;
    this.netlink = netlink;
    this.log = options.log;
    this.netns = options.netns ?? null;
    this.routes = new RouteScanner(netlink);
    this.interfaces = new InterfaceScanner(netlink, options.clock ?? systemClock);
    this.writer = new RouteWriter(netlink, options.attrs);
    this.events = new RouteMonitor(netlink);
    this.counters = countersOf(netlink, this.writer, [this.routes, this.interfaces, this.events]);
  }

  /** The sockets are opened before the first await, in the calling thread's namespace unless one was named. */
  async open(): Promise<void> {
    const netns = this.netns;
    if (netns === null) return this.netlink.open();
    if (this.netlink.name !== "socket") {
      throw new KrtdError(
        "unsupported",
        `Cannot serve network namespace ${netns}: transport ${this.netlink.name} opens its sockets in the process's own`,
        { hint: "`netlink.transport: socket` serves any namespace." },
      );
    }
    this.log.debug("opening netlink in a network namespace", { netns });
    return insideNetns(netns, () => this.netlink.open());
  }

  close(): Promise<void> {
    return this.netlink.close();
  }

  /**
   * Sends an RTM_NEWROUTE of one byte: without CAP_NET_ADMIN the kernel refuses it with EPERM before it looks
   * at it; with it, it is malformed (EINVAL) and changes nothing.
   */
  async mayWrite(): Promise<boolean> {
    const sequence = this.netlink.reserveSequence(1);
    const request = buildRequest(RTM_NEWROUTE, NLM_F_ACK, sequence, Uint8Array.of(AF_INET));
    const reply = await this.netlink.batch(request, request.length, 1, sequence);
    return reply.errors.get(0)?.errno !== EPERM;
  }

  scanInterfaces(sink: InterfaceSink): Promise<ScanOutcome> {
    return this.interfaces.scan(sink);
  }

  scanRoutes(query: RouteQuery, sink: RouteSink): Promise<ScanOutcome> {
    return this.routes.scan(query, sink);
  }

  writeRoutes(batch: RouteBatch): Promise<void> {
    return this.writer.write(batch);
  }

  monitor(sink: MonitorSink): Promise<Monitor | null> {
    return this.events.start(sink);
  }
}

/** A live view: the transport counts what happens on the wire, the decoders what they refuse. */
function countersOf(
  netlink: NetlinkTransport,
  writer: { readonly writes: number },
  decoders: readonly { readonly malformed: number }[],
): NetlinkCounters {
  return {
    get overruns() {
      return netlink.counters.overruns;
    },
    get truncated() {
      return netlink.counters.truncated;
    },
    get forged() {
      return netlink.counters.forged;
    },
    get malformed() {
      return decoders.reduce((sum, decoder) => sum + decoder.malformed, netlink.counters.malformed);
    },
    get routeWrites() {
      return writer.writes;
    },
  };
}
