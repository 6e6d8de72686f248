/** kill -9 at any moment of a push: the next krtd finds what is there, and ends with the truth. */

import type { RunningKrtd } from "../support/krtd.ts";
import { waitFor } from "../support/netns.ts";
import { fault } from "./support/fault.ts";
import { routeSet } from "./support/route-set.ts";

const ROUTES = 2000;
const FIRST = routeSet(ROUTES);
const SECOND = routeSet(ROUTES, 1);
const FILES = { ...FIRST.files, ...SECOND.files };

fault("kill -9 at a random moment of a push", { short: 2, full: 100 }, async (world) => {
  const { random, note } = world;
  await world.populate();
  const killSoon = async (krtd: RunningKrtd): Promise<void> => {
    const before = (await world.recording.messages()).length;
    const sent = async (): Promise<number> => (await world.recording.messages()).length - before;
    const enough = random.between(1, ROUTES * 2);
    // By the number of messages sent and then some time: the moments inside a batch are hit as well.
    const extraMs = random.between(0, 8);
    const reached = async (): Promise<boolean> =>
      (await sent()) >= enough || (await krtd.state()) === "in-sync";
    await waitFor("some of the push is done", reached, 20_000, 1);
    await new Promise((resolve) => setTimeout(resolve, extraMs));
    await krtd.kill();
    note(`killed ${extraMs} ms after ${await sent()} messages`);
  };
  // Half of the runs change one set of routes into the other: replacements and deletions, too.
  let set = FIRST;
  if (random.chance(0.5)) {
    const first = await world.startSynced(FIRST.config(), { files: FILES });
    set = SECOND;
    note("the other routes, by configure");
    const configured = first.configure(SECOND.config()).catch(() => {});
    await killSoon(first);
    await configured;
  }
  const kills = random.between(1, 3);
  for (let i = 0; i < kills; i++) await killSoon(await world.start(set.config(), { files: FILES }));
  const last = await world.startSynced(set.config(), { files: FILES });
  await world.check(last, set.wanted);
});
