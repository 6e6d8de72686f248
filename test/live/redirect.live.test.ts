/**
 * Redirects (protocol redirect): routes that somebody on the wire talked the kernel into. One that comes is deleted at
 * once, whether krtd learns or not, and never learned; one that stood there before krtd came is somebody's wish and stays.
 */

import { afterAll, describe, expect, it } from "vitest";
import { configOf, FAMILIES, lines, ownLines } from "../support/families.ts";
import { printTimes } from "../support/figures.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;
const BUSY_MACHINE_MS = 2000;
const REDIRECT = "proto redirect";

describe.each(FAMILIES)("IPv$family: a redirect", (it6) => {
  const { family, flag, gateway, otherGateway, net } = it6;
  const ours = net(1);
  const timesMs: number[] = [];
  afterAll(() => void printTimes(`IPv${family}, deleted after the redirect`, timesMs));

  const config = (learn: boolean | "all"): string =>
    configOf(it6, [{ prefix: ours, via: gateway }], { kernel: { learn } });
  const redirects = async (ns: Netns): Promise<string[]> =>
    lines(await ns.ip(`-o -d ${flag} route show table main ${REDIRECT}`));
  const learned = async (krtd: RunningKrtd): Promise<string[]> =>
    (await krtd.routes("all=true"))
      .filter((route) => route["source-type"] === "inherit")
      .map(({ dst }) => dst);

  it.each([false, true, "all"] as const)("that comes is deleted at once (learn: %s)", async (learn) => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, config(learn));
    const own = await ownLines(ns, flag);
    const before = await learned(krtd);
    const ways = [
      `add ${net(2)} via ${otherGateway} metric 7`,
      `add ${net(3)} via ${otherGateway} metric 0`,
      `add ${it6.host(1)} via ${otherGateway} dev v0 metric 32`,
      // At a prefix of krtd's, better and worse than its own.
      `add ${ours} via ${otherGateway} metric 1`,
      `add ${ours} via ${otherGateway} metric 999`,
    ];
    for (const way of ways) {
      await using monitor = await monitorRoutes(ns);
      await ns.ip(`${flag} route ${way} ${REDIRECT}`);
      await waitFor(`gone: ${way}`, async () => (await redirects(ns)).length === 0, DEADLINE_MS);
      const events = await monitor.timed();
      expect(events).toHaveLength(2);
      expect(events[1]!.line).toMatch(/^Deleted /);
      timesMs.push(events[1]!.atMs - events[0]!.atMs);
      expect(timesMs.at(-1)).toBeLessThan(BUSY_MACHINE_MS);
    }
    await krtd.scan();
    expect(await learned(krtd)).toEqual(before);
    expect(await ownLines(ns, flag)).toEqual(own);
    expect(krtd.records("deleting a redirect")).toHaveLength(ways.length);
    expect(await krtd.get("/v1/drift")).toEqual([]);
  });

  it.each([false, true] as const)(
    "that stood there before stays, and is no news (learn: %s)",
    async (learn) => {
      await using ns = await createTopology();
      await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 7 ${REDIRECT}`);
      await ns.ip(`${flag} route add ${ours} via ${otherGateway} metric 1 ${REDIRECT}`);
      const old = await redirects(ns);
      expect(old).toHaveLength(2);
      await using krtd = await startSynced(ns, config(learn));
      for (let scans = 0; scans < 3; scans++) await krtd.scan();
      expect(await redirects(ns)).toEqual(old);
      expect(await learned(krtd)).toEqual([]);
      expect((await krtd.route(ours)).kernel.state).toBe("synced");

      // It goes and comes again: then it is a new one.
      await ns.ip(`${flag} route del ${net(2)} metric 7`);
      await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 7 ${REDIRECT}`);
      const left = async (): Promise<boolean> => (await redirects(ns)).length === 1;
      await waitFor("the new one is deleted", left, DEADLINE_MS);
      await krtd.scan();
      expect(await redirects(ns)).toEqual(old.filter((line) => !line.includes(net(2))));

      expect(await krtd.stop()).toBe(0);
      expect(await redirects(ns)).toHaveLength(1);
    },
  );

  it("at krtd's own key that stood there before keeps it out, and is named", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${ours} via ${otherGateway} metric 32 ${REDIRECT}`);
    await using krtd = await startSynced(ns, config(false));
    const old = await redirects(ns);
    for (let scans = 0; scans < 2; scans++) await krtd.scan();
    expect(await redirects(ns)).toEqual(old);
    expect((await krtd.route(ours)).kernel).toMatchObject({
      state: "failed",
      rival: `unicast ${ours} proto redirect metric 32`,
    });
    await ns.ip(`${flag} route del ${ours} metric 32`);
    await waitFor("ours comes", async () => (await ownLines(ns, flag)).length === 1, DEADLINE_MS);
  });

  it("that takes the place of krtd's own route is deleted, and the route comes back", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, config(false));
    const own = await ownLines(ns, flag);
    await ns.ip(`${flag} route replace ${ours} via ${otherGateway} metric 32 ${REDIRECT}`);
    const same = async (): Promise<boolean> => (await ownLines(ns, flag)).join() === own.join();
    await waitFor("ours is back", same, DEADLINE_MS);
    expect(await redirects(ns)).toEqual([]);
    await waitFor("it is synced", async () => (await krtd.route(ours)).kernel.state === "synced");
  });

  it("is left alone while krtd observes", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${ours} via ${gateway} metric 32 proto 120`);
    await using krtd = await startSynced(ns, config(true), { args: ["--observe"] });
    await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 7 ${REDIRECT}`);
    await krtd.scan();
    expect(await redirects(ns)).toHaveLength(1);
    expect(await learned(krtd)).toEqual([]);
    expect(await krtd.writes()).toBe(0);
  });
});
