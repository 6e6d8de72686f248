/**
 * The static protocols: the routes of krt.yaml one by one with their exact places, then those of their files,
 * into one RouteSet each, so that a prefix given twice is found wherever it was written first.
 */

import { dirname, isAbsolute, join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { RouteSet, type StaticConfig } from "../proto/static/config.ts";
import { readRouteFile, totalSize } from "./files.ts";
import { expandGlob, GLOB_LIMIT, hasWildcard, literalPart } from "./glob.ts";
import type { StaticInput } from "./input.ts";
import { type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import { type Reading, readPolicy } from "./reading.ts";
import { RouteFileParser } from "./route-file.ts";
import { readRoute } from "./static-route.ts";
import { findTable } from "./tables.ts";
import type { Path } from "./tree.ts";

export const DEFAULT_PREFERENCE = 200;

/** Routes of krt.yaml between two turns of the event loop. */
const SLICE = 500;

/** Static protocols between two turns of the event loop. */
const PROTOCOLS_SLICE = 100;

/** What came of a section: problems of krt.yaml go where those of all do, those of route files are apart. */
export interface Statics {
  readonly statics: readonly StaticConfig[];
  readonly fileProblems: readonly Problem[];
}

/** Of those that do not need their files only the routes of krt.yaml are read. */
export async function readStatics(reading: Reading, needsFiles: (name: string) => boolean): Promise<Statics> {
  const { input, problems } = reading;
  const statics: StaticConfig[] = [];
  const fileProblems: Problem[] = [];
  for (const [name, entry] of Object.entries(input.static ?? {})) {
    if (entry === undefined) continue;
    if (problems.length + fileProblems.length >= TOO_MANY_PROBLEMS) break;
    if (statics.length % PROTOCOLS_SLICE === PROTOCOLS_SLICE - 1) await systemClock.yield();
    const config = await readEntry(reading, name, entry ?? {}, needsFiles(name), fileProblems);
    if (config !== null) statics.push(config);
  }
  return { statics, fileProblems };
}

/** One of them, if it is there, with its files. */
export async function readStatic(reading: Reading, name: string): Promise<Statics> {
  const entries = reading.input.static ?? {};
  const fileProblems: Problem[] = [];
  if (!Object.hasOwn(entries, name)) return { statics: [], fileProblems };
  const config = await readEntry(reading, name, entries[name] ?? {}, true, fileProblems);
  return { statics: config === null ? [] : [config], fileProblems };
}

/** Null: it has no table. */
async function readEntry(
  reading: Reading,
  name: string,
  given: StaticInput,
  needsFiles: boolean,
  fileProblems: Problem[],
): Promise<StaticConfig | null> {
  const { tree, problems } = reading;
  const path = ["static", name];
  const table = findTable(reading, [...path, "table"], given.table);
  const importFilter = readPolicy(reading, path, "import", given.import);
  const family = table?.family ?? null;
  const routes = new RouteSet(family ?? 4);
  routes.from(tree.source.file);
  for (const [i, route] of (given.routes ?? []).entries()) {
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    if (i % SLICE === SLICE - 1) await systemClock.yield();
    if (route !== undefined) readRoute(route, [...path, "routes", i], family, routes, tree, problems);
  }
  if (table === null) return null;
  const parser = new RouteFileParser(routes);
  if (needsFiles) await readFiles(reading, given, path, parser, fileProblems);
  for (const problem of parser.problems) fileProblems.push(problem);
  return {
    name,
    table: table.name,
    preference: given.preference ?? DEFAULT_PREFERENCE,
    checkLink: given["check-link"] ?? false,
    import: importFilter,
    routes,
  };
}

/** Reads every file once, though several patterns may name it. */
async function readFiles(
  reading: Reading,
  given: StaticInput,
  path: Path,
  parser: RouteFileParser,
  fileProblems: Problem[],
): Promise<void> {
  const { tree, problems } = reading;
  const files = new Map<string, { readonly at: Path; readonly wild: boolean }>();
  const directory = dirname(tree.source.file);
  for (const [i, pattern] of (given.files ?? []).entries()) {
    if (pattern === undefined) continue;
    const at = [...path, "files", i];
    if (pattern === "" || pattern.includes("\0")) {
      problems.push(tree.atValue(at, "The name of a file is empty"));
      continue;
    }
    const wild = hasWildcard(pattern);
    if (wild) {
      const place = literalPart(pattern);
      const complaint = await reading.trust.complaint(isAbsolute(place) ? place : join(directory, place));
      if (complaint !== null) {
        problems.push(tree.atValue(at, complaint.message, complaint.hint));
        continue;
      }
    }
    const names = wild ? await expandGlob(directory, pattern, reading.globs) : [pattern];
    if (reading.globs.left <= 0) {
      const message = `The patterns of files look at more than ${GLOB_LIMIT} names`;
      problems.push(tree.atValue(at, message, "name directories that hold route files only"));
      return;
    }
    for (const found of names) {
      const file = isAbsolute(found) || directory === "." ? found : join(directory, found);
      if (!files.has(file)) files.set(file, { at, wild });
    }
  }
  // The size of a single file is asked for anyway.
  if (files.size > 1) parser.expect(await totalSize(files.keys()));
  for (const [file, { at, wild }] of files) {
    if (problems.length + fileProblems.length >= TOO_MANY_PROBLEMS) return;
    const unreadable = await readRouteFile(file, file, parser, reading.trust, files.size === 1);
    if (unreadable === null) continue;
    if (wild) fileProblems.push(unreadable);
    else problems.push(tree.atValue(at, naming(unreadable.message, file), unreadable.hint));
  }
}

/** The message with the name of the file, unless that is in it. */
function naming(message: string, file: string): string {
  return message.includes(file) ? message : `${message}: ${file}`;
}
