/**
 * Locks that keep two krtd apart: beside the control socket and in the state directory. The lock is a flock on
 * a small file, so the kernel releases it when its holder dies by whatever means; pids in the file serve only
 * to name the holder. It holds across network namespaces, because it belongs to the file.
 *
 * The tricky part is deleting the file at release: another krtd may have opened it just before and would then
 * lock a file that nobody can find any more. So the file is deleted while the lock is held, and whoever takes
 * the lock checks that its file is still the one at the path, and starts over if it is not.
 */

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorText, KrtdError } from "../lib/errors.ts";

/** Takes the exclusive flock of an open file without waiting; false when another open file holds it. */
export type TryFlock = (fd: number) => boolean;

export interface Lock {
  /** The lock file. */
  readonly path: string;
  /** Lets go and deletes the file. Idempotent. */
  release(): void;
}

/** How often the file may be deleted under us before we give up: each time another krtd has just stopped. */
const ATTEMPTS = 20;

/**
 * Locks `file`, creating it (0600) if need be. `what` names what it guards in messages: "control socket /run/…".
 * Throws KrtdError "in-use" when another process holds it, "lock-failed" when it cannot be locked at all.
 */
export function acquireLock(file: string, what: string, tryFlock: TryFlock): Lock {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fd = openLockFile(file, what);
    let kept = false;
    try {
      if (!flockOrExplain(fd, file, what, tryFlock)) throw inUse(file, what);
      if (!isStillAt(fd, file)) continue;
      nameHolder(fd);
      kept = true;
      return heldLock(fd, file);
    } finally {
      if (!kept) closeSync(fd);
    }
  }
  throw new KrtdError("lock-failed", `Cannot lock ${what}: ${file} keeps being replaced`);
}

/** Locks a directory for this process by the file krtd.lock in it. The directory is created (0750) if need be. */
export function lockDirectory(path: string, tryFlock: TryFlock): Lock {
  try {
    makeDirectory(path, 0o750);
  } catch (error) {
    throw new KrtdError("lock-failed", `Cannot create state directory ${path}: ${errorText(error)}`, {
      hint: hintOf(error),
      cause: error,
    });
  }
  return acquireLock(join(path, "krtd.lock"), `state directory ${path}`, tryFlock);
}

/** With those above it, if need be. */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (error) {
    // On a read-only file system Node says ENOENT; asked for the one directory, it tells the truth.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") mkdirSync(path, { mode });
    else throw error;
  }
}

function heldLock(fd: number, file: string): Lock {
  let held = true;
  return {
    path: file,
    release() {
      if (!held) return;
      held = false;
      try {
        unlinkSync(file);
      } catch {
        // Deleted by somebody else, or the directory became read-only: the lock itself ends with the close.
      }
      closeSync(fd);
    },
  };
}

/** A full disk takes no pid. The lock holds all the same, and another krtd is told that it is held, only not by whom. */
function nameHolder(fd: number): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
  } catch {
    // As said above.
  }
}

function openLockFile(file: string, what: string): number {
  try {
    // O_NOFOLLOW: in a directory others may write to, a link must not make us truncate its target.
    return openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new KrtdError("lock-failed", `Cannot lock ${what}: cannot open ${file}: ${errorText(error)}`, {
      hint: hintOf(error),
      cause: error,
    });
  }
}

/** What would make a place to write to of a directory. */
export function hintOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOSPC":
    case "EDQUOT":
      return "Make room on that file system (df, df -i), or choose another directory.";
    case "EROFS":
      return "That file system is read-only: remount it, or choose another directory.";
    default:
      return "The directory must exist and this user must be allowed to write to it.";
  }
}

function flockOrExplain(fd: number, file: string, what: string, tryFlock: TryFlock): boolean {
  try {
    return tryFlock(fd);
  } catch (error) {
    throw new KrtdError("lock-failed", `Cannot lock ${what}: ${file}: ${errorText(error)}`, {
      hint: "Use a directory on a local file system.",
      cause: error,
    });
  }
}

function isStillAt(fd: number, file: string): boolean {
  const ours = fstatSync(fd);
  const there = statSync(file, { throwIfNoEntry: false });
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

function inUse(file: string, what: string): KrtdError {
  let holder = "";
  try {
    const pid = readFileSync(file, "latin1").trim();
    if (/^[0-9]{1,10}$/.test(pid)) holder = ` (pid ${pid})`;
  } catch {
    // Only the name of the holder is lost.
  }
  return new KrtdError("in-use", `Cannot use ${what}: another krtd${holder} uses it`, {
    hint: "Stop that one first (krtctl shutdown), or give this one its own path.",
  });
}
