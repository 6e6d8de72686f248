/**
 * Ends in the worst moment: while krtd pushes tens of thousands of routes. Killed, the next start finishes the
 * work; told to stop, it takes out what it has just put in. READY is said when all is there and not before.
 */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configText, FAMILIES } from "../support/families.ts";
import { type KrtdOptions, makeDirectory, type RunningKrtd, startKrtd } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { bindNotifySocket } from "../support/notify-socket.ts";
import { countOwn, manyRoutes } from "../support/route-files.ts";

const ROUTES = 20_000;
const CONFIG = configText({}, { files: { 4: "4.routes", 6: "6.routes" } });
const FILES = { "4.routes": manyRoutes(FAMILIES[0]!, ROUTES), "6.routes": manyRoutes(FAMILIES[1]!, ROUTES) };

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

const start = (options: KrtdOptions = {}): Promise<RunningKrtd> =>
  startKrtd(ns, CONFIG, { directory, files: FILES, ...options });

const counts = async (): Promise<number[]> => [
  await countOwn(ns, FAMILIES[0]!),
  await countOwn(ns, FAMILIES[1]!),
];

/** Resolves when some routes of IPv4 are in the kernel; the push is then not over, or the caller's test says so. */
const underway = (): Promise<void> =>
  waitFor("the push is under way", async () => {
    return (await ns.tryIp("route get 172.16.3.0")).stdout.includes("10.0.0.2");
  });

describe(`krtd pushing ${ROUTES} routes of each family`, () => {
  it("says READY=1 when all are in the kernel, and STOPPING=1 before it takes them out", async () => {
    using systemd = bindNotifySocket(join(directory, "notify"));
    const said = (word: string): boolean => systemd.received().some((text) => text.startsWith(word));
    await using krtd = await start({ env: { NOTIFY_SOCKET: systemd.name } });
    await underway();
    await waitFor("READY=1", () => said("READY=1\n"), 20_000);
    await waitFor("the log says so", () => krtd.logged("in sync") !== undefined);
    expect(krtd.logged("in sync")).toMatchObject({ writes: 2 * ROUTES });
    expect(await counts()).toEqual([ROUTES, ROUTES]);
    expect(said("STOPPING=1")).toBe(false);
    krtd.signal("SIGTERM");
    await waitFor("STOPPING=1", () => said("STOPPING=1\n"));
    expect(await krtd.exited).toBe(0);
    expect(await counts()).toEqual([0, 0]);
    expect(systemd.received().filter((text) => /^(READY|STOPPING)=1/.test(text))).toHaveLength(2);
  });

  it("and killed in the middle finishes at the next start, writing only what is missing", async () => {
    const first = await start();
    await underway();
    await first.kill();
    const [there4 = 0, there6 = 0] = await counts();
    expect(there4 + there6).toBeGreaterThan(0);
    expect(there4 + there6).toBeLessThan(2 * ROUTES);
    await using second = await start();
    await second.synced(20_000);
    expect(second.logged("in sync")).toMatchObject({ writes: 2 * ROUTES - there4 - there6 });
    expect(await counts()).toEqual([ROUTES, ROUTES]);
    await second.scan();
    expect(await second.writes()).toBe(2 * ROUTES - there4 - there6);
  });

  it("and told to stop in the middle leaves none of them", async () => {
    await using krtd = await start();
    await underway();
    krtd.signal("SIGTERM");
    expect(await krtd.exited).toBe(0);
    expect(await counts()).toEqual([0, 0]);
  });

  it("and told to stop as soon as it can be leaves none of them", async () => {
    await using krtd = await start();
    await waitFor("krtd speaks", () => krtd.log() !== "");
    krtd.signal("SIGTERM");
    expect(await krtd.exited).toBe(0);
    expect(await counts()).toEqual([0, 0]);
  });
});
