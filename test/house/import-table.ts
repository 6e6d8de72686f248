/**
 * Who may import whom: the table of docs/architecture.md as data, and the reader that holds source files to
 * it. Types cost nothing at run time and tie no knots, so most boundaries let types through and stop values.
 * Everything is judged by path relative to src; npm packages and node: modules are not its business.
 */

import { posix } from "node:path";
import { parseSync } from "oxc-parser";

/** One import, export-from or import() of a file. `target` is relative to src, or null for a package. */
export interface Import {
  readonly specifier: string;
  readonly target: string | null;
  readonly typeOnly: boolean;
}

interface Rule {
  /** Path prefix the rule governs; the longest that fits wins. A file may always import its own zone. */
  readonly zone: string;
  /** Path prefixes of which values may be imported. */
  readonly values: readonly string[];
  /** Path prefixes of which only types may be imported. */
  readonly types: readonly string[];
}

/** What a route is, in words and names: vocabulary that all who read or write routes share, no behaviour of nest. */
const ROUTE_WORDS = ["nest/attrs-draft.ts", "nest/route.ts"] as const;

/** What krtctl and the server must agree on: the way to the socket, the words of a query and those of a route. */
const BOTH_ENDS = [
  "control/client.ts",
  "control/list-type.ts",
  "control/socket-path.ts",
  "control/query.ts",
  "control/route-words.ts",
] as const;

export const IMPORT_TABLE: readonly Rule[] = [
  { zone: "lib/", values: [], types: [] },
  { zone: "nest/", values: ["lib/"], types: [] },
  { zone: "sysdep/os.ts", values: [], types: ["nest/", "lib/"] },
  { zone: "sysdep/model/", values: ["sysdep/os.ts", "lib/", ...ROUTE_WORDS], types: ["nest/"] },
  { zone: "sysdep/linux/", values: ["sysdep/os.ts", "lib/", ...ROUTE_WORDS], types: ["nest/"] },
  {
    zone: "sysdep/linux/rtnetlink/",
    values: ["sysdep/linux/netlink/", "sysdep/os.ts", "lib/", ...ROUTE_WORDS],
    types: ["nest/"],
  },
  { zone: "sysdep/linux/netlink/", values: ["lib/"], types: ["sysdep/os.ts"] },
  { zone: "proto/device/", values: ["nest/", "lib/", "sysdep/os.ts"], types: [] },
  { zone: "proto/kernel/", values: ["nest/", "lib/", "sysdep/os.ts"], types: [] },
  { zone: "proto/static/", values: ["nest/", "lib/", "sysdep/os.ts"], types: [] },
  { zone: "proto/direct/", values: ["nest/", "lib/", "sysdep/os.ts"], types: [] },
  { zone: "proto/pipe/", values: ["nest/", "lib/", "sysdep/os.ts"], types: [] },
  {
    zone: "config/",
    values: [
      "proto/device/config.ts",
      "proto/direct/config.ts",
      "proto/kernel/config.ts",
      "proto/pipe/config.ts",
      "proto/static/config.ts",
      "lib/",
      "nest/route.ts",
      "nest/filter.ts",
      "nest/filter-rules.ts",
    ],
    types: ["nest/"],
  },
  { zone: "control/", values: ["nest/", "config/", "lib/"], types: [] },
  { zone: "cli/", values: [...BOTH_ENDS, "lib/"], types: ["control/"] },
  {
    zone: "daemon/",
    values: ["nest/", "proto/", "lib/", "config/"],
    types: ["control/", "sysdep/os.ts"],
  },
  { zone: "main.ts", values: [""], types: [] },
];

/** Reads all imports of one file. `file` is relative to src. Throws when the source does not parse. */
export function readImports(file: string, source: string): Import[] {
  const { module, errors } = parseSync(file, source);
  const broken = errors[0];
  if (broken !== undefined) throw new Error(`Cannot parse ${file}: ${broken.message}`);
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean): void => {
    const relative = specifier.startsWith(".");
    const target = relative ? posix.join(posix.dirname(file), specifier) : null;
    found.push({ specifier, target, typeOnly });
  };
  for (const { moduleRequest, entries } of module.staticImports) {
    add(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType));
  }
  for (const { entries } of module.staticExports) {
    const from = entries[0]?.moduleRequest;
    if (from) {
      add(
        from.value,
        entries.every((entry) => entry.isType),
      );
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const text = source.slice(moduleRequest.start, moduleRequest.end);
    const literal = /^["']([^"'\\]*)["']$/.exec(text);
    // A computed import could name anything, so it counts as one that no rule allows.
    add(literal?.[1] ?? "../".repeat(file.split("/").length), false);
  }
  return found;
}

/** All offences of one file against the table, as sentences. */
export function checkImports(file: string, source: string): string[] {
  const rule = IMPORT_TABLE.filter(({ zone }) => fits(file, zone)).sort(
    (a, b) => b.zone.length - a.zone.length,
  )[0];
  if (rule === undefined) return [`${file} is in no folder of the import table`];
  const offences: string[] = [];
  for (const { specifier, target, typeOnly } of readImports(file, source)) {
    if (target === null) continue;
    const composes =
      target === "main.ts" || (fits(target, "daemon/") && file !== "main.ts" && !fits(file, "daemon/"));
    if (composes || target.startsWith("..")) {
      offences.push(`${file} imports ${specifier}: nothing may import that`);
    } else if (!mayImport(rule, target, typeOnly)) {
      const only = !typeOnly && mayImport(rule, target, true) ? " other than types" : "";
      offences.push(`${file} imports ${specifier}: ${rule.zone} may not import that${only}`);
    }
  }
  return offences;
}

function mayImport(rule: Rule, target: string, typeOnly: boolean): boolean {
  const own = fits(target, rule.zone) && innerZone(rule, target) === null;
  if (own || rule.values.some((allowed) => fits(target, allowed))) return true;
  // A folder may use the folders inside it (linux uses rtnetlink and netlink), never the other way round.
  if (innerZone(rule, target) !== null) return true;
  return typeOnly && rule.types.some((allowed) => fits(target, allowed));
}

function innerZone(rule: Rule, target: string): Rule | null {
  const inner = IMPORT_TABLE.find(
    ({ zone }) => zone !== rule.zone && zone.startsWith(rule.zone) && fits(target, zone),
  );
  return inner ?? null;
}

function fits(path: string, prefix: string): boolean {
  return prefix === "" || path === prefix || (prefix.endsWith("/") && path.startsWith(prefix));
}
