/** CAP_NET_ADMIN is all krtd needs: as nobody with that alone it does its work from start to stop, in both families. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { asNobody, NET_ADMIN_ALONE, NOBODY } from "../support/as-nobody.ts";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { startKrtd, startSynced } from "../support/krtd.ts";
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

describe("krtd for another network namespace, as nobody", () => {
  const [v4] = FAMILIES;
  const config = (netns: string): string =>
    configText(
      {},
      {
        root: {
          tables: { away4: { family: "ipv4" } },
          kernel: { kernel4: { "scan-time": 0 }, away: { table: "away4", netns, "scan-time": 0 } },
          static: {
            static4: { routes: [{ prefix: v4!.net(1), via: v4!.gateway }] },
            "static-away": { table: "away4", routes: [{ prefix: v4!.net(2), via: v4!.gateway }] },
          },
        },
      },
    );

  it("with CAP_NET_ADMIN alone says what it lacks, and does the rest", async () => {
    await using ns = await createTopology();
    await using away = await createTopology();
    const options = { wrapper: asNobody(NET_ADMIN_ALONE), open: true };
    await using krtd = await startKrtd(ns, config(away.name), options);
    await waitFor("its own is served", async () => (await ownLines(ns, "-4")).length === 1);
    expect(await krtd.state()).toBe("degraded");
    expect((await krtd.protocol("away")).info).toContain("needs CAP_SYS_ADMIN besides CAP_NET_ADMIN");
    expect(await ownLines(away, "-4")).toEqual([]);
    expect(krtd.records("a network namespace cannot be served")).toHaveLength(1);
    expect(await krtd.stop()).toBe(0);
  });

  it("with CAP_SYS_ADMIN besides serves it", async () => {
    await using ns = await createTopology();
    await using away = await createTopology();
    const options = { wrapper: asNobody(`${NET_ADMIN_ALONE},+sys_admin`), open: true };
    await using krtd = await startSynced(ns, config(away.name), options);
    expect(await ownLines(ns, "-4")).toHaveLength(1);
    expect(await ownLines(away, "-4")).toHaveLength(1);
    await away.ip(`route del ${v4!.net(2)} metric 32`);
    await waitFor("drift there is repaired", async () => (await ownLines(away, "-4")).length === 1);
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(away, "-4")).toEqual([]);
  });
});
