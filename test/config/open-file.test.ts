/** FileOpener: what was begun is what is opened, and nothing stays open. */

import { readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { LastReading } from "../../src/config/last-reading.ts";
import { loadConfig, loadStatic } from "../../src/config/load.ts";
import { FileOpener } from "../../src/config/open-file.ts";
import { PathTrust } from "../../src/config/trust.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const first = (): number => 100;

/** Files below the directory that this process has open. */
function open(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(dir.path) ? [path] : [];
    } catch {
      return [];
    }
  });
}

const allClosed = (): Promise<void> => vi.waitFor(() => expect(open()).toEqual([]));

describe("FileOpener", () => {
  const opener = (): FileOpener =>
    new FileOpener(new PathTrust({ uids: new Set([0, process.getuid!()]), gids: new Set([0]) }));

  it("opens what it began, once", async () => {
    const file = dir.write("begun", "first");
    const files = opener();
    files.begin(file, first);
    files.begin(file, first);
    const begun = files.open(file, first);
    const again = files.open(file, first);
    for (const opened of await Promise.all([begun, again])) {
      if (!("handle" in opened)) throw new Error(opened.message);
      expect([opened.size, opened.filled, opened.bytes.length]).toEqual([5, 5, 101]);
      expect(Buffer.from(opened.bytes.subarray(0, 5)).toString()).toBe("first");
      await opened.handle.close();
    }
    await allClosed();
  });

  it("follows links, and reads no more than was asked for", async () => {
    const file = dir.write("target", "x".repeat(1000));
    const link = join(dir.path, "link");
    symlinkSync(file, link);
    const opened = await opener().open(link, first);
    if (!("handle" in opened)) throw new Error(opened.message);
    expect([opened.size, opened.filled]).toEqual([1000, 100]);
    await opened.handle.close();
  });

  it.each([
    ["nothing", "missing", "it does not exist"],
    ["a directory", ".", "it is a directory"],
    ["an impossible name", "a\0b", "its name is impossible"],
  ])("tells of what it began and cannot open: %s", async (_, name, reason) => {
    const files = opener();
    const path = `${dir.path}/${name}`;
    files.begin(path, first);
    expect(await files.open(path, first)).toMatchObject({ message: `Cannot read the file: ${reason}` });
    await allClosed();
  });

  it("closes what was begun and not asked for", async () => {
    const files = opener();
    for (const name of ["a", "b", "missing"]) {
      if (name !== "missing") dir.write(name, name);
      files.begin(join(dir.path, name), first);
    }
    await vi.waitFor(() => expect(open()).toHaveLength(2));
    files.close();
    await allClosed();
  });
});

describe("loadStatic() where the route files are begun before krt.yaml is read", () => {
  const krt = (file: string): string =>
    `kernel: {k: {table: master4}}\nstatic: {s: {table: master4, files: [${file}]}}\n`;
  const load = async (last: LastReading): Promise<number | string> => {
    const loaded = await loadStatic(join(dir.path, "krt.yaml"), "s", { last, trusted: null });
    if (loaded.ok) return loaded.config?.routes.count ?? -1;
    return loaded.problems.map(({ message }) => message).join();
  };
  const remembered = async (): Promise<LastReading> => {
    const last = new LastReading();
    dir.write("one.routes", "10.0.0.0/8 via 192.0.2.1\n");
    dir.write("two.routes", "10.0.0.0/8 via 192.0.2.1\n11.0.0.0/8 via 192.0.2.1\n");
    expect(await loadConfig(dir.write("krt.yaml", krt("one.routes")), { last, trusted: null })).toMatchObject(
      { ok: true },
    );
    expect(last.routeFiles(join(dir.path, "krt.yaml"), "s")).toEqual([join(dir.path, "one.routes")]);
    return last;
  };

  it("reads what stands in the file now", async () => {
    const last = await remembered();
    expect(await load(last)).toBe(1);
    writeFileSync(join(dir.path, "one.routes"), "");
    expect(await load(last)).toBe(0);
    await allClosed();
  });

  it("reads another file when krt.yaml names another", async () => {
    const last = await remembered();
    dir.write("krt.yaml", krt("two.routes"));
    expect(await load(last)).toBe(2);
    await allClosed();
  });

  it("says so when the file is gone, and when krt.yaml is", async () => {
    const last = await remembered();
    rmSync(join(dir.path, "one.routes"));
    expect(await load(last)).toContain("it does not exist");
    dir.write("one.routes", "");
    rmSync(join(dir.path, "krt.yaml"));
    expect(await load(last)).toContain("it does not exist");
    await allClosed();
  });

  it("begins none that a pattern found", async () => {
    const last = new LastReading();
    dir.write("p/a.routes", "");
    const file = dir.write("krt.yaml", krt("p/*.routes"));
    expect(await loadConfig(file, { last, trusted: null })).toMatchObject({ ok: true });
    expect(last.routeFiles(file, "s")).toEqual([]);
    expect(last.routeFiles(file, "nosuch")).toEqual([]);
    expect(last.routeFiles("/other", "s")).toEqual([]);
  });
});
