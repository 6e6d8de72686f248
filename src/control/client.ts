/**
 * The client of the control API over the unix socket. What can go wrong before an answer comes is told apart,
 * because the operator does something else about each: no socket (krtd never ran, or another path), nobody
 * listening (krtd was killed), no permission, no answer in time.
 */

import { type IncomingMessage, request } from "node:http";
import { KrtdError } from "../lib/errors.ts";
import type { ErrorJson } from "./json.ts";
import type { ListType } from "./list-type.ts";
import { ERROR_TRAILER, PROGRESS_HEADER } from "./record-stream.ts";
import { checkSocketPath } from "./socket-path.ts";

/** An error answer is longest when it tells all problems of a configuration. */
const MAX_ERROR_CHARS = 1024 * 1024;

/** How long a daemon with too many connections is asked again, and how often. */
const BUSY_MS = 5_000;
const BUSY_RETRY_MS = 100;

export interface ClientOptions {
  readonly socketPath: string;
  /** How long the daemon may say nothing while we wait for it. */
  readonly timeoutMs: number;
}

export interface ClientRequest {
  readonly method: "GET" | "POST";
  /** Path with query. */
  readonly path: string;
  /** How to send a list; an array when not said. */
  readonly list?: ListType;
  /** Sent as JSON. */
  readonly body?: object;
  /** The work may take minutes: called now and then, when the daemon says that it goes on. That is no silence. */
  readonly progress?: () => void;
}

/** An error answer of the daemon. */
export class RemoteError extends KrtdError {
  readonly status: number;

  constructor(status: number, error: ErrorJson["error"]) {
    super(error.code, error.message, error.hint === null ? {} : { hint: error.hint });
    this.status = status;
  }
}

/** A successful answer on its way. */
export interface Reply {
  /**
   * The body as text in chunks, in the daemon's pace or the caller's, whichever is slower. Throws RemoteError
   * when the daemon could not complete it, KrtdError "cut-off" when the connection ended early. With `whole` the
   * time-out is for all of it, not for each silence: for answers that are there once they begin.
   */
  chunks(whole?: boolean): AsyncGenerator<string, void, undefined>;
  /** Stops the answer. */
  abort(): void;
}

/**
 * Throws KrtdError "not-reachable" or "socket-path", or RemoteError for an error answer. A daemon that has no place for
 * us now (nothing of the request was done then) is asked again for a while.
 */
export async function send(options: ClientOptions, what: ClientRequest): Promise<Reply> {
  checkSocketPath(options.socketPath);
  const until = performance.now() + Math.min(options.timeoutMs, BUSY_MS);
  for (;;) {
    try {
      return await sendOnce(options, what);
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_RETRY_MS));
    }
  }
}

/** Nobody accepted or served the connection, since too many others are there. */
function isBusy(error: unknown): boolean {
  if (!(error instanceof KrtdError)) return false;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return error.code === "too-many-connections" || cause?.code === "EAGAIN";
}

async function sendOnce(options: ClientOptions, what: ClientRequest): Promise<Reply> {
  const response = await firstAnswer(options, what);
  const reply: Reply = {
    chunks: (whole = false) => chunks(response, options, whole),
    abort: () => response.destroy(),
  };
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return reply;
  let text = "";
  for await (const chunk of reply.chunks(true)) {
    text += chunk;
    if (text.length > MAX_ERROR_CHARS) break;
  }
  reply.abort();
  throw new RemoteError(status, parseError(text, status));
}

