/**
 * `show kernel`: a fresh dump of the attached kernel tables, filtered as it comes. The dump keeps its own pace
 * (kernel-backlog.ts says why); what the reader has not taken yet waits there in little space.
 */

import { jsonText } from "../lib/ascii-json.ts";
import type { Clock } from "../lib/clock.ts";
import { KrtdError } from "../lib/errors.ts";
import type { IpAddress } from "../lib/ip.ts";
import { kernelProtocolName, kernelTypeName, scopeName } from "../lib/kernel-names.ts";
import { formatPrefix, type Prefix, prefixContains } from "../lib/prefix.ts";
import type { KernelFacet, KernelRouteClass, KernelRouteView } from "../nest/protocol.ts";
import type { RouteType } from "../nest/route.ts";
import { ApiError } from "./api-error.ts";
import type { Call } from "./call.ts";
import type { KernelBacklog, KernelRow, KernelTemplate } from "./kernel-backlog.ts";
import { renderAttrs } from "./render-attrs.ts";
import { attrsPredicate } from "./route-query.ts";

const SLICE_ROUTES = 1024;
/** How often to look for routes of a dump that has not brought any yet. */
const IDLE_MS = 2;

/** A kernel table to dump. */
export interface DumpedTable {
  readonly facet: KernelFacet;
  /** Network namespace it stands in; null: the daemon's own. */
  readonly netns: string | null;
  readonly deviceName: (device: number) => string;
}

export interface KernelQuery {
  readonly tables: readonly DumpedTable[];
  readonly prefixes: readonly Prefix[] | null;
  readonly for: IpAddress | null;
  readonly in: Prefix | null;
  /** Name or number of the rtm_protocol, or null. */
  readonly protocol: string | null;
  readonly class: KernelRouteClass | null;
  readonly type: RouteType | null;
  readonly dev: string | null;
  readonly via: IpAddress | null;
}

export interface KernelRecords {
  pushRoute(head: string, dst: string, tail: string): void;
  readonly full: boolean;
  ready(): Promise<void>;
}

/** Dumps and sends. Resolves with the reasons of dumps that were not complete. */
export async function dumpKernel(
  query: KernelQuery,
  records: KernelRecords,
  { clock, dump, backlog: openBacklog }: Pick<Call, "clock" | "dump" | "backlog">,
): Promise<string[]> {
  const problems: string[] = [];
  for (const table of query.tables) {
    const { facet } = table;
    const selects = kernelFilter(query, table);
    const longest = new LongestMatch();
    const backlog = openBacklog();
    let lost: Error | null = null;
    let dumping = true;
    const keep = (route: KernelRouteView): void => {
      if (lost === null && !backlog.add(rowOf(route, table.deviceName, table.netns))) lost = tooSlow();
    };
    const onRoute = (route: KernelRouteView): void => {
      if (lost !== null || !selects(route)) return;
      if (query.for === null) keep(route);
      else longest.offer(route);
    };
    const dumped = dump(facet, onRoute)
      .catch(refusal)
      .finally(() => {
        for (const route of longest.routes) keep(route);
        dumping = false;
      });
    const send = sendBacklog(backlog, records, clock, () => dumping).catch((error: unknown) => {
      lost = error instanceof Error ? error : new Error(String(error));
    });
    // The dump is waited for even when the reader is lost: it works on our memory.
    const [problem] = await Promise.all([dumped, send]);
    if (lost !== null) throw lost;
    if (problem !== null) problems.push(`${nameOf(table)}: ${problem}`);
  }
  return problems;
}

/** Why there is no dump at all (the namespace is gone). Anything else is thrown on. */
export function refusal(error: unknown): string {
  const ofClient = error instanceof ApiError || (error instanceof KrtdError && error.code === "client-gone");
  if (error instanceof KrtdError && !ofClient) return error.message;
  throw error;
}

export function nameOf({ facet, netns }: Pick<DumpedTable, "facet" | "netns">): string {
  const where = netns === null ? "" : `, namespace ${netns}`;
  return `kernel table ${facet.kernelTable}, IPv${facet.family}${where}`;
}

