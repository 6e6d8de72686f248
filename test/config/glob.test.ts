import { afterAll, describe, expect, it } from "vitest";
import { expandGlob, hasWildcard } from "../../src/config/glob.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());
for (const name of ["a.r", "b.r", "ab.r", ".h.r", "a[1].r", "sub/c.r", "sub2/c.r", "sub2/d.x"])
  dir.write(name, "");

describe("expandGlob()", () => {
  it.each<[string, string[]]>([
    ["*.r", ["a.r", "a[1].r", "ab.r", "b.r"]],
    ["?.r", ["a.r", "b.r"]],
    ["[!a].r", ["b.r"]],
    ["[a-b].r", ["a.r", "b.r"]],
    ["a*b*.r", ["ab.r"]],
    ["*", ["a.r", "a[1].r", "ab.r", "b.r", "sub", "sub2"]],
    [".*.r", [".h.r"]],
    ["sub*/*.r", ["sub/c.r", "sub2/c.r"]],
    ["*/c.r", ["sub/c.r", "sub2/c.r"]],
    ["none*/x", []],
    ["*.none", []],
    ["a[[]1].r", ["a[1].r"]],
    ["[", []],
  ])("%s", async (pattern, names) => {
    expect(await expandGlob(dir.path, pattern, { left: 1000 })).toEqual(names);
  });

  it("takes an absolute pattern as it is", async () => {
    expect(await expandGlob("/nowhere", `${dir.path}/sub2/*.r`, { left: 1000 })).toEqual([
      `${dir.path}/sub2/c.r`,
    ]);
  });

  it("does not take exponential time", async () => {
    dir.write("a".repeat(200), "");
    expect(await expandGlob(dir.path, `${"*a".repeat(50)}b`, { left: 1000 })).toEqual([]);
  });
});

describe("hasWildcard()", () => {
  it.each([
    ["a.routes", false],
    ["*.routes", true],
    ["a?", true],
    ["[ab]", true],
  ])("%s", (pattern, wild) => {
    expect(hasWildcard(pattern)).toBe(wild);
  });
});
