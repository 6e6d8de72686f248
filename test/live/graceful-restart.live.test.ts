/**
 * graceful-restart: after a start nothing of the last life is deleted before every source of routes has fed, sources
 * that cannot even start included, or the wait has ended. A kernel protocol whose namespace is not there yet is such a
 * source.
 */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KrtInput, RouteInput } from "../../src/config/input.ts";
import { FAMILIES, type FamilyCase, lines, ownLines } from "../support/families.ts";
import { makeDirectory, type RunningKrtd, startKrtd } from "../support/krtd.ts";
import { createNetns, createTopology, type Netns, netnsName, waitFor } from "../support/netns.ts";
import { bindNotifySocket } from "../support/notify-socket.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const HELD = "waiting for all sources of routes";

let ns: Netns;
let late: string;
let directory: string;
let spaces: Netns[];

beforeEach(async () => {
  ns = await createTopology();
  spaces = [ns];
  late = netnsName();
  directory = await makeDirectory();
});

afterEach(async () => {
  for (const space of spaces) await space.dispose();
  await rm(directory, { recursive: true });
});

interface Options {
  readonly graceful: { readonly enabled: boolean; readonly wait?: string };
  readonly routes?: readonly RouteInput[];
  readonly root?: KrtInput;
}

function config({ family, table }: FamilyCase, { graceful, routes = [], root }: Options): string {
  const other = `late${family}`;
  const input: KrtInput = {
    log: { format: "json" },
    "graceful-restart": graceful,
    tables: { [other]: { family: family === 4 ? "ipv4" : "ipv6" } },
    kernel: {
      main: { table, "scan-time": 0 },
      late: { table: other, netns: late, "scan-time": 0 },
    },
    static: { fixed: { table, routes: [...routes] } },
    ...root,
  };
  return `${JSON.stringify(input, null, 1)}\n`;
}

/** Null while nobody answers. */
const infoOf = async (krtd: RunningKrtd, name: string): Promise<string | null> =>
  (await krtd.state()) === null ? null : (await krtd.protocol(name)).info;

/** When the line was logged, ms. */
const timeOf = (krtd: RunningKrtd, message: string): number =>
  new Date(String(krtd.logged(message)?.["time"] ?? 0)).getTime();

