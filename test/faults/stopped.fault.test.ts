/** SIGSTOP for a while, in which everything changes and nearly all news is lost; then SIGCONT. */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { createTwoLinks, V, W } from "../support/two-links.ts";
import { configOfWanted, FULL, fault } from "./support/fault.ts";
import type { WantedRoute, WantedRoutes } from "./support/wanted.ts";

const STORM = 600;
const REST_MS = FULL ? [1000, 5000, 60_000] : [1500];

const routesOf = (index: 0 | 1): WantedRoute[] => {
  const { family, net, gateway } = FAMILIES[index]!;
  const other = W.gateway[family];
  return Array.from({ length: 300 }, (_, i): WantedRoute => {
    const prefix = net(200 + i);
    if (i % 10 === 0) return { prefix, nexthops: [{ via: gateway }, { via: other, weight: 2 }] };
    if (i % 7 === 0) return { prefix, dev: "w0" };
    return { prefix, via: i % 2 === 0 ? gateway : other };
  });
};
const WANTED: WantedRoutes = { 4: routesOf(0), 6: routesOf(1) };

fault("SIGSTOP while everything changes", { short: 1, full: 8, topology: createTwoLinks }, async (world) => {
  const { random, note } = world;
  await world.rememberForeign();
  const config = configOfWanted(WANTED, {
    kernel: { learn: random.chance(0.5) },
    root: { netlink: { "rx-buffer": "64KiB" } },
  });
  const krtd = await world.startSynced(config);
  krtd.signal("SIGSTOP");
  note("SIGSTOP");
  const began = performance.now();
  const commands = FAMILIES.flatMap(({ net, host, gateway, otherGateway }) => [
    ...Array.from({ length: STORM }, (_, i) => `route add ${host(i)} via ${gateway} proto 11`),
    ...Array.from({ length: 40 }, (_, i) => `route del ${net(200 + i * 3)} metric 32`),
    ...Array.from(
      { length: 40 },
      (_, i) => `route replace ${net(201 + i * 3)} via ${otherGateway} metric 32 proto 120`,
    ),
    ...Array.from({ length: 40 }, (_, i) => `route add blackhole ${net(600 + i)} metric 32 proto 120`),
  ]);
  await world.batch(commands);
  for (const link of random.chance(0.5) ? [V, W] : [V]) {
    await world.ip(`link set ${link.name} down`);
    await world.ip(`link set ${link.name} up`);
  }
  // Foreign IPv4 routes have gone with the links.
  await world.rememberForeign();
  const rest = random.pick(REST_MS) - (performance.now() - began);
  note(`another ${Math.max(0, rest).toFixed(0)} ms pass`);
  await new Promise((resolve) => setTimeout(resolve, rest));
  krtd.signal("SIGCONT");
  note("SIGCONT");
  await world.check(krtd, WANTED);
  expect((await krtd.status()).netlink.overruns, "overruns").toBeGreaterThan(0);
  expect((await krtd.kernels()).map(({ kernel }) => kernel.contested)).toEqual([0, 0]);
});
