/**
 * Storms of foreign changes, and changes to krtd's own routes among them, with room for two notifications: nearly all
 * news is lost, also while krtd reads everything again because of the loss before.
 */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { fault, type World } from "./support/fault.ts";
import { routeSet } from "./support/route-set.ts";

const SET = routeSet(300);
const SOCKETS = { notify: 4096 };
const FOREIGN = 400;

/** Foreign routes come and go; of krtd's some are deleted, some replaced, some added. Each of its own once at most. */
function storm({ random }: World, round: number): string[] {
  return FAMILIES.flatMap(({ net, host, gateway, otherGateway }) => {
    const commands: string[] = [];
    for (let i = 0; i < FOREIGN; i++) {
      commands.push(
        `route add ${net(200 + i)} via ${random.pick([gateway, otherGateway])} metric 70 proto 11`,
      );
      if (i % 13 === 0) {
        const own = host(2 * ((i / 13) * 7 + round));
        const change = random.pick(["del", `replace blackhole`, `replace`]);
        const tail = change === "replace" ? ` via ${otherGateway}` : "";
        commands.push(`route ${change} ${own}${tail} metric 32 proto 120`);
        commands.push(`route add ${host(20_000 + i + round)} via ${gateway} metric 32 proto 120`);
      }
    }
    // What is left of the foreign ones goes with the next round.
    return [...commands, ...Array.from({ length: FOREIGN }, (_, i) => `route del ${net(200 + i)} metric 70`)];
  });
}

async function storms(world: World, count: number, pauseMs: () => number): Promise<void> {
  const { ns, note, random } = world;
  for (let round = 0; round < count; round++) {
    const commands = storm(world, round);
    if (random.chance(0.5)) commands.splice(random.between(0, commands.length));
    note(`ip -force -batch, ${commands.length} commands (storm ${round})`);
    const script = 'printf "%s\\n" "$1" | ip -force -batch - 2>/dev/null || :';
    // As a file argument it could be too long for the kernel: in pieces.
    for (let at = 0; at < commands.length; at += 1000) {
      await ns.run("sh", ["-c", script, "sh", commands.slice(at, at + 1000).join("\n")]);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs()));
  }
  const rest = FAMILIES.flatMap(({ flag, net }) =>
    Array.from({ length: FOREIGN }, (_, i) => `${flag} ${net(200 + i)}`),
  );
  for (const which of ["-4", "-6"] as const) {
    await ns.tryIp(`${which} route flush proto 11 metric 70`);
    note(`${which} route flush proto 11 metric 70 (of ${rest.length})`);
  }
}

fault("storms with a receive buffer of 4 KiB", { short: 1, full: 25 }, async (world) => {
  await world.populate();
  const krtd = await world.startSynced(SET.config({ kernel: { learn: world.random.chance(0.5) } }), {
    files: SET.files,
    sockets: SOCKETS,
  });
  await storms(world, 2, () => world.random.between(0, 1500));
  await world.check(krtd, SET.wanted);
  const { overruns, resyncs } = (await krtd.status()).netlink;
  expect(overruns, "overruns").toBeGreaterThan(0);
  expect(resyncs, "resyncs").toBeGreaterThan(0);
});

fault("loss upon loss, while krtd resyncs", { short: 1, full: 25 }, async (world) => {
  await world.populate();
  const krtd = await world.startSynced(SET.config({ kernel: { learn: true } }), {
    files: SET.files,
    sockets: SOCKETS,
  });
  // With no pause to speak of: the resync of the storm before is under way.
  await storms(world, 5, () => world.random.between(0, 120));
  await world.check(krtd, SET.wanted);
  expect((await krtd.status()).netlink.overruns, "overruns").toBeGreaterThan(1);
});
