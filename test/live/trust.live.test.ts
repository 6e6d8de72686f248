/** A krtd that runs refuses a configuration that others could have written, says so, and goes on with what it has. */

import { chmod, chown } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";

let ns: Netns;
beforeAll(async () => {
  ns = await createTopology();
});
afterAll(async () => {
  await ns?.dispose();
});

const config = (more: string): string => `
kernel: {kernel4: {table: master4, kernel-table: main}}
static:
  ways:
    table: master4
    routes: [{prefix: 198.18.1.0/24, via: 10.0.0.2}${more}]
    files: ["more.routes"]
`;

describe("krtd as root", () => {
  it("refuses a file that others can write; the routes stay, and a mended file is taken", async () => {
    await using krtd = await startSynced(ns, config(""), {
      files: { "more.routes": "198.18.2.0/24 via 10.0.0.2\n" },
    });
    const routes = join(krtd.directory, "more.routes");
    const before = await ns.ip("route show proto 120");
    for (const [spoil, mend, words] of [
      [() => chmod(routes, 0o666), () => chmod(routes, 0o644), `everybody can write ${routes}`],
      [() => chown(routes, 12345, 0), () => chown(routes, 0, 0), `user 12345 can change ${routes}`],
    ] as const) {
      await spoil();
      await expect(krtd.configure(config(", {prefix: 198.18.3.0/24, via: 10.0.0.2}"))).rejects.toThrow(words);
      const reload = await krtd.ctl("reload", "ways");
      expect(reload.code).not.toBe(0);
      expect(reload.stdout + reload.stderr).toContain(words);
      expect(await ns.ip("route show proto 120")).toBe(before);
      expect((await krtd.status()).config.ok).toBe(false);
      await mend();
    }
    await krtd.configure(config(", {prefix: 198.18.3.0/24, via: 10.0.0.2}"));
    await waitFor("the new route", async () =>
      (await ns.ip("route show proto 120")).includes("198.18.3.0/24"),
    );
    expect((await krtd.status()).config.ok).toBe(true);
  });

  it("does not start with such a file, unless it is told to", async () => {
    const open = { wrapper: ["sh", "-c", 'chmod 666 "$3" && exec "$0" "$@"'] };
    const files = { "more.routes": "" };
    const refused = await runKrtd(ns, config(""), { ...open, files });
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/^.*krt\.yaml: Not only root can change the file: everybody can write /);
    expect(refused.stderr).toMatch(/\n {2}chmod o-w .*krt\.yaml\n+$/);
    await using krtd = await startSynced(ns, config(""), { ...open, files, env: { KRTD_TRUST_FILES: "1" } });
    expect(await ns.ip("route show proto 120")).toContain("198.18.1.0/24");
    expect(await krtd.stop()).toBe(0);
  });
});
