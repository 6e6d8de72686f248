/**
 * Others change tens of thousands of routes while krtd runs with a receive buffer that cannot hold the news: it
 * loses notifications, sees that it has, and ends with the truth. Its own routes are not touched once.
 */

import { expect, it } from "vitest";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const ROUTES = 10_000;
/** rtm_protocol of bird, as a number: see Netns.batch(). */
const BIRD = 12;

async function countForeign(ns: Netns, flag: "-4" | "-6"): Promise<number> {
  return (await ns.ip(`-o ${flag} route show table main proto ${BIRD}`)).split("\n").length - 1;
}

it("krtd learns what a storm leaves behind, and its own routes stay", async () => {
  await using ns = await createTopology();
  const own = (i: 0 | 1) =>
    [1, 2, 3].map((n) => ({ prefix: FAMILIES[i]!.net(n), via: FAMILIES[i]!.gateway }));
  const config = configText(
    { 4: own(0), 6: own(1) },
    { kernel: { learn: true }, root: { netlink: { "rx-buffer": "64KiB" } } },
  );
  await using krtd = await startSynced(ns, config);
  const before = [await ownLines(ns, "-4"), await ownLines(ns, "-6")].flat();
  const commands = (verb: string, step: number): string[] =>
    FAMILIES.flatMap(({ gateway, host }) =>
      Array.from(
        { length: ROUTES / step },
        (_, i) => `route ${verb} ${host(i * step)} via ${gateway} proto ${BIRD}`,
      ),
    );
  await using monitor = await monitorRoutes(ns);
  // Stopped, so that the buffer surely overflows.
  krtd.signal("SIGSTOP");
  await ns.batch(commands("add", 1));
  await ns.batch(commands("del", 2));
  krtd.signal("SIGCONT");

  for (const { flag } of FAMILIES) expect(await countForeign(ns, flag)).toBe(ROUTES / 2);
  const learned = async (): Promise<number[]> => (await krtd.kernels()).map(({ kernel }) => kernel.learned);
  await waitFor(
    "the rest is learned",
    async () => (await learned()).every((count) => count === ROUTES / 2),
    10_000,
  );
  expect([await ownLines(ns, "-4"), await ownLines(ns, "-6")].flat()).toEqual(before);
  expect((await krtd.status()).netlink.overruns).toBeGreaterThan(0);
  expect(await krtd.writes()).toBe(before.length);
  const events = await monitor.events();
  expect(events.filter((line) => line.includes(" proto 120 "))).toEqual([]);
});
