/** kill -9 at any moment of a push: the next krtd finds what is there, and ends with the truth. */

import { configText, FAMILIES } from "../support/families.ts";
import { waitFor } from "../support/netns.ts";
import { fault } from "./support/fault.ts";
import { routeFile, type WantedRoute, type WantedRoutes } from "./support/wanted.ts";

const ROUTES = 2000;

/** Some of the routes have several nexthops, some are of other types. */
function routesFor(index: 0 | 1, variant: number): WantedRoute[] {
  const { gateway, otherGateway, host } = FAMILIES[index]!;
  return Array.from({ length: ROUTES }, (_, i): WantedRoute => {
    const prefix = host(i * 2 + (i % 3 === 0 ? variant : 0));
    if (i % 50 === 0) return { prefix, type: "blackhole" };
    if (i % 20 === 0) return { prefix, nexthops: [{ via: gateway }, { via: otherGateway, weight: 2 }] };
    return { prefix, via: (i + variant) % 2 === 0 ? gateway : otherGateway };
  });
}

const VARIANTS: readonly [WantedRoutes, WantedRoutes] = [
  { 4: routesFor(0, 0), 6: routesFor(1, 0) },
  { 4: routesFor(0, 1), 6: routesFor(1, 1) },
];
const FILES = Object.fromEntries(
  VARIANTS.flatMap((wanted, variant) =>
    ([4, 6] as const).map((family) => [`${variant}-${family}.routes`, routeFile(wanted[family])]),
  ),
);
const configOf = (variant: 0 | 1): string =>
  configText({}, { files: { 4: `${variant}-4.routes`, 6: `${variant}-6.routes` } });

fault("kill -9 at a random moment of a push", { short: 3, full: 100 }, async (world) => {
  const { random, note } = world;
  await world.populate();
  // Half of the runs change one set of routes into the other: replacements and deletions, too.
  let variant: 0 | 1 = 0;
  if (random.chance(0.5)) {
    const first = await world.startSynced(configOf(0), { files: FILES });
    variant = 1;
    note("the other routes, by configure");
    const configured = first.configure(configOf(1)).catch(() => {});
    await killSoon(first);
    await configured;
  }
  const kills = random.between(1, 3);
  for (let i = 0; i < kills; i++) await killSoon(await world.start(configOf(variant), { files: FILES }));
  const last = await world.startSynced(configOf(variant), { files: FILES });
  await world.check(last, VARIANTS[variant]);

  async function killSoon(krtd: Awaited<ReturnType<typeof world.start>>): Promise<void> {
    const sent = (await world.recording.messages()).length;
    const writes = random.between(1, ROUTES * 2);
    // By the number of messages sent and then some time: the moments inside a batch are hit as well.
    const extraMs = random.between(0, 8);
    const enough = async (): Promise<boolean> =>
      (await world.recording.messages()).length - sent >= writes || (await krtd.state()) === "in-sync";
    await waitFor("some of the push is done", enough, 20_000, 1);
    await new Promise((resolve) => setTimeout(resolve, extraMs));
    await krtd.kill();
    note(`killed ${extraMs} ms after ${(await world.recording.messages()).length - sent} messages`);
  }
});
