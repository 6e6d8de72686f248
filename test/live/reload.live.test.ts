/**
 * The ways to another configuration, by krtctl against a real krtd: looking first, trying for a while, going back,
 * reading only one protocol's routes again. And large sets of routes, of which little changes.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConfigOptions } from "../support/families.ts";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const DEADLINE_MS = 10_000;
const MANY = 20_000;
const CHANGED = 100;

let ns: Netns;
let krtd: RunningKrtd | null = null;

beforeEach(async () => {
  ns = await createTopology();
});

afterEach(async () => {
  await krtd?.[Symbol.asyncDispose]();
  krtd = null;
  await ns?.dispose();
});

/** Nets 0 … count-1 of both families. */
function config(count: number, options?: ConfigOptions): string {
  const routes = ({ gateway, net }: (typeof FAMILIES)[number]) =>
    Array.from({ length: count }, (_, i) => ({ prefix: net(i), via: gateway }));
  return configText({ 4: routes(FAMILIES[0]!), 6: routes(FAMILIES[1]!) }, options);
}

async function start(text: string, files: Readonly<Record<string, string>> = {}): Promise<RunningKrtd> {
  krtd = await startSynced(ns, text, { files });
  return krtd;
}

const write = (text: string, name = "krt.yaml"): Promise<void> =>
  writeFile(join(krtd!.directory, name), text);
const installed = async (): Promise<number> =>
  (await ownLines(ns, "-4")).length + (await ownLines(ns, "-6")).length;
const becomes = (count: number): Promise<void> =>
  waitFor(`${count} routes of krtd`, async () => (await installed()) === count, DEADLINE_MS);

describe("configure", () => {
  it("check and plan say what would change, and change nothing", async () => {
    const { ctl, writes, status } = await start(config(2));
    await write(config(3));
    const before = { writes: await writes(), config: (await status()).config };
    await using monitor = await monitorRoutes(ns);
    expect(await ctl("configure", "check")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/krt\.yaml: good\n/),
    });
    const planned = await ctl("plan");
    expect(planned.code).toBe(5);
    expect(planned.stdout).toContain("routes: 1 added");
    await write("kernel: {k: {table: nosuch}}", "other.yaml");
    const other = join(krtd!.directory, "other.yaml");
    for (const words of [
      ["configure", other, "check"],
      ["plan", other],
      ["configure", "check", other],
    ]) {
      expect(await ctl(...words)).toMatchObject({
        code: 4,
        stderr: expect.stringContaining("other.yaml:1:21: "),
      });
    }
    expect({ writes: await writes(), config: (await status()).config }).toEqual(before);
    expect(await monitor.events()).toEqual([]);
    expect(await ctl("configure")).toMatchObject({ code: 0 });
    expect(await ctl("plan")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("nothing would change"),
    });
  });

  it("goes back by itself unless it is confirmed in time", async () => {
    const { ctl, status } = await start(config(2));
    await write(config(3));
    expect(await ctl("configure", "timeout", "2s")).toMatchObject({ code: 0 });
    await becomes(6);
    expect((await status()).config["undo-in-seconds"]).toBeGreaterThan(0);
    await becomes(4);
    expect((await status()).config["undo-in-seconds"]).toBeNull();
    expect(
      krtd!.logged("the configuration was not confirmed in time: going back to the one before"),
    ).toBeDefined();
    expect(krtd!.records("configuration applied").at(-1)).toMatchObject({ reason: "undo" });

    expect(await ctl("configure", "timeout", "1s")).toMatchObject({ code: 0 });
    await becomes(6);
    expect(await ctl("configure", "confirm")).toMatchObject({ code: 0 });
    expect(await ctl("configure", "confirm")).toMatchObject({ code: 1 });
    // Longer than the time limit was; another change in between shows that krtd goes on.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await installed()).toBe(6);
    expect((await status()).config["undo-in-seconds"]).toBeNull();
  });

  it("undo goes back and forth, without a flicker of what is in both", async () => {
    const { ctl } = await start(config(2));
    expect(await ctl("configure", "undo")).toMatchObject({ code: 1 });
    await write(config(3));
    await ctl("configure");
    await becomes(6);
    await using monitor = await monitorRoutes(ns);
    for (const count of [4, 6, 4]) {
      expect(await ctl("configure", "undo")).toMatchObject({ code: 0 });
      await becomes(count);
    }
    const others = (await monitor.events()).filter(
      (line) => !FAMILIES.some(({ net }) => line.includes(` ${net(2)} `)),
    );
    expect(others).toEqual([]);
  });

  it("soft leaves what stands, and reload brings it in line", async () => {
    const { ctl } = await start(config(3));
    const nets = FAMILIES.map(({ net }) => net(0));
    const options: ConfigOptions = {
      kernel: { export: "f" },
      root: { filters: { f: [{ match: { prefix: nets }, action: "reject" }, { action: "accept" }] } },
    };
    await write(config(4, options));
    await using monitor = await monitorRoutes(ns);
    expect(await ctl("configure", "soft")).toMatchObject({ code: 0 });
    await becomes(8);
    expect((await monitor.events()).filter((line) => line.startsWith("Deleted "))).toEqual([]);
    expect(await ctl("reload", "kernel*")).toMatchObject({ code: 0 });
    await becomes(6);
    const gone = (await monitor.events()).filter((line) => line.startsWith("Deleted "));
    expect(gone.map((line) => nets.findIndex((net) => line.includes(` ${net} `))).sort()).toEqual([0, 1]);
  });
});

