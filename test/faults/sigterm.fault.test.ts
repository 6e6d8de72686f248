/** SIGTERM in the worst moments: krtd ends with 0, leaves none of its routes and all of the others, and starts again. */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import type { RunningKrtd } from "../support/krtd.ts";
import { waitFor } from "../support/netns.ts";
import { fault, type World } from "./support/fault.ts";
import { calm, foreignRoutes, foreignUntouched } from "./support/oracles.ts";
import { routeSet } from "./support/route-set.ts";
import { RTM_NEWROUTE } from "./support/sent-messages.ts";
import { installed } from "./support/wanted.ts";

const SET = routeSet(2000);
const RTM_GETROUTE = 26;
const RUNS = { short: 1, full: 20 };

/**
 * Ends it `delayMs` later, and holds what is left against the oracles; then another one must find its way. `earlier`:
 * routes of our protocol that an earlier krtd left. Those that it has not seen yet when it ends stay.
 */
async function terminate(
  world: World,
  krtd: RunningKrtd,
  delayMs: number,
  earlier: readonly string[] = [],
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const foreign = await foreignRoutes(world.ns);
  world.note(`SIGTERM, ${delayMs} ms after the moment`);
  krtd.signal("SIGTERM");
  expect(await krtd.exited, "exit code").toBe(0);
  calm(krtd, null);
  const known = new Set(earlier);
  const left = (await installed(world.ns)).filter((route) => !known.has(route));
  expect(left, "routes after the stop").toEqual([]);
  await foreignUntouched(world.ns, foreign);
  await world.check(await world.startSynced(SET.config(), { files: SET.files }), SET.wanted);
}

/** Resolves when `count` messages of that type were sent since now. */
async function sent(world: World, type: number, count: number): Promise<void> {
  const from = (await world.recording.messages()).length;
  const enough = async (): Promise<boolean> => {
    const messages = (await world.recording.messages()).slice(from);
    return messages.filter((message) => message.type === type).length >= count;
  };
  await waitFor(`${count} messages of type ${type}`, enough, 20_000, 1);
}

fault("SIGTERM in a dump", RUNS, async (world) => {
  await world.populate();
  // What an earlier krtd left: the first dump has something to show.
  await world.batch(
    FAMILIES.flatMap(({ host, gateway }) =>
      Array.from({ length: 2500 }, (_, i) => `route add ${host(i)} via ${gateway} metric 32 proto 120`),
    ),
  );
  const earlier = await installed(world.ns);
  const krtd = await world.start(SET.config(), { files: SET.files });
  await sent(world, RTM_GETROUTE, world.random.between(1, 3));
  await terminate(world, krtd, world.random.between(0, 12), earlier);
});

fault("SIGTERM in a batch", RUNS, async (world) => {
  await world.populate();
  const krtd = await world.start(SET.config(), { files: SET.files });
  await sent(world, RTM_NEWROUTE, world.random.between(2, 4000));
  await terminate(world, krtd, world.random.between(0, 8));
});

fault("SIGTERM in a resync", RUNS, async (world) => {
  await world.populate();
  const krtd = await world.startSynced(SET.config({ kernel: { learn: true } }), {
    files: SET.files,
    sockets: { notify: 4096 },
  });
  const commands = FAMILIES.flatMap(({ net, gateway }) =>
    Array.from({ length: 1000 }, (_, i) => `route add ${net(200 + i)} via ${gateway} proto 11`),
  );
  await world.batch(commands);
  await world.rememberForeign();
  await waitFor("a loss is seen", async () => (await krtd.status()).netlink.overruns > 0);
  await terminate(world, krtd, world.random.between(0, 200));
});
