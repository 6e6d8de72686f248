/**
 * Too little memory for JavaScript's heap: krtd either does its work in it or dies, at any moment. Its routes stay as it
 * left them, nothing foreign is touched, and the next one ends with the truth.
 */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import type { RunningKrtd } from "../support/krtd.ts";
import { fault, type World } from "./support/fault.ts";
import { foreignRoutes, foreignUntouched } from "./support/oracles.ts";
import { routeSet } from "./support/route-set.ts";
import { installable, installed } from "./support/wanted.ts";

const SET = routeSet(4000);
const LIMITS_MB = [12, 14, 16, 17, 18, 19, 20, 24];
const FOREIGN = 2000;

/** Everything that takes memory: a first push, many learned routes, whole tables asked for, a reconfiguration. */
async function strain(world: World, krtd: RunningKrtd, alive: () => boolean): Promise<void> {
  await krtd.synced(30_000);
  const asked = Promise.allSettled([krtd.routes(), krtd.routes(), krtd.get("/v1/kernel")]);
  if (alive()) {
    await world.batch(
      FAMILIES.flatMap(({ net, gateway }) =>
        Array.from({ length: FOREIGN }, (_, i) => `route add ${net(1000 + i)} via ${gateway} proto 11`),
      ),
    );
  }
  await asked;
  if (alive()) await krtd.configure(SET.config({ kernel: { learn: false } }));
}

fault("the heap is small", { short: 1, full: 15 }, async (world) => {
  const { random, note, ns } = world;
  await world.populate();
  const limit = random.pick(LIMITS_MB);
  note(`a heap of ${limit} MB`);
  const krtd = await world.start(SET.config({ kernel: { learn: true } }), {
    files: SET.files,
    env: { NODE_OPTIONS: `--max-old-space-size=${limit}` },
    wrapper: ["prlimit", "--core=0"],
  });
  let code: number | null | undefined;
  const dead = krtd.exited.then((ended) => {
    code = ended;
  });
  // It ends, too, when krtd does: with nobody to answer.
  await strain(world, krtd, () => code === undefined).catch(() => dead);
  const outcome = code === undefined ? "it works" : `it died with ${code}`;
  note(outcome);
  printFigure(`with a heap of ${limit} MB: ${outcome}`);
  await world.rememberForeign();
  if (outcome === "it works") {
    await world.check(krtd, SET.wanted, { growthBytes: Number.POSITIVE_INFINITY });
  } else {
    const right = new Set(await installable(ns, SET.wanted));
    const foreign = await foreignRoutes(ns);
    expect(
      (await installed(ns)).filter((route) => !right.has(route)),
      "routes after its death",
    ).toEqual([]);
    const next = await world.startSynced(SET.config(), { files: SET.files });
    await world.check(next, SET.wanted);
    await foreignUntouched(ns, foreign);
  }
});
