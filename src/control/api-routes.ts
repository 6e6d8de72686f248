/** The answers that list routes: of the tables, of the kernel, of the configuration. All of them stream. */

import { kernelTableId } from "../lib/kernel-names.ts";
import type { ProtocolEntry } from "../nest/protocol.ts";
import { ApiError, errorBody } from "./api-error.ts";
import type { ControlBackend } from "./backend.ts";
import type { Call } from "./call.ts";
import type { CountJson } from "./json.ts";
import { absentPlace, notUp } from "./kernel-place.ts";
import { type DumpedTable, dumpKernel } from "./kernel-query.ts";
import { findProtocol } from "./protocol-match.ts";
import { KERNEL_CLASSES, KERNEL_STATES, Query, ROUTE_TYPE_NAMES } from "./query.ts";
import type { RecordStream } from "./record-stream.ts";
import { staticRouteText } from "./render-reports.ts";
import { lookupFinds, type RouteVisitor, walkRoutes } from "./route-query.ts";
import { type AttachedKernel, type TableContext, tableContexts } from "./table-context.ts";

const SLICE_ROUTES = 1024;

export async function routes(call: Call): Promise<void> {
  const keys = ["prefix", "for", "in", "table", "protocol", "state", "type", "dev", "via", "count", "all"];
  const query = new Query(call.parameters, keys);
  query.atMostOne("prefix", "for", "in");
  const protocol = query.text("protocol");
  if (protocol !== null) findProtocol(call.backend, protocol);
  const selection = {
    tables: selectTables(call.backend, query.text("table")),
    prefixes: query.prefixes("prefix"),
    for: query.address("for"),
    in: query.prefix("in"),
    protocol,
    state: query.oneOf("state", KERNEL_STATES),
    type: query.oneOf("type", ROUTE_TYPE_NAMES),
    dev: query.text("dev"),
    via: query.address("via"),
    all: query.flag("all"),
  };
  if (!lookupFinds(selection)) throw noSuchNet(query, selection.tables);
  if (query.flag("count")) {
    const counter = new Counter();
    await walkRoutes(selection, counter, call.clock);
    call.json(200, { count: counter.count } satisfies CountJson);
    return;
  }
  const stream = call.stream();
  await walkRoutes(selection, streamVisitor(stream), call.clock);
  stream.end();
}

function noSuchNet(query: Query, among: readonly TableContext[]): ApiError {
  const address = query.text("for");
  const what = address === null ? `net ${query.text("prefix")}` : `route for ${address}`;
  const where = among.length === 1 ? `table ${among[0]!.rtable.name}` : "any table";
  return new ApiError(404, "no-such-net", `There is no ${what} in ${where}`);
}

/** Counts instead of sending. */
class Counter implements RouteVisitor {
  count = 0;
  readonly full = false;

  route(): void {
    this.count++;
  }

  async ready(): Promise<void> {}
}

function streamVisitor(stream: RecordStream): RouteVisitor {
  return {
    route: (table, node, route, best) =>
      stream.pushRoute(
        table.routeHead,
        table.rtable.fib.formatNode(node),
        table.routeTail(node, route, best),
      ),
    get full() {
      return stream.full;
    },
    ready: () => stream.ready(),
  };
}

export async function kernel(call: Call): Promise<void> {
  const keys = ["prefix", "for", "in", "table", "protocol", "class", "type", "dev", "via", "count"];
  const query = new Query(call.parameters, keys);
  query.atMostOne("prefix", "for", "in");
  const selection = {
    tables: selectKernelTables(call.backend, query.text("table")),
    prefixes: query.prefixes("prefix"),
    for: query.address("for"),
    in: query.prefix("in"),
    protocol: query.text("protocol"),
    class: query.oneOf("class", KERNEL_CLASSES),
    type: query.oneOf("type", ROUTE_TYPE_NAMES),
    dev: query.text("dev"),
    via: query.address("via"),
  };
  const counting = query.flag("count");
  const counter = {
    count: 0,
    full: false,
    pushRoute: () => void counter.count++,
    ready: async () => {},
  };
  const stream = counting ? null : call.stream();
  const problems = await dumpKernel(selection, stream ?? counter, call);
  if (problems.length > 0) {
    const message = `Cannot read the kernel's routes completely: ${problems.join("; ")}`;
    const hint = "Tables change while they are read: try again, or ask for the others alone (table NAME).";
    if (stream === null || !stream.started) throw new ApiError(503, "incomplete-dump", message, hint);
    stream.fail(errorBody("incomplete-dump", message, hint));
  } else if (stream === null) {
    call.json(200, { count: counter.count } satisfies CountJson);
  } else {
    stream.end();
  }
}

