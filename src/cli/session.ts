/** What every action starts from, and the ways to ask the daemon: for one value, or for a list. */

import { existsSync } from "node:fs";
import { type ClientRequest, type Reply, send } from "../control/client.ts";
import type { CountJson } from "../control/json.ts";
import { ALIKE_TYPE, JSON_TYPE, type ListType, NDJSON_TYPE } from "../control/list-type.ts";
import { SYSTEM_SOCKET_PATH } from "../control/socket-path.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import type { TextStyle } from "./format-words.ts";
import { badAnswer, copy, type ListView, printList, readJson } from "./list.ts";
import type { CliOptions, OutputFormat } from "./options.ts";
import type { Output } from "./output.ts";

/** One command on its way. */
export interface Session {
  readonly options: CliOptions;
  readonly operands: readonly string[];
  /** Where krtctl was started: files on the command line are relative to it. */
  readonly directory: string;
  readonly style: TextStyle;
  /** Says something to a person who waits; nobody hears it when krtctl is run by a program. */
  readonly remark: (text: string) => void;
}

/** Asks, prints, and says with which code krtctl exits. What goes wrong is thrown. */
export type Action = (session: Session, output: Output) => Promise<number>;

/** Asks for a list and prints it: as it comes for JSON, as `view` shows it for people. */
export async function showList<T>(
  session: Session,
  output: Output,
  path: string,
  query: URLSearchParams,
  view: ListView<T>,
): Promise<void> {
  const { format, legend } = session.options;
  const target = query.size === 0 ? path : `${path}?${query}`;
  const counting = query.has("count");
  const reply = await ask(session, { method: "GET", path: target, list: listType(format, counting, view) });
  try {
    if (format !== "text") await copy(reply, output);
    else if (counting) await output.write(`${(await readJson<CountJson>(reply)).value.count}\n`);
    else await printList(reply, view, { terminal: session.style.terminal, legend }, output);
  } finally {
    reply.abort();
  }
}

function listType<T>(format: OutputFormat, counting: boolean, view: ListView<T>): ListType {
  if (format === "json" || counting) return JSON_TYPE;
  return format === "text" && view.again !== undefined ? ALIKE_TYPE : NDJSON_TYPE;
}

/** Asks for one value. For JSON it is printed as it comes; for text `render` makes it. Resolves with the value. */
export async function showValue<T>(
  session: Session,
  output: Output,
  what: ClientRequest,
  render: (value: T) => string,
): Promise<T> {
  const reply = await ask(session, what);
  try {
    const { text, value } = await readJson<T>(reply);
    await output.write(session.options.format === "text" ? rendered(value, render) : text);
    return value;
  } finally {
    reply.abort();
  }
}

/** JSON it is, but whether it is krtd's shows when it is looked at. */
function rendered<T>(value: T, render: (value: T) => string): string {
  try {
    return render(value);
  } catch (error) {
    throw badAnswer(errorText(error));
  }
}

/** For work that may take minutes: says once that it goes on. */
export function atWork(session: Session): () => void {
  let said = false;
  return () => {
    if (!said) session.remark("krtd is at work; it goes on even if krtctl is interrupted");
    said = true;
  };
}

/** Throws KrtdError "not-reachable" or "socket-path", or RemoteError for an error answer. */
export async function ask(session: Session, what: ClientRequest): Promise<Reply> {
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