function firstAnswer(options: ClientOptions, what: ClientRequest): Promise<IncomingMessage> {
  const { socketPath, timeoutMs } = options;
  const body = what.body === undefined ? null : JSON.stringify(what.body);
  const headers: Record<string, string> = { Host: "krtd" };
  if (what.list !== undefined) headers["Accept"] = what.list;
  if (body !== null) headers["Content-Type"] = "application/json";
  if (what.progress !== undefined) headers[PROGRESS_HEADER] = "yes";
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: what.path, method: what.method, headers, agent: false });
    const timer = setTimeout(() => {
      asked.destroy();
      reject(silent(options, what.progress !== undefined));
    }, timeoutMs);
    asked.on("information", () => {
      if (what.progress === undefined) return;
      timer.refresh();
      what.progress();
    });
    asked.on("response", (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    asked.on("error", (error) => {
      clearTimeout(timer);
      reject(unreachable(socketPath, error));
    });
    asked.end(body ?? undefined);
  });
}

async function* chunks(
  response: IncomingMessage,
  options: ClientOptions,
  whole: boolean,
): AsyncGenerator<string, void, undefined> {
  const started = performance.now();
  const late = { hit: false };
  const onTimeout = (): void => {
    late.hit = true;
    response.destroy();
  };
  response.setEncoding("latin1");
  const iterator = response.iterator({ destroyOnReturn: true });
  try {
    for (;;) {
      // Only while we wait for the daemon: time the reader of our own output takes does not count.
      const spent = whole ? performance.now() - started : 0;
      const timer = setTimeout(onTimeout, Math.max(0, options.timeoutMs - spent));
      const { done, value } = await iterator.next().finally(() => clearTimeout(timer));
      if (done === true) break;
      yield value as string;
    }
  } catch (error) {
    if (late.hit) throw silent(options, false);
    throw cutOff(error);
  }
  if (late.hit) throw silent(options, false);
  if (!response.complete) throw cutOff(undefined);
  const failure = response.trailers[ERROR_TRAILER.toLowerCase()];
  if (failure !== undefined) throw new RemoteError(503, parseError(failure, 503));
}

function cutOff(cause: unknown): KrtdError {
  return new KrtdError("cut-off", "The answer is not complete: the daemon closed the connection", {
    hint: "It stopped, or it dropped us for not reading for 30 s; write long lists to a file first.",
    cause,
  });
}

function silent({ socketPath, timeoutMs }: ClientOptions, slow: boolean): KrtdError {
  return new KrtdError(
    "not-reachable",
    `Cannot reach krtd on ${socketPath}: no answer in ${timeoutMs / 1000} s`,
    {
      hint: slow
        ? "What was asked for may be done all the same: see krtctl show status and krtd's log. Wait longer with --timeout."
        : "The daemon hangs or is stopped; look at its log, or wait longer with --timeout.",
    },
  );
}

/** Why connecting failed, and what to do about it. */
export function unreachable(path: string, error: NodeJS.ErrnoException): KrtdError {
  const [why, hint] = explain(error);
  return new KrtdError("not-reachable", `Cannot reach krtd on ${path}: ${why}`, { hint, cause: error });
}

function explain(error: NodeJS.ErrnoException): readonly [why: string, hint: string] {
  switch (error.code) {
    case "ENOENT":
      return [
        "there is no such socket",
        "Start krtd (krtd -c FILE), or name its socket with --socket PATH or KRTD_SOCKET.",
      ];
    case "ECONNREFUSED":
      return [
        "the socket is there, but nobody listens on it",
        "krtd is not running any more; start it (krtd -c FILE), it replaces the old socket.",
      ];
    case "EACCES":
    case "EPERM":
      return [
        "permission denied",
        "Use sudo, or join the group that owns the socket (control.group in krt.yaml).",
      ];
    case "EAGAIN":
      return [
        "too many others connect to it",
        "Try again in a moment, and look for programs that keep connecting (ss -xp).",
      ];
    default:
      return [error.message, "Check that krtd listens there."];
  }
}

function parseError(text: string, status: number): ErrorJson["error"] {
  try {
    const { error } = JSON.parse(text) as ErrorJson;
    if (typeof error.code === "string" && typeof error.message === "string") return error;
  } catch {
    // Not krtd's own words.
  }
  return { code: "bad-answer", message: `The daemon answered with HTTP status ${status}`, hint: null };
}
