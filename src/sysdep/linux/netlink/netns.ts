/**
 * Opening things in another network namespace: setns(2) moves the calling thread there, and a socket stays in
 * the namespace it was opened in. So the thread goes, opens, and comes back, all in one synchronous stretch:
 * nothing else of the process ever runs in the other namespace.
 *
 * A socket also holds the namespace: when its name is deleted, it lives on for us, with all its links and routes,
 * and dumps, writes and notifications work as before, until our last socket there is closed.
 */

import { statSync } from "node:fs";
import { EACCES, EINVAL, ENOENT, EPERM, errnoText } from "../../../lib/errno.ts";
import { KrtdError } from "../../../lib/errors.ts";
import { CLONE_NEWNET } from "./constants.ts";
import { close, open, setns } from "./libc.ts";

/** asm-generic/fcntl.h: O_RDONLY | O_CLOEXEC. */
const OPEN_FLAGS = 0o2000000;
const HOME = "/proc/thread-self/ns/net";

/** A name as of `ip netns` becomes its path; a path stays. */
export function netnsPath(nameOrPath: string): string {
  return nameOrPath.includes("/") ? nameOrPath : `/run/netns/${nameOrPath}`;
}

/**
 * Which namespace the file stands for, as "device:inode" of nsfs, or null when there is none: no such file, or one
 * that `ip netns add` has made but not mounted yet. Two that exist at the same time differ. The kernel gives the
 * number of one that is gone to the next, so a replacement is certain to show only while the first is held, as
 * sockets of ours do.
 */
export function netnsIdentity(nameOrPath: string): string | null {
  try {
    const { dev, ino } = statSync(netnsPath(nameOrPath), { bigint: true });
    return dev === statSync(HOME, { bigint: true }).dev ? `${dev}:${ino}` : null;
  } catch {
    return null;
  }
}

/**
 * Runs `fn` with the calling thread inside the namespace. Only its synchronous part runs there: what an async
 * `fn` does after its first await runs outside. Throws KrtdError "netns-unavailable" when it cannot be entered.
 */
export function insideNetns<T>(nameOrPath: string, fn: () => T): T {
  const path = netnsPath(nameOrPath);
  const home = open(HOME, OPEN_FLAGS);
  if (home < 0) throw unavailable(HOME, -home);
  try {
    const there = open(path, OPEN_FLAGS);
    if (there < 0) throw unavailable(path, -there);
    const entered = setns(there, CLONE_NEWNET);
    close(there);
    if (entered < 0) throw unavailable(path, -entered);
    try {
      return fn();
    } finally {
      const back = setns(home, CLONE_NEWNET);
      if (back < 0) strand(-back);
    }
  } finally {
    close(home);
  }
}

function unavailable(path: string, errno: number): KrtdError {
  const hint = HINTS.get(errno);
  const message = `Cannot enter network namespace ${path}: ${errnoText(errno)}`;
  return new KrtdError("netns-unavailable", message, hint === undefined ? {} : { hint });
}

const HINTS: ReadonlyMap<number, string> = new Map([
  [ENOENT, "`ip netns list` shows the named namespaces."],
  [EPERM, "Entering a network namespace needs CAP_SYS_ADMIN besides CAP_NET_ADMIN."],
  [EACCES, "The file cannot be read; `ip netns` may not have finished making it."],
  [EINVAL, "The file stands for no network namespace; `ip netns` may not have finished making it."],
]);

/** A thread left in a foreign namespace would write to the wrong tables: nothing may go on. */
function strand(errno: number): never {
  process.stderr.write(`Cannot return to the own network namespace: ${errnoText(errno)}\n`);
  process.abort();
}
