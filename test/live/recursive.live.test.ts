/**
 * Recursive static routes on the real kernel: they lead where packets to another address go, by a static route of the
 * same table, by a route that krtd learned, by a connected net; they follow when that changes, and are not there while
 * it leads nowhere.
 */

import { describe, expect, it } from "vitest";
import type { KernelInput, KrtInput, RouteInput } from "../../src/config/input.ts";
import { configText, FAMILIES, type FamilyCase } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";
import { expectWays, type Ways, waysOf } from "../support/route-ways.ts";
import { addAddress, createTwoLinks, V, W } from "../support/two-links.ts";

function config(
  { family, table }: FamilyCase,
  routes: readonly RouteInput[],
  kernel: KernelInput = {},
  more: KrtInput = {},
): string {
  return configText(
    {},
    {
      kernel: { learn: true, ...kernel },
      root: {
        device: { "scan-time": 0 },
        direct: { direct1: { table } },
        static: { [`static${family}`]: { table, routes: [...routes] } },
        ...more,
      },
    },
  );
}

describe.each(FAMILIES)("IPv$family: a recursive static route", (it6) => {
  const { family, flag, net } = it6;
  const v = V.gateway[family];
  const w = W.gateway[family];
  const V0 = `via ${v} dev v0`;
  const W0 = `via ${w} dev w0`;
  /** An address in a prefix: nobody's. */
  const within = (prefix: string): string =>
    family === 4 ? prefix.replace(/\.0\/\d+$/, ".9") : prefix.replace(/::\/\d+$/, "::9");
  const far = net(100);
  const longer = family === 4 ? far.replace("/24", "/25") : far.replace("/48", "/64");

  it("follows a static route of the same table, and its changes by a new configuration", async () => {
    await using ns = await createTwoLinks();
    const routes = (follows: RouteInput[]): RouteInput[] => [
      { prefix: net(1), recursive: within(far) },
      { prefix: net(2), recursive: within(far), mtu: 1400 },
      ...follows,
    ];
    const hops = [{ via: v, weight: 2 }, { via: w }];
    await using krtd = await startSynced(ns, config(it6, routes([{ prefix: far, via: v }])));
    const both = (way: string): Ways => ({ [net(1)]: way, [net(2)]: way });
    await expectWays(ns, krtd, it6, "one gateway", { ...both(V0), [far]: V0 });
    const rows: readonly (readonly [why: string, follows: RouteInput[], ways: Ways])[] = [
      ["another gateway", [{ prefix: far, via: w }], { ...both(W0), [far]: W0 }],
      [
        "several",
        [{ prefix: far, nexthops: hops }],
        { ...both(`${V0} *2 + ${W0}`), [far]: `${V0} *2 + ${W0}` },
      ],
      [
        "a longer match",
        [
          { prefix: far, via: v },
          { prefix: longer, via: w },
        ],
        { ...both(W0), [far]: V0, [longer]: W0 },
      ],
      // The address itself is on that link then; the device alone is a gateway's link.
      ["a device", [{ prefix: far, dev: "w0" }], { ...both(`via ${within(far)} dev w0`), [far]: "dev w0" }],
      ["a blackhole", [{ prefix: far, type: "blackhole" }], { ...both("blackhole"), [far]: "blackhole" }],
      ["nothing", [], {}],
      ["a gateway again", [{ prefix: far, via: v }], { ...both(V0), [far]: V0 }],
    ];
    for (const [why, follows, ways] of rows) {
      await krtd.configure(config(it6, routes(follows)));
      await expectWays(ns, krtd, it6, why, ways);
    }
  });

  it("follows a learned route through all its changes, and without any scan", async () => {
    await using ns = await createTwoLinks();
    const routes = [{ prefix: net(1), recursive: within(far) }];
    await using krtd = await startSynced(ns, config(it6, routes));
    const unresolved = async (): Promise<void> => {
      await expectWays(ns, krtd, it6, "nothing to follow", {});
      expect((await krtd.protocol(`static${family}`)).info).toBe("1 recursive route unresolved");
      expect((await krtd.routes()).map(({ dst }) => dst)).not.toContain(net(1));
    };
    await unresolved();
    const rows: readonly (readonly [command: string, way: string])[] = [
      [`route add ${far} via ${v} proto static`, V0],
      [`route replace ${far} via ${w} proto static`, W0],
      [`route add ${longer} via ${v} proto static`, V0],
      [`route del ${longer}`, W0],
      [`route add ${far} via ${v} metric 5 proto static`, family === 4 ? W0 : V0],
      [`route del ${far} via ${w} proto static`, V0],
      [`route add default via ${w} proto boot`, V0],
      [`route del ${far} metric 5`, W0],
      ["route del default", ""],
      [`route add ${far} proto static nexthop via ${v} nexthop via ${w} weight 3`, `${V0} + ${W0} *3`],
      [`route del ${far}`, ""],
    ];
    for (const [command, way] of rows) {
      await ns.ip(`${flag} ${command}`);
      if (way === "") await unresolved();
      else await expectWays(ns, krtd, it6, command, { [net(1)]: way });
    }
  });

  it("leads over the link itself when its address is in a connected net", async () => {
    await using ns = await createTwoLinks();
    const routes = [
      { prefix: net(1), recursive: v },
      { prefix: net(2), recursive: w },
    ];
    await using krtd = await startSynced(ns, config(it6, routes));
    const both = { [net(1)]: V0, [net(2)]: W0 };
    await expectWays(ns, krtd, it6, "at the start", both);
    await ns.ip("link set v0 down");
    await expectWays(ns, krtd, it6, "down", { [net(2)]: W0 });
    await ns.ip("link set v0 up");
    await expectWays(ns, krtd, it6, "up", both);
    await ns.ip(`addr del ${V.address[family]} dev v0`);
    await expectWays(ns, krtd, it6, "without address", { [net(2)]: W0 });
    await ns.ip(addAddress(V, family, "w0"));
    await expectWays(ns, krtd, it6, "address elsewhere", { [net(1)]: `via ${v} dev w0`, [net(2)]: W0 });
    await ns.batch([`addr del ${V.address[family]} dev w0`, addAddress(V, family)]);
    await expectWays(ns, krtd, it6, "and back", both);
    await ns.ip("link set v0 name late0");
    await expectWays(ns, krtd, it6, "renamed", { [net(1)]: `via ${v} dev late0`, [net(2)]: W0 });
    await ns.ip("link del late0");
    await expectWays(ns, krtd, it6, "deleted", { [net(2)]: W0 });
  });

  it("resolves neither by itself nor by another of its kind", async () => {
    await using ns = await createTwoLinks();
    const routes = [
      { prefix: far, recursive: within(far) },
      { prefix: net(1), recursive: within(far) },
      { prefix: net(2), recursive: within(net(1)) },
    ];
    await using krtd = await startSynced(ns, config(it6, routes));
    await expectWays(ns, krtd, it6, "a circle", {});
    await ns.ip(`${flag} route add default via ${v} proto boot`);
    await expectWays(ns, krtd, it6, "all by the default route", { [far]: V0, [net(1)]: V0, [net(2)]: V0 });
    await ns.ip(`${flag} route del default`);
    await expectWays(ns, krtd, it6, "a circle again", {});
  });

  it("comes in hundreds that follow one learned route, by replacements without a hole", async () => {
    await using ns = await createTwoLinks();
    const many = 500;
    const routes = Array.from({ length: many }, (_, i) => ({ prefix: it6.host(i), recursive: within(far) }));
    await ns.ip(`${flag} route add ${far} via ${v} proto static`);
    await using krtd = await startSynced(ns, config(it6, routes));
    const way = async (): Promise<string> => {
      const ways = Object.values(await waysOf(ns, it6));
      return `${ways.length} ${[...new Set(ways)].join(", ")}`;
    };
    expect(await way()).toBe(`${many} ${V0}`);
    await using monitor = await monitorRoutes(ns);
    for (let i = 0; i < 4; i++) {
      const [via, expected] = i % 2 === 0 ? [w, W0] : [v, V0];
      await ns.ip(`${flag} route replace ${far} via ${via} proto static`);
      await waitFor("all follow", async () => (await way()) === `${many} ${expected}`, 10_000);
    }
    const events = (await monitor.events()).filter((line) => line.includes(" proto 120 "));
    expect(events.filter((line) => line.startsWith("Deleted "))).toEqual([]);
    expect(events).toHaveLength(4 * many);
    // It flaps faster than anybody can follow: what counts is the end.
    await ns.batch(
      Array.from({ length: 200 }, (_, i) => `route replace ${far} via ${i % 2 === 0 ? v : w} proto static`),
    );
    await waitFor("all follow", async () => (await way()) === `${many} ${W0}`, 10_000);
    await ns.ip(`${flag} route del ${far}`);
    await waitFor("none is left", async () => (await way()) === "0 ");
    expect(krtd.log()).not.toContain('"level":"error"');
  });
});
