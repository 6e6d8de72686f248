/** Files of every size: read to their last byte, whatever pieces they are read in, and while they grow. */

import { appendFileSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { readRouteFile, readSmallFile } from "../../src/config/files.ts";
import { RouteFileParser } from "../../src/config/route-file.ts";
import { PathTrust } from "../../src/config/trust.ts";
import { RouteSet } from "../../src/proto/static/config.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const ROUTE = "198.18.0.0/30 via 10.0.0.1\n";
const SMALL = 4096;
const CHUNK = 256 * 1024;
const SIZES = [SMALL - 1, SMALL, SMALL + 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK].flatMap((size) => [
  [size, "\n"] as const,
  [size, ""] as const,
]);

/** A route, comments up to `size` bytes, and a route of which the last byte is the last of the file. */
function content(size: number, end: string): string {
  const last = `198.19.0.0/30 via 10.0.0.1${end}`;
  const filler = "# comment\n".repeat(size / 10);
  const free = size - ROUTE.length - last.length;
  return `${ROUTE}${filler.slice(0, free - 1)}\n${last}`;
}

async function readRoutes(file: string, parser: RouteFileParser): Promise<number> {
  expect(await readRouteFile(file, file, parser, new PathTrust(null), true)).toBeNull();
  expect(parser.problems).toEqual([]);
  return parser.set.count;
}

describe("readRouteFile()", () => {
  it.each(SIZES)("of %d bytes, with %j at the end", async (size, end) => {
    const file = dir.write("size.routes", content(size, end));
    expect(await readRoutes(file, new RouteFileParser(new RouteSet(4)))).toBe(2);
  });

  it.each(["", "\n", "\ufeff", `\ufeff${ROUTE}`, ROUTE.trimEnd()])("of %j", async (text) => {
    const file = dir.write("tiny.routes", text);
    const routes = text.includes("198") ? 1 : 0;
    expect(await readRoutes(file, new RouteFileParser(new RouteSet(4)))).toBe(routes);
  });

  it("of a small one that grows while it is read", async () => {
    const file = dir.write("grows.routes", ROUTE);
    const parser = new RouteFileParser(new RouteSet(4));
    // Its size is known by then.
    parser.expect = () => appendFileSync(file, `# ${"long ".repeat(SMALL)}\n198.19.0.0/30 via 10.0.0.1`);
    expect(await readRoutes(file, parser)).toBe(2);
  });
});

describe("a large route file", () => {
  it("is parsed in parts, and makes room for what it has", async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24 via 192.0.2.1\n`);
    const file = dir.write("many.routes", lines.join(""));
    const parser = new RouteFileParser(new RouteSet(4));
    const parse = parser.parse.bind(parser);
    const parts: number[] = [];
    parser.parse = (bytes, from, to) => {
      parts.push(to - from);
      parse(bytes, from, to);
    };
    expect(await readRoutes(file, parser)).toBe(40_000);
    expect(Math.max(...parts)).toBeLessThan(17_000);
    expect(parser.set.length.length).toBeLessThan(45_000);
    expect(parser.set.where(39_999)).toBe(`${file}:40000`);
  });
});

describe("readSmallFile()", () => {
  const read = (file: string, limit: number) => readSmallFile(file, file, limit, new PathTrust(null));

  it.each([0, 1, SMALL - 1, SMALL, SMALL + 1, 100_000])("of %d bytes", async (size) => {
    const bytes = Buffer.alloc(size, "krtd");
    const file = dir.write("small", bytes);
    expect(await read(file, 1_000_000)).toEqual(new Uint8Array(bytes));
    expect(await read(file, size)).toEqual(new Uint8Array(bytes));
  });

  it("gives one byte more than the limit of a larger file", async () => {
    const file = dir.write("large", Buffer.alloc(100_000));
    expect(await read(file, 10_000)).toHaveLength(10_001);
  });

  it("reads what has no size to its end", async () => {
    // Given page by page.
    const all = readFileSync("/proc/kallsyms");
    expect(all.length).toBeGreaterThan(100_000);
    expect(await read("/proc/kallsyms", all.length)).toEqual(new Uint8Array(all));
  });
});
