/**
 * The control server: HTTP/1.1 on the unix socket, and every limit that keeps a client from harming the daemon:
 * connections, header and body sizes, deadlines, and the write queue (record-stream.ts). Nothing a client sends
 * and nothing a handler throws may end the process; each becomes an error answer or a closed connection.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { asciiJson } from "../lib/ascii-json.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { ENDPOINTS, type Endpoint } from "./api.ts";
import { ApiError, errorBody } from "./api-error.ts";
import type { ControlBackend } from "./backend.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { type ListenOptions, listenUnix } from "./listen.ts";
import { JSON_TYPE, NDJSON_TYPE, PROGRESS_HEADER, RecordStream } from "./record-stream.ts";

/** Connections served at once. A few more are accepted, so that they can be told no. */
export const MAX_CONNECTIONS = 64;
const REFUSED_CONNECTIONS = 16;
const REFUSED_LINGER_MS = 2_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** How long a running answer may take when the daemon stops. */
const CLOSE_GRACE_MS = 1_000;

export interface ControlDeadlines {
  /** Until the request line and headers are complete. */
  readonly headersMs: number;
  /** Until the whole request is complete. */
  readonly requestMs: number;
  /** Between requests on one connection. */
  readonly keepAliveMs: number;
  /** While an answer waits for its reader. */
  readonly stallMs: number;
  /** Between two signs of life to a client that waits for slow work. */
  readonly progressMs: number;
}

const DEADLINES: ControlDeadlines = {
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 15_000,
  stallMs: 30_000,
  progressMs: 2_000,
};

export interface ControlOptions {
  readonly backend: ControlBackend;
  readonly clock: Clock;
  readonly log: Log;
  readonly listen: ListenOptions;
  /** Shorter in tests. */
  readonly deadlines?: ControlDeadlines;
}

export interface ControlServer {
  /** The path it listens on. */
  readonly path: string;
  /** Refuses new connections, lets running answers end for a second, then gives the path free. Idempotent. */
  close(): Promise<void>;
}

/** Starts the control server. Throws the KrtdErrors of listenUnix. */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const { log, clock } = options;
  const deadlines = options.deadlines ?? DEADLINES;
  const refused = new WeakSet<Socket>();
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: deadlines.headersMs,
      requestTimeout: deadlines.requestMs,
      keepAliveTimeout: deadlines.keepAliveMs,
      connectionsCheckingInterval: Math.max(50, deadlines.headersMs / 4),
    },
    (request, response) => {
      if (refused.has(request.socket)) return refuse(request, response);
      void answer(request, response, options, deadlines);
    },
  );
  server.timeout = deadlines.stallMs * 2;
  limitConnections(server, refused, clock);
  server.on("clientError", (error, socket) => answerBadRequest(error, socket as Socket));
  const listening = await listenUnix(server, options.listen);
  server.on("error", (error) => log.error("control server failed", { error: error.message }));
  log.info("control socket open", { path: listening.path });
  let closing: Promise<void> | null = null;
  return {
    path: listening.path,
    close() {
      closing ??= closeServer(server, clock).then(() => listening.release());
      return closing;
    },
  };
}

function limitConnections(server: Server, refused: WeakSet<Socket>, clock: Clock): void {
  let open = 0;
  server.maxConnections = MAX_CONNECTIONS + REFUSED_CONNECTIONS;
  server.on("connection", (socket) => {
    open++;
    let cancel = (): void => {};
    if (open > MAX_CONNECTIONS) {
      refused.add(socket);
      cancel = clock.after(REFUSED_LINGER_MS, () => socket.destroy());
    }
    socket.on("close", () => {
      open--;
      cancel();
    });
  });
}

