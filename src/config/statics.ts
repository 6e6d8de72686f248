/**
 * The static protocols: the routes of krt.yaml one by one with their exact places, then those of their files,
 * into one RouteSet each, so that a prefix given twice is found wherever it was written first.
 */

import { dirname, isAbsolute, join } from "node:path";
import type { Family } from "../lib/ip.ts";
import { ACCEPT_ALL } from "../nest/filter.ts";
import { RouteSet, type RouteSpec, type StaticConfig } from "../proto/static/config.ts";
import type { TableConfig } from "./config.ts";
import { readRouteFile } from "./files.ts";
import { expandGlob, hasWildcard } from "./glob.ts";
import type { KrtInput, NexthopInput, RouteInput, StaticInput } from "./input.ts";
import { findTable } from "./instances.ts";
import { type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import { RouteFileParser } from "./route-file.ts";
import { type Fault, isComplaint, readAddress, readPrefix, specFaults } from "./spec-rules.ts";
import type { Path, Tree } from "./tree.ts";

export const DEFAULT_PREFERENCE = 200;

/** What came of a section: problems of krt.yaml go where the caller says, those of route files are apart. */
export interface Statics {
  readonly statics: readonly StaticConfig[];
  readonly fileProblems: readonly Problem[];
}

export async function readStatics(
  input: KrtInput,
  tables: readonly TableConfig[],
  tree: Tree,
  problems: Problem[],
): Promise<Statics> {
  const statics: StaticConfig[] = [];
  const fileProblems: Problem[] = [];
  for (const [name, entry] of Object.entries(input.static ?? {})) {
    if (entry === undefined) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const path = ["static", name];
    const given = entry ?? {};
    const table = findTable(given.table, path, tables, tree, problems);
    const family = table?.family ?? null;
    const routes = new RouteSet(family ?? 4);
    routes.from(tree.source.file);
    for (const [i, route] of (given.routes ?? []).entries()) {
      if (problems.length >= TOO_MANY_PROBLEMS) break;
      if (route !== undefined) readRoute(route, [...path, "routes", i], family, routes, tree, problems);
    }
    if (table === null) continue;
    const parser = new RouteFileParser(routes);
    await readFiles(given, path, parser, tree, problems, fileProblems);
    for (const problem of parser.problems) fileProblems.push(problem);
    statics.push({
      name,
      table: table.name,
      preference: given.preference ?? DEFAULT_PREFERENCE,
      checkLink: false,
      import: ACCEPT_ALL,
      routes,
    });
  }
  return { statics, fileProblems };
}

/** `family` null: the table is unknown, and the route is only checked. */
function readRoute(
  route: RouteInput,
  path: Path,
  family: Family | null,
  routes: RouteSet,
  tree: Tree,
  problems: Problem[],
): void {
  const at = (...steps: Path) => [...path, ...steps];
  if (route.prefix === undefined) return;
  const prefix = readPrefix(route.prefix, family, false);
  if (isComplaint(prefix)) {
    // A default route in a table that does not exist: that is one problem, and it is reported.
    if (family !== null || route.prefix !== "default") {
      problems.push(tree.atValue(at("prefix"), prefix.message, prefix.hint));
    }
  }
  const own = isComplaint(prefix) ? family : prefix.family;
  const spec = readSpec(route, path, own, tree, problems);
  if (spec === null || isComplaint(prefix) || family === null) return;
  const { w0, w1, w2, w3, length } = prefix;
  const line = tree.lineOf(at("prefix"));
  const index = routes.add(w0, w1, w2, w3, length, routes.internSpec(spec), line);
  if (index >= 0) return;
  const message = `This prefix is there already, at ${routes.where(-index - 1)}`;
  const hint = "several gateways for one prefix are nexthops of one route";
  problems.push(tree.atValue(at("prefix"), message, hint));
}

/** The route without its prefix; null when something about it was reported. */
function readSpec(
  route: RouteInput,
  path: Path,
  family: Family | null,
  tree: Tree,
  problems: Problem[],
): RouteSpec | null {
  const before = problems.length;
  let whole = isWhole(route, ROUTE_FIELDS, path, tree);
  const listed = route.nexthops;
  const single = ["via", "dev", "onlink"].find((key) => tree.has([...path, key]));
  if (listed !== undefined && single !== undefined) {
    const message = `A route with nexthops has no ${single} of its own`;
    problems.push(tree.atKey([...path, single], message, "put it into the nexthops"));
    return null;
  }
  if (listed !== undefined && listed.length === 0) {
    problems.push(tree.atValue([...path, "nexthops"], "nexthops is empty"));
    return null;
  }
  const nexthops: RouteSpec["nexthops"][number][] = [];
  if (listed === undefined) {
    if (single !== undefined) nexthops.push(readNexthop(route, path, tree, problems));
  } else {
    for (const [i, nexthop] of listed.entries()) {
      const at = [...path, "nexthops", i];
      if (nexthop === undefined || !isWhole(nexthop, NEXTHOP_FIELDS, at, tree)) whole = false;
      if (nexthop !== undefined) nexthops.push(readNexthop(nexthop, at, tree, problems));
    }
  }
  const prefsrc =
    route.prefsrc === undefined ? null : address("prefsrc", route.prefsrc, path, tree, problems);
  if (!whole || problems.length > before || family === null) return null;
  const { mtu = null, metric = null, type = "unicast" } = route;
  const spec: RouteSpec = { type, nexthops, prefsrc, mtu, metric, recursive: null };
  // A misspelled or later key (recursive) may be what says where the route goes.
  const known = Object.keys(route).every(
    (key) => key === "prefix" || ROUTE_FIELDS.some((field) => field === key),
  );
  for (const fault of specFaults(spec, family)) {
    if (!known && fault.field === "route") return null;
    problems.push(tree.atValue(faultPath(fault, path, listed !== undefined), fault.message, fault.hint));
  }
  return problems.length > before ? null : spec;
}

const ROUTE_FIELDS = ["via", "dev", "onlink", "nexthops", "type", "prefsrc", "mtu", "metric"] as const;
const NEXTHOP_FIELDS = ["via", "dev", "weight", "onlink"] as const;

/** Whether nothing that was written had to be taken out. */
function isWhole<T extends object>(
  value: T,
  fields: readonly (keyof T & string)[],
  path: Path,
  tree: Tree,
): boolean {
  return fields.every((field) => value[field] !== undefined || !tree.has([...path, field]));
}

function readNexthop(
  nexthop: NexthopInput,
  path: Path,
  tree: Tree,
  problems: Problem[],
): RouteSpec["nexthops"][number] {
  return {
    via: nexthop.via === undefined ? null : address("via", nexthop.via, path, tree, problems),
    dev: nexthop.dev === undefined ? null : Buffer.from(nexthop.dev, "utf8").toString("latin1"),
    weight: nexthop.weight ?? 1,
    onlink: nexthop.onlink ?? false,
  };
}

function address(field: "via" | "prefsrc", text: string, path: Path, tree: Tree, problems: Problem[]) {
  const read = readAddress(field, text);
  if (!isComplaint(read)) return read;
  problems.push(tree.atValue([...path, field], read.message, read.hint));
  return null;
}

function faultPath({ nexthop, field }: Fault, path: Path, listed: boolean): Path {
  const base = listed && nexthop !== null ? [...path, "nexthops", nexthop] : path;
  return field === "route" ? base : [...base, field];
}

/** Reads every file once, though several patterns may name it. */
async function readFiles(
  given: StaticInput,
  path: Path,
  parser: RouteFileParser,
  tree: Tree,
  problems: Problem[],
  fileProblems: Problem[],
): Promise<void> {
  const directory = dirname(tree.source.file);
  const done = new Set<string>();
  for (const [i, pattern] of (given.files ?? []).entries()) {
    if (pattern === undefined) continue;
    const at = [...path, "files", i];
    if (pattern === "" || pattern.includes("\0")) {
      problems.push(tree.atValue(at, "The name of a file is empty"));
      continue;
    }
    const wild = hasWildcard(pattern);
    for (const found of wild ? await expandGlob(directory, pattern) : [pattern]) {
      const file = isAbsolute(found) || directory === "." ? found : join(directory, found);
      if (done.has(file)) continue;
      done.add(file);
      const unreadable = await readRouteFile(file, file, parser);
      if (unreadable === null) continue;
      if (wild) fileProblems.push(unreadable);
      else problems.push(tree.atValue(at, `${unreadable.message}: ${file}`, unreadable.hint));
    }
  }
}
