/**
 * The addresses of the control API and what each does (interfaces.md §3). A handler gets a Call; everything it
 * throws becomes an error answer in server.ts.
 */

import { configure, plan } from "./api-configure.ts";
import { drift } from "./api-drift.ts";
import { ApiError } from "./api-error.ts";
import { act, protocols, scan } from "./api-protocols.ts";
import { kernel, routes, statics } from "./api-routes.ts";
import type { NamespaceView } from "./backend.ts";
import { Body } from "./body.ts";
import { type Call, noParameters, sendAll } from "./call.ts";
import { diff } from "./diff.ts";
import { explain } from "./explain.ts";
import type { ShutdownJson } from "./json-actions.ts";
import { metricsText, PROMETHEUS_TYPE } from "./prometheus.ts";
import { Query } from "./query.ts";
import { interfaceJson, tableJson } from "./render-reports.ts";
import { tableContexts } from "./table-context.ts";

export interface Endpoint {
  readonly method: "GET" | "POST";
  /** "*" stands for NAME. */
  readonly path: string;
  readonly handle: (call: Call) => void | Promise<void>;
  /** The work may take minutes: no deadline ends it, and a client that asks hears that it goes on (server.ts). */
  readonly slow?: true;
  /** A list or a dump: only so many run at once, so that places are left for short questions. */
  readonly long?: true;
}

export const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: "/healthz", handle: health },
  { method: "GET", path: "/metrics", handle: metrics },
  { method: "GET", path: "/v1/status", handle: status },
  { method: "GET", path: "/v1/routes", handle: routes, long: true },
  { method: "GET", path: "/v1/kernel", handle: kernel, slow: true, long: true },
  { method: "GET", path: "/v1/interfaces", handle: interfaces },
  { method: "GET", path: "/v1/protocols", handle: protocols },
  { method: "GET", path: "/v1/tables", handle: tables },
  { method: "GET", path: "/v1/static", handle: statics, long: true },
  { method: "GET", path: "/v1/drift", handle: drift },
  { method: "GET", path: "/v1/explain", handle: explain, slow: true, long: true },
  { method: "GET", path: "/v1/diff", handle: diff, slow: true, long: true },
  { method: "POST", path: "/v1/configure", handle: configure, slow: true },
  { method: "POST", path: "/v1/plan", handle: plan, slow: true },
  { method: "POST", path: "/v1/shutdown", handle: shutdown },
  { method: "POST", path: "/v1/protocols/*/scan", handle: scan },
  { method: "POST", path: "/v1/protocols/*/enable", handle: (call) => act(call, "enable"), slow: true },
  { method: "POST", path: "/v1/protocols/*/disable", handle: (call) => act(call, "disable"), slow: true },
  { method: "POST", path: "/v1/protocols/*/restart", handle: (call) => act(call, "restart"), slow: true },
  { method: "POST", path: "/v1/protocols/*/reload", handle: (call) => act(call, "reload"), slow: true },
];

function health(call: Call): void {
  noParameters(call);
  const { state } = call.backend.status();
  call.json(state === "stopping" ? 503 : 200, { state });
}

function metrics(call: Call): void {
  noParameters(call);
  const { backend } = call;
  call.text(PROMETHEUS_TYPE, metricsText(backend.status(), backend.protocols(), process.memoryUsage.rss()));
}

function status(call: Call): void {
  noParameters(call);
  call.json(200, call.backend.status());
}

function tables(call: Call): Promise<void> {
  noParameters(call);
  return sendAll(call, tableContexts(call.backend), tableJson);
}

function interfaces(call: Call): Promise<void> {
  const query = new Query(call.parameters, ["name", "netns"]);
  const name = query.text("name");
  const netns = query.text("netns");
  const all = call.backend.namespaces();
  const selected = netns === null ? all : all.filter((namespace) => namespace.name === netns);
  if (selected.length === 0) throw noSuchNetns(netns ?? "", all);
  const several = all.length > 1;
  const found = selected.flatMap((namespace) => {
    const table = namespace.interfaces;
    const listed = table.all().filter((iface) => name === null || iface.name === name);
    return listed.map((iface) => ({ iface, table, netns: several ? namespace.name : undefined }));
  });
  if (name !== null && found.length === 0) {
    const where = netns === null ? "" : ` in namespace ${netns}`;
    throw new ApiError(404, "no-such-interface", `There is no interface "${name}"${where}`);
  }
  return sendAll(call, found, ({ iface, table, netns: where }) => interfaceJson(iface, table, where));
}

function noSuchNetns(name: string, all: readonly NamespaceView[]): ApiError {
  const names = all.flatMap((namespace) => namespace.name ?? []);
  return new ApiError(
    404,
    "no-such-netns",
    `krtd serves no network namespace "${name}"`,
    names.length === 0 ? "It serves its own only." : `Besides its own it serves ${names.join(", ")}.`,
  );
}

function shutdown(call: Call): void {
  noParameters(call);
  const keep = new Body(call.body, ["keep"], `The body is {"keep":true}.`).flag("keep");
  const { observe } = call.backend.status();
  const answer: ShutdownJson = { stopping: true, keep, observe };
  call.json(202, answer, () => call.backend.shutdown({ keep }));
}