function closeServer(server: Server, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(CLOSE_GRACE_MS, () => server.closeAllConnections());
    server.close(() => {
      cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ControlOptions,
  deadlines: ControlDeadlines,
): Promise<void> {
  let stream: RecordStream | null = null;
  // A client that goes away mid-answer is its own business.
  response.on("error", () => {});
  try {
    const url = parseUrl(request.url ?? "");
    const { endpoint, name } = findEndpoint(url.pathname, request.method ?? "", response);
    const body = await readBody(request, endpoint.method === "POST");
    if (endpoint.slow === true) bePatient(request, response, options.clock, deadlines.progressMs);
    const call: Call = {
      backend: options.backend,
      clock: options.clock,
      log: options.log,
      parameters: url.searchParams,
      name,
      body,
      json: (status, value, sent) => {
        if (sent !== undefined) response.once("close", sent);
        send(response, status, `${asciiJson(JSON.stringify(value))}\n`);
      },
      stream: () => {
        const ndjson = (request.headers.accept ?? "").includes(NDJSON_TYPE);
        stream = new RecordStream(response, { ndjson, clock: options.clock, stallMs: deadlines.stallMs });
        return stream;
      },
    };
    await endpoint.handle(call);
  } catch (error) {
    answerError(error, request, response, stream, options.log);
  }
}

/**
 * The answer may take minutes: nothing ends the connection meanwhile, and a client that asks for it is told now and
 * then (HTTP 102) that the work goes on. Others are not: many libraries take a 102 for the answer.
 */
function bePatient(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  progressMs: number,
): void {
  request.setTimeout(0);
  if (request.headers[PROGRESS_HEADER.toLowerCase()] === undefined) return;
  const tell = (): void => {
    if (response.headersSent || response.destroyed) return;
    response.writeProcessing();
    cancel = clock.after(progressMs, tell);
  };
  let cancel = clock.after(progressMs, tell);
  response.on("close", () => cancel());
}

function answerError(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  stream: RecordStream | null,
  log: Log,
): void {
  if (error instanceof KrtdError && error.code === "client-gone") {
    log.debug("control client gone", { url: request.url, reason: error.message });
    response.destroy();
    return;
  }
  const expected = error instanceof KrtdError;
  if (!expected) {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error("control request failed", { url: request.url, error: errorText(error), stack });
  }
  const body = expected
    ? errorBody(error.code, error.message, error.hint)
    : errorBody(
        "internal",
        `Cannot answer: ${errorText(error)}`,
        "This is a bug in krtd; its log says more.",
      );
  if (response.headersSent) {
    if (stream === null) response.destroy();
    else stream.fail(asciiJson(body));
    return;
  }
  // What is left of the request is not read any more.
  if (!request.complete) response.setHeader("Connection", "close");
  send(response, error instanceof ApiError ? error.status : 500, asciiJson(body));
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "Content-Type": JSON_TYPE, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function parseUrl(text: string): URL {
  if (text.startsWith("/")) {
    try {
      return new URL(`http://krtd${text}`);
    } catch {
      // Refused below.
    }
  }
  throw new ApiError(400, "bad-request", "The request target is not a path");
}

/** Throws 404 or 405 (with Allow set on the response). */
function findEndpoint(
  path: string,
  method: string,
  response: ServerResponse,
): { endpoint: Endpoint; name: string } {
  const matches = ENDPOINTS.map((endpoint) => ({ endpoint, name: matchPath(endpoint.path, path) })).filter(
    (match): match is { endpoint: Endpoint; name: string } => match.name !== null,
  );
  if (matches.length === 0) {
    const known = ENDPOINTS.map((endpoint) => endpoint.path.replace("*", "NAME")).join(", ");
    throw new ApiError(404, "no-such-path", `There is nothing at ${path}`, `There are ${known}.`);
  }
  const match = matches.find(({ endpoint }) => endpoint.method === method);
  if (match !== undefined) return match;
  const allowed = matches.map(({ endpoint }) => endpoint.method).join(", ");
  response.setHeader("Allow", allowed);
  throw new ApiError(405, "wrong-method", `${method} does not work on ${path}`, `Use ${allowed}.`);
}

/** What stands for the "*" of the pattern, decoded; "" without one; null when the path is another. */
function matchPath(pattern: string, path: string): string | null {
  const [before, after] = pattern.split("*");
  if (after === undefined) return pattern === path ? "" : null;
  if (!path.startsWith(before!) || !path.endsWith(after)) return null;
  const name = path.slice(before!.length, path.length - after.length);
  if (name === "" || name.includes("/") || path.length < before!.length + after.length) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    throw new ApiError(400, "bad-request", `Cannot decode "${name}" in the path`);
  }
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.setHeader("Connection", "close");
  const message = `The daemon already serves ${MAX_CONNECTIONS} connections`;
  send(response, 503, errorBody("too-many-connections", message, "Try again in a moment."));
}

/** Garbage, oversized headers, or a request that did not come in time: told in HTTP as far as that goes. */
function answerBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, code, message] = badRequest(error.code);
  const body = errorBody(code, message, null);
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: ${JSON_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function badRequest(code: string | undefined): readonly [status: string, code: string, message: string] {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return [
        "431 Request Header Fields Too Large",
        "headers-too-large",
        `The headers exceed ${MAX_HEADER_BYTES} bytes`,
      ];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return ["408 Request Timeout", "request-timeout", "The request did not come in time"];
    default:
      return ["400 Bad Request", "bad-request", "The request is not HTTP/1.1"];
  }
}
