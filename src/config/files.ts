/**
 * Reading files that an operator named: krt.yaml in one piece, route files in pieces of some thousand lines, so
 * that the event loop gets its turn between them and a file of a million routes is never in memory as a whole.
 */

import { stat } from "node:fs/promises";
import { systemClock } from "../lib/clock.ts";
import { closeLater, type FileOpener, type OpenFile, unreadable } from "./open-file.ts";
import { fileProblem, type Problem } from "./problems.ts";
import type { RouteFileParser } from "./route-file.ts";

/** The most bytes of one route file. */
export const ROUTE_FILE_LIMIT: number = 512 * 1024 * 1024;

/** About 7,000 lines. */
const CHUNK = 256 * 1024;

/** After so much of a chunk the clock is asked: parsing that has yet to be compiled takes ten times as long. */
const PART = 16 * 1024;
/** The most milliseconds of parsing between two turns of the event loop. */
const LONG_PART_MS = 2;

const NEWLINE = 0x0a;
const SMALL = 4096;

/** The bytes of a file, up to `limit` + 1 of them: more is for the caller to refuse. */
export async function readSmallFile(
  path: string,
  limit: number,
  files: FileOpener,
): Promise<Uint8Array | Problem> {
  const first = (size: number): number => Math.min(limit, Math.max(size, SMALL)) + 1;
  return withFile(files.open(path, first), path, async ({ handle, size: expected, bytes: begun, filled }) => {
    let bytes = begun.subarray(0, begun.length - 1);
    let size = filled;
    let bytesRead = filled;
    for (;;) {
      if (bytesRead === 0 || size > limit || isEnd(size, bytes.length, expected))
        return bytes.subarray(0, size);
      if (size === bytes.length) {
        const grown = new Uint8Array(Math.min(limit, 2 * size) + 1);
        grown.set(bytes);
        bytes = grown;
      }
      ({ bytesRead } = await handle.read(bytes, size, bytes.length - size));
      size += bytesRead;
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

/** What to ask first for of a route file. */
export function firstOfRoutes(size: number): number {
  return 0 < size && size < SMALL ? SMALL : CHUNK;
}

/** Feeds a route file to the parser. Null, or why it could not be read. `alone`: there are no others. */
export async function readRouteFile(
  path: string,
  parser: RouteFileParser,
  files: FileOpener,
  alone: boolean,
): Promise<Problem | null> {
  return withFile(files.open(path, firstOfRoutes), path, async (opened) => {
    const { size } = opened;
    if (size > ROUTE_FILE_LIMIT) {
      return fileProblem(path, `The file has ${size} bytes, at most ${ROUTE_FILE_LIMIT} are read`);
    }
    if (alone) parser.expect(size);
    parser.begin(path);
    const problem = await feed(opened, path, parser);
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
  { handle, size, bytes: begun, filled: firstRead }: OpenFile,
  path: string,
  parser: RouteFileParser,
): Promise<Problem | null> {
  // One byte is kept free for the newline that the last line may lack.
  let bytes = begun;
  let room = begun.length - 1;
  let kept = 0;
  let bytesRead = firstRead;
  let total = 0;
  for (;;) {
    const asked = room - kept;
    let filled = kept + bytesRead;
    if (total === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes.copyWithin(0, 3, filled);
      filled -= 3;
    }
    total += bytesRead;
    if (total > ROUTE_FILE_LIMIT) {
      return fileProblem(path, `The file has more than ${ROUTE_FILE_LIMIT} bytes`);
    }
    const ended = bytesRead === 0 || isEnd(total, total - bytesRead + asked, size);
    if (ended && filled > 0 && bytes[filled - 1] !== NEWLINE) bytes[filled++] = NEWLINE;
    const end = filled === 0 ? 0 : bytes.lastIndexOf(NEWLINE, filled - 1) + 1;
    if (end === 0 && filled === CHUNK) {
      return fileProblem(path, `A line has more than ${CHUNK} bytes`, "one route stands on one line");
    }
    if (end > 0) await parseInParts(bytes, end, parser);
    if (ended) return null;
    await parser.makeRoom(systemClock);
    bytes.copyWithin(0, end, filled);
    kept = filled - end;
    if (kept === room) {
      // It was small, and has grown meanwhile.
      room = CHUNK;
      const grown = new Uint8Array(room + 1);
      grown.set(bytes);
      bytes = grown;
    }
    ({ bytesRead } = await handle.read(bytes, kept, room - kept));
  }
}

/** Whole lines, up to `end`. */
async function parseInParts(bytes: Uint8Array, end: number, parser: RouteFileParser): Promise<void> {
  let began = systemClock.now();
  for (let from = 0; from < end; ) {
    if (systemClock.now() - began >= LONG_PART_MS) {
      await systemClock.yield();
      began = systemClock.now();
    }
    const to = end - from <= PART ? end : bytes.indexOf(NEWLINE, from + PART - 1) + 1;
    parser.parse(bytes, from, to);
    from = to;
  }
}

async function withFile<T>(
  opening: Promise<OpenFile | Problem>,
  path: string,
  use: (opened: OpenFile) => Promise<T>,
): Promise<T | Problem> {
  const opened = await opening;
  if (!("handle" in opened)) return opened;
  try {
    return await use(opened);
  } catch (thrown) {
    return unreadable(path, thrown);
  } finally {
    closeLater(opened.handle);
  }
}
