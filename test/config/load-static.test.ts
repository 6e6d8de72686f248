/** loadStatic(): one static protocol of a configuration, without the work for the others. */

import { afterAll, describe, expect, it } from "vitest";
import { loadConfig, loadStatic, renderProblems } from "../../src/config/load.ts";
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
