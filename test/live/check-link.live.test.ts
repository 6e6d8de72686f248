/**
 * Static routes with check-link follow the carrier of their links, which the kernel ignores: a route whose link is down
 * is withdrawn, so that another one can take its place; a multipath goes on over what is left of it.
 */

import { describe, expect, it } from "vitest";
import type { RouteInput } from "../../src/config/input.ts";
import { configText, FAMILIES, type FamilyCase } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import type { Netns } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";
import { expectWays, type Ways } from "../support/route-ways.ts";
import { addAddress, createTwoLinks, V, W } from "../support/two-links.ts";

function scene({ family, net, table }: FamilyCase) {
  const v = V.gateway[family];
  const w = W.gateway[family];
  const checked: RouteInput[] = [
    { prefix: net(1), via: v },
    { prefix: net(2), dev: "v0" },
    { prefix: net(3), via: v, dev: "v0" },
    { prefix: net(4), nexthops: [{ via: v }, { via: w, weight: 3 }] },
    {
      prefix: net(5),
      nexthops: [
        { via: v, dev: "v0", weight: 2 },
        { via: w, dev: "w0" },
      ],
    },
    { prefix: net(6), via: w },
    { prefix: net(7), type: "blackhole" },
  ];
  const config = configText(
    {},
    {
      root: {
        device: { "scan-time": 0 },
        static: {
          primary: { table, "check-link": true, routes: checked },
          // The same without it; and one that waits behind the first of the others.
          unchecked: { table, routes: [{ prefix: net(8), via: v }] },
          backup: { table, preference: 100, routes: [{ prefix: net(1), via: w }] },
        },
      },
    },
  );
  const V0 = `via ${v} dev v0`;
  const W0 = `via ${w} dev w0`;
  const up: Ways = {
    [net(1)]: V0,
    [net(2)]: "dev v0",
    [net(3)]: V0,
    [net(4)]: `${V0} + ${W0} *3`,
    [net(5)]: `${V0} *2 + ${W0}`,
    [net(6)]: W0,
    [net(7)]: "blackhole",
    [net(8)]: V0,
  };
  const down: Ways = {
    [net(1)]: W0,
    [net(4)]: W0,
    [net(5)]: W0,
    [net(6)]: W0,
    [net(7)]: "blackhole",
    [net(8)]: V0,
  };
  const without = (ways: Ways, ...prefixes: readonly string[]): Ways =>
    Object.fromEntries(Object.entries(ways).filter(([prefix]) => !prefixes.includes(prefix)));
  return { config, up, down, without };
}

describe.each(FAMILIES)("IPv$family: static routes with check-link", (it6) => {
  const { family, net } = it6;
  const { config, up, down, without } = scene(it6);
  const states = async (krtd: { routes(): Promise<{ dst: string; source: string | null }[]> }) =>
    (await krtd.routes()).map(({ dst, source }) => `${source} ${dst}`);

  const start = async (ns: Netns) => {
    const krtd = await startSynced(ns, config);
    await expectWays(ns, krtd, it6, "at the start", up);
    return krtd;
  };

  it("go and come with the carrier, and leave others alone", async () => {
    await using ns = await createTwoLinks();
    await using krtd = await start(ns);
    for (let flaps = 0; flaps < 3; flaps++) {
      await using monitor = await monitorRoutes(ns);
      await ns.ip("link set v1 down");
      await expectWays(ns, krtd, it6, "no carrier", down);
      expect((await krtd.protocol("primary")).info).toBe("3 routes without a link that is up");
      expect((await krtd.route(net(1))).source).toBe("backup");
      expect(await states(krtd)).not.toContain(`primary ${net(2)}`);
      await ns.ip("link set v1 up");
      await expectWays(ns, krtd, it6, "carrier", up);
      expect((await krtd.protocol("primary")).info).toBe("");
      expect((await krtd.route(net(1))).source).toBe("primary");
      const events = (await monitor.events()).filter((line) => line.includes(" proto 120 "));
      const of = (prefix: string): string[] => events.filter((line) => line.includes(` ${prefix} `));
      for (const prefix of [net(6), net(7), net(8)]) expect(of(prefix)).toEqual([]);
      // Their replacements leave no hole.
      for (const prefix of [net(1), net(4), net(5)]) {
        expect(of(prefix).filter((line) => line.startsWith("Deleted "))).toEqual([]);
      }
    }
  });

  it("go and come with the link", async () => {
    await using ns = await createTwoLinks();
    await using krtd = await start(ns);
    await ns.ip("link set v0 down");
    await expectWays(ns, krtd, it6, "down", without(down, net(8)));
    expect((await krtd.route(net(8))).kernel.state).toBe("waiting");
    await ns.ip("link set v0 up");
    await expectWays(ns, krtd, it6, "up", up);
    await ns.batch(["link set v1 down", "link set v0 down", "link set v1 up"]);
    await expectWays(ns, krtd, it6, "down, with a peer that is up", without(down, net(8)));
    await ns.batch(["link set w0 down"]);
    await expectWays(ns, krtd, it6, "all down", { [net(7)]: "blackhole" });
    await ns.batch(["link set v0 up", "link set w0 up"]);
    await expectWays(ns, krtd, it6, "all up", up);
  });

  it("go and come with the device and its name; of a gateway in no subnet the kernel decides", async () => {
    await using ns = await createTwoLinks();
    await using krtd = await start(ns);
    const gone = without(down, net(1), net(4), net(8));
    const waiting = async (): Promise<string[]> =>
      (await krtd.routes()).filter(({ kernel }) => kernel.state === "waiting").map(({ dst }) => dst);
    await ns.ip("link del v0");
    await expectWays(ns, krtd, it6, "deleted", gone);
    expect((await waiting()).sort()).toEqual([net(1), net(4), net(8)].sort());
    await ns.batch(["link add v0 type veth peer name v1", "link set v0 up"]);
    await expectWays(ns, krtd, it6, "no carrier, no address", gone);
    await ns.ip("link set v1 up");
    // The link is up, so the nexthop over it counts again; the kernel refuses a multipath as a whole.
    await expectWays(ns, krtd, it6, "no address", { ...without(gone, net(5)), [net(2)]: "dev v0" });
    await ns.ip(addAddress(V, family));
    await expectWays(ns, krtd, it6, "all is back", up);
    await ns.ip("link set v0 name late0");
    const renamed = (ways: Ways): Ways =>
      Object.fromEntries(Object.entries(ways).map(([dst, way]) => [dst, way.replaceAll("v0", "late0")]));
    await expectWays(
      ns,
      krtd,
      it6,
      "renamed",
      renamed({ ...without(up, net(2), net(3)), [net(5)]: down[net(5)]! }),
    );
    await ns.ip("link set late0 name v0");
    await expectWays(ns, krtd, it6, "renamed back", up);
  });

  it("are not there to begin with when their link is down", async () => {
    await using ns = await createTwoLinks();
    await ns.ip("link set v1 down");
    await using krtd = await startSynced(ns, config);
    await expectWays(ns, krtd, it6, "at the start", down);
    await ns.ip("link set v1 up");
    await expectWays(ns, krtd, it6, "carrier", up);
  });
});
