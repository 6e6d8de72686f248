/** --observe: everything but writing, for everybody. It says of each route what it would have to do. */

import { describe, expect, it } from "vitest";
import { asNobody } from "../support/as-nobody.ts";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const WHY = "observe mode: krtd writes nothing";

describe.each([
  ["nobody", asNobody("-all")],
  ["root", []],
])("krtd --observe as %s", (_who, wrapper) => {
  it("sees and tells everything and writes nothing", async () => {
    await using ns = await createTopology();
    await settled(ns);
    for (const { flag, net, gateway, otherGateway } of FAMILIES) {
      await ns.ip(`${flag} route add ${net(1)} via ${gateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(3)} via ${gateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(4)} via ${gateway} metric 32 proto static`);
    }
    const everything = async (): Promise<string[]> =>
      [await ownLines(ns, "-4"), await ownLines(ns, "-6"), await foreignLines(ns)].flat();
    const before = await everything();
    // There as wanted; there but different; stale and so not in the list; held by a rival; missing.
    const routes = (i: 0 | 1) =>
      [1, 2, 4, 5].map((n) => ({ prefix: FAMILIES[i]!.net(n), via: FAMILIES[i]!.gateway }));
    const config = configText({ 4: routes(0), 6: routes(1) }, { scanTime: "200ms", kernel: { learn: true } });
    await using monitor = await monitorRoutes(ns);
    await using krtd = await startSynced(ns, config, { wrapper, open: true, args: ["--observe"] });
    await krtd.scan();
    expect(await krtd.status()).toMatchObject({ observe: true, state: "in-sync" });
    for (const { net } of FAMILIES) {
      const kernelOf = async (i: number) => (await krtd.route(net(i))).kernel;
      expect(await kernelOf(1)).toMatchObject({ state: "synced", message: null });
      expect(await kernelOf(2)).toMatchObject({ state: "pending", message: WHY });
      expect(await kernelOf(5)).toMatchObject({ state: "pending", message: WHY });
      const rival = `unicast ${net(4)} proto static metric 32`;
      expect(await kernelOf(4)).toMatchObject({ state: "failed", message: `Key held by ${rival}` });
    }

    // It follows what happens, too: the next scan sees the missing route.
    for (const { flag, net, gateway } of FAMILIES) {
      await ns.ip(`${flag} route add ${net(5)} via ${gateway} metric 32 proto 120`);
      const state = async (): Promise<string> => (await krtd.route(net(5))).kernel.state;
      await waitFor("the new route is seen", async () => (await state()) === "synced");
      await ns.ip(`${flag} route del ${net(5)} metric 32`);
      await waitFor("its end is seen", async () => (await state()) === "pending");
    }
    expect(await krtd.writes()).toBe(0);
    expect(await krtd.stop()).toBe(0);
    const own = [5].flatMap((i) => FAMILIES.map(({ net }) => net(i)));
    const others = (await monitor.events()).filter((line) => !own.some((prefix) => line.includes(prefix)));
    expect(others).toEqual([]);
    expect(await everything()).toEqual(before);
  });
});
