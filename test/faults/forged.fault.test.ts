/**
 * Somebody with the kernel's rights sends krtd messages that look like the kernel's, to every socket it has and to the
 * groups it listens to: in peace, and while it pushes and dumps. It drops and counts them, and does nothing about them.
 */

import { expect } from "vitest";
import { configText, FAMILIES } from "../support/families.ts";
import { ifindexOf, waitFor } from "../support/netns.ts";
import { fault } from "./support/fault.ts";
import { type ForgedFacts, forgedMessage } from "./support/forged-messages.ts";
import { netlinkPorts, openForger } from "./support/forger.ts";
import { changesNothing } from "./support/sent-messages.ts";
import { routeFile, type WantedRoutes } from "./support/wanted.ts";

const ROUTES = 2000;
/** RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE. */
const GROUPS = [1, 5, 7, 9, 11];
const LIES = 300;

const routesOf = (index: 0 | 1) => {
  const { gateway, host } = FAMILIES[index]!;
  return Array.from({ length: ROUTES }, (_, i) => ({ prefix: host(i), via: gateway }));
};
const WANTED: WantedRoutes = { 4: routesOf(0), 6: routesOf(1) };
const FILES = { "4.routes": routeFile(WANTED[4]), "6.routes": routeFile(WANTED[6]) };
const CONFIG = configText({}, { files: { 4: "4.routes", 6: "6.routes" }, kernel: { learn: true } });

async function factsOf(ifindex: Promise<number>): Promise<ForgedFacts> {
  const low = (last: number): number[] => [0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), last];
  return {
    ifindex: await ifindex,
    address: { 4: [10, 0, 0, 1], 6: low(1).map((byte, i) => (i === 7 ? 1 : byte)) },
    prefix: {
      4: { bytes: [172, 16, 0, 5], length: 32 },
      6: { bytes: low(6).map((byte, i) => (i === 4 || i === 5 ? 255 : byte)), length: 128 },
    },
  };
}

fault("forged messages to every socket and group", { short: 1, full: 30 }, async (world) => {
  const { ns, random, note } = world;
  await world.populate();
  const facts = await factsOf(ifindexOf(ns, "v0"));
  using forger = openForger(ns);
  let sent = 0;
  /** krtd has the kernel drop what claims to be its own doing before it reaches the socket of notifications. */
  let seen = 0;
  const lie = (pid: number, count: number): void => {
    const ports = netlinkPorts(pid);
    for (let i = 0; i < count && ports.length > 0; i++) {
      const { port, groups } = random.pick(ports);
      const claimed = random.chance(0.5) ? random.pick(ports).port : 0;
      const bytes = forgedMessage(random, facts, claimed);
      const multicast = random.chance(0.4);
      if (multicast) forger.toGroup(random.pick(GROUPS), bytes);
      else if (!forger.toPort(port, bytes)) continue;
      sent++;
      if (claimed === 0 || (!multicast && groups === 0)) seen++;
    }
  };
  const krtd = await world.start(CONFIG, { files: FILES });
  // While it starts: first dumps, a push, and everything else in between.
  await waitFor("krtd is in sync", async () => {
    lie(krtd.pid, 5);
    return (await krtd.state()) === "in-sync";
  });
  note(`${sent} lies while it starts`);
  await world.check(krtd, WANTED);
  const before = (await world.recording.messages()).length;
  const { forged, resyncs } = (await krtd.status()).netlink;
  sent = 0;
  seen = 0;
  for (let i = 0; i < LIES / 10; i++) {
    lie(krtd.pid, 10);
    if (random.chance(0.1)) await krtd.scan();
  }
  note(`${sent} lies in peace`);
  // A scan empties the socket of dumps, a repair that of commands.
  await ns.ip(`route del ${FAMILIES[0]!.host(7)} metric 32`);
  await world.check(krtd, WANTED);
  const counted = (await krtd.status()).netlink.forged - forged;
  expect(counted, "lies counted").toBeGreaterThanOrEqual(seen);
  expect(counted, "lies counted").toBeLessThanOrEqual(sent);
  expect((await krtd.status()).netlink.resyncs, "resyncs because of lies").toBe(resyncs);
  const writes = (await world.recording.messages()).slice(before).filter((each) => !changesNothing(each));
  const repaired = writes.every(({ route }) => route !== "unreadable" && route?.prefix === "ac100007/32");
  expect(repaired, "only the route that was deleted is written").toBe(true);
});
