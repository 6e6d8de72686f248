/**
 * A foreign route of so many nexthops that no frame holds it makes Linux end every dump there, as if nothing came behind
 * it: no error, no flag. krtd's own routes must stay untouched, what it has learned must stay known, and it must say
 * what is wrong and where; when the route is gone, all is as before.
 */

import { rm } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { configOf, FAMILIES, ownLines } from "../support/families.ts";
import { changeFatRoute, FAT_NEXTHOPS, wide } from "../support/fat-route.ts";
import { makeDirectory, type RunningKrtd, startKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";

/** rtm_protocol of bird and zebra, as numbers: see Netns.batch(). */
const BIRD = 12;
const ZEBRA = 11;
const OWN = 40;
const ALIENS = 60;

describe.each(FAMILIES)("IPv$family: a foreign route that no frame holds", (it6) => {
  const { family, flag, gateway, net } = it6;
  const nexthops = FAT_NEXTHOPS[family];
  // Ours and alien ones take turns; the fat one is in the middle of both.
  const own = (i: number): string => net(i * 4);
  const alien = (i: number): string => net(i * 2 + 1);
  const prefix = net(OWN * 2 + 2);
  const config = configOf(
    it6,
    Array.from({ length: OWN }, (_, i) => ({ prefix: own(i), via: gateway })),
    { kernel: { learn: true } },
  );

  const prepared = async (): Promise<Netns> => {
    const ns = await createTopology();
    await wide(ns);
    await ns.batch(
      Array.from({ length: ALIENS }, (_, i) => `route add ${alien(i)} via ${gateway} proto ${BIRD}`),
    );
    return ns;
  };
  const kernel = async (krtd: RunningKrtd) =>
    (await krtd.kernels()).find(({ name }) => name === `kernel${family}`)!.kernel;
  const learned = async (krtd: RunningKrtd, among: (i: number) => string): Promise<number> => {
    const known = new Set(
      (await krtd.routes()).filter((route) => route["source-type"] === "inherit").map(({ dst }) => dst),
    );
    return Array.from({ length: ALIENS }, (_, i) => among(i)).filter((dst) => known.has(dst)).length;
  };
  const degraded = async (krtd: RunningKrtd): Promise<void> => {
    expect((await krtd.status()).state).toBe("degraded");
    expect((await kernel(krtd)).scan["last-problem"]).toMatch(
      /^the kernel's dump ended early, after .*: a foreign route with a thousand nexthops or more/,
    );
  };
  /** What the kernel itself shows of ours: it passes over the fat one then. */
  const shown = (ns: Netns): Promise<string> => ns.ip(`${flag} route show table main proto 120`);

  it("hides from a dump what is behind it, with no error (should this fail, Linux has been mended)", async () => {
    await using ns = await prepared();
    const all = (await ns.ip(`${flag} route show table main`)).split("\n").length;
    await changeFatRoute(ns, "add", { prefix, nexthops, protocol: ZEBRA });
    const cut = await ns.tryIp(`${flag} route show table main`);
    expect([cut.code, cut.stderr]).toEqual([0, ""]);
    expect(cut.stdout.split("\n").length).toBeLessThan(all - 10);
    await changeFatRoute(ns, "del", { prefix, nexthops, protocol: ZEBRA });
    expect((await ns.ip(`${flag} route show table main`)).split("\n").length).toBe(all);
  });

  it.each([
    ["of another protocol than what was learned", ZEBRA],
    ["of the same protocol", BIRD],
  ])("%s comes while krtd runs", async (_why, protocol) => {
    await using ns = await prepared();
    await using krtd = await startSynced(ns, config);
    const before = await shown(ns);
    const writes = await krtd.writes();
    await changeFatRoute(ns, "add", { prefix, nexthops, protocol });
    for (let i = 0; i < 5; i++) {
      await krtd.scan("degraded");
      await degraded(krtd);
    }
    expect(await learned(krtd, alien)).toBe(ALIENS);
    expect([await shown(ns), await krtd.writes()]).toEqual([before, writes]);
    await changeFatRoute(ns, "del", { prefix, nexthops, protocol });
    await krtd.synced(15_000);
    expect(await learned(krtd, alien)).toBe(ALIENS);
    expect([await shown(ns), await krtd.writes()]).toEqual([before, writes]);
    expect(krtd.records("the kernel does not show the whole table")).toHaveLength(1);
    expect(krtd.records("the kernel shows the whole table again")).toHaveLength(1);
  });

  it("was there before krtd: it adopts its routes behind it, and goes on to look after them", async () => {
    await using ns = await prepared();
    const directory = await makeDirectory();
    try {
      const first = await startKrtd(ns, config, { directory });
      await first.synced();
      await first.kill();
      await changeFatRoute(ns, "add", { prefix, nexthops, protocol: ZEBRA });
      const before = await shown(ns);
      await using krtd = await startKrtd(ns, config, { directory });
      await waitFor("krtd has scanned", async () => (await krtd.state()) === "degraded");
      await krtd.scan("degraded");
      await degraded(krtd);
      expect([await shown(ns), await krtd.writes()]).toEqual([before, 0]);
      await ns.ip(`${flag} route del ${own(OWN - 1)} proto 120`);
      await waitFor("it is back", async () => (await shown(ns)) === before);
      expect(await krtd.writes()).toBe(1);
      await krtd.scan("degraded");
      expect(await krtd.writes()).toBe(1);
      await changeFatRoute(ns, "del", { prefix, nexthops, protocol: ZEBRA });
      await krtd.synced(15_000);
      expect(await learned(krtd, alien)).toBe(ALIENS);
      expect([await shown(ns), await krtd.writes(), (await ownLines(ns, flag)).length]).toEqual([
        before,
        1,
        OWN,
      ]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("just fits: a thousand nexthops less hide nothing, whatever was read before", async () => {
    await using ns = await prepared();
    await changeFatRoute(ns, "add", { prefix, nexthops: family === 4 ? 2000 : 1150, protocol: ZEBRA });
    await using krtd = await startSynced(ns, config);
    expect(await learned(krtd, alien)).toBe(ALIENS);
    await krtd.scan();
    expect([await krtd.state(), await krtd.writes()]).toEqual(["in-sync", OWN]);
  });
});
