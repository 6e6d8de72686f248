/**
 * One route of krt.yaml: every mistake at its exact place. What a route may say is decided by spec-rules.ts, which
 * route files share; here is only how it is written.
 */

import type { Family, IpAddress } from "../lib/ip.ts";
import type { RouteSet, RouteSpec } from "../proto/static/config.ts";
import type { NexthopInput, RouteInput } from "./input.ts";
import type { Problem } from "./problems.ts";
import {
  type Fault,
  isComplaint,
  readAddress,
  readPrefix,
  recursiveRival,
  specFaults,
} from "./spec-rules.ts";
import type { Path, Tree } from "./tree.ts";

/** `family` null: the table is unknown, and the route is only checked. */
export function readRoute(
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
  const rival = tree.has([...path, "recursive"])
    ? RECURSIVE_RIVALS.find((key) => tree.has([...path, key]))
    : undefined;
  if (rival !== undefined) {
    problems.push(tree.atKey([...path, rival], recursiveRival(rival)));
    return null;
  }
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
  const prefsrc = address("prefsrc", route.prefsrc, path, tree, problems);
  const recursive = address("recursive", route.recursive, path, tree, problems);
  if (!whole || problems.length > before || family === null) return null;
  const { mtu = null, metric = null, type = "unicast" } = route;
  const spec: RouteSpec = { type, nexthops, prefsrc, mtu, metric, recursive };
  // A misspelled key may be what says where the route goes.
  const known = Object.keys(route).every(
    (key) => key === "prefix" || ROUTE_FIELDS.some((field) => field === key),
  );
  for (const fault of specFaults(spec, family)) {
    if (!known && fault.field === "route") return null;
    problems.push(tree.atValue(faultPath(fault, path, listed !== undefined), fault.message, fault.hint));
  }
  return problems.length > before ? null : spec;
}

const RECURSIVE_RIVALS = ["via", "dev", "onlink", "nexthops", "type"] as const;
const ROUTE_FIELDS = [...RECURSIVE_RIVALS, "recursive", "prefsrc", "mtu", "metric"] as const;
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
    via: address("via", nexthop.via, path, tree, problems),
    dev: nexthop.dev === undefined ? null : Buffer.from(nexthop.dev, "utf8").toString("latin1"),
    weight: nexthop.weight ?? 1,
    onlink: nexthop.onlink ?? false,
  };
}

/** The address of that field; null when there is none, or it was reported. */
function address(
  field: "via" | "prefsrc" | "recursive",
  text: string | undefined,
  path: Path,
  tree: Tree,
  problems: Problem[],
): IpAddress | null {
  if (text === undefined) return null;
  const read = readAddress(field, text);
  if (!isComplaint(read)) return read;
  problems.push(tree.atValue([...path, field], read.message, read.hint));
  return null;
}

function faultPath({ nexthop, field }: Fault, path: Path, listed: boolean): Path {
  const base = listed && nexthop !== null ? [...path, "nexthops", nexthop] : path;
  return field === "route" ? base : [...base, field];
}
