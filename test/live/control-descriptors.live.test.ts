/** A krtd that may have few descriptors, and more clients than that: what it has is not taken from it. */

import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { startAttack } from "../support/control-attacker.ts";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, waitFor } from "../support/netns.ts";

const V4 = FAMILIES[0]!;

it("krtd with 100 descriptors and 500 silent clients repairs its routes, and serves when they are gone", async () => {
  await using ns = await createTopology();
  const config = configText({ 4: [{ prefix: V4.net(1), via: V4.gateway }] });
  await using krtd = await startSynced(ns, config);
  // Not from the start: Node opens as many files when it loads its modules.
  execFileSync("prlimit", ["--pid", String(krtd.pid), "--nofile=100:100"]);
  {
    await using _attack = await startAttack(krtd.socket, "500 connections that say nothing");
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ns.ip(`route del ${V4.net(1)}`);
      await waitFor("the repair", async () => (await ownLines(ns, "-4")).length === 1);
    }
  }
  await waitFor("krtd answers", async () => (await krtd.state()) === "in-sync");
  expect(krtd.log().split("\n").length).toBeLessThan(60);
  expect(await krtd.stop()).toBe(0);
});
