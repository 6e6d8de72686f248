/**
 * Hostile clients at the control socket of a krtd with many routes: meanwhile what others do to its routes in the
 * kernel is repaired as ever, the operator is served, memory is bounded, and afterwards nothing is left of them.
 * The figures are printed; what is asserted is what a busy machine keeps.
 */

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ATTACKS, startAttack } from "../support/control-attacker.ts";
import { configText, FAMILIES } from "../support/families.ts";
import { printFigure, printTimes } from "../support/figures.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

/** KRTD_MANY_ROUTES=1000000 for a full table. */
const MANY = Number(process.env["KRTD_MANY_ROUTES"] ?? 100_000);
/** Foreign routes: what makes a dump of the kernel take a while. */
const FOREIGN = 20_000;
const BIRD = 12;
const REPAIRS = 15;
/** Promised for a repair, whatever happens meanwhile. */
const REPAIR_LIMIT_MS = 2_000;
const OPERATOR_LIMIT_MS = 8_000;
const MIB = 1024 * 1024;
/** What abuse may add to the daemon's memory: 64 clients, their chunks and answers, dumped rows not read, garbage. */
const RSS_LIMIT_BYTES = 400 * MIB;

const V4 = FAMILIES[0]!;

/** Each is deleted once: one that is deleted again and again would be contested, and wait. */
const OURS = REPAIRS * (ATTACKS.length + 1);

let ns: Netns;
let repaired = 0;
let krtd: RunningKrtd;
let quiet: Measured;
let rssBefore: number;
let descriptors: number;

interface Measured {
  readonly median: number;
  readonly worst: number;
}

beforeAll(async () => {
  ns = await createTopology();
  const foreign = Array.from(
    { length: FOREIGN },
    (_, i) => `route add ${V4.host(i)} via ${V4.gateway} proto ${BIRD}`,
  );
  await ns.batch(foreign);
  const lines = Array.from(
    { length: MANY },
    (_, i) => `${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24 dev v0\n`,
  );
  const config = configText(
    {},
    {
      scanTime: 5,
      root: {
        tables: { big: { family: "ipv4" } },
        static: {
          static4: {
            table: "master4",
            routes: Array.from({ length: OURS }, (_, i) => ({ prefix: V4.net(i), via: V4.gateway })),
          },
          many: { table: "big", files: ["many.routes"] },
        },
      },
    },
  );
  krtd = await startSynced(ns, config, { files: { "many.routes": lines.join("") } });
  await waitFor("all routes", async () => (await krtd.status()).counts.routes === MANY + OURS, 60_000);
  quiet = await repairs("left alone");
  rssBefore = rss();
  descriptors = openDescriptors();
}, 120_000);

afterAll(async () => {
  await krtd?.[Symbol.asyncDispose]();
  await ns?.dispose();
});

/** Resident memory of the daemon in bytes. */
function rss(): number {
  const [, kib] = /VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${krtd.pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

function openDescriptors(): number {
  return readdirSync(`/proc/${krtd.pid}/fd`).length;
}

/** Deletes routes of krtd one after the other; how long each was missing, by the kernel's own time. */
async function repairs(when: string): Promise<Measured> {
  await using monitor = await monitorRoutes(ns);
  const prefixes = Array.from({ length: REPAIRS }, () => V4.net(repaired++));
  for (const prefix of prefixes) {
    await ns.ip(`route del ${prefix} metric 32 proto 120`);
    await waitFor(
      `${prefix} is back`,
      async () => (await ns.ip(`route show ${prefix} proto 120`)) !== "",
      30_000,
    );
  }
  const events = await monitor.timed();
  const times = prefixes.map((prefix) => {
    const ofNet = events.filter(({ line }) => line.includes(` ${prefix} `));
    const gone = ofNet.find(({ line }) => line.startsWith("Deleted"))!;
    const back = ofNet.find(({ line, atMs }) => !line.startsWith("Deleted") && atMs > gone.atMs)!;
    return back.atMs - gone.atMs;
  });
  return { median: printTimes(`repair, ${when}`, times), worst: Math.max(...times) };
}

describe("while attacked with", () => {
  it.each(ATTACKS)("%s, krtd repairs its routes, serves the operator and stays small", async (name) => {
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, rss())), 50);
    let measured = quiet;
    let operatorMs = 0;
    try {
      {
        await using _attack = await startAttack(krtd.socket, name);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        measured = await repairs(name);
        const before = performance.now();
        const answer = await krtd.ctl("--json", "show", "status");
        operatorMs = performance.now() - before;
        expect(answer.code, answer.stderr).toBe(0);
      }
    } finally {
      clearInterval(watch);
    }
    const grown = Math.max(0, peak - rssBefore) / MIB;
    printFigure(
      `operator's krtctl show status: ${operatorMs.toFixed(0)} ms; memory: at most ${grown.toFixed(0)} MiB more`,
    );
    expect(measured.worst).toBeLessThan(REPAIR_LIMIT_MS);
    expect(operatorMs).toBeLessThan(OPERATOR_LIMIT_MS);
    expect(peak - rssBefore).toBeLessThan(RSS_LIMIT_BYTES);
    await waitFor("descriptors are closed", () => openDescriptors() <= descriptors, 10_000);
    expect(await krtd.state()).toBe("in-sync");
  });

  it("all of it, krtd's log says no more than that clients were refused, and the event loop was never held up", async () => {
    const { "event-loop": loop } = await krtd.status();
    printFigure(`event loop lag p99: ${loop["lag-p99-ms"]} ms`);
    expect(loop["lag-p99-ms"]).toBeLessThan(500);
    const lines = krtd.log().trimEnd().split("\n");
    const said = new Set(lines.map((line) => (JSON.parse(line) as { message: string }).message));
    expect(said).not.toContain("control request failed");
    expect(lines.length).toBeLessThan(REPAIRS * (ATTACKS.length + 1) + 300);
  });
});
