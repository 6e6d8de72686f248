/**
 * Puts a server on its unix socket, safely: one krtd per path, whoever starts when; a socket left by a killed
 * krtd is replaced; anything else that stands at the path is left alone.
 *
 * All of it happens under the lock PATH.lock, so "is it stale?" and "delete it" cannot interleave with another
 * krtd's start. The lock is not enough alone: someone may have deleted the lock file of a running krtd, or
 * another program may listen there, so the socket is also asked whether somebody answers. Permissions are
 * closed (0600) from the bind on and opened last.
 */

import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { errorText, KrtdError } from "../lib/errors.ts";
import { acquireLock, hintOf, makeDirectory, type TryFlock } from "./lock.ts";
import { checkSocketPath } from "./socket-path.ts";

/**
 * Connections that wait to be accepted; with more a client gets EAGAIN instead of an answer. Each is accepted at once, if
 * only to be refused in words.
 */
const BACKLOG = 1024;

export interface ListenOptions {
  /** Absolute, or relative to the working directory. */
  readonly path: string;
  /** Permission bits of the socket. */
  readonly mode: number;
  /** Name or number of the group that owns the socket, or null: the process's own. */
  readonly group: string | null;
  /** Create the parent directory (0755) if it does not exist: for the default path. */
  readonly createParent: boolean;
  readonly tryFlock: TryFlock;
}

export interface Listening {
  readonly path: string;
  /** Gives the path free for the next krtd. Call after the server was closed. */
  release(): void;
}

/** Starts listening. Throws KrtdError: "socket-path", "in-use", "lock-failed", "no-such-group", "listen-failed". */
export async function listenUnix(server: Server, options: ListenOptions): Promise<Listening> {
  const { path } = options;
  checkSocketPath(path);
  const gid = options.group === null ? null : resolveGroup(options.group);
  if (options.createParent) createParent(path);
  const lock = acquireLock(`${path}.lock`, `control socket ${path}`, options.tryFlock);
  try {
    await clearPath(path);
    await bind(server, path);
    try {
      if (gid !== null) changeGroup(path, gid, options.group ?? "");
      chmodSync(path, options.mode);
    } catch (error) {
      server.close();
      throw error;
    }
  } catch (error) {
    lock.release();
    throw error;
  }
  return { path, release: () => lock.release() };
}

function createParent(path: string): void {
  try {
    makeDirectory(dirname(path), 0o755);
  } catch (error) {
    throw listenFailed(path, `cannot create ${dirname(path)}: ${errorText(error)}`, error);
  }
}

/** Makes way at `path`: deletes a socket that nobody answers on. Throws when something else is there. */
async function clearPath(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw listenFailed(path, "there is something else at that path, and krtd does not delete it");
  }
  const answer = await probe(path);
  if (answer === "answers") {
    throw new KrtdError("in-use", `Cannot use control socket ${path}: another process answers on it`, {
      hint: "Stop that one first (krtctl shutdown), or give this one its own path.",
    });
  }
  if (answer !== "stale") throw listenFailed(path, `cannot tell whether it is in use: ${answer}`);
  try {
    unlinkSync(path);
  } catch (error) {
    throw listenFailed(path, `cannot delete what a stopped krtd left there: ${errorText(error)}`, error);
  }
}

/** Whether somebody accepts on the socket; else the reason why that cannot be told. */
function probe(path: string): Promise<"answers" | "stale" | (string & {})> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve("answers");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") resolve("stale");
      // A full backlog: somebody listens, but is busy.
      else if (error.code === "EAGAIN") resolve("answers");
      else resolve(errorText(error));
    });
  });
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(listenFailed(path, errorText(error), error));
    server.once("error", failed);
    // listen() on a path binds before it returns, so the mask holds for the bind and for nothing else.
    const mask = process.umask(0o177);
    try {
      server.listen({ path, backlog: BACKLOG }, () => {
        server.off("error", failed);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

function changeGroup(path: string, gid: number, group: string): void {
  try {
    chownSync(path, -1, gid);
  } catch (error) {
    throw new KrtdError(
      "listen-failed",
      `Cannot give control socket ${path} to group ${group}: ${errorText(error)}`,
      {
        hint: "krtd must be root or a member of that group.",
        cause: error,
      },
    );
  }
}

/** The number of a group: /etc/group, or a number as it stands. */
function resolveGroup(group: string): number {
  if (/^[0-9]{1,9}$/.test(group)) return Number(group);
  let text = "";
  try {
    text = readFileSync("/etc/group", "utf8");
  } catch {
    // Treated as a file without groups.
  }
  for (const line of text.split("\n")) {
    const [name, , gid] = line.split(":");
    if (name === group && gid !== undefined && /^[0-9]+$/.test(gid)) return Number(gid);
  }
  throw new KrtdError("no-such-group", `Cannot find group "${group}" of the control socket in /etc/group`, {
    hint: `Create it (groupadd --system ${group}), give its number, or leave control.group out.`,
  });
}

function listenFailed(path: string, why: string, cause?: unknown): KrtdError {
  return new KrtdError("listen-failed", `Cannot listen on control socket ${path}: ${why}`, {
    hint: `Choose another path with --socket or control.socket.${cause === undefined ? "" : ` ${hintOf(cause)}`}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
