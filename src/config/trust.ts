/**
 * Who else can change a file of the configuration. Whoever can decides what krtd does with its rights over the routes,
 * so krtd takes a file only if nobody but those it trusts can write it, nor put another in its place: the owner and mode
 * of the file, of every directory on the way to it, and of every symbolic link there, as sshd looks at authorized_keys.
 *
 * Trusted are root, the user that krtd runs as, and whoever can write krtd's own program: a clone that is started with
 * sudo. Where many may create files but only the owner may remove them (/tmp, mode 1777) each step must belong to
 * somebody trusted.
 */

import type { Stats } from "node:fs";
import { readFileSync, statSync } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Complaint } from "./spec-rules.ts";

/** Whose writing is no danger. */
export interface Trusted {
  readonly uids: ReadonlySet<number>;
  readonly gids: ReadonlySet<number>;
}

/** Set to anything, it switches the checks off: for containers whose files belong to users of the host. */
const SWITCH = "KRTD_TRUST_FILES";

/** CAP_NET_ADMIN (linux/capability.h). */
const NET_ADMIN = 1n << 12n;

/** As the kernel: include/linux/namei.h, MAXSYMLINKS. */
const MOST_LINKS = 40;

const STICKY = 0o1000;

/** Whom this process trusts; null: everybody, for it may not change routes anyway. */
export function trustedByProcess(env: NodeJS.ProcessEnv = process.env): Trusted | null {
  const uid = process.geteuid?.() ?? 0;
  const status = readOr("/proc/self/status", "");
  const capabilities = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0";
  if (env[SWITCH] || (uid !== 0 && (BigInt(`0x${capabilities}`) & NET_ADMIN) === 0n)) return null;
  const uids = new Set([0, uid]);
  const gids = new Set([0, process.getegid?.() ?? 0]);
  const program = statSync(fileURLToPath(import.meta.url), { throwIfNoEntry: false });
  if (program !== undefined) {
    uids.add(program.uid);
    if ((program.mode & 0o020) !== 0) gids.add(program.gid);
  }
  // In a user namespace the host's root, and all who are not in it, are shown as one user that nobody in it can be.
  if (!/^\s*0\s+0\s+4294967295\s*$/.test(readOr("/proc/self/uid_map", ""))) {
    uids.add(Number(readOr("/proc/sys/kernel/overflowuid", "65534")));
    gids.add(Number(readOr("/proc/sys/kernel/overflowgid", "65534")));
  }
  return { uids, gids };
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}

/** Looks at paths; remembers the directories. For one reading of a configuration. */
export class PathTrust {
  private readonly trusted: Trusted | null;
  private readonly directories = new Map<string, Directory>();

  constructor(trusted: Trusted | null) {
    this.trusted = trusted;
  }

  /**
   * What is wrong with the file or directory at `path`, or null. Null, too, for what is not there or cannot be looked
   * at: opening it tells why.
   */
  async complaint(path: string): Promise<Complaint | null> {
    if (this.trusted === null) return null;
    const absolute = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
    try {
      return await this.walk(absolute, this.trusted);
    } catch {
      return null;
    }
  }

  /** The same of a file that was opened by then: another may have come to its place meanwhile. */
  complaintOfOpened(path: string, found: Stats): Complaint | null {
    return this.trusted === null ? null : judge(path, found, this.trusted);
  }

  private async walk(path: string, trusted: Trusted): Promise<Complaint | null> {
    let at = "/";
    let links = 0;
    const steps = path.split("/").reverse();
    const last = await this.lookAhead(path, trusted);
    let directory = await this.directory(at, trusted);
    while (steps.length > 0) {
      if (directory.complaint !== null) return directory.complaint;
      const step = steps.pop()!;
      if (step === "" || step === ".") continue;
      if (step === "..") {
        at = at.slice(0, Math.max(1, at.lastIndexOf("/")));
        directory = await this.directory(at, trusted);
        continue;
      }
      const next = at === "/" ? `/${step}` : `${at}/${step}`;
      const known = this.directories.get(next);
      if (known !== undefined) {
        if (directory.shared && !trusted.uids.has(known.stats.uid)) return foreign(next, known.stats);
        at = next;
        directory = known;
        continue;
      }
      const found = next === path && last !== null ? last : await lstat(next);
      if (directory.shared && !trusted.uids.has(found.uid)) return foreign(next, found);
      if (found.isSymbolicLink()) {
        // Opening it says so.
        if (++links > MOST_LINKS) return null;
        const target = await readlink(next);
        if (target.startsWith("/")) at = "/";
        directory = await this.directory(at, trusted);
        steps.push(...target.split("/").reverse());
      } else if (found.isDirectory()) {
        at = next;
        directory = this.remember(next, found, trusted);
      } else {
        // Anything else than a file is refused by the one who opens it.
        return found.isFile() ? judge(next, found, trusted) : null;
      }
    }
    return directory.complaint;
  }

  private async directory(path: string, trusted: Trusted): Promise<Directory> {
    return this.directories.get(path) ?? this.remember(path, await lstat(path), trusted);
  }

  /**
   * Looks at what the path names, all at once: one after the other takes some time each. Returns what stands at its
   * end, or null.
   */
  private async lookAhead(path: string, trusted: Trusted): Promise<Stats | null> {
    const unknown = this.directories.has("/") ? [path] : [path, "/"];
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const directory = path.slice(0, end);
      if (this.directories.has(directory)) break;
      unknown.push(directory);
    }
    const [last, ...all] = await Promise.all(unknown.map((one) => lstat(one).catch(() => null)));
    for (const [i, stats] of all.entries()) {
      if (stats?.isDirectory() === true) this.remember(unknown[i + 1]!, stats, trusted);
    }
    return last ?? null;
  }

  private remember(path: string, found: Stats, trusted: Trusted): Directory {
    const complaint = judge(path, found, trusted);
    const shared = complaint !== null && (found.mode & STICKY) !== 0 && trusted.uids.has(found.uid);
    const directory = { complaint: shared ? null : complaint, shared, stats: found };
    this.directories.set(path, directory);
    return directory;
  }
}

interface Directory {
  readonly stats: Stats;
  readonly complaint: Complaint | null;
  /** Others may create in it, but not remove or rename what belongs to another. */
  readonly shared: boolean;
}

function judge(path: string, found: Stats, trusted: Trusted): Complaint | null {
  const { uid, gid, mode } = found;
  if (!trusted.uids.has(uid)) return foreign(path, found);
  const what = found.isDirectory() ? "directory " : "";
  if ((mode & 0o002) !== 0) {
    return refusal(`everybody can write ${what}${path}`, `chmod o-w ${quoted(path)}`);
  }
  if ((mode & 0o020) !== 0 && !trusted.gids.has(gid)) {
    return refusal(`the members of group ${gid} can write ${what}${path}`, `chmod g-w ${quoted(path)}`);
  }
  return null;
}

function foreign(path: string, found: Stats): Complaint {
  const what = found.isDirectory() ? "directory " : found.isSymbolicLink() ? "link " : "";
  const option = found.isSymbolicLink() ? "-h " : "";
  return refusal(
    `user ${found.uid} can change ${what}${path}, to whom it belongs`,
    `chown ${option}root ${quoted(path)}, or put the configuration where only root can write, such as /etc/krtd`,
  );
}

function refusal(why: string, hint: string): Complaint {
  return { message: `Not only root can change the file: ${why}`, hint };
}

/** A path that a shell takes for one word. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
