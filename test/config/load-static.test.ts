/** loadStatic(): one static protocol of a configuration, without the work for the others. */

import { chmodSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { LastReading } from "../../src/config/last-reading.ts";
import { type LoadOptions, loadConfig, loadStatic, renderProblems } from "../../src/config/load.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const KRT = `
filters: {f: [{match: {prefix: 10.0.0.0/8+}, action: accept}]}
static:
  a: {preference: 150, import: f, files: [a.routes], routes: [{prefix: 10.1.0.0/16, via: 192.0.2.1}]}
  b: {table: master6, files: ["b*.routes"], check-link: true}
`;

describe("loadStatic()", () => {
  it.each(["a", "b"])("gives what loadConfig() does for %s", async (name) => {
    const file = dir.write("krt.yaml", KRT);
    dir.write("a.routes", "10.2.0.0/16 via 192.0.2.1\n");
    dir.write("b1.routes", "2001:db8::/32 via fe80::1 dev eth0\n");
    const whole = await loadConfig(file);
    const one = await loadStatic(file, name);
    if (!whole.ok || !one.ok) throw new Error("the configuration is good");
    const expected = whole.config.statics.find((config) => config.name === name)!;
    const { routes, ...rest } = one.config!;
    expect({ ...rest, import: rest.import.key }).toEqual({
      name,
      table: expected.table,
      preference: expected.preference,
      checkLink: expected.checkLink,
      import: expected.import.key,
    });
    expect(routes).toEqual(expected.routes);
  });

  it("does not read the files of others, and still checks all of krt.yaml", async () => {
    const file = dir.write("krt.yaml", KRT);
    dir.write("a.routes", "10.2.0.0/16 via 192.0.2.1\n");
    dir.write("b1.routes", "nonsense\n");
    expect(await loadStatic(file, "a")).toMatchObject({ ok: true, config: { name: "a" } });
    expect(await loadStatic(file, "b")).toMatchObject({ ok: false });
    const broken = dir.write("broken.yaml", `${KRT}kernel: {k: {table: nosuch}}\n`);
    const loaded = await loadStatic(broken, "a");
    expect(loaded.ok ? "" : renderProblems(loaded.problems)).toContain(
      'broken.yaml:6:21: Unknown table "nosuch"',
    );
  });

  it("gives null for a name that is no static protocol", async () => {
    const file = dir.write("krt.yaml", "kernel: {k: {table: master4}}\n");
    expect(await loadStatic(file, "k")).toEqual({ ok: true, config: null });
    expect(await loadStatic(file, "nosuch")).toEqual({ ok: true, config: null });
  });
});

describe("loadStatic() with the reading before", () => {
  const TRUSTED = { uids: new Set([0, process.geteuid?.() ?? 0]), gids: new Set([0]) };

  /** The routes of `name`, or its problems. */
  async function read(file: string, name: string, options: LoadOptions): Promise<string[]> {
    const loaded = await loadStatic(file, name, options);
    if (!loaded.ok) return [renderProblems(loaded.problems)];
    const routes = loaded.config?.routes;
    return Array.from({ length: routes?.count ?? 0 }, (_, i) => `${routes!.word(i, 0)}/${routes!.length[i]}`);
  }

  it("gives what it does without", async () => {
    const file = dir.write("krt.yaml", KRT);
    dir.write("a.routes", "10.2.0.0/16 via 192.0.2.1\n");
    dir.write("b1.routes", "2001:db8::/32 via fe80::1 dev eth0\n");
    const last = new LastReading();
    for (const name of ["a", "b", "a", "nosuch"]) {
      expect(await loadStatic(file, name, { last })).toEqual(await loadStatic(file, name));
    }
  });

  it("understands the same bytes once, whoever reads them", async () => {
    const text = KRT.replace("[{prefix: 10.1.0.0/16, via: 192.0.2.1}]", "[]");
    const file = dir.write("krt.yaml", text);
    dir.write("a.routes", "10.2.0.0/16 via 192.0.2.1\n");
    dir.write("b1.routes", "");
    const last = new LastReading();
    const bytes = Buffer.from(text);
    expect(last.find(file, bytes)).toBeNull();
    await loadConfig(file, { last });
    const found = last.find(file, bytes);
    expect(found).not.toBeNull();
    expect(last.find(`${file}.other`, bytes)).toBeNull();
    expect(last.find(file, Buffer.from(`${text} `))).toBeNull();
    await loadStatic(file, "a", { last });
    expect(last.find(file, bytes)).toBe(found);
  });

  it("sees each change of krt.yaml, of route files, and of what a pattern means", async () => {
    const file = dir.write("krt.yaml", KRT);
    const last = new LastReading();
    const options = { last };
    dir.write("a.routes", "10.2.0.0/16 via 192.0.2.1\n");
    dir.write("b1.routes", "2001:db8::/32 via fe80::1 dev eth0\n");
    expect(await read(file, "a", options)).toEqual(await read(file, "a", {}));
    dir.write("a.routes", "10.3.0.0/16 via 192.0.2.1\n10.4.0.0/16 via 192.0.2.1\n");
    expect(await read(file, "a", options)).toHaveLength(3);
    dir.write("a.routes", "nonsense\n");
    expect(await read(file, "a", options)).toEqual([expect.stringContaining("a.routes:1")]);
    dir.write("a.routes", "10.1.0.0/16 via 192.0.2.1\n");
    expect(await read(file, "a", options)).toEqual([expect.stringContaining("10.1.0.0/16")]);
    dir.write("a.routes", "");
    dir.write("b2.routes", "2001:db8:1::/48 via fe80::1 dev eth0\n");
    expect(await read(file, "b", options)).toHaveLength(2);
    dir.write("krt.yaml", KRT.replace("10.1.0.0/16", "10.9.0.0/16"));
    expect(await read(file, "a", options)).toEqual(await read(file, "a", {}));
    dir.write("krt.yaml", KRT.replace("import: f", "import: g"));
    expect(await read(file, "a", options)).toEqual([expect.stringContaining("g")]);
    dir.write("krt.yaml", KRT);
    expect(await read(file, "a", options)).toHaveLength(1);
  });

  it("still looks at who can write the files", async () => {
    const file = dir.write("trust/krt.yaml", KRT);
    const routes = dir.write("trust/a.routes", "");
    const options = { last: new LastReading(), trusted: TRUSTED };
    expect(await read(file, "a", options)).toHaveLength(1);
    chmodSync(file, 0o666);
    expect(await read(file, "a", options)).toEqual([expect.stringContaining("everybody can write")]);
    chmodSync(file, 0o644);
    chmodSync(routes, 0o666);
    expect(await read(file, "a", options)).toEqual([expect.stringContaining("everybody can write")]);
  });

  it("keeps neither a large file nor one that is wrong", async () => {
    const last = new LastReading();
    const large = `${KRT}${"# comment\n".repeat(10_000)}`;
    const file = dir.write("krt.yaml", large);
    dir.write("a.routes", "");
    dir.write("b1.routes", "");
    expect(await loadConfig(file, { last })).toMatchObject({ ok: true });
    expect(last.find(file, Buffer.from(large))).toBeNull();
    const wrong = `${KRT}kernel: {k: {table: nosuch}}\n`;
    dir.write("krt.yaml", wrong);
    expect(await loadStatic(file, "a", { last })).toMatchObject({ ok: false });
    expect(last.find(file, Buffer.from(wrong))).toBeNull();
  });
});
