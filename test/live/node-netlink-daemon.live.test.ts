/**
 * The daemon over the node-netlink transport: no notifications, so every correction comes with a scan, and the
 * scan time is the longest anybody waits. What it does to the kernel is the same.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, createVethPair, type Netns, settled, waitFor } from "../support/netns.ts";

const SCAN_TIME = "300ms";
const DEADLINE_MS = 5000;

let ns: Netns;
let krtd: RunningKrtd;
let foreign: readonly string[];

beforeAll(async () => {
  ns = await createTopology();
  await settled(ns);
  for (const { flag, net, gateway } of FAMILIES) {
    await ns.ip(`${flag} route add ${net(1)} via ${gateway} metric 33 proto static`);
    await ns.ip(`${flag} route add ${net(9)} via ${gateway} metric 32 proto 120`);
  }
  foreign = await foreignLines(ns);
  const routes = ({ gateway, otherGateway, farGateway, net }: (typeof FAMILIES)[number]) => [
    { prefix: net(1), via: gateway },
    { prefix: net(2), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
    { prefix: net(3), type: "blackhole" as const },
    { prefix: net(4), via: farGateway },
    { prefix: net(5), dev: "late0" },
  ];
  const root = { netlink: { transport: "node-netlink" as const }, device: { "scan-time": SCAN_TIME } };
  const config = configText(
    { 4: routes(FAMILIES[0]!), 6: routes(FAMILIES[1]!) },
    { scanTime: SCAN_TIME, root },
  );
  krtd = await startSynced(ns, config);
});

afterAll(async () => {
  await krtd?.[Symbol.asyncDispose]();
  await ns?.dispose();
});

it("the daemon says which transport it uses", async () => {
  expect((await krtd.status()).netlink.transport).toBe("node-netlink");
});

describe.each(FAMILIES)(
  "IPv$family over node-netlink",
  ({ family, flag, net, gateway, otherGateway, farAddress }) => {
    const count = async (): Promise<number> => (await ownLines(ns, flag)).length;
    const states = async (): Promise<string[]> =>
      Promise.all([1, 2, 3, 4, 5].map(async (i) => (await krtd.route(net(i))).kernel.state));

    it("installs what can be, removes what is stale", async () => {
      // The tests of the other family may just have taken the device away, which only a scan tells.
      const wanted = ["synced", "synced", "synced", "waiting", "waiting"].join();
      await waitFor("all states are right", async () => (await states()).join() === wanted, DEADLINE_MS);
      expect(await count()).toBe(3);
    });

    it("repairs drift", async () => {
      const wanted = await ownLines(ns, flag);
      await ns.ip(`${flag} route del ${net(1)} metric 32`);
      await ns.ip(`${flag} route replace ${net(2)} via ${otherGateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(8)} via ${gateway} metric 32 proto 120`);
      const same = async (): Promise<boolean> => (await ownLines(ns, flag)).join() === wanted.join();
      await waitFor("drift is repaired", same, DEADLINE_MS);
    });

    it("installs what waited for an address", async () => {
      await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
      await waitFor("the route is installed", async () => (await count()) === 4, DEADLINE_MS);
    });

    it("installs what waited for a device, and loses it again with the device", async () => {
      await createVethPair(ns, "late0", "late1");
      await waitFor("the route is installed", async () => (await count()) === 5, DEADLINE_MS);
      await ns.ip("link del late0");
      await waitFor("it waits again", async () => (await states())[4] === "waiting", DEADLINE_MS);
      expect(await count()).toBe(4);
    });
  },
);

it("a stop takes its own routes out and leaves the others", async () => {
  expect(await krtd.stop()).toBe(0);
  for (const { flag } of FAMILIES) expect(await ownLines(ns, flag)).toEqual([]);
  const others = (await foreignLines(ns)).filter((line) => !line.includes(" proto kernel "));
  expect(others).toEqual(foreign.filter((line) => !line.includes(" proto kernel ")));
});
