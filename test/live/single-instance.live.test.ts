/**
 * Two krtd on the same control socket or state directory would fight over the kernel: the second is refused with
 * words, and the first does not notice. What a crash leaves behind is no obstacle.
 */

import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { ask } from "../support/http-unix.ts";
import { makeDirectory, type RunningKrtd, runKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns } from "../support/netns.ts";

const [V4, V6] = [FAMILIES[0]!, FAMILIES[1]!];
const CONFIG = configText({
  4: [{ prefix: V4.net(1), via: V4.gateway }],
  6: [{ prefix: V6.net(1), via: V6.gateway }],
});
/** What the second would do if it were let in: delete what the first has, and add this. */
const OTHER_CONFIG = configText({ 4: [{ prefix: V4.net(2), via: V4.gateway }] });

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

const routes = async (): Promise<string[]> => [await ownLines(ns, "-4"), await ownLines(ns, "-6")].flat();

async function goesOn(krtd: RunningKrtd, wanted: readonly string[]): Promise<void> {
  expect(await routes()).toEqual(wanted);
  await ns.ip(`route del ${V4.net(1)}`);
  await krtd.scan();
  expect(await routes()).toEqual(wanted);
  expect(await krtd.state()).toBe("in-sync");
}

describe("a second krtd", () => {
  it("on the same control socket is refused with 1, and the first goes on", async () => {
    await using first = await startSynced(ns, CONFIG, { directory });
    const wanted = await routes();
    const { code, stderr } = await runKrtd(ns, OTHER_CONFIG, { directory });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `krtd: Cannot use control socket ${first.socket}: another krtd (pid ${first.pid}) uses it. ` +
        "Stop that one first (krtctl shutdown), or give this one its own path.\n",
    );
    await goesOn(first, wanted);
  });

  it("on the same state directory is refused with 1, and the first goes on", async () => {
    const args = ["--state-directory", join(directory, "state")];
    await using first = await startSynced(ns, CONFIG, { args });
    const wanted = await routes();
    const { code, stderr } = await runKrtd(ns, OTHER_CONFIG, { args });
    expect(code).toBe(1);
    expect(stderr).toContain(
      `krtd: Cannot use state directory ${args[1]}: another krtd (pid ${first.pid}) uses it.`,
    );
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    await goesOn(first, wanted);
  });

  it("on the same state directory by $STATE_DIRECTORY is refused too, also from another namespace", async () => {
    const env = { STATE_DIRECTORY: join(directory, "state") };
    await using _first = await startSynced(ns, CONFIG, { env });
    await using elsewhere = await createTopology();
    expect(await runKrtd(elsewhere, CONFIG, { env })).toMatchObject({ code: 1 });
  });

  it("beside the first, with a socket and tables of its own, works", async () => {
    await using first = await startSynced(ns, CONFIG, { directory });
    const wanted = await routes();
    const kernel = { "kernel-table": 1000 };
    await using second = await startSynced(
      ns,
      configText({ 4: [{ prefix: V4.net(2), dev: "v0" }] }, { kernel }),
    );
    expect(await ownLines(ns, "-4", "table 1000")).toHaveLength(1);
    expect(await second.stop()).toBe(0);
    await goesOn(first, wanted);
  });
});

describe("the control socket", () => {
  it("that kill -9 left behind is taken over, as is the state directory", async () => {
    const args = ["--state-directory", join(directory, "state")];
    for (let lives = 0; lives < 3; lives++) {
      await using krtd = await startSynced(ns, CONFIG, { directory, args });
      await krtd.kill();
      expect(statSync(krtd.socket).isSocket()).toBe(true);
      await expect(ask(krtd.socket, "/v1/status")).rejects.toThrow("ECONNREFUSED");
    }
    await using last = await startSynced(ns, CONFIG, { directory, args });
    expect(await last.state()).toBe("in-sync");
    expect(await routes()).toHaveLength(2);
  });

  it("is gone after an orderly stop", async () => {
    await using krtd = await startSynced(ns, CONFIG, { directory });
    expect(statSync(krtd.socket).mode & 0o777).toBe(0o660);
    expect(await krtd.stop()).toBe(0);
    expect(existsSync(krtd.socket)).toBe(false);
  });
});
