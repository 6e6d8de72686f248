/**
 * Pipes on the real kernel: what stands in, or is learned into, one table is kept in another kernel table, through a
 * filter. At a restart what was learned comes back only after a scan, and the other table must not lose it meanwhile:
 * `ip monitor` is the witness.
 */

import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KrtInput, RouteInput } from "../../src/config/input.ts";
import { FAMILIES, type FamilyCase, lines, ownLines } from "../support/families.ts";
import { makeDirectory, type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

/** Kernel table of blue. */
const BLUE = 100;

interface Options {
  readonly routes?: readonly RouteInput[];
  readonly learn?: boolean;
  readonly export?: string;
  readonly import?: string;
  readonly filters?: KrtInput["filters"];
  /** Kernel protocols start in the order of the file. */
  readonly blueFirst?: boolean;
  readonly root?: KrtInput;
}

function config(it6: FamilyCase, options: Options = {}): string {
  const { family, table } = it6;
  const scan = { "scan-time": 0 };
  const main = { main: { table, learn: options.learn ?? false, ...scan } };
  const blue = { blue: { table: `blue${family}`, "kernel-table": BLUE, ...scan } };
  const input: KrtInput = {
    log: { format: "json" },
    tables: { [`blue${family}`]: { family: family === 4 ? "ipv4" : "ipv6" } },
    kernel: options.blueFirst === true ? { ...blue, ...main } : { ...main, ...blue },
    static: { fixed: { table, routes: [...(options.routes ?? [])] } },
    pipe: {
      pipe1: {
        table,
        "peer-table": `blue${family}`,
        import: options.import ?? "none",
        export: options.export ?? "all",
      },
    },
    filters: options.filters ?? {},
    ...options.root,
  };
  return `${JSON.stringify(input, null, 1)}\n`;
}

let ns: Netns;
let directory: string;

beforeEach(async () => {
  ns = await createTopology();
  directory = await makeDirectory();
});

afterEach(async () => {
  await ns?.dispose();
  await rm(directory, { recursive: true });
});

/** `ip -d route` of table blue; it does not exist before something stands in it. */
async function blueLines({ flag }: FamilyCase): Promise<string[]> {
  return lines((await ns.tryIp(`-o -d ${flag} route show table ${BLUE}`)).stdout);
}

const isSynced = async (krtd: RunningKrtd): Promise<boolean> => (await krtd.state()) === "in-sync";

describe.each(FAMILIES)("IPv$family: a pipe to another kernel table", (it6) => {
  const { family, flag, net, gateway, otherGateway, suffix } = it6;
  const routes: RouteInput[] = [
    { prefix: "default", via: gateway },
    { prefix: net(1), via: gateway },
    { prefix: net(2), nexthops: [{ via: gateway }, { via: otherGateway, weight: 2 }] },
    { prefix: net(3), type: "unreachable" },
    { prefix: net(4), via: gateway, metric: 70, mtu: 1400 },
  ];
  // In IPv6 `default` stands for both families.
  const prefixed = routes.map((one) =>
    one.prefix === "default" && family === 6 ? { ...one, prefix: "::/0" } : one,
  );

  it("keeps there what its filter lets through, as it lets it through", async () => {
    const filters: KrtInput["filters"] = {
      some: [
        { match: { type: "unreachable" }, action: "reject" },
        { match: { prefix: net(1) }, set: { metric: 5, mtu: 1380 }, action: "accept" },
        { match: { prefix: [net(2), "default"] }, action: "accept" },
      ],
    };
    const yaml = config(it6, { routes: prefixed, export: "some", filters });
    await using krtd = await startSynced(ns, yaml, { directory });
    expect(await ownLines(ns, flag)).toHaveLength(routes.length);
    // IPv6 shows the default route last.
    const sorted = async () =>
      (await blueLines(it6)).sort((a, b) => Number(b.includes("default")) - Number(a.includes("default")));
    const blue = await sorted();
    expect(blue).toHaveLength(3);
    expect(blue[0]).toBe(`unicast default via ${gateway} dev v0 proto 120 scope global metric 32${suffix}`);
    expect(blue[1]).toBe(
      `unicast ${net(1)} via ${gateway} dev v0 proto 120 scope global metric 5 mtu 1380${suffix}`,
    );
    expect(blue[2]?.match(/nexthop via/g)).toHaveLength(2);
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);

    // Changes go through, and what did not change sees nothing of them.
    await using monitor = await monitorRoutes(ns);
    const fewer = prefixed.filter(({ prefix }) => prefix !== net(2));
    const next = [...fewer.slice(1), { prefix: family === 6 ? "::/0" : "default", via: otherGateway }];
    await krtd.configure(config(it6, { routes: next, export: "some", filters }));
    await waitFor("two are left", async () => (await blueLines(it6)).length === 2);
    await waitFor("all is well", () => isSynced(krtd));
    expect((await sorted())[0]).toContain(`via ${otherGateway}`);
    const events = await monitor.events();
    expect(events.filter((line) => [1, 3, 4].some((i) => line.includes(` ${net(i)} `)))).toEqual([]);
    await krtd.configure(config(it6, { routes: next, export: "none" }));
    await waitFor("nothing passes", async () => (await blueLines(it6)).length === 0);
    await krtd.configure(config(it6, { routes: next }));
    await waitFor("all passes", async () => (await blueLines(it6)).length === next.length);
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, flag, "table all")).toEqual([]);
  });

  it("carries learned routes, as they come, change and go", async () => {
    const add = (i: number, via: string, more = "") => `${flag} route replace ${net(i)} via ${via} ${more}`;
    await ns.ip(add(1, gateway, "proto zebra metric 90"));
    // The end of an address's tentative time makes krtd scan.
    await settled(ns);
    await using krtd = await startSynced(ns, config(it6, { learn: true }), { directory });
    const shown = async () => (await blueLines(it6)).join("\n");
    const line = (i: number, via: string, metric: number) =>
      `unicast ${net(i)} via ${via} dev v0 proto 120 scope global metric ${metric}${suffix}`;
    expect(await shown()).toBe(line(1, gateway, 90));
    const scans = async () => (await krtd.kernels()).map(({ kernel }) => kernel.scan.count);
    const before = await scans();
    await ns.ip(add(2, gateway, "proto static metric 80"));
    await waitFor(
      "one more",
      async () => (await shown()) === [line(1, gateway, 90), line(2, gateway, 80)].join("\n"),
    );
    await ns.ip(`${flag} route del ${net(1)} metric 90`);
    await waitFor("one less", async () => (await shown()) === line(2, gateway, 80));
    // A better one of the same prefix.
    await ns.ip(add(2, otherGateway, "proto zebra metric 7"));
    await waitFor("the better one", async () => (await shown()) === line(2, otherGateway, 7));
    await ns.ip(`${flag} route del ${net(2)} metric 7`);
    await waitFor("the other one again", async () => (await shown()) === line(2, gateway, 80));
    // By notifications alone.
    expect(await scans()).toEqual(before);
    // Nothing of it is written into the table it came from.
    expect(await ownLines(ns, flag)).toEqual([]);
    expect((await krtd.route(net(2))).kernel.state).toMatch(/^(learned|synced)$/);
    const [main] = (await krtd.kernels()).filter(({ name }) => name === "main");
    expect(main?.kernel.writes).toMatchObject({ add: 0, replace: 0, delete: 0 });
    expect(await krtd.stop()).toBe(0);
    expect(await shown()).toBe("");
  });

  it("repairs drift in the other table, and does not learn its own routes there", async () => {
    const root = {
      kernel: {
        main: { table: it6.table, learn: true, "scan-time": 0 },
        blue: { table: `blue${family}`, "kernel-table": BLUE, learn: true, "scan-time": 0 },
      },
    };
    await ns.ip(`${flag} route add ${net(1)} via ${gateway} proto zebra metric 90`);
    await ns.ip(`${flag} route add ${net(2)} via ${gateway} proto zebra metric 90 table ${BLUE}`);
    // Both ways: what was learned in one stands in the other.
    await using krtd = await startSynced(ns, config(it6, { import: "all", root }), { directory });
    await waitFor("both are in both", async () => {
      const [main, blue] = [await ownLines(ns, flag), await blueLines(it6)];
      return main.length === 1 && main[0]!.includes(net(2)) && blue.length === 2;
    });
    await ns.ip(`${flag} route del ${net(1)} table ${BLUE} proto 120`);
    await waitFor("it is back", async () => (await blueLines(it6)).length === 2);
    const writes = await krtd.writes();
    await krtd.scan();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    await ns.ip(`${flag} route del ${net(1)} proto zebra`);
    await ns.ip(`${flag} route del ${net(2)} proto zebra table ${BLUE}`);
    await waitFor(
      "all is gone",
      async () => (await ownLines(ns, flag)).length + (await blueLines(it6)).length === 0,
    );
  });
});

