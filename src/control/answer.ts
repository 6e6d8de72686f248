/**
 * One request from its first byte to its answer. Nothing a client sends and nothing a handler throws may end the
 * process; each becomes an error answer or a closed connection. A handler works only as long as its client is there.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { asciiJson } from "../lib/ascii-json.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { ApiError, errorBody } from "./api-error.ts";
import type { ControlBackend } from "./backend.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import type { KernelDumps } from "./kernel-dumps.ts";
import { acceptedList, JSON_TYPE } from "./list-type.ts";
import type { Place } from "./place.ts";
import { PROGRESS_HEADER, RecordStream } from "./record-stream.ts";
import { findEndpoint, parseTarget } from "./target.ts";
import type { Turns } from "./turns.ts";

/** Of 64 clients so many may ask for lists and dumps at once. */
const MAX_LONG = 48;

export interface AnswerOptions {
  readonly backend: ControlBackend;
  readonly clock: Clock;
  readonly log: Log;
  readonly turns: Turns;
  readonly dumps: KernelDumps;
  /** Lists and dumps that are being answered. */
  readonly long: { running: number };
  /** While an answer waits for its reader. */
  readonly stallMs: number;
  /** Between two signs of life to a client that waits for slow work. */
  readonly progressMs: number;
}

/** Answers; never rejects. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  place: Place,
  options: AnswerOptions,
): Promise<void> {
  let stream: RecordStream | null = null;
  // A client that goes away mid-answer is its own business.
  response.on("error", () => {});
  try {
    checkExpectations(request);
    const { path, parameters } = parseTarget(request.url ?? "");
    const { endpoint, name } = findEndpoint(path, request.method ?? "", response);
    const body = await readBody(request, endpoint.method === "POST");
    place.working();
    if (endpoint.long === true) countLong(response, options.long);
    if (endpoint.slow === true) bePatient(request, response, options.clock, options.progressMs);
    const call: Call = {
      backend: options.backend,
      clock: clockOfClient(response, options),
      log: options.log,
      parameters,
      name,
      body,
      json: (status, value, sent) => {
        if (sent !== undefined) response.once("close", sent);
        send(response, status, `${asciiJson(JSON.stringify(value))}\n`);
      },
      text: (type, text) => send(response, 200, text, type),
      stream: () => {
        stream = new RecordStream(response, {
          type: acceptedList(request.headers.accept),
          clock: options.clock,
          stallMs: options.stallMs,
          onStall: (stalled) => (stalled ? place.answered() : place.working()),
        });
        return stream;
      },
      dump: (facet, onRoute) => options.dumps.run(facet, onRoute, () => throwIfGone(response)),
      backlog: () => options.dumps.backlog(response),
    };
    await endpoint.handle(call);
  } catch (error) {
    answerError(error, request, response, stream, options.log);
  }
  if (!response.destroyed) place.answered();
}

/** Walks yield by it: their next slice waits for its turn, and there is none when the client has left. */
function clockOfClient(response: ServerResponse, { clock, turns }: AnswerOptions): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (delayMs, fn) => clock.after(delayMs, fn),
    yield: async () => {
      await turns.next();
      throwIfGone(response);
    },
  };
}

function throwIfGone(response: ServerResponse): void {
  if (!response.destroyed) return;
  throw new KrtdError("client-gone", "Cannot finish the answer to a client: it closed the connection");
}

function countLong(response: ServerResponse, long: { running: number }): void {
  if (long.running >= MAX_LONG) {
    throw new ApiError(
      503,
      "too-many-lists",
      `krtd already sends ${MAX_LONG} lists`,
      "Try again in a moment; krtctl show status always works. Look for programs that ask for lists (ss -xp).",
    );
  }
  long.running++;
  response.once("close", () => long.running--);
}

function checkExpectations({ headers, httpVersion }: IncomingMessage): void {
  const { expect, host } = headers;
  if (httpVersion === "1.1" && host === undefined) {
    throw new ApiError(400, "bad-request", "The request has no Host header", "Any will do: Host: krtd");
  }
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    throw new ApiError(
      417,
      "bad-request",
      `krtd does not know the expectation "${expect}"`,
      "Send no Expect header.",
    );
  }
}

/**
 * The answer may take minutes: a client that asks for it is told now and
 * then (HTTP 102) that the work goes on. Others are not: many libraries take a 102 for the answer.
 */
function bePatient(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  progressMs: number,
): void {
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

function send(response: ServerResponse, status: number, body: string, type: string = JSON_TYPE): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}
