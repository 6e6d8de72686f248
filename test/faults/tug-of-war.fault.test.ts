/**
 * Somebody deletes, replaces and appends routes with our protocol number, once or over and over. krtd takes routes of
 * its number for its own: it puts its table right, and does not fight for ever where somebody else does not stop.
 */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { startIpLoop } from "../support/ip-loop.ts";
import { waitFor } from "../support/netns.ts";
import { configOfWanted, fault } from "./support/fault.ts";
import { changesNothing } from "./support/sent-messages.ts";
import type { WantedRoute, WantedRoutes } from "./support/wanted.ts";

const ROUTES = 60;
const OURS = "metric 32 proto 120";
/** In a minute; then krtd backs off: ten seconds, then twenty. */
const REPAIRS = 10;
const BACKOFF_MS = 30_000;

const routesOf = (index: 0 | 1): WantedRoute[] => {
  const { gateway, otherGateway, net } = FAMILIES[index]!;
  return Array.from({ length: ROUTES }, (_, i): WantedRoute => {
    const prefix = net(200 + i);
    if (i % 10 === 0) return { prefix, type: "unreachable" };
    if (i % 3 === 0) return { prefix, nexthops: [{ via: gateway }, { via: otherGateway, weight: 4 }] };
    return { prefix, via: gateway };
  });
};
const WANTED: WantedRoutes = { 4: routesOf(0), 6: routesOf(1) };

fault("somebody writes with our protocol number", { short: 1, full: 50 }, async (world) => {
  const { random, ns } = world;
  await world.populate();
  const krtd = await world.startSynced(configOfWanted(WANTED));
  // At most so many to one route that it does not become contested.
  const touched = new Map<string, number>();
  const commands: string[] = [];
  for (let i = 0; i < 150; i++) {
    const { family, gateway, otherGateway, net } = random.pick(FAMILIES);
    const prefix = net(200 + random.between(0, ROUTES + 20));
    const times = touched.get(prefix) ?? 0;
    if (times >= 3) continue;
    touched.set(prefix, times + 1);
    const hop = random.pick([`via ${gateway}`, `via ${otherGateway}`, "dev v1"]);
    const metric = random.pick(["metric 32", "metric 33", "metric 5"]);
    commands.push(
      random.pick([
        `route del ${prefix} ${OURS}`,
        `route replace ${prefix} ${hop} ${OURS}`,
        `route append ${prefix} ${hop} ${OURS}`,
        `route prepend ${prefix} ${hop} ${metric} proto 120`,
        `route add blackhole ${prefix} ${metric} proto 120`,
        `route replace ${prefix} ${metric} proto 120 nexthop via ${otherGateway} nexthop via ${gateway}`,
        `route add default ${family === 4 ? `via ${gateway}` : "dev v1"} ${OURS}`,
      ]),
    );
  }
  // One at a time or all at once: krtd repairs in between, or finds many changes together.
  if (random.chance(0.5)) for (const command of commands) await world.tryIp(command);
  else {
    world.note(`ip -force -batch:\n${commands.join("\n")}`);
    await ns.run("sh", [
      "-c",
      'printf "%s\\n" "$1" | ip -force -batch - 2>/dev/null || :',
      "sh",
      commands.join("\n"),
    ]);
  }
  await world.check(krtd, WANTED);
  expect((await krtd.kernels()).map(({ kernel }) => kernel.contested)).toEqual([0, 0]);
});

fault("somebody who never stops deleting", { short: 0, full: 5 }, async (world) => {
  const { random } = world;
  await world.populate();
  const krtd = await world.startSynced(configOfWanted(WANTED));
  const before = (await world.recording.messages()).length;
  const attacked = FAMILIES.map(({ net }) => net(200 + random.between(1, ROUTES)));
  world.note(`over and over: del ${attacked.join(", ")}`);
  {
    const commands = attacked.map((prefix) => `route del ${prefix} ${OURS}`);
    await using _loop = await startIpLoop(world.ns, krtd.directory, commands);
    const warned = (): boolean =>
      krtd.records("a route is contested: somebody keeps changing it").length === attacked.length;
    await waitFor("krtd says that they are contested", warned);
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  const writes = (await world.recording.messages()).slice(before).filter((each) => !changesNothing(each));
  expect(writes.length, "writes of the quarrel").toBeLessThanOrEqual(attacked.length * (REPAIRS + 2));
  await world.check(krtd, WANTED, { withinMs: BACKOFF_MS });
});
