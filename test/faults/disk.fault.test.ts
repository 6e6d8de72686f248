/** The file system of log and state is full, from the start or from some moment on: krtd does its work all the same. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import type { RunningKrtd } from "../support/krtd.ts";
import { waitFor } from "../support/netns.ts";
import { fault } from "./support/fault.ts";
import { routeSet } from "./support/route-set.ts";

const SET = routeSet(300);
const OTHER = routeSet(300, 1);
const FILES = { ...SET.files, ...OTHER.files };
const SCRIPT = 'mount -t tmpfs -o size=64k,mode=755 none "$0"; mkdir "$0/state"; exec "$@" 2>>"$0/log"';

/** In krtd's own mount namespace: /proc/PID/root is its view of the world. */
const inside = (krtd: RunningKrtd, disk: string, name: string): string =>
  join(`/proc/${krtd.pid}/root`, disk, name);

/** Takes every byte that is left. */
function fill(file: string): void {
  for (const size of [4096, 1]) {
    try {
      for (let i = 0; i < 5000; i++) writeFileSync(file, Buffer.alloc(size), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}

fault("the disk of log and state is full", { short: 1, full: 15 }, async (world) => {
  const { random, note } = world;
  await world.populate();
  const disk = join(world.directory, "disk");
  mkdirSync(disk);
  const krtd = await world.startSynced(SET.config(), {
    files: FILES,
    wrapper: ["unshare", "--mount", "sh", "-euc", SCRIPT, disk],
    args: ["--log-level", "debug", "--state-directory", join(disk, "state")],
  });
  const log = inside(krtd, disk, "log");
  const filler = inside(krtd, disk, "filler");
  for (let round = 0; round < 2; round++) {
    fill(filler);
    note("the disk is full");
    // More than the last page of the log has room for, and never held back as too much of the same.
    for (let i = 0; i < 10; i++) {
      krtd.signal("SIGUSR1");
      await krtd.state();
    }
    const { family, host } = random.pick(FAMILIES);
    await world.ip(`-${family} route del ${host(2 * random.between(1, 200))} metric 32`);
    if (random.chance(0.5)) {
      note("the other routes and back, by SIGHUP and configure");
      await krtd.configure(OTHER.config());
      await krtd.configure(SET.config());
    }
    await world.check(krtd, SET.wanted);
    rmSync(filler);
    writeFileSync(log, "");
    note("there is room again");
    krtd.signal("SIGUSR1");
    await waitFor("the log goes on", () => readFileSync(log, "utf8").includes('"message":"state"'));
    expect(readFileSync(log, "utf8")).toContain("Log lines were lost");
    expect(readFileSync(log, "utf8")).not.toContain('"level":"error"');
    await world.check(krtd, SET.wanted);
  }
});
