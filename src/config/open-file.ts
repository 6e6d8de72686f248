/**
 * Opening files that an operator named: only regular ones, that nobody but those trusted can change. A file takes three
 * trips to a thread and back until its first bytes are here; one that is probably asked for next can go them meanwhile.
 */

import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fileProblem, type Problem } from "./problems.ts";
import type { PathTrust } from "./trust.ts";

/** An open file with its first bytes. */
export interface OpenFile {
  readonly handle: FileHandle;
  /** As it was opened, in bytes; 0 also for files of /proc. */
  readonly size: number;
  /** One byte longer than what was asked for. */
  readonly bytes: Uint8Array;
  /** So many of them were read; fewer than asked for perhaps, though there are more. */
  readonly filled: number;
}

/** How many bytes to ask for first, of a file that seems to have so many. */
type FirstBytes = (size: number) => number;

/** Opens the files of one reading of a configuration. */
export class FileOpener {
  readonly trust: PathTrust;
  private readonly begun = new Map<string, Promise<OpenFile | Problem>>();

  constructor(trust: PathTrust) {
    this.trust = trust;
  }

  /** Begins with a file that open() is probably asked for. What is wrong with it is told then. */
  begin(path: string, first: FirstBytes): void {
    if (!this.begun.has(path)) this.begun.set(path, this.openNow(path, first));
  }

  /** The handle is the caller's to close. */
  open(path: string, first: FirstBytes): Promise<OpenFile | Problem> {
    const begun = this.begun.get(path);
    this.begun.delete(path);
    return begun ?? this.openNow(path, first);
  }

  /** Nothing that was begun is asked for any more. */
  close(): void {
    for (const opening of this.begun.values()) {
      void opening.then((opened) => {
        if ("handle" in opened) closeLater(opened.handle);
      });
    }
    this.begun.clear();
  }

  /**
   * Looks before it opens, for opening alone has effects with some devices (a watchdog, a tape), and opens without
   * waiting: a FIFO would block for ever. Never rejects.
   */
  private async openNow(path: string, first: FirstBytes): Promise<OpenFile | Problem> {
    let handle: FileHandle | null = null;
    try {
      const { complaint, found: looked } = await this.trust.look(path);
      if (complaint !== null) return fileProblem(path, complaint.message, complaint.hint);
      if (looked.status === "rejected") throw looked.reason;
      const wrong = kindProblem(path, looked.value);
      if (wrong !== null) return wrong;
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      const asked = first(looked.value.size);
      const bytes = new Uint8Array(asked + 1);
      const [found, read] = await Promise.allSettled([handle.stat(), handle.read(bytes, 0, asked)]);
      if (found.status === "rejected") throw found.reason;
      const late = this.trust.complaintOfOpened(path, found.value);
      if (late !== null) return fileProblem(path, late.message, late.hint);
      const wrongNow = kindProblem(path, found.value);
      if (wrongNow !== null) return wrongNow;
      if (read.status === "rejected") throw read.reason;
      const opened = { handle, size: found.value.size, bytes, filled: read.value.bytesRead };
      handle = null;
      return opened;
    } catch (thrown) {
      return unreadable(path, thrown);
    } finally {
      if (handle !== null) closeLater(handle);
    }
  }
}

/** Nothing waits for that. */
export function closeLater(handle: FileHandle): void {
  void handle.close().catch(() => {});
}

export function unreadable(path: string, thrown: unknown): Problem {
  return fileProblem(path, `Cannot read the file: ${reason(thrown)}`);
}

function kindProblem(path: string, found: Stats): Problem | null {
  if (found.isDirectory()) return fileProblem(path, "Cannot read the file: it is a directory");
  return found.isFile() ? null : fileProblem(path, "Cannot read the file: it is not a regular file");
}

function reason(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  return REASONS[code] ?? (thrown instanceof Error ? thrown.message : String(thrown));
}

const REASONS: Readonly<Record<string, string | undefined>> = {
  ENOENT: "it does not exist",
  ENOTDIR: "a part of its path is not a directory",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "its name is too long",
  ENXIO: "it is not a regular file",
  ERR_INVALID_ARG_VALUE: "its name is impossible",
};