describe.each(FAMILIES)("IPv$family: graceful-restart", (it6) => {
  const { flag, net, gateway, otherGateway } = it6;
  const wanted: RouteInput[] = [{ prefix: net(1), via: gateway }];

  /** A life before: one route that is wanted, one that is another by now, two that are not wanted any more. */
  async function before(): Promise<void> {
    for (const [i, via] of [
      [1, gateway],
      [2, gateway],
      [3, gateway],
      [4, otherGateway],
    ] as const) {
      await ns.ip(`${flag} route add ${net(i)} via ${via} metric 32 proto 120`);
    }
  }
  const routes: RouteInput[] = [
    ...wanted,
    { prefix: net(4), via: gateway },
    { prefix: net(5), via: gateway },
  ];
  const shown = async (): Promise<string[]> =>
    (await ownLines(ns, flag)).map((line) => line.replace(/^unicast (\S+) via (\S+) .*$/, "$1 $2"));
  const held = [
    `${net(1)} ${gateway}`,
    `${net(2)} ${gateway}`,
    `${net(3)} ${gateway}`,
    `${net(4)} ${gateway}`,
    `${net(5)} ${gateway}`,
  ];
  const decided = held.filter((line) => !line.startsWith(`${net(2)} `) && !line.startsWith(`${net(3)} `));

  it("keeps what nobody wants until the last source has fed, and installs what is wanted at once", async () => {
    await before();
    await using krtd = await startKrtd(
      ns,
      config(it6, { graceful: { enabled: true, wait: "60s" }, routes }),
      { directory },
    );
    await waitFor("what is wanted is there", async () => (await shown()).join() === held.join());
    await waitFor("it says so", async () => (await infoOf(krtd, "main")) === HELD);
    expect(krtd.logged("in sync")).toBeUndefined();
    // Neither a scan nor an event changes that; drift is repaired all the same.
    await krtd.act("scan", "main");
    await ns.ip(`${flag} route del ${net(1)} metric 32`);
    await ns.ip(`${flag} route add ${net(6)} via ${gateway} metric 32 proto 120`);
    await waitFor("drift is repaired", async () => (await shown()).includes(held[0]!));
    expect((await shown()).filter((line) => !line.startsWith(`${net(6)} `))).toEqual(held);

    // The namespace comes: all have fed.
    spaces.push(await createNetns(late));
    await waitFor("the rest is deleted", async () => (await shown()).join() === decided.join());
    await waitFor("it is in sync", async () => (await krtd.state()) === "in-sync");
    expect(await infoOf(krtd, "main")).toBe("");
    expect(krtd.logged("in sync")).toBeDefined();
  });

  it("deletes it when the wait has ended, and not before", async () => {
    await before();
    const begun = performance.now();
    await using krtd = await startKrtd(ns, config(it6, { graceful: { enabled: true, wait: "2s" }, routes }), {
      directory,
    });
    await waitFor("what is wanted is there", async () => (await shown()).join() === held.join());
    await waitFor("the rest is deleted", async () => (await shown()).join() === decided.join(), 10_000);
    expect(performance.now() - begun).toBeGreaterThan(2000);
    const message = "sources of routes have not fed in time: what nobody wants is deleted now";
    expect(krtd.logged(message)).toMatchObject({ protocols: ["late"] });
    expect(timeOf(krtd, message) - timeOf(krtd, "krtd starts")).toBeGreaterThanOrEqual(1990);
    expect(await krtd.state()).toBe("degraded");
  });

  it("that is off waits for nobody who cannot start", async () => {
    await before();
    await using _krtd = await startKrtd(ns, config(it6, { graceful: { enabled: false }, routes }), {
      directory,
    });
    await waitFor("all is decided", async () => (await shown()).join() === decided.join());
  });

  it("does not wait for what is switched off by hand", async () => {
    await before();
    const yaml = config(it6, { graceful: { enabled: true, wait: "60s" }, routes });
    await using krtd = await startKrtd(ns, yaml, { directory });
    await waitFor("it waits", async () => (await infoOf(krtd, "main")) === HELD);
    await krtd.act("disable", "late");
    await waitFor("all is decided", async () => (await shown()).join() === decided.join());
  });

  it("keeps recursive routes that follow what is learned late, and touches none of them", async () => {
    // The way to the gateway is learned, in the same table: known only after the first scan.
    const { farGateway, family } = it6;
    await ns.ip(
      `${flag} route add ${farGateway}/${family === 4 ? 32 : 128} via ${gateway} proto zebra metric 9`,
    );
    const recursive = Array.from({ length: 200 }, (_, i) => ({ prefix: net(10 + i), recursive: farGateway }));
    const yaml = config(it6, {
      graceful: { enabled: true, wait: "60s" },
      routes: recursive,
      root: {
        kernel: { main: { table: it6.table, "scan-time": 0, learn: true } },
        tables: {},
      },
    });
    const first = await startKrtd(ns, yaml, { directory });
    await first.synced();
    const installed = await ownLines(ns, flag);
    expect(installed).toHaveLength(200);
    await using monitor = await monitorRoutes(ns);
    await first.shutdown({ keep: true });
    await first.exited;
    await using second = await startKrtd(ns, yaml, { directory });
    await second.synced();
    await second.scan();
    expect(await second.writes()).toBe(0);
    expect(await monitor.events()).toEqual([]);
    expect(await ownLines(ns, flag)).toEqual(installed);
    // What they lean on goes: so do they.
    await ns.ip(`${flag} route del ${farGateway} proto zebra`);
    await waitFor("they are gone", async () => (await ownLines(ns, flag)).length === 0);
  });
});

describe("a stop while krtd waits", () => {
  const [it6] = FAMILIES;

  it("takes out what is ours all the same, or keeps it when asked to", async () => {
    const { net, gateway } = it6!;
    for (const keep of [true, false]) {
      for (const i of [1, 2]) await ns.tryIp(`route add ${net(i)} via ${gateway} metric 32 proto 120`);
      const yaml = config(it6!, {
        graceful: { enabled: true, wait: "60s" },
        routes: [{ prefix: net(1), via: gateway }],
      });
      await using krtd = await startKrtd(ns, yaml, { directory });
      await waitFor("it waits", async () => (await infoOf(krtd, "main")) === HELD);
      await krtd.shutdown({ keep });
      expect(await krtd.exited).toBe(0);
      expect(lines(await ns.ip("route show proto 120"))).toHaveLength(keep ? 2 : 0);
    }
  });

  it("is no reason for the service manager to lose patience", async () => {
    using systemd = bindNotifySocket(join(directory, "notify"));
    const yaml = config(it6!, { graceful: { enabled: true, wait: "240s" } });
    await ns.ip(`route add ${it6!.net(1)} via ${it6!.gateway} metric 32 proto 120`);
    await using krtd = await startKrtd(ns, yaml, { directory, env: { NOTIFY_SOCKET: systemd.name } });
    await waitFor("it waits", async () => (await infoOf(krtd, "main")) === HELD);
    const extended = systemd.received().find((text) => text.startsWith("EXTEND_TIMEOUT_USEC="));
    expect(Number(extended?.split("=")[1])).toBeGreaterThan(240e6);
    expect(systemd.received().some((text) => text.startsWith("READY=1"))).toBe(false);
  });
});
