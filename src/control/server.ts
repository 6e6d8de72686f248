/**
 * The control server: HTTP/1.1 on the unix socket. Who is served, and how long, is for connections.ts and place.ts; how
 * fast requests are read, metered-socket.ts; what they ask for, answer.ts.
 */

import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer, type Server } from "node:net";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { rateLimited } from "../lib/rate-limit.ts";
import { type AnswerOptions, answer } from "./answer.ts";
import type { ControlBackend } from "./backend.ts";
import { Connections } from "./connections.ts";
import { KernelDumps } from "./kernel-dumps.ts";
import { type ListenOptions, listenUnix } from "./listen.ts";
import type { PlaceDeadlines } from "./place.ts";
import { MAX_HEADER_BYTES, notHttp, rawAnswer } from "./raw-answer.ts";

/** How long a running answer may take when the daemon stops. */
const CLOSE_GRACE_MS = 1_000;

export interface ControlDeadlines extends PlaceDeadlines {
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
  const { clock } = options;
  const log = rateLimited(options.log, clock, { burst: 10, windowMs: 60_000 });
  const deadlines = options.deadlines ?? DEADLINES;
  const connections = new Connections({ clock, log, deadlines });
  const parser = makeParser(connections, {
    backend: options.backend,
    clock,
    log,
    turns: connections.turns,
    dumps: new KernelDumps(),
    long: { running: 0 },
    stallMs: deadlines.stallMs,
    progressMs: deadlines.progressMs,
  });
  // Half-open: a client may shut down its side when it has asked.
  const server = createServer({ allowHalfOpen: true }, (raw) => {
    const socket = connections.admit(raw);
    if (socket !== null) parser.emit("connection", socket);
  });
  const listening = await listenUnix(server, options.listen);
  server.on("error", (error) => log.error("control server failed", { error: error.message }));
  log.info("control socket open", { path: listening.path });
  let closing: Promise<void> | null = null;
  return {
    path: listening.path,
    close() {
      closing ??= closeServer(server, connections, clock).then(() => listening.release());
      return closing;
    },
  };
}

/** Node's HTTP server, given connections instead of listening itself. All deadlines are those of places. */
function makeParser(connections: Connections, options: AnswerOptions): HttpServer {
  const parser = createHttpServer({ maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false });
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const place = connections.placeOf(request.socket);
    // Null: of the requests that came with the last words.
    place?.ask(request, response, () => void answer(request, response, place, options));
  };
  parser.on("request", serve);
  parser.on("checkExpectation", serve);
  parser.on("clientError", (error: NodeJS.ErrnoException & { readonly reason?: string }, socket) => {
    connections.placeOf(socket)?.fail(notHttp(error.code, error.reason));
  });
  parser.on("connect", (_request, socket) => {
    connections
      .placeOf(socket)
      ?.fail(rawAnswer("405 Method Not Allowed", "wrong-method", "krtd is no proxy", "Use GET or POST."));
  });
  return parser;
}

function closeServer(server: Server, connections: Connections, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(CLOSE_GRACE_MS, () => connections.destroy());
    server.close(() => {
      cancel();
      resolve();
    });
    connections.close();
  });
}
