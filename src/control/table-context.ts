/**
 * A table together with the kernel protocol attached to it and the interfaces its routes lead out of, as the answers
 * about routes need it. Made afresh for each request: protocols come and go, and a request lasts seconds at most.
 */

import { jsonText } from "../lib/ascii-json.ts";
import { kernelProtocolName } from "../lib/kernel-names.ts";
import type { Channel } from "../nest/channel.ts";
import type { Interfaces } from "../nest/iface.ts";
import { originOf, PLAIN_ORIGIN } from "../nest/origin.ts";
import type { KernelFacet, KernelRouteStatus, KernelState, ProtocolEntry } from "../nest/protocol.ts";
import { type AttrsId, NONE, type NodeId, type RouteId } from "../nest/route.ts";
import type { Rtable } from "../nest/rtable.ts";
import type { ControlBackend } from "./backend.ts";
import { type KernelPlace, kernelPlace } from "./kernel-place.ts";
import { type AttrsText, renderAttrs } from "./render-attrs.ts";

/** Attribute sets whose text is kept; more than that and the cache starts over. */
const CACHED_ATTRS = 4096;

export interface AttachedKernel {
  /** Name of the kernel protocol. */
  readonly name: string;
  readonly facet: KernelFacet;
  readonly channel: Channel;
  /** Its source id in the table: routes of it are learned ones. */
  readonly source: number;
}

/** A route's text behind its prefix, and all it was made of but the attributes. */
interface RouteTail {
  readonly metric: number;
  readonly source: number;
  readonly preference: number;
  readonly best: boolean;
  readonly since: number;
  readonly origin: number;
  readonly kernel: string;
  readonly text: string;
}

/** What is kept with an attribute set while its id keeps its content. */
interface CachedAttrs extends AttrsText {
  readonly stamp: number;
  /** The last one made: nearly all routes of a set have the same. */
  last: RouteTail | null;
}

export class TableContext {
  readonly rtable: Rtable;
  /** Null: there is none, or it could not be made for want of its network namespace. */
  readonly kernel: AttachedKernel | null;
  /** Null: no kernel protocol is configured for the table. */
  readonly place: KernelPlace | null;
  /** Network namespace its routes lead into; null: the daemon's own. */
  readonly netns: string | null;
  /** The JSON of each of its routes as far as the prefix: `{"table":"master4","dst":"`. */
  readonly routeHead: string;
  private readonly interfaces: Interfaces;
  private readonly cache = new Map<number, CachedAttrs>();
  private readonly sources = new Map<number, string>();
  private readonly origins = new Map<number, string>();
  private plainKernel = "";
  private plainState: KernelState | null = null;
  private plainMetric = -1;
  private sinceText = "";
  private sinceMs = Number.NaN;

  /** `kernel` is the entry of its kernel protocol, or of what stands for it. */
  constructor(
    rtable: Rtable,
    kernel: ProtocolEntry | undefined,
    netns: string | null,
    interfaces: Interfaces,
  ) {
    this.rtable = rtable;
    this.kernel = attachedKernel(kernel);
    this.place = kernelPlace(kernel);
    this.netns = netns;
    this.interfaces = interfaces;
    this.routeHead = `{"table":${jsonText(rtable.name)},"dst":"`;
  }

  /** The name behind a nexthop's device number. */
  deviceName(device: number): string {
    return this.interfaces.deviceName(device);
  }

  /** How the kernel stands to a live route of the node. */
  state(node: NodeId, route: RouteId, best: boolean): KernelState {
    if (this.isLearned(route)) return "learned";
    return this.status(node, route, best)?.state ?? "none";
  }

  /** The Route JSON of interfaces.md §2. */
  route(node: NodeId, route: RouteId, best: boolean): string {
    return `${this.routeHead}${this.rtable.fib.formatNode(node)}${this.routeTail(node, route, best)}`;
  }

  /** What follows the prefix in it: the same string for routes that differ in nothing else, as long as they come in a row. */
  routeTail(node: NodeId, route: RouteId, best: boolean): string {
    const { rtable } = this;
    const attrs = this.attrs(rtable.attrsOf(route));
    const status = this.status(node, route, best);
    const metric = rtable.metricOf(route) || (status?.metric ?? 0);
    const source = rtable.sourceOf(route);
    const preference = rtable.preferenceOf(route);
    const since = rtable.sinceOf(route);
    const origin = rtable.origin(route);
    const kernel = this.kernelText(status, node, route);
    const { last } = attrs;
    if (
      last !== null &&
      last.metric === metric &&
      last.source === source &&
      last.preference === preference &&
      last.best === best &&
      last.since === since &&
      last.origin === origin &&
      last.kernel === kernel
    ) {
      return last.text;
    }
    const text =
      `",${attrs.head}${metric === 0 ? "" : `,"metric":${metric}`}${attrs.tail}${this.source(source)}` +
      `,"preference":${preference},"best":${best},"since":${this.since(since)}${this.origin(origin)}` +
      `,"kernel":${kernel}}`;
    attrs.last = { metric, source, preference, best, since, origin, kernel, text };
    return text;
  }

  /** The `kernel` member of a Route. */
  kernelOf(node: NodeId, route: RouteId, best: boolean): string {
    return this.kernelText(this.status(node, route, best), node, route);
  }

  private isLearned(route: RouteId): boolean {
    return this.kernel !== null && this.rtable.sourceOf(route) === this.kernel.source;
  }

