/** Holds src to the import table, and the checker itself to made-up offenders. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkImports, IMPORT_TABLE, readImports } from "./import-table.ts";
import { root, sourceFiles } from "./source-files.ts";

const src = sourceFiles("src").map(({ path, text }) => ({ path: path.slice("src/".length), text }));

describe("the import table", () => {
  it("is held by every file of src", () => {
    expect(src.length).toBeGreaterThan(0);
    expect(src.flatMap(({ path, text }) => checkImports(path, text))).toEqual([]);
  });

  it("has seen imports in src at all", () => {
    const edges = src
      .flatMap(({ path, text }) => readImports(path, text))
      .filter((edge) => edge.target !== null);
    expect(edges.length).toBeGreaterThan(10);
  });

  it("names only imports of files that exist", () => {
    const known = new Set(src.map(({ path }) => path));
    const dangling = src.flatMap(({ path, text }) =>
      readImports(path, text)
        .filter(({ target }) => target !== null && !known.has(target))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
    expect(dangling).toEqual([]);
  });

  it("is explained, row by row, in docs/architecture.md", () => {
    const text = readFileSync(join(root, "docs", "architecture.md"), "utf8");
    const rows = text.split("\n").filter((line) => line.startsWith("| `"));
    const explained = rows.flatMap((row) => (row.split("|")[1] ?? "").match(/[\w/.*]+/g) ?? []);
    const zones = IMPORT_TABLE.map(({ zone }) =>
      zone.replace(/^proto\/\w+\/$/, "proto/*").replace(/\/$/, ""),
    );
    expect(new Set(explained)).toEqual(new Set(zones));
  });

  it("has one rule a zone", () => {
    const zones = IMPORT_TABLE.map(({ zone }) => zone);
    expect(new Set(zones).size).toBe(zones.length);
  });
});

describe("checkImports() reports", () => {
  const offenders: readonly (readonly [file: string, source: string, why: string])[] = [
    ["lib/ip.ts", 'import { Fib } from "../nest/fib.ts";', "lib imports nothing of src"],
    ["lib/ip.ts", 'import type { Fib } from "../nest/fib.ts";', "nor types"],
    ["nest/fib.ts", 'export { openOs } from "../sysdep/os.ts";', "export from counts as import"],
    ["nest/fib.ts", 'export * from "../config/config.ts";', "so does export *"],
    ["nest/fib.ts", 'const late = await import("../proto/kernel/kernel.ts");', "so does import()"],
    ["nest/fib.ts", "const late = await import(name);", "a computed import() could be anything"],
    ["nest/fib.ts", 'import "../control/server.ts";', "so does an import for its side effects"],
    ["proto/kernel/kernel.ts", 'import { x } from "../static/config.ts";', "a protocol imports no other"],
    [
      "proto/kernel/kernel.ts",
      'import { x } from "../../sysdep/linux/index.ts";',
      "protocols see the port only",
    ],
    ["sysdep/os.ts", 'import { AttrsDraft } from "../nest/attrs-draft.ts";', "the port takes types only"],
    [
      "sysdep/model/index.ts",
      'import { Rtable } from "../../nest/rtable.ts";',
      "backends take types of nest",
    ],
    [
      "sysdep/model/index.ts",
      'import { x } from "../linux/index.ts";',
      "one backend does not know the other",
    ],
    ["sysdep/linux/netlink/request.ts", 'import { x } from "../rtnetlink/route.ts";', "netlink is below"],
    [
      "sysdep/linux/netlink/request.ts",
      'import type { x } from "../../../nest/fib.ts";',
      "netlink knows no routes",
    ],
    ["sysdep/linux/rtnetlink/route.ts", 'import { x } from "../set.ts";', "codecs do not know the backend"],
    ["config/parse.ts", 'import { Fib } from "../nest/fib.ts";', "config takes types of nest"],
    ["config/parse.ts", 'import { x } from "../proto/kernel/kernel.ts";', "and config.ts of protocols only"],
    [
      "control/server.ts",
      'import type { x } from "../proto/kernel/kernel.ts";',
      "control asks through nest/protocol",
    ],
    ["cli/krtctl.ts", 'import { Rtable } from "../nest/rtable.ts";', "the client holds no tables"],
    ["cli/krtctl.ts", 'import { serve } from "../control/server.ts";', "nor the server"],
    ["control/server.ts", 'import { run } from "../main.ts";', "nobody imports main"],
    ["nest/fib.ts", 'import type { Daemon } from "../daemon/daemon.ts";', "nor the daemon, but main"],
    [
      "daemon/daemon.ts",
      'import { openLinuxOs } from "../sysdep/linux/index.ts";',
      "the daemon gets its OS handed in",
    ],
    ["main.ts", 'import { x } from "../test/support/netns.ts";', "nothing outside src"],
    ["util/data.ts", "export const x = 1;", "a folder the house does not have"],
    ["nest/fib.ts", 'import { type A, B } from "../config/config.ts";', "one value among types"],
  ];
  it.each(offenders)("%s: %s (%s)", (file, source) => {
    expect(checkImports(file, source)).toHaveLength(1);
  });
});

describe("checkImports() lets through", () => {
  const fine: readonly (readonly [file: string, source: string])[] = [
    ["nest/fib.ts", 'import { readFileSync } from "node:fs"; import pino from "pino";'],
    ["nest/fib.ts", '// import { x } from "../config/config.ts";\nconst text = \'import "../main.ts"\';'],
    [
      "proto/kernel/kernel.ts",
      'import { ROUTE_ADD } from "../../sysdep/os.ts"; import { x } from "./verdict.ts";',
    ],
    [
      "sysdep/linux/scan.ts",
      'import { x } from "./netlink/request.ts"; import { y } from "./rtnetlink/route.ts";',
    ],
    ["sysdep/linux/rtnetlink/route.ts", 'import { x } from "../netlink/attribute.ts";'],
    [
      "sysdep/model/index.ts",
      'import { type A } from "../../nest/fib.ts"; export type { B } from "../../nest/iface.ts";',
    ],
    ["config/parse.ts", 'import { RouteSet } from "../proto/static/config.ts";'],
    [
      "main.ts",
      'import { Daemon } from "./daemon/daemon.ts"; import { x } from "./proto/kernel/index.ts"; import { y } from "./cli/z.ts";',
    ],
  ];
  it.each(fine)("%s: %s", (file, source) => {
    expect(checkImports(file, source)).toEqual([]);
  });
});