/** By configured name ("master4"), by number, or by what iproute2 calls it; null: every attached table. */
function selectKernelTables(backend: ControlBackend, text: string | null): readonly DumpedTable[] {
  const attached = tableContexts(backend).flatMap((table) =>
    table.kernel === null ? [] : [{ name: table.rtable.name, dumped: dumpedTable(table, table.kernel) }],
  );
  const id = text === null ? null : kernelTableId(text);
  const found = attached.filter(
    ({ name, dumped }) => text === null || dumped.facet.kernelTable === id || name === text,
  );
  if (text !== null && found.length === 0) {
    const absent = absentPlace(tableContexts(backend), text);
    if (absent !== null) throw notUp(`read the routes of kernel table ${absent.kernelTable}`, absent);
    const ids = [...new Set(attached.map(({ dumped }) => dumped.facet.kernelTable))].join(", ");
    throw new ApiError(
      404,
      "no-such-table",
      `No kernel protocol is attached to kernel table "${text}"`,
      ids === "" ? "There is no kernel protocol at all." : `Attached are kernel tables ${ids}.`,
    );
  }
  return found.map(({ dumped }) => dumped);
}

function dumpedTable(table: TableContext, { facet }: AttachedKernel): DumpedTable {
  return { facet, netns: table.netns, deviceName: (device) => table.deviceName(device) };
}

export async function statics(call: Call): Promise<void> {
  const query = new Query(call.parameters, ["name", "count"]);
  const name = query.text("name");
  const counting = query.flag("count");
  const entries = (name === null ? call.backend.protocols() : [findProtocol(call.backend, name)]).filter(
    ({ protocol }) => protocol.static !== undefined,
  );
  if (name !== null && entries.length === 0) {
    throw new ApiError(404, "not-static", `Protocol "${name}" is not a static protocol`);
  }
  if (counting) {
    const count = entries.reduce((sum, { protocol }) => sum + (protocol.static?.count ?? 0), 0);
    call.json(200, { count } satisfies CountJson);
    return;
  }
  const contexts = tableContexts(call.backend);
  const stream = call.stream();
  for (const entry of entries) await streamStatics(call, entry, contexts, stream);
  stream.end();
}

async function streamStatics(
  call: Call,
  entry: ProtocolEntry,
  contexts: readonly TableContext[],
  stream: RecordStream,
): Promise<void> {
  const { channels, static: facet } = entry.protocol;
  const channel = channels[0] ?? null;
  const table = contexts.find(({ rtable }) => rtable === channel?.table);
  if (facet === undefined || channel === null || table === undefined) return;
  for (let i = 0; i < facet.count; i++) {
    const { head, dst, tail } = staticRouteText(entry, channel, table, facet.route(i));
    stream.pushRoute(head, dst, tail);
    if (stream.full || i % SLICE_ROUTES === SLICE_ROUTES - 1) {
      await stream.ready();
      await call.clock.yield();
    }
  }
  await stream.ready();
}

/** `name` null or "all": every table. */
function selectTables(backend: ControlBackend, name: string | null): TableContext[] {
  const all = tableContexts(backend);
  if (name === null) return all;
  const found = all.filter(({ rtable }) => rtable.name === name);
  if (found.length > 0 || name === "all") return found.length > 0 ? found : all;
  const names = all.map(({ rtable }) => rtable.name).join(", ");
  throw new ApiError(404, "no-such-table", `There is no table "${name}"`, `There are ${names}.`);
}
