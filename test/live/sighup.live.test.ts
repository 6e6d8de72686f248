/** SIGHUP, as `systemctl reload` and every old habit have it: the running file is read again, good or bad. */

import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { type RunningKrtd, startKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;
const REFUSED = "the configuration was refused: the old one goes on";

let ns: Netns;

beforeEach(async () => {
  ns = await createTopology();
});

afterEach(async () => {
  await ns?.dispose();
});

/** Nets 0 … count-1 of both families. */
function config(count: number, root = {}): string {
  const routes = ({ gateway, net }: (typeof FAMILIES)[number]) =>
    Array.from({ length: count }, (_, i) => ({ prefix: net(i), via: gateway }));
  return configText({ 4: routes(FAMILIES[0]!), 6: routes(FAMILIES[1]!) }, { root });
}

const installed = async (): Promise<number> =>
  (await ownLines(ns, "-4")).length + (await ownLines(ns, "-6")).length;
const becomes = (count: number): Promise<void> =>
  waitFor(`${count} routes of krtd`, async () => (await installed()) === count, DEADLINE_MS);

/** Sends SIGHUP and waits until krtd has said what came of it. */
async function hangUp(krtd: RunningKrtd): Promise<void> {
  const told = (): number => krtd.records("configuration applied").length + krtd.records(REFUSED).length;
  const before = told();
  krtd.signal("SIGHUP");
  await waitFor("an answer to SIGHUP", () => told() > before, DEADLINE_MS);
}

describe("SIGHUP", () => {
  it("applies the running file, log level and all, and writes nothing when it is the same", async () => {
    await using krtd = await startSynced(ns, config(2));
    const writes = await krtd.writes();
    await using monitor = await monitorRoutes(ns);
    for (let i = 0; i < 3; i++) await hangUp(krtd);
    expect(await monitor.events()).toEqual([]);
    expect(await krtd.writes()).toBe(writes);
    expect(krtd.log()).not.toContain('"level":"debug"');
    await writeFile(join(krtd.directory, "krt.yaml"), config(3, { log: { format: "json", level: "debug" } }));
    await hangUp(krtd);
    await becomes(6);
    await krtd.act("restart", "static4");
    await waitFor("the new log level", () => krtd.log().includes('"level":"debug"'), DEADLINE_MS);
    expect(await krtd.writes()).toBe(writes + 2);
  });

  it.each([
    { why: "bad syntax", spoil: (text: string) => `${text}]`, place: /krt\.yaml:\d+:\d+: YAML syntax/ },
    {
      why: "a key that nobody knows",
      spoil: (text: string) => text.replace('"scan-time"', '"scan-tme"'),
      place: /krt\.yaml:8:\d+: Unknown key "scan-tme"[\s\S]*did you mean "scan-time"/,
    },
    {
      why: "several mistakes",
      spoil: (text: string) => text.replaceAll('"master4"', '"mister4"'),
      place: /krt\.yaml:7:\d+: [\s\S]*krt\.yaml:\d+:\d+: /,
    },
    { why: "nothing in it", spoil: () => "", place: /krt\.yaml/ },
  ])(
    "of a file with $why changes nothing, says where, and the next good one clears it",
    async ({ spoil, place }) => {
      await using krtd = await startSynced(ns, config(2));
      const file = join(krtd.directory, "krt.yaml");
      const loaded = (await krtd.status()).config.loaded;
      await using monitor = await monitorRoutes(ns);
      await writeFile(file, spoil(config(3)));
      await hangUp(krtd);
      expect(krtd.logged(REFUSED)).toMatchObject({ level: "error", problems: expect.stringMatching(place) });
      expect((await krtd.status()).config).toMatchObject({
        ok: false,
        loaded,
        error: expect.stringMatching(place),
      });
      expect(await monitor.events()).toEqual([]);
      expect(await krtd.state()).toBe("in-sync");
      await writeFile(file, config(3));
      await hangUp(krtd);
      await becomes(6);
      expect((await krtd.status()).config).toMatchObject({ ok: true, error: null });
    },
  );

  it("of a file that is gone, or is no file, changes nothing", async () => {
    await using krtd = await startSynced(ns, config(2));
    const file = join(krtd.directory, "krt.yaml");
    await rm(file);
    await hangUp(krtd);
    expect((await krtd.status()).config.error).toMatch(/krt\.yaml: .*does not exist/);
    await writeFile(file, config(2, { static: { s: { table: "master4", files: ["gone.routes"] } } }));
    await hangUp(krtd);
    expect((await krtd.status()).config.error).toMatch(/krt\.yaml:\d+:\d+: .*gone\.routes/);
    expect(await installed()).toBe(4);
  });

  it("many times at once ends with the last configuration", async () => {
    await using krtd = await startSynced(ns, config(2));
    const file = join(krtd.directory, "krt.yaml");
    await using monitor = await monitorRoutes(ns);
    for (let i = 0; i < 40; i++) {
      await writeFile(`${file}.new`, config(2 + (i % 3)));
      await writeFile(file, config(2 + (i % 3)));
      krtd.signal("SIGHUP");
    }
    await writeFile(file, config(5));
    await hangUp(krtd);
    await becomes(10);
    await krtd.synced();
    const kept = (await monitor.events()).filter((line) =>
      FAMILIES.some(({ net }) => [0, 1].some((i) => line.includes(` ${net(i)} `))),
    );
    expect(kept).toEqual([]);
  });

  it("while krtd starts, or stops, does no harm", async () => {
    await using krtd = await startKrtd(ns, config(2));
    await waitFor("the log", () => krtd.log().includes("krtd starts"), DEADLINE_MS);
    for (let i = 0; i < 5; i++) krtd.signal("SIGHUP");
    await krtd.synced();
    await becomes(4);
    krtd.signal("SIGTERM");
    for (let i = 0; i < 5; i++) krtd.signal("SIGHUP");
    expect(await krtd.exited).toBe(0);
    expect(await installed()).toBe(0);
  });
});
