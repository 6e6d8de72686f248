/**
 * The addresses of the control API and what each does (interfaces.md §3). A handler gets a Call; everything it
 * throws becomes an error answer in server.ts.
 */

import { asciiJson } from "../lib/ascii-json.ts";
import { errorText } from "../lib/errors.ts";
import { ApiError } from "./api-error.ts";
import { kernel, routes, statics } from "./api-routes.ts";
import type { Call } from "./call.ts";
import type { ScanJson, ShutdownJson } from "./json.ts";
import { matchProtocols } from "./protocol-match.ts";
import { Query } from "./query.ts";
import { interfaceJson, protocolJson, tableJson } from "./render-reports.ts";
import { tableContexts } from "./table-context.ts";

export interface Endpoint {
  readonly method: "GET" | "POST";
  /** "*" stands for NAME. */
  readonly path: string;
  readonly handle: (call: Call) => void | Promise<void>;
}

export const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: "/healthz", handle: health },
  { method: "GET", path: "/v1/status", handle: status },
  { method: "GET", path: "/v1/routes", handle: routes },
  { method: "GET", path: "/v1/kernel", handle: kernel },
  { method: "GET", path: "/v1/interfaces", handle: interfaces },
  { method: "GET", path: "/v1/protocols", handle: protocols },
  { method: "GET", path: "/v1/tables", handle: tables },
  { method: "GET", path: "/v1/static", handle: statics },
  { method: "POST", path: "/v1/shutdown", handle: shutdown },
  { method: "POST", path: "/v1/protocols/*/scan", handle: scan },
];

function health(call: Call): void {
  noParameters(call);
  const { state } = call.backend.status();
  call.json(state === "stopping" ? 503 : 200, { state });
}

function status(call: Call): void {
  noParameters(call);
  call.json(200, call.backend.status());
}

function tables(call: Call): void {
  noParameters(call);
  sendAll(call, tableContexts(call.backend).map(tableJson));
}

function interfaces(call: Call): void {
  const name = new Query(call.parameters, ["name"]).text("name");
  const { interfaces } = call.backend;
  const found = interfaces.all().filter((iface) => name === null || iface.name === name);
  if (name !== null && found.length === 0) {
    throw new ApiError(404, "no-such-interface", `There is no interface "${name}"`);
  }
  sendAll(
    call,
    found.map((iface) => interfaceJson(iface, interfaces)),
  );
}

function protocols(call: Call): void {
  const name = new Query(call.parameters, ["name"]).text("name");
  const found = name === null ? call.backend.protocols() : matchProtocols(call.backend, name);
  sendAll(call, found.map(protocolJson));
}

function shutdown(call: Call): void {
  noParameters(call);
  for (const key of Object.keys(call.body)) {
    if (key !== "keep")
      throw new ApiError(400, "bad-body", `Unknown member "${key}"`, 'The body is {"keep":true}.');
  }
  const keep = call.body["keep"] ?? false;
  if (typeof keep !== "boolean") {
    throw new ApiError(400, "bad-body", 'Member "keep" is not a boolean', 'The body is {"keep":true}.');
  }
  call.json(202, { stopping: true, keep } satisfies ShutdownJson, () => call.backend.shutdown({ keep }));
}

function scan(call: Call): void {
  noParameters(call);
  const matching = matchProtocols(call.backend, call.name);
  const able = matching.filter(({ protocol, state }) => protocol.scan !== undefined && state === "up");
  if (able.length === 0) {
    const names = matching
      .map(({ protocol, state }) => `${protocol.name} (${protocol.type}, ${state})`)
      .join(", ");
    throw new ApiError(
      409,
      "cannot-scan",
      `Cannot scan ${call.name}: ${names} has nothing to scan`,
      "Device and kernel protocols scan, while they are up.",
    );
  }
  for (const { protocol } of able) {
    protocol.scan?.().catch((error: unknown) => {
      call.log.error("scan failed", { protocol: protocol.name, error: errorText(error) });
    });
  }
  call.json(200, { started: able.map(({ protocol }) => protocol.name) } satisfies ScanJson);
}

function noParameters(call: Call): void {
  new Query(call.parameters, []);
}

/** For lists of which there are few. */
function sendAll(call: Call, values: readonly object[]): void {
  const stream = call.stream();
  for (const value of values) stream.push(asciiJson(JSON.stringify(value)));
  stream.end();
}
