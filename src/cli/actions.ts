/** What each command asks of the daemon and how its answer is shown. */

import type { StatusReport } from "../control/backend.ts";
import type {
  AnyRouteJson,
  DriftJson,
  InterfaceJson,
  KernelRouteJson,
  ProtocolJson,
  RouteJson,
  StaticRouteJson,
  TableJson,
} from "../control/json.ts";
import type { ShutdownJson } from "../control/json-actions.ts";
import { Columns, type Row } from "./columns.ts";
import type { CommandName } from "./commands.ts";
import { configure, plan } from "./configure.ts";
import { diff } from "./diff.ts";
import { parseName } from "./escape.ts";
import { EXIT_OK, UsageError } from "./exit-code.ts";
import { explain } from "./explain.ts";
import { driftRow } from "./format-drift.ts";
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
import { destinationCell, kernelRow, routeRow, staticAbsence, staticRow } from "./format-route.ts";
import type { TextStyle } from "./format-words.ts";
import { type ListView, Tally } from "./list.ts";
import type { Output } from "./output.ts";
import { act, scan } from "./protocol-actions.ts";
import { DRIFT_KEYWORDS, KERNEL_KEYWORDS, parseSelectors, ROUTE_KEYWORDS } from "./selectors.ts";
import { type Action, type Session, showList, showValue } from "./session.ts";

export const COMMAND_ACTIONS: Readonly<Record<Exclude<CommandName, "help">, Action>> = {
  "show status": showStatus,
  "show routes": showRoutes,
  "show kernel": showKernel,
  "show protocols": showProtocols,
  "show interfaces": showInterfaces,
  "show static": showStatic,
  "show tables": showTables,
  "show drift": showDrift,
  explain,
  diff,
  configure,
  plan,
  enable: (session, output) => act("enable", session, output),
  disable: (session, output) => act("disable", session, output),
  restart: (session, output) => act("restart", session, output),
  reload: (session, output) => act("reload", session, output),
  scan,
  shutdown,
};

async function showStatus(session: Session, output: Output): Promise<number> {
  await showValue<StatusReport>(session, output, { method: "GET", path: "/v1/status" }, (status) => {
    const columns = new Columns(session.style.terminal);
    let text = "";
    for (const row of statusRows(status, session.style)) text += columns.add(row);
    return text + columns.end();
  });
  return EXIT_OK;
}

async function showRoutes(session: Session, output: Output): Promise<number> {
  const word = ({ best, kernel }: RouteJson): string => (best ? kernel.state : "not best");
  const query = parseSelectors(session.operands, ROUTE_KEYWORDS);
  await showList(session, output, "/v1/routes", query, routeView(session, "route", routeRow, word));
  return EXIT_OK;
}

async function showKernel(session: Session, output: Output): Promise<number> {
  const word = (route: KernelRouteJson): string => route.class;
  const query = parseSelectors(session.operands, KERNEL_KEYWORDS);
  await showList(session, output, "/v1/kernel", query, routeView(session, "kernel route", kernelRow, word));
  return EXIT_OK;
}

async function showStatic(session: Session, output: Output): Promise<number> {
  const { keyword, name } = keywordAndName(session.operands, "count");
  const query = new URLSearchParams();
  if (name !== null) query.set("name", name);
  if (keyword) query.set("count", "true");
  const word = (route: StaticRouteJson): string =>
    route.kernel === null ? staticAbsence(route) : route.best ? route.kernel.state : "not best";
  await showList(session, output, "/v1/static", query, routeView(session, "static route", staticRow, word));
  return EXIT_OK;
}

/** `word` is what the footer counts a route as. */
function routeView<T extends AnyRouteJson>(
  { style }: Session,
  noun: string,
  rowOf: (route: T, style: TextStyle) => Row,
  word: (route: T) => string,
): ListView<T> {
  const tally = new Tally(noun, `${noun}s`);
  return {
    headings: null,
    row: (route) => {
      tally.add(word(route));
      return rowOf(route, style);
    },
    again: (route, dst) => {
      tally.add(word(route));
      return destinationCell(route.type, dst, style);
    },
    footer: () => tally.toString(),
  };
}

async function showProtocols(session: Session, output: Output): Promise<number> {
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
  return EXIT_OK;
}

async function showInterfaces(session: Session, output: Output): Promise<number> {
  const { summary, name, netns } = parseInterfaces(session.operands);
  const query = new URLSearchParams(name === null ? {} : { name: parseName(name) });
  if (netns !== null) query.set("netns", netns);
  await showList<InterfaceJson>(session, output, "/v1/interfaces", query, {
    headings: summary ? SUMMARY_HEADINGS : INTERFACE_HEADINGS,
    row: (iface) => (summary ? summaryRow : interfaceRow)(iface, session.style),
    footer: () => null,
  });
  return EXIT_OK;
}

async function showDrift(session: Session, output: Output): Promise<number> {
  const tally = new Tally("change by others", "changes by others");
  const query = parseSelectors(session.operands, DRIFT_KEYWORDS);
  await showList<DriftJson>(session, output, "/v1/drift", query, {
    headings: null,
    row: (drift) => {
      tally.add(drift.kind);
      return driftRow(drift, session.style);
    },
    footer: () => tally.toString(),
  });
  return EXIT_OK;
}

async function showTables(session: Session, output: Output): Promise<number> {
  await showList<TableJson>(session, output, "/v1/tables", new URLSearchParams(), {
    headings: TABLE_HEADINGS,
    row: (table) => tableRow(table, session.style),
    footer: () => null,
  });
  return EXIT_OK;
}

async function shutdown(session: Session, output: Output): Promise<number> {
  const { keep } = session.options;
  const request = { method: "POST", path: "/v1/shutdown", body: { keep } } as const;
  await showValue<ShutdownJson>(session, output, request, (answer) => `krtd is stopping${fate(answer)}\n`);
  return EXIT_OK;
}

/** What becomes of the routes. */
function fate({ keep, observe }: ShutdownJson): string {
  if (observe) return ": it only observed, so nothing changes in the kernel";
  if (keep) return ", its routes stay in the kernel";
  return " and removes its routes, but for those of protocols that persist";
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

/** `[summary] [NAME] [netns NAME]`, in any order. */
function parseInterfaces(words: readonly string[]): {
  readonly summary: boolean;
  readonly name: string | null;
  readonly netns: string | null;
} {
  const at = words.findIndex((word) => word !== "" && "netns".startsWith(word));
  if (at < 0) {
    const { keyword, name } = keywordAndName(words, "summary");
    return { summary: keyword, name, netns: null };
  }
  const netns = words[at + 1];
  if (netns === undefined) throw new UsageError(`"netns" needs a name after it`);
  const { keyword, name } = keywordAndName(words.toSpliced(at, 2), "summary");
  return { summary: keyword, name, netns };
}
