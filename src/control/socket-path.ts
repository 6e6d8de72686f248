/**
 * Where the control socket is when nobody says: krtd and krtctl must agree on it. Root's is well known, any
 * other user's stands in their runtime directory, which no one else can write to.
 */

import { KrtdError } from "../lib/errors.ts";

/** sizeof(sockaddr_un.sun_path) is 108, and the terminating NUL needs one. */
export const SOCKET_PATH_LIMIT = 107;

/** Where root's krtd listens. */
export const SYSTEM_SOCKET_PATH = "/run/krtd/krtd.sock";

/** The default path, or null: not root and no XDG_RUNTIME_DIR. */
export function defaultSocketPath(uid: number, env: NodeJS.ProcessEnv): string | null {
  if (uid === 0) return SYSTEM_SOCKET_PATH;
  const directory = env["XDG_RUNTIME_DIR"];
  return directory === undefined || directory === "" ? null : `${directory}/krtd.sock`;
}

/**
 * Throws KrtdError "socket-path" when a unix socket cannot have this path: the kernel would cut it off silently
 * or take it for an abstract one.
 */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_LIMIT) {
    throw new KrtdError(
      "socket-path",
      `Cannot use socket path ${path}: it has ${bytes} bytes, a unix socket path has at most ${SOCKET_PATH_LIMIT}`,
      { hint: "Choose a shorter path with --socket, KRTD_SOCKET or control.socket." },
    );
  }
  if (path === "" || path.includes("\0")) {
    throw new KrtdError("socket-path", "Cannot use socket path: it is empty or has a NUL byte");
  }
}
