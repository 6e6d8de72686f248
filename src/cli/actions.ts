/** What each command asks of the daemon and how its answer is shown. */

import { existsSync } from "node:fs";
import type { StatusReport } from "../control/backend.ts";
import { type ClientRequest, type Reply, send } from "../control/client.ts";
import type {
  CountJson,
  InterfaceJson,
  KernelRouteJson,
  ProtocolJson,
  RouteJson,
  ScanJson,
  ShutdownJson,
  StaticRouteJson,
  TableJson,
} from "../control/json.ts";
import { SYSTEM_SOCKET_PATH } from "../control/socket-path.ts";
import { KrtdError } from "../lib/errors.ts";
import { Columns } from "./columns.ts";
import type { CommandName } from "./commands.ts";
import { escapeText, parseName } from "./escape.ts";
import { UsageError } from "./exit-code.ts";
import {
  INTERFACE_HEADINGS,
  interfaceRow,
  PROTOCOL_HEADINGS,
  protocolRow,
  SUMMARY_HEADINGS,
  statusRows,
  summaryRow,
  TABLE_HEADINGS,
  tableRow,
} from "./format-reports.ts";
import { kernelRow, routeRow, staticRow, type TextStyle, withDestination } from "./format-route.ts";
import { copy, type ListView, printList, readJson, Tally } from "./list.ts";
import type { CliOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { KERNEL_KEYWORDS, parseSelectors, ROUTE_KEYWORDS } from "./selectors.ts";

/** One command on its way. */
export interface Session {
  readonly options: CliOptions;
  readonly operands: readonly string[];
  readonly style: TextStyle;
}

type Action = (session: Session, output: Output) => Promise<void>;

export const COMMAND_ACTIONS: Readonly<Record<Exclude<CommandName, "help">, Action>> = {
  "show status": showStatus,
  "show routes": showRoutes,
  "show kernel": showKernel,
  "show protocols": showProtocols,
  "show interfaces": showInterfaces,
  "show static": showStatic,
  "show tables": showTables,
  scan,
  shutdown,
};

async function showStatus(session: Session, output: Output): Promise<void> {
  const reply = await ask(session, { method: "GET", path: "/v1/status" });
  if (session.options.format !== "text") return copy(reply, output);
  const columns = new Columns(session.style.terminal);
  let text = "";
  for (const row of statusRows(await readJson<StatusReport>(reply), session.style)) text += columns.add(row);
  await output.write(text + columns.end());
}

async function showRoutes(session: Session, output: Output): Promise<void> {
  const tally = new Tally("route", "routes");
  const count = ({ best, kernel }: RouteJson): void => tally.add(best ? kernel.state : "not best");
  await showList<RouteJson>(session, output, "/v1/routes", parseSelectors(session.operands, ROUTE_KEYWORDS), {
    headings: null,
    row: (route) => {
      count(route);
      return routeRow(route, session.style);
    },
    again: (route, row, dst) => {
      count(route);
      return withDestination(row, route.type, dst);
    },
    footer: () => tally.toString(),
  });
}

async function showKernel(session: Session, output: Output): Promise<void> {
  const tally = new Tally("kernel route", "kernel routes");
  await showList<KernelRouteJson>(
    session,
    output,
    "/v1/kernel",
    parseSelectors(session.operands, KERNEL_KEYWORDS),
    {
      headings: null,
      row: (route) => {
        tally.add(route.class);
        return kernelRow(route, session.style);
      },
      footer: () => tally.toString(),
    },
  );
}

async function showStatic(session: Session, output: Output): Promise<void> {
  const { keyword, name } = keywordAndName(session.operands, "count");
  const query = new URLSearchParams();
  if (name !== null) query.set("name", name);
  if (keyword) query.set("count", "true");
  const tally = new Tally("static route", "static routes");
  await showList<StaticRouteJson>(session, output, "/v1/static", query, {
    headings: null,
    row: (route) => {
      tally.add(route.kernel === null ? "not in the table" : route.best ? route.kernel.state : "not best");
      return staticRow(route, session.style);
    },
    footer: () => tally.toString(),
  });
}

async function showProtocols(session: Session, output: Output): Promise<void> {
  const details = session.operands[0] === "all";
  const names = details ? session.operands.slice(1) : session.operands;
  const [name, extra] = names;
  if (extra !== undefined)
    throw new UsageError(`Too many words: "${extra}"`, "Usage: show protocols [all] [NAME|glob]");
  const query = new URLSearchParams(name === undefined ? {} : { name });
  await showList<ProtocolJson>(session, output, "/v1/protocols", query, {
    headings: PROTOCOL_HEADINGS,
    row: (protocol) => protocolRow(protocol, details, session.style),
    footer: () => null,
  });
}

async function showInterfaces(session: Session, output: Output): Promise<void> {
  const { keyword: summary, name } = keywordAndName(session.operands, "summary");
  const query = new URLSearchParams(name === null ? {} : { name: parseName(name) });
  await showList<InterfaceJson>(session, output, "/v1/interfaces", query, {
    headings: summary ? SUMMARY_HEADINGS : INTERFACE_HEADINGS,
    row: (iface) => (summary ? summaryRow : interfaceRow)(iface, session.style),
    footer: () => null,
  });
}

async function showTables(session: Session, output: Output): Promise<void> {
  await showList<TableJson>(session, output, "/v1/tables", new URLSearchParams(), {
    headings: TABLE_HEADINGS,
    row: (table) => tableRow(table, session.style),
    footer: () => null,
  });
}

async function scan(session: Session, output: Output): Promise<void> {
  const path = `/v1/protocols/${encodeURIComponent(session.operands[0]!)}/scan`;
  const reply = await ask(session, { method: "POST", path });
  if (session.options.format !== "text") return copy(reply, output);
  const { started } = await readJson<ScanJson>(reply);
  await output.write(started.map((name) => `${escapeText(name)}: scan started\n`).join(""));
}

async function shutdown(session: Session, output: Output): Promise<void> {
  const { keep } = session.options;
  const reply = await ask(session, { method: "POST", path: "/v1/shutdown", body: { keep } });
  if (session.options.format !== "text") return copy(reply, output);
  const answer = await readJson<ShutdownJson>(reply);
  await output.write(
    answer.keep
      ? "krtd is stopping, its routes stay in the kernel\n"
      : "krtd is stopping and removes its routes\n",
  );
}

/** `[KEYWORD] [NAME]`, in this or the other order. */
function keywordAndName(
  words: readonly string[],
  keyword: string,
): { readonly keyword: boolean; readonly name: string | null } {
  const at = words.findIndex((word) => word !== "" && keyword.startsWith(word));
  const others = words.filter((_, i) => i !== at);
  if (others.length > 1) throw new UsageError(`Too many words: "${others[1]}"`);
  return { keyword: at >= 0, name: others[0] ?? null };
}

async function showList<T>(
  session: Session,
  output: Output,
  path: string,
  query: URLSearchParams,
  view: ListView<T>,
): Promise<void> {
  const { format, legend } = session.options;
  const target = query.size === 0 ? path : `${path}?${query}`;
  const counting = query.has("count");
  const reply = await ask(session, { method: "GET", path: target, ndjson: format !== "json" && !counting });
  try {
    if (format !== "text") await copy(reply, output);
    else if (counting) await output.write(`${(await readJson<CountJson>(reply)).count}\n`);
    else await printList(reply, view, { terminal: session.style.terminal, legend }, output);
  } finally {
    reply.abort();
  }
}

async function ask(session: Session, what: ClientRequest): Promise<Reply> {
  const { socketPath, timeoutMs } = session.options;
  if (socketPath === null) {
    throw new KrtdError("not-reachable", "Cannot find krtd's socket: XDG_RUNTIME_DIR is not set", {
      hint: systemHint() ?? "Name the socket with --socket PATH or KRTD_SOCKET, or use sudo.",
    });
  }
  try {
    return await send({ socketPath, timeoutMs }, what);
  } catch (error) {
    const hint = isNoSocket(error) && socketPath !== SYSTEM_SOCKET_PATH ? systemHint() : null;
    if (hint === null || !(error instanceof KrtdError)) throw error;
    throw new KrtdError(error.code, error.message, { hint, cause: error });
  }
}

function isNoSocket(error: unknown): boolean {
  return error instanceof KrtdError && (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
}

/** For a user other than root, whose own default is elsewhere while the system's krtd runs. */
function systemHint(): string | null {
  return existsSync(SYSTEM_SOCKET_PATH) ? `The system's krtd is at --socket ${SYSTEM_SOCKET_PATH}` : null;
}
