/**
 * A table together with the kernel protocol attached to it, as the answers about routes need it. Made afresh
 * for each request: protocols come and go, and a request lasts seconds at most.
 */

import { jsonText } from "../lib/ascii-json.ts";
import type { Interfaces } from "../nest/iface.ts";
import type { KernelFacet, KernelRouteStatus, KernelState } from "../nest/protocol.ts";
import type { NodeId, RouteId } from "../nest/route.ts";
import type { Rtable } from "../nest/rtable.ts";
import type { ControlBackend } from "./backend.ts";
import { type AttrsText, renderAttrs } from "./render-attrs.ts";

/** Attribute sets whose text is kept; more than that and the cache starts over. */
const CACHED_ATTRS = 4096;

export interface AttachedKernel {
  /** Name of the kernel protocol. */
  readonly name: string;
  readonly facet: KernelFacet;
  /** Its source id in the table: routes of it are learned ones. */
  readonly source: number;
}

/** What decides about filters, kept beside the text. */
interface CachedAttrs extends AttrsText {
  readonly stamp: number;
}

export class TableContext {
  readonly rtable: Rtable;
  readonly kernel: AttachedKernel | null;
  private readonly interfaces: Interfaces;
  private readonly cache = new Map<number, CachedAttrs>();
  private readonly tableText: string;
  private readonly sources = new Map<number, string>();
  private plainKernel = "";
  private plainState: KernelState | null = null;
  private plainMetric = -1;
  private sinceText = "";
  private sinceMs = Number.NaN;

  constructor(rtable: Rtable, kernel: AttachedKernel | null, interfaces: Interfaces) {
    this.rtable = rtable;
    this.kernel = kernel;
    this.interfaces = interfaces;
    this.tableText = `{"table":${jsonText(rtable.name)},"dst":`;
  }

  /** How the kernel stands to a live route of the node. */
  state(node: NodeId, route: RouteId, best: boolean): KernelState {
    if (this.kernel === null) return "none";
    if (this.isLearned(route)) return "learned";
    return best ? this.kernel.facet.status(node).state : "none";
  }

  /** The Route JSON of interfaces.md §2. */
  route(node: NodeId, route: RouteId, best: boolean): string {
    const { rtable } = this;
    const attrs = this.attrs(rtable.attrsOf(route));
    const status = this.status(node, route, best);
    const metric = rtable.metricOf(route) || (status?.metric ?? 0);
    return (
      `${this.tableText}"${rtable.fib.formatNode(node)}",${attrs.head}${metric === 0 ? "" : `,"metric":${metric}`}` +
      `${attrs.tail}${this.source(rtable.sourceOf(route))},"preference":${rtable.preferenceOf(route)}` +
      `,"best":${best},"since":${this.since(rtable.sinceOf(route))},"kernel":${this.kernelText(status, route)}}`
    );
  }

  /** The `kernel` member of a Route. */
  kernelOf(node: NodeId, route: RouteId, best: boolean): string {
    return this.kernelText(this.status(node, route, best), route);
  }

  private isLearned(route: RouteId): boolean {
    return this.rtable.sourceOf(route) === this.kernel?.source;
  }

  /** Null when the kernel protocol has no say about the route: only the best of a net goes to the kernel. */
  private status(node: NodeId, route: RouteId, best: boolean): KernelRouteStatus | null {
    return best && this.kernel !== null && !this.isLearned(route) ? this.kernel.facet.status(node) : null;
  }

  private kernelText(status: KernelRouteStatus | null, route: RouteId): string {
    if (status === null) {
      return this.isLearned(route)
        ? this.plain("learned", this.rtable.metricOf(route))
        : this.plain("none", 0);
    }
    const { state, metric, errno, message, attempts, nextRetryAt, rival } = status;
    if (errno === null && message === null && attempts === 0 && nextRetryAt === null && rival === null) {
      return this.plain(state, metric);
    }
    const retry = nextRetryAt === null ? "null" : `"${new Date(nextRetryAt).toISOString()}"`;
    return (
      `${this.kernelHead(metric, state)},"errno":${errno}` +
      `,"message":${message === null ? "null" : jsonText(message)},"attempts":${attempts},"next-retry":${retry}` +
      `${rival === null ? "" : `,"rival":${jsonText(rival)}`}}`
    );
  }

  /** The text of an attribute set, valid while the id keeps its content. */
  attrs(id: number): AttrsText {
    const { attrs, family } = this.rtable;
    const stamp = attrs.stamp(id);
    const cached = this.cache.get(id);
    if (cached !== undefined && cached.stamp === stamp) return cached;
    if (this.cache.size >= CACHED_ATTRS) this.cache.clear();
    const text = renderAttrs(family, attrs.describe(id), (device) => this.interfaces.deviceName(device));
    const made = { ...text, stamp };
    this.cache.set(id, made);
    return made;
  }

  /** The common case, made once and reused while state and metric stay the same. */
  private plain(state: KernelState, metric: number): string {
    if (state !== this.plainState || metric !== this.plainMetric) {
      this.plainState = state;
      this.plainMetric = metric;
      this.plainKernel = `${this.kernelHead(metric, state)},"errno":null,"message":null,"attempts":0,"next-retry":null}`;
    }
    return this.plainKernel;
  }

  private kernelHead(metric: number, state: KernelState): string {
    const { kernel } = this;
    const name = kernel === null ? "null" : jsonText(kernel.name);
    const table = kernel === null ? null : kernel.facet.kernelTable;
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
  return backend.tables().map((rtable) => {
    for (const { protocol } of backend.protocols()) {
      if (protocol.kernel === undefined || protocol.channels[0]?.table !== rtable) continue;
      const { name, kernel: facet, channels } = protocol;
      return new TableContext(rtable, { name, facet, source: channels[0]?.source ?? 0 }, backend.interfaces);
    }
    return new TableContext(rtable, null, backend.interfaces);
  });
}
