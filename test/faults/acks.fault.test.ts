/** Answers to writes that are lost in every way there is: what became of those writes is found out by a dump. */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { waitFor } from "../support/netns.ts";
import { configOfWanted, FULL, fault } from "./support/fault.ts";
import { netlinkPorts, openForger } from "./support/forger.ts";
import { routeSet } from "./support/route-set.ts";
import type { WantedRoute, WantedRoutes } from "./support/wanted.ts";

const SET = routeSet(600);
const OTHER = routeSet(600, 1);
const FILES = { ...SET.files, ...OTHER.files };

fault("answers get lost while krtd pushes and changes", { short: 1, full: 40 }, async (world) => {
  const { random, recording, note } = world;
  await world.populate();
  const share = random.pick([1, 0.5, 0.25]);
  note(`of ${share} of all batches answers are lost`);
  await recording.raise("lose-acks", String(share));
  const krtd = await world.startSynced(SET.config(), { files: FILES });
  note("the other routes, by configure");
  await krtd.configure(OTHER.config());
  if (random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, random.between(0, 300)));
  await recording.lower("lose-acks");
  note("no more answers are lost");
  await world.check(krtd, OTHER.wanted);
  expect((await krtd.status()).netlink.overruns, "overruns").toBeGreaterThan(0);
});

fault("no answer comes, and nothing tells so", { short: 0, full: 5 }, async (world) => {
  const { random, recording } = world;
  await world.populate();
  const krtd = await world.startSynced(SET.config(), { files: FILES });
  await recording.raise("no-answers");
  world.note("the other routes, by configure; no answers");
  await krtd.configure(OTHER.config());
  await new Promise((resolve) => setTimeout(resolve, random.between(0, 12_000)));
  await recording.lower("no-answers");
  await world.check(krtd, OTHER.wanted, { withinMs: 15_000 });
});

/** All of these fail at first: each failure is an answer, and there is room for a few of them. */
const failing = (index: 0 | 1): WantedRoute[] => {
  const { farGateway, gateway, host } = FAMILIES[index]!;
  return Array.from({ length: 200 }, (_, i) => ({
    prefix: host(i),
    via: i % 10 === 0 ? gateway : farGateway,
  }));
};
const FAILING: WantedRoutes = { 4: failing(0), 6: failing(1) };

fault("more failures than the socket of commands has room for", { short: 1, full: 10 }, async (world) => {
  await world.populate();
  const krtd = await world.start(configOfWanted(FAILING), { sockets: { command: 4096 } });
  await waitFor("krtd knows what it can do", async () => (await krtd.state()) === "in-sync", 15_000);
  await world.check(krtd, FAILING);
  for (const { family, farAddress } of FAMILIES) {
    await world.ip(`-${family} addr add ${farAddress} dev v1`);
  }
  await world.rememberForeign();
  await world.check(krtd, FAILING);
  expect((await krtd.status()).counts).toMatchObject({ waiting: 0, failed: 0 });
});

fault("somebody fills the socket of commands", { short: 1, full: 10 }, async (world) => {
  const { ns, random } = world;
  await world.populate();
  const krtd = await world.startSynced(SET.config(), { files: FILES, sockets: { command: 8192 } });
  using forger = openForger(ns);
  const rubbish = new Uint8Array(512);
  const commandAndDump = netlinkPorts(krtd.pid).filter(({ groups }) => groups === 0);
  for (let round = 0; round < (FULL ? 5 : 2); round++) {
    // Until there is no room for an answer any more.
    for (const { port } of commandAndDump) {
      for (let sent = 0; sent < 5000 && forger.toPort(port, rubbish); sent++);
    }
    const { family, host } = random.pick(FAMILIES);
    await world.ip(`-${family} route del ${host(2 * random.between(1, 500))} metric 32`).catch(() => {});
    await world.check(krtd, SET.wanted);
  }
  expect((await krtd.status()).netlink.forged, "forged").toBeGreaterThan(0);
});
