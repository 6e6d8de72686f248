/**
 * Two krtd at once. On the same control socket or state directory the second is refused and the first does not notice;
 * on the same table with the same protocol number they agree when they want the same, and do not fight for ever when not.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { waitFor } from "../support/netns.ts";
import { fault, scopeOf, type World } from "./support/fault.ts";
import { converged, silent, withinScope } from "./support/oracles.ts";
import { createRecording, type Recording } from "./support/recorded.ts";
import { routeSet } from "./support/route-set.ts";
import { changesNothing } from "./support/sent-messages.ts";

const SET = routeSet(300);
const OTHER = routeSet(300, 1);
const FILES = { ...SET.files, ...OTHER.files };
/** Until both have backed off, and the first back-off of one is over. */
const QUARREL_MS = 40_000;

/** A directory beside the first one's, with a record of its own. */
async function second(world: World): Promise<Recording> {
  const directory = join(world.directory, "second");
  await mkdir(directory);
  return createRecording(directory);
}

fault("a second krtd on the same socket or state", { short: 1, full: 15 }, async (world) => {
  const { random, ns, note } = world;
  await world.populate();
  const state = ["--state-directory", join(world.directory, "state")];
  const first = await world.startSynced(SET.config(), { files: FILES, args: state });
  const recording = await second(world);
  for (let i = 0; i < 3; i++) {
    const same = random.pick([["--socket", first.socket], state, [...state, "--socket", first.socket]]);
    note(`another one with ${same.join(" ")}`);
    await using other = await recording.start(ns, OTHER.config(), { files: FILES, args: same });
    expect(await other.exited, "exit code of the second").toBe(1);
    expect(other.log()).toMatch(/^krtd: Cannot use .*: another krtd \(pid \d+\) uses it\..*\n$/);
  }
  const sent = (await recording.messages()).filter((message) => !changesNothing(message));
  expect(sent, "writes of the second").toEqual([]);
  await world.check(first, SET.wanted);
});

fault("two that want the same", { short: 1, full: 15 }, async (world) => {
  const { random, ns, note } = world;
  await world.populate();
  const first = await world.startSynced(SET.config(), { files: FILES });
  const recording = await second(world);
  {
    await using other = await recording.start(ns, SET.config(), { files: FILES });
    await other.synced();
    note("the second is in sync");
    await silent(other, ns, SET.wanted, recording);
    await world.check(first, SET.wanted);
    expect((await recording.messages()).filter((message) => !changesNothing(message))).toEqual([]);
    // Its stop takes out all there is: the routes are its own, too. Its death does not.
    if (random.chance(0.7)) expect(await other.stop()).toBe(0);
    else await other.kill();
    note("the second has ended");
  }
  withinScope(await recording.messages(), [scopeOf(ns)]);
  await world.check(first, SET.wanted);
});

fault("two that want different things", { short: 0, full: 6 }, async (world) => {
  const { random, ns, note } = world;
  await world.populate();
  const first = await world.startSynced(SET.config(), { files: FILES });
  const before = (await world.recording.messages()).length;
  const recording = await second(world);
  {
    await using other = await recording.start(ns, OTHER.config(), { files: FILES });
    const warned = (): boolean => `${first.log()}${other.log()}`.includes("a route is contested");
    await waitFor("one of them says that somebody keeps changing routes", warned, 20_000);
    const from = [(await world.recording.messages()).length, (await recording.messages()).length] as const;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const wrote = async (each: Recording, at: number): Promise<number> =>
      (await each.messages()).slice(at).filter((message) => !changesNothing(message)).length;
    // Of each of 600 nets of a family and their aliases ten repairs are made in a minute, of one or two writes.
    for (const count of [await wrote(world.recording, before), await wrote(recording, 0)]) {
      expect(count, "writes of one of them").toBeLessThan(2 * 800 * 2 * 13);
    }
    note(
      `${await wrote(world.recording, from[0])} and ${await wrote(recording, from[1])} writes in 5 s of quarrel`,
    );
    if (random.chance(0.5)) await other.stop();
    else await other.kill();
    note("the second has ended");
  }
  withinScope(await recording.messages(), [scopeOf(ns)]);
  await converged(ns, SET.wanted, QUARREL_MS);
  await world.check(first, SET.wanted);
});
