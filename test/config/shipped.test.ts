/** The configuration files in config/: right, safe, and in step with the code. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renderJsonSchema } from "../../src/config/json-schema.ts";
import { loadConfig, renderProblems } from "../../src/config/load.ts";

describe("config/krt.schema.json", () => {
  it("is what `npm run schema` writes", () => {
    expect(readFileSync("config/krt.schema.json", "utf8")).toBe(renderJsonSchema());
  });
});

/** Every key of the schema as the path of its mapping and its name, but for the rules of filters. */
function keysOf(schema: unknown, path: readonly string[] = []): [string, string][] {
  if (typeof schema !== "object" || schema === null || path[0] === "filters") return [];
  if (Array.isArray(schema)) return schema.flatMap((one) => keysOf(one, path));
  const { properties = {}, additionalProperties, anyOf, items } = schema as Record<string, object>;
  return [
    ...Object.keys(properties).map((key): [string, string] => [path.join("."), key]),
    ...Object.entries(properties).flatMap(([key, below]) => keysOf(below, [...path, key])),
    ...[additionalProperties, anyOf, items].flatMap((below) => keysOf(below, path)),
  ];
}

describe("docs/configuration.md", () => {
  const text = readFileSync("docs/configuration.md", "utf8");
  const keys = keysOf(JSON.parse(renderJsonSchema()));

  it("is asked for all keys", () => {
    expect(keys.length).toBeGreaterThan(50);
    expect(keys).toContainEqual(["static.routes.nexthops", "weight"]);
  });

  it.each(keys)("explains %s %s", (section, key) => {
    // By itself, with its section, as a section with keys of its own, or in a mapping that is shown.
    const spellings = [`\`${key}\``, `\`${section}.${key}\``, `\`${key}.`];
    const inMapping = new RegExp(`\`[^\`]*\\{[^\`]*\\b${key}\\b[^\`]*\\}[^\`]*\``);
    expect(spellings.some((spelling) => text.includes(spelling)) || inMapping.test(text)).toBe(true);
  });
});

describe("config/krt.yaml", () => {
  it("writes to no kernel table but 1000, and learns from main", async () => {
    const loaded = await loadConfig("config/krt.yaml");
    if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
    const { kernels, statics } = loaded.config;
    expect(
      kernels.map(({ name, kernelTable, learn, export: out }) => [name, kernelTable, learn, out.name]),
    ).toEqual([
      ["main4", 254, true, "none"],
      ["main6", 254, true, "none"],
      ["docs-kernel4", 1000, false, "all"],
      ["docs-kernel6", 1000, false, "all"],
    ]);
    expect(statics.map(({ name, table, routes }) => [name, table, routes.count])).toEqual([
      ["docs-static4", "docs4", 3],
      ["docs-static6", "docs6", 3],
    ]);
    for (const { routes } of statics) {
      for (const spec of routes.specs) expect(spec).toMatchObject({ nexthops: [], prefsrc: null });
    }
  });
});

describe("config/examples", () => {
  const files = readdirSync("config/examples").map((name) => `config/examples/${name}`);

  it("are there", () => {
    expect(files.length).toBeGreaterThanOrEqual(8);
  });

  it("show every type of protocol, filters, namespaces, recursion, check-link and merging", async () => {
    const seen = new Set<string>();
    for (const file of files) {
      const loaded = await loadConfig(file);
      if (!loaded.ok) continue;
      const { kernels, statics, directs, pipes } = loaded.config;
      for (const kernel of kernels) {
        if (kernel.netns !== null) seen.add("netns");
        if (kernel.mergePaths > 1) seen.add("merge-paths");
        if (kernel.export.name === "to-kernel") seen.add("filter that sets");
      }
      for (const { checkLink, routes } of statics) {
        if (checkLink) seen.add("check-link");
        if (routes.specs.some(({ recursive }) => recursive !== null)) seen.add("recursive");
        if (routes.family === 4 && routes.specs.some(({ nexthops }) => nexthops[0]?.via?.family === 6)) {
          seen.add("IPv4 via IPv6");
        }
      }
      if (directs.length > 0) seen.add("direct");
      if (pipes.some((pipe) => pipe.export.name === "only-default")) seen.add("filtered pipe");
    }
    expect([...seen].sort()).toEqual(
      ["IPv4 via IPv6", "check-link", "direct", "filter that sets", "filtered pipe"].concat([
        "merge-paths",
        "netns",
        "recursive",
      ]),
    );
  });

  it.each(files)("%s is right", async (file) => {
    const loaded = await loadConfig(file);
    expect(loaded.ok ? "" : renderProblems(loaded.problems)).toBe("");
  });
});
