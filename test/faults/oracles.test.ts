/** The oracles themselves: each sees what it is there for, and the recording misses nothing that is sent. */

import { spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { configText, FAMILIES } from "../support/families.ts";
import { makeDirectory, type RunningKrtd } from "../support/krtd.ts";
import { type Netns, waitFor } from "../support/netns.ts";
import { scopeOf } from "./support/fault.ts";
import { createLinks } from "./support/links.ts";
import {
  bounded,
  calm,
  converged,
  footprint,
  foreignRoutes,
  foreignUntouched,
  silent,
  withinScope,
} from "./support/oracles.ts";
import { createRecording, type Recording } from "./support/recorded.ts";
import { changesNothing } from "./support/sent-messages.ts";
import { inputOf, type WantedRoutes } from "./support/wanted.ts";

const WANTED: WantedRoutes = { 4: wantedOf(0), 6: wantedOf(1) };
const CONFIG = configText({ 4: inputOf(WANTED[4]), 6: inputOf(WANTED[6]) });

let ns: Netns;
let directory: string;
let recording: Recording;
let krtd: RunningKrtd;

function wantedOf(index: 0 | 1) {
  const { net, gateway, otherGateway, farGateway } = FAMILIES[index]!;
  return [
    { prefix: net(1), via: gateway },
    { prefix: net(2), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
    { prefix: net(3), type: "blackhole" as const },
    { prefix: net(4), via: farGateway },
    { prefix: net(5), dev: "v1" },
  ];
}

beforeEach(async () => {
  ns = await createLinks();
  directory = await makeDirectory();
  recording = await createRecording(directory);
  krtd = await recording.start(ns, CONFIG);
  await converged(ns, WANTED, 10_000);
});

afterEach(async () => {
  await krtd[Symbol.asyncDispose]();
  await ns.dispose();
  await rm(directory, { recursive: true });
});

it("A tells the wanted and installable routes, and misses and surplus of them", async () => {
  await silent(krtd, ns, WANTED, recording);
  const [v4, v6] = FAMILIES;
  krtd.signal("SIGSTOP");
  await ns.ip(`route del ${v4!.net(1)} metric 32`);
  await ns.ip(`-6 route add ${v6!.net(9)} via ${v6!.gateway} metric 32 proto 120`);
  await expect(converged(ns, WANTED, 100)).rejects.toMatchObject({
    actual: {
      missing: [`4 unicast ${v4!.net(1)} metric 32 via ${v4!.gateway} dev v0 weight 1`],
      surplus: [`6 unicast ${v6!.net(9)} metric 32 via ${v6!.gateway} dev v0 weight 1`],
    },
  });
  krtd.signal("SIGCONT");
  await converged(ns, WANTED, 5000);
  // What becomes installable is asked for as soon as it is.
  await ns.ip(`addr add ${v4!.farAddress} dev v1`);
  await converged(ns, WANTED, 5000);
  expect(await ns.ip("route show proto 120")).toContain(v4!.farGateway);
});

it("B tells a foreign route that went, came or changed", async () => {
  await ns.ip("route add 203.0.113.0/24 via 10.0.0.9 metric 5 proto static");
  const before = await foreignRoutes(ns);
  await foreignUntouched(ns, before);
  await ns.ip("route replace 203.0.113.0/24 via 10.0.0.8 metric 5 proto static");
  await expect(foreignUntouched(ns, before)).rejects.toThrow("B: foreign routes");
  await ns.ip("route del 203.0.113.0/24");
  await expect(foreignUntouched(ns, before)).rejects.toThrow("B: foreign routes");
});

it("C tells writes into another namespace, table, family or protocol", async () => {
  const messages = await recording.messages();
  const scope = scopeOf(ns);
  withinScope(messages, [scope]);
  await using elsewhere = await createLinks();
  const others = [
    scopeOf(elsewhere),
    { ...scope, tables: [1000] },
    { ...scope, families: [4] as const },
    { ...scope, protocols: [4] },
  ];
  for (const other of others) expect(() => withinScope(messages, [other])).toThrow("C: writes outside");
  expect(() => withinScope([], [scope])).toThrow("C: messages recorded");
});

it("D tells descriptors, memory and complaints beyond what is allowed", async () => {
  const now = footprint(krtd);
  await bounded(krtd, now);
  await expect(bounded(krtd, { ...now, descriptors: now.descriptors - 1 })).rejects.toThrow("descriptors");
  await expect(bounded(krtd, { ...now, residentBytes: 0 }, 1024)).rejects.toThrow("memory grew");
  calm(krtd, null);
  const shouting = { ...krtd, log: () => `${krtd.log()}{"level":"error","message":"x"}\nTypeError: y\n` };
  expect(() => calm(shouting, null)).toThrow("errors in the log");
  calm(shouting, /"message":"x"|^TypeError/);
});

it("the recording has every message that strace sees", async () => {
  const trace = join(directory, "strace");
  const errors = openSync(join(directory, "strace.err"), "w");
  const words = ["-f", "-e", "trace=sendto", "-e", "raw=sendto", "-o", trace, "-p", String(krtd.pid)];
  // What the start or an event called for may still be to come.
  const earliest = await recording.quiet(600);
  const strace = spawn("strace", words, { stdio: ["ignore", "ignore", errors] });
  const ended = new Promise((resolve) => strace.once("close", resolve));
  const attached = (): boolean => readFileSync(join(directory, "strace.err"), "utf8").includes("attached");
  await waitFor("strace is attached", attached);
  const latest = (await recording.messages()).length;
  for (const { flag, net } of FAMILIES) await ns.ip(`${flag} route del ${net(1)} metric 32`);
  await converged(ns, WANTED, 10_000);
  await krtd.scan();
  const end = await recording.quiet(600);
  strace.kill("SIGTERM");
  await ended;
  const sent = (await recording.messages()).slice(0, end);
  // sendto(fd, bytes, length, flags, address, 12): 12 is what an address of netlink takes.
  const calls = readFileSync(trace, "utf8").matchAll(/sendto\((?:0x\w+, ){2}0x(\w+), 0, 0x\w+, 0xc\b/g);
  const seen = [...calls].reduce((sum, [, length]) => sum + Number.parseInt(length ?? "", 16), 0);
  expect(sent.slice(latest).filter((message) => !changesNothing(message)).length).toBeGreaterThan(1);
  // Messages sent while strace attached may be in either count; nearly always there are none of them.
  const sizes = [];
  for (let from = earliest; from <= latest; from += 1) {
    sizes.push(sent.slice(from).reduce((sum, { size }) => sum + size, 0));
  }
  expect(sizes).toContain(seen);
});
