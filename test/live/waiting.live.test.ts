/**
 * A route whose nexthop is not usable waits with the kernel's own words and is installed by the event that makes
 * it usable. krtd scans on demand here, so that nothing but events can wake it.
 */

import { describe, expect, it } from "vitest";
import type { RouteInput } from "../../src/config/input.ts";
import { configOf, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createNetns, createTopology, createVethPair, type Netns, waitFor } from "../support/netns.ts";

/** Routes behind one gateway, which must not each be tried again and again. */
const MANY = 1000;
const WAKE_DEADLINE_MS = 3000;

/** What `ip route add` says to the same route, without its own words around it. */
async function kernelText(ns: Netns, prefix: string, nexthops: string): Promise<string> {
  const { code, stderr } = await ns.tryIp(`route add ${prefix} metric 7777 ${nexthops}`);
  expect(code).not.toBe(0);
  return stderr
    .replace(/^(Error|RTNETLINK answers): /, "")
    .trim()
    .replace(/\.$/, "");
}

const states = async (krtd: RunningKrtd): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { kernel } of await krtd.routes()) counts[kernel.state] = (counts[kernel.state] ?? 0) + 1;
  return counts;
};

const failedWrites = async (krtd: RunningKrtd): Promise<number> =>
  (await krtd.kernels())
    .flatMap(({ kernel }) => Object.values(kernel.writes.errors))
    .reduce((sum, count) => sum + count, 0);

async function installed(ns: Netns, { flag }: FamilyCase, count: number): Promise<void> {
  const all = async () => (await ownLines(ns, flag)).length === count;
  await waitFor(`${count} routes in the kernel`, all, WAKE_DEADLINE_MS);
}

