/**
 * What is not krtd's stays as it is, byte for byte in `ip -d route show table all`: before krtd runs, while it
 * scans and repairs, and after it has gone.
 */

import { expect, it } from "vitest";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { foreignCommands } from "../support/foreign-routes.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";

const ROUTES_PER_FAMILY = 4;

/** Spoils what krtd has: a route gone, one replaced, one twice, one at a second metric, one nobody asked for. */
async function spoilOwn(ns: Netns): Promise<void> {
  for (const { flag, gateway, otherGateway, net } of FAMILIES) {
    await ns.ip(`${flag} route del ${net(1)} metric 32 proto 120`);
    await ns.ip(`${flag} route replace ${net(2)} via ${otherGateway} metric 32 proto 120`);
    await ns.ip(`${flag} route append ${net(3)} via ${otherGateway} metric 32 proto 120`);
    await ns.ip(`${flag} route add ${net(4)} via ${gateway} metric 999 proto 120`);
    await ns.ip(`${flag} route add ${net(160)} via ${gateway} metric 32 proto 120`);
  }
}

it.each([false, true, "all"] as const)("routes of others are left alone (learn: %s)", async (learn) => {
  await using ns = await createTopology();
  await settled(ns);
  await ns.batch(FAMILIES.flatMap(foreignCommands));
  const before = await foreignLines(ns);
  expect(before.length).toBeGreaterThan(100);

  const routes = ({ gateway, net }: (typeof FAMILIES)[number]) =>
    Array.from({ length: ROUTES_PER_FAMILY }, (_, i) => ({ prefix: net(i + 1), via: gateway }));
  const config = configText({ 4: routes(FAMILIES[0]!), 6: routes(FAMILIES[1]!) }, { kernel: { learn } });
  await using krtd = await startSynced(ns, config);
  const own = async () => [await ownLines(ns, "-4"), await ownLines(ns, "-6")].flat();
  const synced = await own();
  expect(synced).toHaveLength(2 * ROUTES_PER_FAMILY);
  expect(await foreignLines(ns)).toEqual(before);

  for (let scans = 0; scans < 3; scans++) await krtd.scan();
  expect(await foreignLines(ns)).toEqual(before);

  await spoilOwn(ns);
  await krtd.scan();
  await waitFor("drift is repaired", async () => (await own()).join() === synced.join());
  expect(await foreignLines(ns)).toEqual(before);

  expect(await krtd.stop()).toBe(0);
  expect(await own()).toEqual([]);
  expect(await foreignLines(ns)).toEqual(before);
});