  /** Null when the kernel protocol has no say about the route: only the best of a net goes to the kernel. */
  private status(node: NodeId, route: RouteId, best: boolean): KernelRouteStatus | null {
    const { kernel } = this;
    return best && kernel !== null && this.place?.down === null && !this.isLearned(route)
      ? kernel.facet.status(node)
      : null;
  }

  private kernelText(status: KernelRouteStatus | null, node: NodeId, route: RouteId): string {
    if (status === null) {
      if (this.isLearned(route)) return this.plain("learned", this.rtable.metricOf(route));
      const down = this.place?.down ?? null;
      return this.plain("none", 0, down);
    }
    const { state, metric, errno, message, attempts, nextRetryAt, rival } = status;
    const exported = this.exportedText(node, route);
    const eventful =
      errno !== null || message !== null || attempts !== 0 || nextRetryAt !== null || rival !== null;
    if (!eventful && exported === "") return this.plain(state, metric);
    const retry = nextRetryAt === null ? "null" : `"${new Date(nextRetryAt).toISOString()}"`;
    return (
      `${this.kernelHead(metric, state)},"errno":${errno}` +
      `,"message":${message === null ? "null" : jsonText(message)},"attempts":${attempts},"next-retry":${retry}` +
      `${rival === null ? "" : `,"rival":${jsonText(rival)}`}${exported}}`
    );
  }

  /** `,"as":{…}` when what goes to the kernel is not the route's own attributes: a filter or merging changed them. */
  private exportedText(node: NodeId, route: RouteId): string {
    const { channel } = this.kernel!;
    if (!channel.isExported(node)) return "";
    const id = channel.exportedAttrs(node);
    if (id === NONE || id === this.rtable.attrsOf(route)) return "";
    const { head, tail } = this.attrs(id);
    return `,"as":{${head}${tail}}`;
  }

  /** The text of an attribute set, valid while the id keeps its content. */
  attrs(id: AttrsId): CachedAttrs {
    const { attrs, family } = this.rtable;
    const stamp = attrs.stamp(id);
    const cached = this.cache.get(id);
    if (cached !== undefined && cached.stamp === stamp) return cached;
    if (this.cache.size >= CACHED_ATTRS) this.cache.clear();
    const text = renderAttrs(family, attrs.describe(id, family), (device) => this.deviceName(device));
    const made: CachedAttrs = { ...text, stamp, last: null };
    this.cache.set(id, made);
    return made;
  }

  /** The common case, made once and reused while state and metric stay the same. */
  private plain(state: KernelState, metric: number, message: string | null = null): string {
    if (state !== this.plainState || metric !== this.plainMetric) {
      this.plainState = state;
      this.plainMetric = metric;
      this.plainKernel = `${this.kernelHead(metric, state)},"errno":null,"message":${message === null ? "null" : jsonText(message)},"attempts":0,"next-retry":null}`;
    }
    return this.plainKernel;
  }

  private kernelHead(metric: number, state: KernelState): string {
    const { place } = this;
    const name = place === null ? "null" : jsonText(place.name);
    const table = place === null ? null : place.kernelTable;
    return `{"protocol":${name},"table":${table},"metric":${state === "none" ? null : metric},"state":"${state}"`;
  }

  private source(id: number): string {
    let text = this.sources.get(id);
    if (text === undefined) {
      const { name, sourceType } = this.rtable.source(id);
      text = `,"source":${jsonText(name)},"source-type":"${sourceType}"`;
      this.sources.set(id, text);
    }
    return text;
  }

  /** `,"protocol":"zebra",…` of a route that was learned, came through pipes, or was found by looking up another. */
  private origin(id: number): string {
    if (id === PLAIN_ORIGIN) return "";
    let text = this.origins.get(id);
    if (text === undefined) {
      const { protocol, recursive, trail } = originOf(id);
      text =
        (protocol === 0
          ? ""
          : `,"protocol":${jsonText(kernelProtocolName(protocol))},"protocol-id":${protocol}`) +
        (recursive ? `,"recursive":true` : "") +
        (trail.length === 0 ? "" : `,"trail":[${trail.map(jsonText).join(",")}]`);
      this.origins.set(id, text);
    }
    return text;
  }

  /** Routes that came together share their time: the last text is mostly the one asked for. */
  private since(ms: number): string {
    if (ms !== this.sinceMs) {
      this.sinceMs = ms;
      this.sinceText = `"${new Date(ms).toISOString()}"`;
    }
    return this.sinceText;
  }
}

/** Every table with its kernel protocol. */
export function tableContexts(backend: ControlBackend): TableContext[] {
  const entries = backend.protocols();
  return backend.tables().map((rtable) => {
    const here = entries.filter(
      ({ protocol }) =>
        protocol.absentKernel?.table === rtable || protocol.channels.some(({ table }) => table === rtable),
    );
    const isKernel = ({ protocol }: ProtocolEntry): boolean =>
      protocol.kernel !== undefined || protocol.absentKernel !== undefined;
    const attached = here.find(isKernel);
    // Without a kernel protocol, what brings routes from a namespace tells.
    const place = attached ?? here.find(({ protocol }) => protocol.netns !== null);
    const netns = place?.protocol.netns ?? null;
    return new TableContext(rtable, attached, netns, backend.interfacesOf(netns));
  });
}

function attachedKernel(entry: ProtocolEntry | undefined): AttachedKernel | null {
  const { protocol } = entry ?? {};
  const channel = protocol?.channels[0];
  if (protocol?.kernel === undefined || channel === undefined) return null;
  const { name, kernel: facet } = protocol;
  return { name, facet, channel, source: channel.source };
}
