/**
 * enable, disable, restart and reload, by krtctl, beside everybody else's routes: what a protocol brought goes with it
 * and comes back with it, and nothing flickers where it is the same afterwards.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { foreignCommands } from "../support/foreign-routes.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;
/** Prefixes that no foreign route has. */
const FIRST = 200;
const COUNT = 5;

let ns: Netns;
let krtd: RunningKrtd;
let foreign: readonly string[];

beforeEach(async () => {
  ns = await createTopology();
  await settled(ns);
  for (const it6 of FAMILIES) await ns.batch(foreignCommands(it6));
  foreign = (await foreignLines(ns)).toSorted();
});

afterEach(async () => {
  const now = (await foreignLines(ns)).toSorted();
  await krtd?.[Symbol.asyncDispose]();
  await ns?.dispose();
  expect(now).toEqual(foreign);
});

async function start(root: KrtInput = {}): Promise<void> {
  const routes = ({ gateway, otherGateway, net }: (typeof FAMILIES)[number]) => [
    { prefix: net(FIRST), via: gateway },
    { prefix: net(FIRST + 1), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
    { prefix: net(FIRST + 2), dev: "v0" },
    { prefix: net(FIRST + 3), type: "prohibit" as const },
    { prefix: net(FIRST + 4), recursive: net(FIRST).replace("/24", "").replace("/48", "1") },
  ];
  krtd = await startSynced(ns, configText({ 4: routes(FAMILIES[0]!), 6: routes(FAMILIES[1]!) }, { root }));
  expect(await own()).toEqual([COUNT, COUNT]);
}

const own = async (): Promise<[number, number]> => [
  (await ownLines(ns, "-4")).length,
  (await ownLines(ns, "-6")).length,
];
const becomes = (counts: readonly [number, number]): Promise<void> =>
  waitFor(
    `routes of krtd: ${counts.join(" and ")}`,
    async () => String(await own()) === String(counts),
    DEADLINE_MS,
  );
const stateOf = async (name: string): Promise<unknown> => (await krtd.protocol(name)).state;

async function act(...words: readonly string[]): Promise<void> {
  const { code, stderr } = await krtd.ctl(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

describe("disable and enable", () => {
  it.each([
    { name: "static4", left: [0, COUNT] },
    { name: "kernel6", left: [COUNT, 0] },
    { name: "static*", left: [0, 0] },
    { name: "kernel?", left: [0, 0] },
    { name: "all", left: [0, 0] },
  ] as const)("$name: its routes go and come", async ({ name, left }) => {
    await start();
    const before = [...(await ownLines(ns, "-4")), ...(await ownLines(ns, "-6"))];
    expect(await krtd.ctl("disable", name)).toMatchObject({ code: 0 });
    await becomes([...left]);
    // A reload in between changes nothing of it.
    expect(await krtd.ctl("configure")).toMatchObject({ code: 0 });
    expect(await own()).toEqual(left);
    expect(await krtd.ctl("enable", name)).toMatchObject({ code: 0 });
    await becomes([COUNT, COUNT]);
    expect([...(await ownLines(ns, "-4")), ...(await ownLines(ns, "-6"))]).toEqual(before);
    await krtd.synced();
  });

  it("of a kernel protocol with persist leave its routes, and adopt them", async () => {
    await start({ kernel: { kernel4: { table: "master4", persist: true }, kernel6: { table: "master6" } } });
    await using monitor = await monitorRoutes(ns);
    await act("disable", "kernel4");
    expect(await krtd.protocol("kernel4")).toMatchObject({ state: "down", disabled: true });
    expect(await own()).toEqual([COUNT, COUNT]);
    await act("enable", "kernel4");
    await krtd.synced();
    expect(await monitor.events()).toEqual([]);
  });

  it("are told when there is nothing to do, and when it is not possible", async () => {
    await start();
    await act("disable", "static4");
    expect(await krtd.ctl("disable", "static4")).toMatchObject({
      code: 0,
      stdout: "static4: disabled already\n",
    });
    expect(await krtd.ctl("restart", "static4")).toMatchObject({ code: 1 });
    expect(await krtd.ctl("reload", "static4")).toMatchObject({ code: 1 });
    await act("enable", "static4");
    expect(await krtd.ctl("enable", "static4")).toMatchObject({
      code: 0,
      stdout: "static4: enabled already\n",
    });
    expect(await krtd.ctl("disable", "device")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("device"),
    });
    expect(await krtd.ctl("disable", "nosuch")).toMatchObject({ code: 6 });
    await becomes([COUNT, COUNT]);
  });
});

describe("restart and reload", () => {
  it.each(["kernel4", "kernel6", "static4", "static6", "kernel*", "static*", "all"])(
    "of %s do not flicker",
    async (name) => {
      await start();
      await using monitor = await monitorRoutes(ns);
      for (const action of ["restart", "reload", "restart", "restart"]) {
        expect(await krtd.ctl(action, name)).toMatchObject({ code: 0 });
      }
      await krtd.synced();
      await krtd.scan();
      expect(await monitor.events()).toEqual([]);
      expect([await stateOf("kernel4"), await stateOf("static6")]).toEqual(["up", "up"]);
      expect(await krtd.get("/v1/diff")).toEqual([]);
      await krtd.stop();
      expect(await own()).toEqual([0, 0]);
    },
  );

  it("of a kernel protocol put right what happened in the kernel, and what does not belong there", async () => {
    await start();
    const { net, gateway, otherGateway } = FAMILIES[0]!;
    await act("disable", "kernel4");
    await ns.ip(`route add ${net(FIRST)} via ${otherGateway} metric 32 proto 120`);
    await ns.ip(`route add ${net(FIRST + 9)} via ${gateway} metric 32 proto 120`);
    await act("enable", "kernel4");
    await becomes([COUNT, COUNT]);
    await waitFor(
      "no difference",
      async () => (await krtd.get<unknown[]>("/v1/diff")).length === 0,
      DEADLINE_MS,
    );
  });
});
