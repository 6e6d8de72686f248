/** CAP_NET_ADMIN is all krtd needs: as nobody with that alone it does its work from start to stop, in both families. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { asNobody, NET_ADMIN_ALONE, NOBODY } from "../support/as-nobody.ts";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, waitFor } from "../support/netns.ts";

it("krtd as nobody with CAP_NET_ADMIN alone keeps routes in sync and stops cleanly", async () => {
  await using ns = await createTopology();
  const routes = (i: 0 | 1) => {
    const { gateway, otherGateway, farGateway, net } = FAMILIES[i]!;
    return [
      { prefix: net(1), via: gateway },
      { prefix: net(2), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
      { prefix: net(3), type: "unreachable" as const },
      { prefix: net(4), via: farGateway },
    ];
  };
  for (const { flag, net, gateway } of FAMILIES) {
    await ns.ip(`${flag} route add ${net(9)} via ${gateway} metric 32 proto 120`);
  }
  // A buffer beyond rmem_max asks for more than this capability gives outside the first user namespace.
  const root = { netlink: { "rx-buffer": "64MiB" } };
  const config = configText({ 4: routes(0), 6: routes(1) }, { scanTime: "1s", root });
  await using krtd = await startSynced(ns, config, { wrapper: asNobody(NET_ADMIN_ALONE), open: true });
  const status = readFileSync(`/proc/${krtd.pid}/status`, "utf8");
  expect(/^Uid:\t(\d+)/m.exec(status)?.[1]).toBe(String(NOBODY));
  expect(/^CapEff:\t(.*)$/m.exec(status)?.[1]).toBe("0000000000001000");
  for (const { flag, net, gateway, farAddress, family } of FAMILIES) {
    const count = async (): Promise<number> => (await ownLines(ns, flag)).length;
    expect(await count()).toBe(3);
    expect((await krtd.route(net(4))).kernel.state).toBe("waiting");
    await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
    await waitFor("the waiting route is installed", async () => (await count()) === 4);
    const wanted = await ownLines(ns, flag);
    await ns.ip(`${flag} route del ${net(1)}`);
    await ns.ip(`${flag} route replace blackhole ${net(3)} metric 32 proto 120`);
    await ns.ip(`${flag} route add ${net(5)} via ${gateway} metric 32 proto 120`);
    const same = async (): Promise<boolean> => (await ownLines(ns, flag)).join() === wanted.join();
    await waitFor("drift is repaired", same);
  }
  expect(await krtd.stop()).toBe(0);
  for (const { flag } of FAMILIES) expect(await ownLines(ns, flag)).toEqual([]);
  const complaints = krtd
    .log()
    .split("\n")
    .filter((line) => /"level":"(error|warn)"/.test(line));
  // What was done to its routes is told; nothing else is.
  const expected = /"state":"waiting"|a route of ours was (deleted|changed) by somebody else/;
  expect(complaints.filter((line) => !expected.test(line))).toEqual([]);
});
