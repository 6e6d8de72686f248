/** What an operator asks explain about: a net, or an address and the net that is its longest match, in one table. */

import { type IpAddress, parseIp } from "../lib/ip.ts";
import { isPrefix, maxLength, type Prefix, parsePrefix } from "../lib/prefix.ts";
import type { Interfaces } from "../nest/iface.ts";
import type { ProtocolEntry } from "../nest/protocol.ts";
import { NONE } from "../nest/route.ts";
import { ApiError } from "./api-error.ts";
import type { ControlBackend } from "./backend.ts";
import type { Query } from "./query.ts";
import { type AttachedKernel, type TableContext, tableContexts } from "./table-context.ts";

/** The kernel protocol of a table, and how it lives. */
export interface TableKernel extends AttachedKernel {
  readonly entry: ProtocolEntry;
}

export interface ExplainTarget {
  readonly table: TableContext;
  /** Null: no kernel protocol is attached to the table. */
  readonly kernel: TableKernel | null;
  /** Those that the table's routes lead through. */
  readonly interfaces: Interfaces;
  readonly prefix: Prefix;
  /** The address that was asked for; the prefix is then its longest match, or its host prefix when it has none. */
  readonly address: IpAddress | null;
}

/** Throws ApiError for a missing or bad prefix and an unknown table. */
export function explainTarget(backend: ControlBackend, query: Query): ExplainTarget {
  const text = query.text("prefix");
  if (text === null) {
    throw new ApiError(400, "bad-query", "explain needs a prefix", "Give prefix=192.0.2.0/24 or an address.");
  }
  const name = query.text("table");
  const tables = tableContexts(backend);
  const named = name === null ? null : namedTable(tables, name);
  const asked = askedFor(text, named);
  // The main tables come first, so each family has one.
  const table = named ?? tables.find(({ rtable }) => rtable.family === asked.family)!;
  const { rtable } = table;
  if (rtable.family !== asked.family) {
    throw new ApiError(
      400,
      "bad-query",
      `Table ${rtable.name} holds IPv${rtable.family} routes, and "${text}" is IPv${asked.family}`,
    );
  }
  const kernel = kernelOf(backend, table);
  const interfaces = backend.interfacesOf(table.netns);
  const { prefix, address } = longestMatch(table, asked);
  return { table, kernel, interfaces, prefix, address };
}

function namedTable(tables: readonly TableContext[], name: string): TableContext {
  const found = tables.find(({ rtable }) => rtable.name === name);
  if (found !== undefined) return found;
  const names = tables.map(({ rtable }) => rtable.name).join(", ");
  throw new ApiError(404, "no-such-table", `There is no table "${name}"`, `There are ${names}.`);
}

/** `bare`: the text was an address without a length. "default" is that of the table, or IPv4. */
function askedFor(text: string, table: TableContext | null): Prefix & { readonly bare: boolean } {
  if (text === "default") {
    return { family: table?.rtable.family ?? 4, w0: 0, w1: 0, w2: 0, w3: 0, length: 0, bare: false };
  }
  const address = parseIp(text);
  if (address !== null) return { ...address, length: maxLength(address.family), bare: true };
  const prefix = parsePrefix(text);
  if (isPrefix(prefix)) return { ...prefix, bare: false };
  const hint =
    prefix.suggestion === null
      ? "A prefix is written 192.0.2.0/24 or 2001:db8::/32, an address 192.0.2.7."
      : `Did you mean ${prefix.suggestion}?`;
  throw new ApiError(400, "bad-query", prefix.message, hint);
}

function longestMatch(
  { rtable: { fib } }: TableContext,
  { bare, ...asked }: Prefix & { readonly bare: boolean },
): Pick<ExplainTarget, "prefix" | "address"> {
  if (!bare) return { prefix: asked, address: null };
  const { family, w0, w1, w2, w3 } = asked;
  const node = fib.longestMatch(w0, w1, w2, w3);
  return { prefix: node === NONE ? asked : fib.prefix(node), address: { family, w0, w1, w2, w3 } };
}

/** The kernel protocol attached to a table, or null. */
export function kernelOf(backend: ControlBackend, { kernel }: TableContext): TableKernel | null {
  const entry = backend.protocols().find(({ protocol }) => protocol.kernel === kernel?.facet);
  return kernel === null || entry === undefined ? null : { ...kernel, entry };
}
