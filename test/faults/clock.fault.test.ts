/**
 * The wall clock jumps by years, back and forth; or the monotonic one began long before the process did. Nothing that
 * krtd does at a certain time depends on either.
 */

import { readlinkSync } from "node:fs";
import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { waitFor } from "../support/netns.ts";
import { fault, type World } from "./support/fault.ts";
import { routeSet } from "./support/route-set.ts";

const SET = routeSet(200);
const SCAN_MS = 300;
const HOUR_MS = 3_600_000;
const JUMPS_MS = [
  -20 * 365 * 24 * HOUR_MS,
  -24 * HOUR_MS,
  -HOUR_MS,
  -1000,
  1000,
  HOUR_MS,
  30 * 365 * 24 * HOUR_MS,
];
/** Beyond what 32 bits of milliseconds hold, and what they hold as a signed number. */
const UPTIMES_S = [1, 2_147_484, 4_294_968, 315_360_000];

async function works(world: World, krtd: Awaited<ReturnType<World["start"]>>): Promise<void> {
  const { random } = world;
  const { family, host } = random.pick(FAMILIES);
  const prefix = host(2 * random.pick([4, 7, 11, 13, 22]));
  await world.ip(`-${family} route del ${prefix} metric 32`);
  const began = performance.now();
  await world.check(krtd, SET.wanted, { withinMs: 2000 });
  world.note(`repaired, and looked at, in ${(performance.now() - began).toFixed(0)} ms`);
  // The periodic scans go on, neither stopped nor in a rush.
  const scans = async (): Promise<number> => (await krtd.kernels())[0]!.kernel.scan.count;
  const first = await scans();
  const from = performance.now();
  await waitFor("a periodic scan", async () => (await scans()) > first, 20 * SCAN_MS);
  await waitFor("and another one", async () => (await scans()) > first + 1, 20 * SCAN_MS);
  const most = (performance.now() - from) / SCAN_MS + 3;
  expect((await scans()) - first, "scans").toBeLessThan(most);
}

fault("the wall clock jumps", { short: 1, full: 20 }, async (world) => {
  const { random, recording } = world;
  await world.populate();
  const krtd = await world.startSynced(SET.config({ scanTime: `${SCAN_MS}ms` }), { files: SET.files });
  for (let i = 0; i < 3; i++) {
    const jump = random.pick(JUMPS_MS);
    world.note(`the wall clock is off by ${jump} ms`);
    await recording.raise("wall-clock", String(jump));
    const states = krtd.records("state").length;
    krtd.signal("SIGUSR1");
    await waitFor("krtd logs its state", () => krtd.records("state").length > states);
    const told = Date.parse(String(krtd.records("state").at(-1)?.["time"]));
    expect(Math.abs(told - Date.now() - jump), "krtd has the other time").toBeLessThan(60_000);
    await works(world, krtd);
    const uptime = (await krtd.status())["uptime-seconds"];
    expect(uptime, "uptime in seconds").toBeGreaterThanOrEqual(0);
    expect(uptime, "uptime in seconds").toBeLessThan(600);
  }
});

fault("the machine has been up for long", { short: 1, full: 8 }, async (world) => {
  await world.populate();
  const uptime = String(world.random.pick(UPTIMES_S));
  world.note(`the monotonic clock is ${uptime} s ahead`);
  const wrapper = ["unshare", "--time", "--monotonic", uptime, "--boottime", uptime];
  const krtd = await world.startSynced(SET.config({ scanTime: `${SCAN_MS}ms` }), {
    files: SET.files,
    wrapper,
  });
  expect(readlinkSync(`/proc/${krtd.pid}/ns/time`)).not.toBe(readlinkSync("/proc/self/ns/time"));
  await works(world, krtd);
});