describe.each(FAMILIES)("IPv$family: a restart with learned routes in a pipe", (it6) => {
  const { flag, family, gateway, otherGateway, farGateway, host, net } = it6;
  const LEARNED = 3000;

  /** Alien routes in main, and a recursive static that leans on one of them. */
  const aliens = (): string[] => [
    ...Array.from({ length: LEARNED }, (_, i) => `route add ${host(i)} via ${gateway} proto zebra metric 50`),
    `route add ${farGateway}/${family === 4 ? 32 : 128} via ${gateway} proto zebra metric 50`,
  ];
  const routes: RouteInput[] = [
    { prefix: net(1), via: gateway },
    { prefix: net(2), recursive: farGateway },
  ];
  const options = { learn: true, routes };

  describe.each([
    ["the source first", false],
    ["the other table first", true],
  ])("(%s)", (_order, blueFirst) => {
    const yaml = config(it6, { ...options, blueFirst });

    it.each(["shutdown --keep", "kill -9"])("after %s deletes nothing and writes nothing", async (how) => {
      await ns.batch(aliens());
      const first = await startSynced(ns, yaml, { directory });
      const before = [await ownLines(ns, flag), await blueLines(it6)];
      expect(before.map((all) => all.length)).toEqual([2, LEARNED + 3]);
      await using monitor = await monitorRoutes(ns);
      for (let round = 0; round < 3; round++) {
        const running = round === 0 ? first : await startSynced(ns, yaml, { directory });
        if (round > 0) {
          expect(running.logged("in sync")).toMatchObject({ writes: 0 });
          await running.scan();
          expect(await running.writes()).toBe(0);
        }
        if (how === "kill -9") await running.kill();
        else await running.shutdown({ keep: true });
        await running.exited;
      }
      expect(await monitor.events()).toEqual([]);
      expect([await ownLines(ns, flag), await blueLines(it6)]).toEqual(before);
    });
  });

  it.each(["main", "blue", "pipe1", "fixed"])("of %s alone is nothing to the kernel", async (name) => {
    await ns.batch(aliens());
    await using krtd = await startSynced(ns, config(it6, options), { directory });
    const before = [await ownLines(ns, flag), await blueLines(it6)];
    expect(before.map((all) => all.length)).toEqual([2, LEARNED + 3]);
    await using monitor = await monitorRoutes(ns);
    await krtd.act("restart", name);
    await krtd.scan();
    await krtd.act("reload", name);
    await krtd.scan();
    expect(await monitor.events()).toEqual([]);
    expect([await ownLines(ns, flag), await blueLines(it6)]).toEqual(before);
  });

  it("writes just what changed meanwhile, and deletes just what nobody wants any more", async () => {
    await ns.batch(aliens());
    const yaml = config(it6, { ...options, blueFirst: true });
    const first = await startSynced(ns, yaml, { directory });
    await first.shutdown({ keep: true });
    await first.exited;
    const [gone, changed, fresh] = [host(5), host(6), host(60_000)];
    await ns.ip(`${flag} route del ${gone} metric 50`);
    await ns.ip(`${flag} route replace ${changed} via ${otherGateway} proto zebra metric 50`);
    await ns.ip(`${flag} route add ${fresh} via ${gateway} proto zebra metric 50`);
    await ns.ip(`${flag} route add ${net(9)} via ${gateway} proto 120 metric 32 table ${BLUE}`);
    await using monitor = await monitorRoutes(ns);
    await using second = await startSynced(ns, yaml, { directory });
    await second.scan();
    const events = await monitor.events();
    const touched = (prefix: string): string[] => {
      const short = prefix.replace(/\/(32|128)$/, "");
      return events.flatMap((line) => {
        if (!new RegExp(` ${short.replaceAll(".", "\\.")}[/ ]`).test(line)) return [];
        return [line.startsWith("Deleted ") ? "deleted" : "set"];
      });
    };
    expect(touched(gone)).toEqual(["deleted"]);
    expect(touched(fresh)).toEqual(["set"]);
    expect(touched(net(9))).toEqual(["deleted"]);
    expect(touched(changed).at(-1)).toBe("set");
    expect(touched(changed).length).toBeLessThanOrEqual(family === 4 ? 1 : 2);
    expect(events).toHaveLength(3 + touched(changed).length);
    expect(await blueLines(it6)).toHaveLength(LEARNED + 3);
  });
});