describe.each(FAMILIES)("IPv$family: a route", (it6) => {
  const { family, flag, farGateway, farAddress, gateway, address, net, host } = it6;

  /** Starts krtd with these routes, all of which wait, with this text if the kernel was asked at all. */
  async function startWaiting(ns: Netns, routes: readonly RouteInput[], text: string): Promise<RunningKrtd> {
    const krtd = await startSynced(ns, configOf(it6, routes));
    expect(await states(krtd)).toEqual({ waiting: routes.length });
    for (const route of (await krtd.routes()).slice(0, 3)) expect(route.kernel.message).toBe(text);
    expect(await ownLines(ns, flag)).toEqual([]);
    return krtd;
  }

  it(`waits for the address that makes its gateway reachable, with ${MANY} behind it`, async () => {
    await using ns = await createTopology();
    const text = await kernelText(ns, net(0), `via ${farGateway}`);
    const routes = Array.from({ length: MANY }, (_, i) => ({ prefix: host(i), via: farGateway }));
    await using krtd = await startWaiting(ns, routes, text);
    const before = await failedWrites(krtd);
    for (let scans = 0; scans < 3; scans++) await krtd.scan();
    // One is tried for all.
    expect((await failedWrites(krtd)) - before).toBeLessThanOrEqual(6);

    await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
    await installed(ns, it6, MANY);
    await waitFor("all are synced", async () => (await states(krtd))["synced"] === MANY);
    expect((await krtd.routes()).every(({ kernel }) => kernel.message === null)).toBe(true);
  });

  it("waits for its interface to come up", async () => {
    await using ns = await createTopology();
    await ns.ip("link set v1 down");
    await ns.ip("link set v0 down");
    const text = await kernelText(ns, net(0), `dev v0`);
    await using _krtd = await startWaiting(ns, [{ prefix: net(0), dev: "v0" }], text);
    await ns.ip("link set v1 up");
    await ns.ip("link set v0 up");
    await installed(ns, it6, 1);
  });

  it.each(["late0", "__proto__", "$(id)"])(
    "waits for interface %s to be created, also again",
    async (dev) => {
      await using ns = await createNetns();
      const routes = [0, 1, 2].map((i) => ({ prefix: net(i), dev }));
      await using krtd = await startWaiting(ns, routes, `Device "${dev}" does not exist`);
      expect(await failedWrites(krtd)).toBe(0);
      for (let lives = 0; lives < 2; lives++) {
        await createVethPair(ns, dev, "peer0");
        await installed(ns, it6, routes.length);
        await ns.ip(`link del ${dev}`);
        await waitFor("they wait again", async () => (await states(krtd))["waiting"] === routes.length);
        expect(await ownLines(ns, flag)).toEqual([]);
      }
    },
  );

  it("follows its interface through a rename", async () => {
    await using ns = await createNetns();
    await createVethPair(ns, "early0", "early1");
    const routes = [{ prefix: net(0), dev: "late0" }];
    await using _krtd = await startWaiting(ns, routes, 'Device "late0" does not exist');
    await ns.ip("link set early0 down");
    await ns.ip("link set early0 name late0");
    await ns.ip("link set late0 up");
    await installed(ns, it6, 1);
  });

  it("waits for its preferred source", async () => {
    await using ns = await createTopology();
    const prefsrc = farAddress.replace(/\/.*/, "");
    const text = await kernelText(ns, net(0), `via ${gateway} src ${prefsrc}`);
    await using _krtd = await startWaiting(ns, [{ prefix: net(0), via: gateway, prefsrc }], text);
    await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
    await installed(ns, it6, 1);
  });

  it("waits as a whole while one of its nexthops is not reachable", async () => {
    await using ns = await createTopology();
    const nexthops = [{ via: gateway }, { via: farGateway, weight: 2 }];
    const text = await kernelText(ns, net(0), `nexthop via ${gateway} nexthop via ${farGateway} weight 2`);
    await using _krtd = await startWaiting(ns, [{ prefix: net(0), nexthops }], text);
    await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
    await installed(ns, it6, 1);
  });

  it("waits for another route of krtd that leads to its gateway, and loses nothing to order", async () => {
    await using ns = await createTopology();
    const [prefix, length] = family === 4 ? ["10.9.0.0", 24] : ["2001:db8:0:9::", 64];
    const routes = [
      ...Array.from({ length: 5 }, (_, i) => ({ prefix: net(i), via: farGateway })),
      { prefix: `${prefix}/${length}`, dev: "v1" },
    ];
    await using krtd = await startSynced(ns, configOf(it6, routes));
    await installed(ns, it6, routes.length);
    await waitFor("all are synced", async () => (await states(krtd))["synced"] === routes.length);
  });

  it("survives a flap of its link: lost, waiting, restored", async () => {
    await using ns = await createTopology();
    const routes = Array.from({ length: MANY }, (_, i) => ({ prefix: host(i), via: gateway }));
    await using krtd = await startSynced(ns, configOf(it6, routes));
    const before = await ownLines(ns, flag);
    expect(before).toHaveLength(MANY);
    await ns.ip("link set v0 down");
    await waitFor("all wait", async () => (await states(krtd))["waiting"] === MANY);
    expect(await ownLines(ns, flag)).toEqual([]);
    await ns.ip("link set v0 up");
    // IPv6 addresses do not survive their link.
    if (family === 6) await ns.ip(`addr replace ${address}/64 dev v0 nodad`);
    await installed(ns, it6, MANY);
    expect(await ownLines(ns, flag)).toEqual(before);
    await waitFor("all are synced", async () => (await states(krtd))["synced"] === MANY);
  });

  it("is left alone while its link only lacks carrier: the kernel keeps it, marked linkdown", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: net(0), via: gateway }]));
    const before = await ownLines(ns, flag);
    const writes = await krtd.writes();
    await ns.ip("link set v1 down");
    await waitFor("the kernel marks it", async () => (await ownLines(ns, flag)).join().includes("linkdown"));
    await krtd.scan();
    expect(await states(krtd)).toEqual({ synced: 1 });
    await ns.ip("link set v1 up");
    const same = async (): Promise<boolean> => (await ownLines(ns, flag)).join() === before.join();
    await waitFor("the mark is gone", same);
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
  });
});
