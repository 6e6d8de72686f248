/** Whatever stands in the place of a route file: it is refused at once, with its name and what is wrong with it. */

import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig, renderProblems } from "../../src/config/load.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const MIB = 1024 * 1024;

/** The problems of a krt.yaml that names that file, and the most memory that reading it took, in bytes. */
async function read(name: string): Promise<{ told: string; took: number }> {
  const krt = dir.write("krt.yaml", `static: {s: {table: master4, files: ["${name}"]}}\n`);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }, 1);
  const loaded = await loadConfig(krt, { iproute2Directories: [dir.path] });
  clearInterval(timer);
  return {
    told: loaded.ok ? "" : renderProblems(loaded.problems).replaceAll(`${dir.path}/`, ""),
    took: most,
  };
}

function sparse(name: string, size: number): string {
  const file = dir.write(name, "");
  truncateSync(file, size);
  return file;
}

describe("loadConfig() with files: that are no route files", () => {
  it("1 GiB without a line end", async () => {
    sparse("huge.routes", 1024 * MIB);
    const { told, took } = await read("huge.routes");
    expect(told).toContain("The file has 1073741824 bytes, at most 536870912 are read: huge.routes\n");
    expect(took).toBeLessThan(32 * MIB);
  });

  it("512 MiB without a line end: given up after the longest line", async () => {
    sparse("long.routes", 512 * MIB);
    const { told, took } = await read("long.routes");
    expect(told).toContain("A line has more than 262144 bytes: long.routes\n");
    expect(told).toContain("  one route stands on one line\n");
    expect(took).toBeLessThan(32 * MIB);
  });

  it("a file of NUL characters: one mistake a line, twenty are shown", async () => {
    dir.write("nul.routes", "\0\0\0\n".repeat(100_000));
    const { told } = await read("nul.routes");
    expect(told.split("\n")[0]).toMatch(/^nul\.routes:1:1: /);
    expect(told).toContain("nul.routes: … and 99980 more problems\n");
    expect(told).not.toContain("\0");
  });

  it("a FIFO that nobody writes to, a directory, a device, links in a ring, a path through a file", async () => {
    execFileSync("mkfifo", [join(dir.path, "fifo")]);
    mkdirSync(join(dir.path, "folder"));
    symlinkSync("b", join(dir.path, "a"));
    symlinkSync("a", join(dir.path, "b"));
    writeFileSync(join(dir.path, "plain"), "");
    const why = async (name: string): Promise<string> =>
      /: Cannot read the file: ([^:]*): /.exec((await read(name)).told)?.[1] ?? "taken";
    expect(await why("fifo")).toBe("it is not a regular file");
    expect(await why("folder")).toBe("it is a directory");
    expect(await why("/dev/zero")).toBe("it is not a regular file");
    expect(await why("/dev/full")).toBe("it is not a regular file");
    expect(await why("a")).toBe("too many symbolic links");
    expect(await why("a/x")).toBe("too many symbolic links");
    expect(await why("plain/x")).toBe("a part of its path is not a directory");
    expect(await why(`${"n".repeat(300)}`)).toBe("its name is too long");
  });

  it("patterns that fit half of the file system are given up", async () => {
    for (let i = 0; i < 60; i++) mkdirSync(join(dir.path, "wide", `${i}`), { recursive: true });
    const pattern = `${dir.path}/wide/${"*/../".repeat(6)}*`;
    const { told } = await read(pattern);
    expect(told).toContain("The patterns of files look at more than 200000 names\n");
  });
});
