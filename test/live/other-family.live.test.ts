/**
 * The kernel takes no route along with addresses of the other family, not even an IPv4 route through an IPv6 gateway, so
 * they are no reason to read a table of a million routes again (nest/iface-event.ts). What it does is what is proved
 * here; that routes wait for such an address is another matter.
 */

import { describe, expect, it } from "vitest";
import { configOf, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { type Netns, waitFor } from "../support/netns.ts";
import { createTwoLinks, V, W } from "../support/two-links.ts";

const plain = (address: string): string => address.replace(/\/.*/, "");

/** What somebody does to the addresses of a family. */
const STEPS: Readonly<Record<4 | 6, readonly (readonly string[])[]>> = {
  4: [
    ["addr add 10.0.7.1/24 dev v0"],
    ["addr del 10.0.7.1/24 dev v0"],
    ["-4 addr flush dev v0", "-4 addr flush dev w0"],
  ],
  6: [
    ["addr add 2001:db8:0:7::1/64 dev v0"],
    ["addr del 2001:db8:0:7::1/64 dev v0"],
    ["-6 addr flush dev v0 scope global", "-6 addr flush dev w0"],
  ],
};

function routesOf({ family, net }: FamilyCase) {
  const over = [{ via: V.gateway[family] }, { via: W.gateway[family], weight: 2 }];
  return [
    { prefix: net(1), via: V.gateway[family] },
    { prefix: net(2), dev: "v0" },
    { prefix: net(3), nexthops: over },
    { prefix: net(4), via: V.gateway[family], prefsrc: plain(W.address[family]) },
    ...(family === 6
      ? []
      : [
          { prefix: net(5), via: "fe80::77", dev: "v0" },
          { prefix: net(6), via: V.gateway[6] },
          { prefix: net(7), nexthops: [{ via: "fe80::77", dev: "v0" }, { via: W.gateway[4] }] },
        ]),
  ];
}

/** Of the kernel protocol of this family: the other one has reasons to look. */
async function scans(krtd: RunningKrtd, family: 4 | 6): Promise<number> {
  return (await krtd.kernels()).find(({ table }) => table === `master${family}`)!.kernel.scan.count;
}

describe.each(FAMILIES)("routes of IPv$family, addresses of the other family", (it6) => {
  const { family } = it6;
  const other = family === 4 ? 6 : 4;
  const own = (ns: Netns): Promise<string[]> => ownLines(ns, `-${family}`);

  it("come and go: the kernel changes no route, and krtd does not read them again", async () => {
    await using ns = await createTwoLinks();
    const routes = routesOf(it6);
    await using krtd = await startSynced(ns, configOf(it6, routes));
    const wanted = await own(ns);
    expect(wanted).toHaveLength(routes.length);
    const writes = await krtd.writes();
    const seen = async (step: string): Promise<void> => {
      // What krtd heard of it has had its time: a scan begins 50 ms later.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await own(ns), step).toEqual(wanted);
      expect(await krtd.writes(), step).toBe(writes);
    };
    const before = await scans(krtd, family);
    for (const commands of STEPS[other]) {
      for (const command of commands) await ns.ip(command);
      await seen(commands.join());
    }
    expect(await scans(krtd, family)).toBe(before);
    if (other === 6) {
      for (const off of [1, 0]) {
        await ns.run("sysctl", ["-qw", `net.ipv6.conf.v0.disable_ipv6=${off}`]);
        await seen(`disable_ipv6=${off}`);
      }
    }
    await krtd.scan();
    expect(await own(ns)).toEqual(wanted);
    expect(await krtd.writes()).toBe(writes);
  });
});

describe("an IPv4 route through an IPv6 gateway", () => {
  it("that waits for an address of the gateway's net is written when that comes", async () => {
    await using ns = await createTwoLinks();
    const [v4] = FAMILIES;
    const route = { prefix: v4!.net(1), via: "2001:db8:0:7::2" };
    await using krtd = await startSynced(ns, configOf(v4!, [route]));
    expect((await krtd.status()).counts.waiting).toBe(1);
    await ns.ip("addr add 2001:db8:0:7::1/64 dev v0");
    await waitFor("it is written", async () => (await ownLines(ns, "-4")).length === 1);
  });
});
