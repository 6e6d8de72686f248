/**
 * CAP_NET_ADMIN goes in mid-life, for good or for a moment: krtd says what it needs and ends, leaving its routes, or
 * goes on. It never tries over and over.
 */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { waitFor } from "../support/netns.ts";
import { fault, scopeOf, type World } from "./support/fault.ts";
import { withinScope } from "./support/oracles.ts";
import { routeSet } from "./support/route-set.ts";
import { changesNothing } from "./support/sent-messages.ts";
import { installed } from "./support/wanted.ts";

const SET = routeSet(300);
const OTHER = routeSet(300, 1);
const FILES = { ...SET.files, ...OTHER.files };
const EXIT_PRIVILEGE = 7;
/** A batch of each family that was under way or handed in when the first was refused. */
const BATCHES = 1200;

/** Gives krtd something to write. */
async function provoke(world: World, krtd: Awaited<ReturnType<World["start"]>>): Promise<void> {
  const { random } = world;
  if (random.chance(0.5)) {
    const { family, host } = random.pick(FAMILIES);
    await world.ip(`-${family} route del ${host(8)} metric 32`);
  } else {
    world.note("the other routes, by configure");
    await krtd.configure(OTHER.config()).catch(() => {});
  }
}

fault("CAP_NET_ADMIN goes for good", { short: 1, full: 20 }, async (world) => {
  const { ns, recording, note } = world;
  await world.populate();
  const krtd = await world.startSynced(SET.config(), { files: FILES });
  await recording.raise("no-net-admin");
  note("no CAP_NET_ADMIN from now on");
  const before = (await recording.messages()).length;
  const routes = await installed(ns);
  await provoke(world, krtd);
  const code = await Promise.race([
    krtd.exited,
    new Promise((resolve) => setTimeout(resolve, 10_000, "it runs on")),
  ]);
  expect(code, "exit code").toBe(EXIT_PRIVILEGE);
  expect(krtd.records("the kernel refuses writes")).toMatchObject([{ hint: "krtd needs CAP_NET_ADMIN" }]);
  const messages = await recording.messages();
  const writes = messages.slice(before).filter((message) => !changesNothing(message));
  expect(writes.length, "writes that could not succeed").toBeLessThan(BATCHES);
  // Its routes are there, but for the one that somebody deleted.
  expect((await installed(ns)).filter((route) => !routes.includes(route))).toEqual([]);
  expect(routes.length - (await installed(ns)).length).toBeLessThanOrEqual(1);
  withinScope(messages, [scopeOf(ns)]);
  await recording.lower("no-net-admin");
  note("another krtd, with CAP_NET_ADMIN");
  await world.check(await world.startSynced(SET.config(), { files: FILES }), SET.wanted);
});

fault("CAP_NET_ADMIN goes for a moment", { short: 1, full: 20 }, async (world) => {
  const { recording, note } = world;
  await world.populate();
  const krtd = await world.startSynced(SET.config(), { files: FILES });
  // One batch is refused; the question whether all would be comes after it.
  await recording.raise("no-net-admin", "1");
  note("no CAP_NET_ADMIN for one batch");
  const { family, host } = world.random.pick(FAMILIES);
  await world.ip(`-${family} route del ${host(8)} metric 32`);
  await waitFor("it was sent", async () => (await krtd.writes()) > SET.wanted[4].length * 2);
  await world.check(krtd, SET.wanted, { withinMs: 15_000 });
  await recording.lower("no-net-admin");
});
