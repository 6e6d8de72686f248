/**
 * Reading files that an operator named: krt.yaml in one piece, route files in pieces of some thousand lines, so
 * that the event loop gets its turn between them and a file of a million routes is never in memory as a whole.
 */

import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { LONG_TURN_MS, systemClock } from "../lib/clock.ts";
import { fileProblem, type Problem } from "./problems.ts";
import type { RouteFileParser } from "./route-file.ts";
import type { PathTrust } from "./trust.ts";

/** The most bytes of one route file. */
export const ROUTE_FILE_LIMIT: number = 512 * 1024 * 1024;

/** About 7,000 lines. */
const CHUNK = 256 * 1024;

/** After so much of a chunk the clock is asked: parsing that has yet to be compiled takes ten times as long. */
const PART = 16 * 1024;

const NEWLINE = 0x0a;
const SMALL = 4096;

/**
 * The bytes of a file, up to `limit` + 1 of them: more is for the caller to refuse. `name` is what messages
 * call the file.
 */
export async function readSmallFile(
  path: string,
  name: string,
  limit: number,
  trust: PathTrust,
): Promise<Uint8Array | Problem> {
  return withFile(path, name, trust, async (handle, expected) => {
    let bytes = new Uint8Array(Math.min(limit, Math.max(expected, SMALL)) + 1);
    for (let size = 0; ; ) {
      const { bytesRead } = await handle.read(bytes, size, bytes.length - size);
      size += bytesRead;
      if (bytesRead === 0 || size > limit || isEnd(size, bytes.length, expected))
        return bytes.subarray(0, size);
      if (size < bytes.length) continue;
      const grown = new Uint8Array(Math.min(limit, 2 * size) + 1);
      grown.set(bytes);
      bytes = grown;
    }
  });
}

/**
 * Less came than was asked for, and all that the file has: reading on would give nothing, but take another trip to
 * a thread. Files without a size (of /proc) are read to their end.
 */
function isEnd(read: number, asked: number, size: number): boolean {
  return read < asked && read >= size && size > 0;
}

/** Feeds a route file to the parser. Null, or why it could not be read. `alone`: there are no others. */
export async function readRouteFile(
  path: string,
  name: string,
  parser: RouteFileParser,
  trust: PathTrust,
  alone: boolean,
): Promise<Problem | null> {
  return withFile(path, name, trust, async (handle, size) => {
    if (size > ROUTE_FILE_LIMIT) {
      return fileProblem(name, `The file has ${size} bytes, at most ${ROUTE_FILE_LIMIT} are read`);
    }
    if (alone) parser.expect(size);
    parser.begin(name);
    const problem = await feed(handle, size, name, parser);
    parser.end();
    return problem;
  });
}

/** The bytes of those of the files that can be looked at. */
export async function totalSize(paths: Iterable<string>): Promise<number> {
  let total = 0;
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (found?.isFile() === true) total += Math.min(found.size, ROUTE_FILE_LIMIT);
  }
  return total;
}

async function feed(
  handle: FileHandle,
  size: number,
  name: string,
  parser: RouteFileParser,
): Promise<Problem | null> {
  let room = 0 < size && size < SMALL ? SMALL : CHUNK;
  // One byte is kept free for the newline that the last line may lack.
  let bytes = new Uint8Array(room + 1);
  let kept = 0;
  let total = 0;
  for (let ended = false; !ended; ) {
    const asked = room - kept;
    const { bytesRead } = await handle.read(bytes, kept, asked);
    let filled = kept + bytesRead;
    if (total === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes.copyWithin(0, 3, filled);
      filled -= 3;
    }
    total += bytesRead;
    if (total > ROUTE_FILE_LIMIT) {
      return fileProblem(name, `The file has more than ${ROUTE_FILE_LIMIT} bytes`);
    }
    ended = bytesRead === 0 || isEnd(total, total - bytesRead + asked, size);
    if (ended && filled > 0 && bytes[filled - 1] !== NEWLINE) bytes[filled++] = NEWLINE;
    const end = filled === 0 ? 0 : bytes.lastIndexOf(NEWLINE, filled - 1) + 1;
    if (end === 0 && filled === CHUNK) {
      return fileProblem(name, `A line has more than ${CHUNK} bytes`, "one route stands on one line");
    }
    if (end > 0) await parseInParts(bytes, end, parser);
    await parser.makeRoom(systemClock);
    bytes.copyWithin(0, end, filled);
    kept = filled - end;
    if (kept < room) continue;
    // It was small, and has grown meanwhile.
    room = CHUNK;
    const grown = new Uint8Array(room + 1);
    grown.set(bytes);
    bytes = grown;
  }
  return null;
}

/** Whole lines, up to `end`. */
async function parseInParts(bytes: Uint8Array, end: number, parser: RouteFileParser): Promise<void> {
  let began = systemClock.now();
  for (let from = 0; from < end; ) {
    if (systemClock.now() - began >= LONG_TURN_MS) {
      await systemClock.yield();
      began = systemClock.now();
    }
    const to = end - from <= PART ? end : bytes.indexOf(NEWLINE, from + PART - 1) + 1;
    parser.parse(bytes, from, to);
    from = to;
  }
}

/**
 * Hands only regular files on that nobody but those trusted can change. Looks before it opens, for opening alone has
 * effects with some devices (a watchdog, a tape), and opens without waiting: a FIFO would block for ever.
 */
async function withFile<T>(
  path: string,
  name: string,
  trust: PathTrust,
  use: (handle: FileHandle, size: number) => Promise<T>,
): Promise<T | Problem> {
  let handle: FileHandle | null = null;
  try {
    const [complaint, looked] = await Promise.all([trust.complaint(path), settled(stat(path))]);
    if (complaint !== null) return fileProblem(name, complaint.message, complaint.hint);
    if (looked.status === "rejected") throw looked.reason;
    const wrong = kindProblem(name, looked.value);
    if (wrong !== null) return wrong;
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const found = await handle.stat();
    const late = trust.complaintOfOpened(path, found);
    if (late !== null) return fileProblem(name, late.message, late.hint);
    return kindProblem(name, found) ?? (await use(handle, found.size));
  } catch (thrown) {
    return fileProblem(name, `Cannot read the file: ${reason(thrown)}`);
  } finally {
    // Nothing waits for that.
    void handle?.close().catch(() => {});
  }
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}

function kindProblem(name: string, found: Stats): Problem | null {
  if (found.isDirectory()) return fileProblem(name, "Cannot read the file: it is a directory");
  return found.isFile() ? null : fileProblem(name, "Cannot read the file: it is not a regular file");
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
