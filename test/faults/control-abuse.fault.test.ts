/**
 * Hostile clients at the control socket, several kinds at once, while others change routes and krtd scans: nothing is
 * lost, nothing foreign is touched, and what they took is given back. How fast krtd is meanwhile is measured in
 * test/live/control-abuse.live.test.ts.
 */

import { ATTACKS, startAttack } from "../support/control-attacker.ts";
import { FAMILIES } from "../support/families.ts";
import { settled } from "../support/netns.ts";
import { configOfWanted, FULL, fault } from "./support/fault.ts";
import type { WantedRoute, WantedRoutes } from "./support/wanted.ts";

const ROUTES = 500;
const ATTACK_MS = FULL ? 8_000 : 3_000;
/** Room for what 64 clients leave to the garbage collector. */
const GROWTH_BYTES = 300 * 1024 * 1024;

const routesOf = (index: 0 | 1): WantedRoute[] => {
  const { gateway, host } = FAMILIES[index]!;
  return Array.from({ length: ROUTES }, (_, i): WantedRoute => ({ prefix: host(i), via: gateway }));
};
const WANTED: WantedRoutes = { 4: routesOf(0), 6: routesOf(1) };

fault("hostile clients while others change routes", { short: 2, full: 20 }, async (world) => {
  const { random, note } = world;
  await settled(world.ns);
  await world.populate();
  const krtd = await world.startSynced(configOfWanted(WANTED, { scanTime: 1 }));
  const left = FAMILIES.flatMap(({ host, gateway, otherGateway }) =>
    Array.from({ length: ROUTES }, (_, i) => ({ prefix: host(i), gateway, otherGateway })),
  );
  const attacks: AsyncDisposable[] = [];
  try {
    for (let i = 0; i < 3; i++) {
      const attack = random.pick(ATTACKS);
      note(`attack: ${attack}`);
      attacks.push(await startAttack(krtd.socket, attack));
    }
    const until = performance.now() + ATTACK_MS;
    while (performance.now() < until && left.length > 0) {
      // Each once: what is changed again and again is contested, and waits.
      const [{ prefix, otherGateway }] = left.splice(random.between(0, left.length - 1), 1) as [
        (typeof left)[0],
      ];
      const change = random.pick([`del ${prefix}`, `replace ${prefix} via ${otherGateway}`]);
      await world.tryIp(`route ${change} metric 32 proto 120`);
    }
  } finally {
    for (const attack of attacks) await attack[Symbol.asyncDispose]();
  }
  note("the attacks are over");
  await world.check(krtd, WANTED, { growthBytes: GROWTH_BYTES });
});