describe("reload of a static protocol", () => {
  const { gateway, net } = FAMILIES[0]!;
  const line = (i: number, more = ""): string => `${net(i)} via ${gateway}${more}\n`;
  const withFile = (count: number, options: ConfigOptions = {}): string =>
    config(count, { ...options, files: { 4: "more.routes" } });

  it("reads its files and its part of krt.yaml again, and nothing else", async () => {
    const { ctl, writes } = await start(withFile(2), { "more.routes": line(10) + line(11) });
    expect(await installed()).toBe(6);
    const before = await writes();
    await write(line(10) + line(12) + line(13), "more.routes");
    await write(withFile(3, { kernel: { metric: 99 } }));
    await using monitor = await monitorRoutes(ns);
    expect(await ctl("reload", "static4")).toMatchObject({ code: 0 });
    await becomes(8);
    expect(await writes()).toBe(before + 4);
    const changes = (await monitor.events())
      .map((event) => /^(Deleted )?unicast \S+/.exec(event)?.[0])
      .sort();
    const came = [2, 12, 13].map((i) => `unicast ${net(i)}`);
    expect(changes).toEqual([`Deleted unicast ${net(11)}`, ...came].sort());
    expect(krtd!.logged("static protocol reloaded")).toMatchObject({
      protocol: "static4",
      changes: ["routes: 3 added, 1 removed"],
    });
    expect(await ctl("reload", "all")).toMatchObject({ code: 0 });
    await becomes(9);
    expect(await writes()).toBe(before + 5);
    expect(await ctl("plan")).toMatchObject({ code: 5, stdout: expect.not.stringContaining("static") });
  });

  it.each([
    [
      "a line of its file",
      (): Promise<void> => write(`${line(10)}nonsense\n`, "more.routes"),
      /more\.routes:2:1: /,
    ],
    ["a part of krt.yaml", (): Promise<void> => write(`${withFile(3)}# [\n@`), /krt\.yaml:\d+:1: /],
  ] as const)("is refused for %s that cannot be used", async (_what, spoil, told) => {
    const { ctl, writes, status } = await start(withFile(2), { "more.routes": line(10) });
    const before = await writes();
    await spoil();
    const { code, stderr } = await ctl("reload", "static4");
    expect(code).toBe(4);
    expect(stderr).toMatch(told);
    expect(krtd!.logged("a static protocol was not reloaded")).toMatchObject({ protocol: "static4" });
    expect(await writes()).toBe(before);
    expect((await status()).config.ok).toBe(true);
    await write(line(10) + line(11), "more.routes");
    await write(withFile(2));
    expect(await ctl("reload", "static4")).toMatchObject({ code: 0 });
    await becomes(6);
  });
});

describe("a large set of routes", () => {
  it(`of which ${CHANGED} of ${MANY} change sees just so many writes, by configure and by reload`, async () => {
    const file = (turn: number): [string, string] => {
      const of = ({ gateway, otherGateway, host }: (typeof FAMILIES)[number]): string =>
        Array.from(
          { length: MANY },
          (_, i) => `${host(i)} via ${i < CHANGED && turn % 2 === 1 ? otherGateway : gateway}\n`,
        ).join("");
      return [of(FAMILIES[0]!), of(FAMILIES[1]!)];
    };
    const [four, six] = file(0);
    const text = configText({}, { files: { 4: "4.routes", 6: "6.routes" } });
    const { ctl, writes } = await start(text, { "4.routes": four, "6.routes": six });
    let expected = await writes();
    expect(expected).toBe(2 * MANY);
    for (const [turn, words] of [
      [1, ["configure"]],
      [2, ["reload", "static*"]],
      [3, ["reload", "all"]],
    ] as const) {
      const texts = file(turn);
      await write(texts[0], "4.routes");
      await write(texts[1], "6.routes");
      await using monitor = await monitorRoutes(ns);
      const started = performance.now();
      expect(await ctl(...words)).toMatchObject({ code: 0 });
      expected += 2 * CHANGED;
      await waitFor("all is written", async () => (await writes()) >= expected, DEADLINE_MS);
      printFigure(
        `${words.join(" ")}: ${Math.round(performance.now() - started)} ms for 2 × ${CHANGED} of ${MANY} routes`,
      );
      const changed = new Set(
        (await monitor.events()).map((event) => / (\S+) via /.exec(event)?.[1] ?? event),
      );
      expect(changed.size).toBe(2 * CHANGED);
      await krtd!.scan();
      expect(await writes()).toBe(expected);
    }
    expect((await krtd!.status())["event-loop"]["lag-p99-ms"]).toBeLessThan(500);
  });
});
