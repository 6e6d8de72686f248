/**
 * The safety rails on the real kernel: an emptied routes file changes nothing unasked, by reload, SIGHUP or restart; a
 * protected prefix survives everything, and does not keep anybody's routes from being added.
 */

import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import { FAMILIES, ownLines, routeLines } from "../support/families.ts";
import { makeDirectory, type RunningKrtd, startKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const COUNT = 40;

let ns: Netns;
let directory: string;

beforeEach(async () => {
  ns = await createTopology();
  await settled(ns);
  directory = await makeDirectory();
});

afterEach(async () => {
  await ns?.dispose();
  await rm(directory, { recursive: true, force: true });
});

const writeRoutes = (text: string): Promise<void> => writeFile(join(directory, "all.routes"), text);

describe.each(FAMILIES)("in IPv$family", ({ flag, table, gateway, otherGateway, net }) => {
  const FULL = Array.from({ length: COUNT }, (_, i) => `${net(i)} via ${gateway}\n`).join("");
  const config = (more: KrtInput = {}): string =>
    JSON.stringify({
      log: { format: "json" },
      kernel: { k: { table, "scan-time": "1s" } },
      static: { s: { table, files: ["all.routes"] } },
      ...more,
    });
  const start = async (text = config()): Promise<RunningKrtd> => startSynced(ns, text, { directory });
  const kernel = (): Promise<string[]> => routeLines(ns, flag, "table all");
  const becomes = (count: number): Promise<void> =>
    waitFor(`${count} routes of krtd`, async () => (await ownLines(ns, flag)).length === count);

  it("an emptied routes file is refused by reload, configure and SIGHUP with no write, and forced at will", async () => {
    await writeRoutes(FULL);
    await using krtd = await start();
    const before = await kernel();
    const writes = await krtd.writes();
    await using monitor = await monitorRoutes(ns);
    await writeRoutes("");
    for (const words of [["reload", "s"], ["configure"]] as const) {
      const refused = await krtd.ctl(...words);
      expect(refused).toMatchObject({ code: 1, stdout: "" });
      expect(refused.stderr).toContain(`k: ${COUNT} of ${COUNT} routes (100 %)`);
      expect(refused.stderr).toContain(`krtctl ${words[0]} --force`);
    }
    krtd.signal("SIGHUP");
    const message = "the configuration was refused: too much would be deleted from the kernel";
    await waitFor("the refusal", async () => krtd.records(message).length === 2);
    expect((await krtd.status()).config).toMatchObject({ ok: false });
    await krtd.scan();
    expect(await kernel()).toEqual(before);
    expect(await krtd.writes()).toBe(writes);
    expect(await monitor.events()).toEqual([]);
    expect(await krtd.ctl("reload", "s", "--force")).toMatchObject({ code: 0 });
    await becomes(0);
    await writeRoutes(FULL);
    expect(await krtd.ctl("configure")).toMatchObject({ code: 0 });
    await becomes(COUNT);
    await writeRoutes("");
    expect(await krtd.ctl("configure", "--force")).toMatchObject({ code: 0 });
    await becomes(0);
  });

  it("a restart with an emptied file withholds; the file put right writes nothing; scan --force deletes", async () => {
    await writeRoutes(FULL);
    const first = await start();
    const before = await kernel();
    await first.kill();
    await writeRoutes("");
    await using krtd = await startKrtd(ns, config(), { directory });
    await waitFor("what is withheld", async () => (await krtd.state()) === "degraded");
    await waitFor("in sync", async () => krtd.logged("in sync") !== undefined);
    expect((await krtd.status()).counts.withheld).toBe(COUNT);
    expect((await krtd.ctl("show", "status")).stdout).toMatch(/^withheld: +40 routes/m);
    expect((await krtd.ctl("show", "protocols")).stdout).toContain("krtctl scan --force k");
    expect((await krtd.ctl("explain", net(3))).stdout).toContain("krtctl scan --force k");
    expect(await kernel()).toEqual(before);
    await writeRoutes(FULL);
    expect(await krtd.ctl("configure")).toMatchObject({ code: 0 });
    await krtd.synced();
    expect(await krtd.writes()).toBe(0);
    await krtd.kill();
    await writeRoutes("");
    await using again = await startKrtd(ns, config(), { directory });
    await waitFor("what is withheld", async () => (await again.state()) === "degraded");
    expect(await again.ctl("scan", "k", "--force")).toMatchObject({ code: 0 });
    await becomes(0);
    await again.synced();
  });

  it("a protected default route survives all that krtd does, and what is free there is added", async () => {
    const protecting = config({ safety: { protect: ["default", net(1)], "max-delete-percent": 100 } });
    await writeRoutes(`default via ${gateway}\n${net(0)} via ${gateway}\n`);
    await using krtd = await start(protecting);
    const [line] = (await ownLines(ns, flag)).filter((one) => one.includes("default"));
    const stays = async (others: number): Promise<void> => {
      await krtd.scan();
      const all = await ownLines(ns, flag);
      expect(all).toContain(line);
      expect(all).toHaveLength(others + 1);
    };
    const writes = async (routes: string): Promise<void> => {
      await writeRoutes(routes);
      expect(await krtd.ctl("configure")).toMatchObject({ code: 0 });
    };
    await writes(`${net(0)} via ${gateway}\n`);
    await stays(1);
    expect((await krtd.ctl("show", "kernel", "default")).stdout).toContain("protected");
    expect((await krtd.ctl("explain", "default", "table", table)).stdout).toContain("safety.protect");
    await writes(`default via ${otherGateway}\n${net(0)} via ${otherGateway}\n`);
    await stays(1);
    expect((await krtd.ctl("show", "routes", "table", table, "state", "failed")).stdout).toContain("default");
    expect((await krtd.status()).counts.failed).toBe(1);
    await writes(`${net(1)} via ${gateway}\n`);
    await stays(1);
    await krtd.act("restart", "k");
    await stays(1);
    await krtd.act("disable", "k");
    expect((await ownLines(ns, flag)).filter((one) => one.includes("default"))).toEqual([line]);
    await krtd.act("enable", "k");
    await writes("");
    await stays(1);
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, flag)).toHaveLength(2);
    expect(krtd.logged("protected routes stay in the kernel")).toMatchObject({ routes: 2 });
  });
});