/** Sends what waits until there is nothing more to come. Rejects when the reader is gone. */
async function sendBacklog(
  backlog: KernelBacklog,
  records: KernelRecords,
  clock: Clock,
  dumping: () => boolean,
): Promise<void> {
  const row = emptyRow();
  do {
    for (let i = 0; i < SLICE_ROUTES && !records.full && backlog.take(row); i++) {
      records.pushRoute(row.template.table, rowDst(row), rowTail(row));
    }
    await records.ready();
    if (backlog.overflowed) throw tooSlow();
    if (backlog.size > 0) await clock.yield();
    else await new Promise<void>((resolve) => clock.after(IDLE_MS, resolve));
  } while (dumping() || backlog.size > 0);
}

function tooSlow(): KrtdError {
  return new KrtdError(
    "client-slow",
    "Cannot finish the answer: too many routes wait for the client to read",
    {
      hint: "Write the answer to a file, or narrow it down (in PREFIX, table NAME).",
    },
  );
}

/** Keeps the routes with the longest prefix offered. */
class LongestMatch {
  routes: KernelRouteView[] = [];

  offer(route: KernelRouteView): void {
    const longest = this.routes[0]?.prefix.length ?? -1;
    if (route.prefix.length < longest) return;
    if (route.prefix.length > longest) this.routes = [];
    this.routes.push(route);
  }
}

function kernelFilter(query: KernelQuery, table: DumpedTable): (route: KernelRouteView) => boolean {
  const attrsSelected = attrsPredicate(query, table.deviceName);
  const target: Prefix | null =
    query.for === null ? null : { ...query.for, length: query.for.family === 4 ? 32 : 128 };
  return (route) => {
    const { prefix } = route;
    if (query.class !== null && route.class !== query.class) return false;
    if (query.protocol !== null && !isProtocol(route, query.protocol)) return false;
    if (query.prefixes !== null && !query.prefixes.some((p) => equalPrefix(p, prefix))) return false;
    if (query.in !== null && !within(query.in, prefix)) return false;
    if (target !== null && !within(prefix, target)) return false;
    if (query.type !== null && kernelTypeName(route.type) !== query.type) return false;
    return attrsSelected(route.attrs);
  };
}

function isProtocol(route: KernelRouteView, wanted: string): boolean {
  return protocolText(route) === wanted || String(route.protocol) === wanted;
}

/** The number krtd writes with is configurable, so no table of names can know it. */
function protocolText(route: KernelRouteView): string {
  return route.class === "ours" ? "krtd" : kernelProtocolName(route.protocol);
}

function within(outer: Prefix, inner: Prefix): boolean {
  return outer.family === inner.family && outer.length <= inner.length && prefixContains(outer, inner);
}

export function equalPrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && within(a, b);
}

export function rowOf(
  route: KernelRouteView,
  deviceName: (device: number) => string,
  netns: string | null = null,
): KernelRow {
  const { family, w0, w1, w2, w3, length } = route.prefix;
  const attrs = renderAttrs(family, route.attrs, deviceName, {
    type: kernelTypeName(route.type),
    scope: "told",
  });
  const template: KernelTemplate = {
    family,
    table: `{${netns === null ? "" : `"netns":${jsonText(netns)},`}"table":${route.table},"dst":"`,
    head: `,${attrs.head}`,
    tail:
      `,"protocol":${jsonText(protocolText(route))},"protocol-id":${route.protocol}` +
      `,"scope":"${scopeName(route.scope)}"${route.tos === 0 ? "" : `,"tos":${route.tos}`}${attrs.tail}` +
      `,"class":"${route.class}","verdict":${jsonText(route.verdict)}}`,
  };
  return { w0, w1, w2, w3, length, metric: route.metric, template };
}

export function emptyRow(): KernelRow {
  const template: KernelTemplate = { family: 4, table: "", head: "", tail: "" };
  return { w0: 0, w1: 0, w2: 0, w3: 0, length: 0, metric: 0, template };
}

export function rowText(row: KernelRow): string {
  return `${row.template.table}${rowDst(row)}${rowTail(row)}`;
}

function rowDst({ w0, w1, w2, w3, length, template }: KernelRow): string {
  return formatPrefix(template.family, w0, w1, w2, w3, length);
}

function rowTail({ metric, template }: KernelRow): string {
  return `"${template.head}${metric === 0 ? "" : `,"metric":${metric}`}${template.tail}`;
}
