/**
 * Quarrels about a route, other than its plain deletion (tug-of-war.live.test.ts): it is changed, swapped, taken and
 * given back, over and over; or two krtd with one protocol number want different things. Each costs krtd few writes and
 * one warning, is shown as contested, and ends by itself when the other one ends.
 */

import { describe, expect, it } from "vitest";
import { configOf, configText, FAMILIES, ownLines } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import { startIpLoop } from "../support/ip-loop.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, settled, waitFor } from "../support/netns.ts";

const OURS = "metric 32 proto 120";
/** Ten repairs in a minute are made; then there is a back-off of ten seconds, of twenty, and so on. */
const REPAIRS = 10;
const FIRST_BACKOFF_MS = 10_000;
const SECOND_BACKOFF_MS = 20_000;
const DEADLINE_MS = 10_000;
/** Long enough for thousands of writes, if nothing held them back. */
const WAR_MS = 3000;

/** What is done over and over to route NET (via GW); OTHER is a second gateway. */
const QUARRELS: readonly (readonly [what: string, commands: readonly string[]])[] = [
  ["is changed", [`replace NET via OTHER ${OURS}`]],
  ["is swapped", [`del NET ${OURS}`, `add blackhole NET ${OURS}`]],
  ["is taken and given back", ["replace NET via OTHER metric 32 proto 4", "del NET metric 32 proto 4"]],
];

const contested = async (krtd: RunningKrtd): Promise<string[]> =>
  (await krtd.routes("state=contested")).map(({ dst }) => dst).sort();
const warnings = (krtd: RunningKrtd): unknown[] =>
  krtd
    .records("a route is contested: somebody keeps changing it")
    .map(({ prefix }) => prefix)
    .sort();

describe("a route", () => {
  it("that somebody keeps changing in any way is contested, and put right when they stop", async () => {
    await using ns = await createTopology();
    await settled(ns);
    // The last one is left alone.
    const routes = (i: 0 | 1) =>
      [...QUARRELS, null].map((_, k) => ({ prefix: FAMILIES[i]!.net(k), via: FAMILIES[i]!.gateway }));
    await using krtd = await startSynced(ns, configText({ 4: routes(0), 6: routes(1) }));
    const wanted = [await ownLines(ns, "-4"), await ownLines(ns, "-6")];
    const before = await krtd.writes();
    const attacked = FAMILIES.flatMap(({ net }) => QUARRELS.map((_, k) => net(k))).sort();
    const commands = FAMILIES.flatMap(({ net, otherGateway }) =>
      QUARRELS.flatMap(([, all], k) =>
        all.map((command) => `route ${command.replace("NET", net(k)).replace("OTHER", otherGateway)}`),
      ),
    );
    {
      await using _loop = await startIpLoop(ns, krtd.directory, commands);
      const all = async (): Promise<boolean> => warnings(krtd).length === attacked.length;
      await waitFor("all are contested", all, FIRST_BACKOFF_MS);
    }
    // It may have ended between the taking and the giving back.
    for (const { net } of FAMILIES) await ns.tryIp(`route del ${net(2)} metric 32 proto 4`);
    expect(warnings(krtd)).toEqual(attacked);
    const shown = await contested(krtd);
    // What stands there just as wanted when the loop ends is in nobody's way.
    expect(attacked).toEqual(expect.arrayContaining(shown));
    expect(shown.length).toBeGreaterThan(0);
    const writes = (await krtd.writes()) - before;
    printFigure(`${writes} writes for ${attacked.length} contested routes`);
    // A repair in IPv6 is a deletion and an addition.
    expect(writes).toBeLessThanOrEqual(attacked.length * 2 * (REPAIRS + 3));

    const right = async (): Promise<boolean> =>
      (await contested(krtd)).length === 0 && (await krtd.state()) === "in-sync";
    await waitFor("all are put right", right, FIRST_BACKOFF_MS + SECOND_BACKOFF_MS, 50);
    await krtd.scan();
    expect([await ownLines(ns, "-4"), await ownLines(ns, "-6")]).toEqual(wanted);
    expect(warnings(krtd)).toEqual(attacked);
  });
});

describe.each(FAMILIES)("IPv$family: two krtd with one protocol number", (it6) => {
  const { flag, gateway, otherGateway, net } = it6;

  it("that want different things disturb the kernel little, and one gets its way when the other ends", async () => {
    await using ns = await createTopology();
    await settled(ns);
    const shared = net(1);
    const mine = net(2);
    const theirs = net(3);
    const first = configOf(it6, [
      { prefix: shared, via: gateway },
      { prefix: mine, via: gateway },
    ]);
    const second = configOf(it6, [
      { prefix: shared, via: otherGateway },
      { prefix: theirs, via: otherGateway },
    ]);
    await using krtd = await startSynced(ns, first);
    const wanted = await ownLines(ns, flag);
    {
      await using other = await startSynced(ns, second);
      const warned = (): boolean => warnings(krtd).length + warnings(other).length > 0;
      await waitFor("one of them says that somebody keeps changing a route", warned, DEADLINE_MS);
      const from = performance.now();
      await new Promise((resolve) => setTimeout(resolve, WAR_MS));
      for (const each of [krtd, other]) {
        const writes = await each.writes();
        const seconds = ((performance.now() - from) / 1000).toFixed(1);
        printFigure(`IPv${it6.family}: ${writes} writes in ${seconds} s of two krtd that disagree`);
        // Three nets about which they differ; a repair is two writes at most, and each is found stale as often.
        expect(writes).toBeLessThanOrEqual(3 * 4 * (REPAIRS + 3));
        for (const prefix of new Set(warnings(each))) {
          expect(warnings(each).filter((warned) => warned === prefix)).toHaveLength(1);
        }
      }
      await other.stop();
    }
    const right = async (): Promise<boolean> => (await ownLines(ns, flag)).join() === wanted.join();
    await waitFor("the other one gets its way", right, 2 * SECOND_BACKOFF_MS, 50);
    await waitFor("in sync", async () => (await krtd.state()) === "in-sync", DEADLINE_MS);
    expect(await contested(krtd)).toEqual([]);
  });
});
