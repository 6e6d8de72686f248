/** A second network namespace that krtd serves vanishes and returns, in the middle of its routes being written. */

import { expect } from "vitest";
import { configText, FAMILIES } from "../support/families.ts";
import { type Netns, netnsName, waitFor } from "../support/netns.ts";
import { fault, scopeOf } from "./support/fault.ts";
import { createLinks } from "./support/links.ts";
import { converged } from "./support/oracles.ts";
import { routeSet } from "./support/route-set.ts";
import { inputOf, type WantedRoutes } from "./support/wanted.ts";

const SET = routeSet(1000);
const HOME: WantedRoutes = {
  4: [{ prefix: FAMILIES[0]!.net(400), via: FAMILIES[0]!.gateway }],
  6: [{ prefix: FAMILIES[1]!.net(400), via: FAMILIES[1]!.gateway }],
};

function configFor(name: string): string {
  const away = ([4, 6] as const).map((family) => {
    const file = Object.keys(SET.files).find((each) => each.includes(`-${family}.`)) ?? "";
    return { family, table: `away${family}`, file };
  });
  return configText(
    { 4: inputOf(HOME[4]), 6: inputOf(HOME[6]) },
    {
      root: {
        tables: Object.fromEntries(away.map(({ family, table }) => [table, { family: `ipv${family}` }])),
        kernel: {
          kernel4: { table: "master4", "scan-time": 0 },
          kernel6: { table: "master6", "scan-time": 0 },
          ...Object.fromEntries(
            away.map(({ family, table }) => [`away-kernel${family}`, { table, netns: name, "scan-time": 0 }]),
          ),
        },
        static: {
          static4: { table: "master4", routes: [...inputOf(HOME[4])] },
          static6: { table: "master6", routes: [...inputOf(HOME[6])] },
          ...Object.fromEntries(
            away.map(({ family, table, file }) => [`away-static${family}`, { table, files: [file] }]),
          ),
        },
      },
    },
  );
}

fault("a namespace vanishes and returns", { short: 1, full: 30 }, async (world) => {
  const { random, note, ns } = world;
  const name = netnsName();
  await world.populate();
  const scopes = [scopeOf(ns)];
  const spaces: Netns[] = [];
  const appear = async (): Promise<Netns> => {
    const away = await createLinks(name);
    spaces.push(away);
    scopes.push(scopeOf(away));
    note("the namespace is there");
    return away;
  };
  try {
    let away = await appear();
    const krtd = await world.start(configFor(name), { files: SET.files });
    for (let i = random.between(1, 4); i > 0; i--) {
      const pauseMs = random.between(0, 700);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      note(`the namespace goes, after ${pauseMs} ms`);
      await away.dispose();
      if (random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, random.between(0, 500)));
      away = await appear();
    }
    // Whatever a namespace of the name could not be entered for is tried again after some seconds.
    const took = await converged(away, SET.wanted, 20_000);
    note(`the namespace is filled after ${took.toFixed(0)} ms`);
    await waitFor("krtd is in sync", async () => (await krtd.state()) === "in-sync");
    await world.check(krtd, HOME, { scopes });
    await converged(away, SET.wanted, 1000);
    expect(await krtd.stop()).toBe(0);
    await converged(away, { 4: [], 6: [] }, 1000);
  } finally {
    for (const space of spaces) await space.dispose();
  }
});
