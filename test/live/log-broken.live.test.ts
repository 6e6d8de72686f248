/**
 * krtd whose standard output and error cannot be written to: closed, full, without a reader. It syncs, repairs, answers
 * and stops as ever, does not wait and does not grow; and when the log works again, it says how much was lost.
 */

import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import { makeDirectory, type RunningKrtd, runKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";

const ROUTES = 5;
const LOG_LINES = 400;
const MIB = 1024 * 1024;
const CONFIG = configText(
  Object.fromEntries(
    FAMILIES.map(({ family, net, gateway }) => [
      family,
      Array.from({ length: ROUTES }, (_, i) => ({ prefix: net(i), via: gateway })),
    ]),
  ),
);

let ns: Netns;
let directory: string;
let fifo: string;
/** The test's end of the pipe, while it holds one. */
let reader: number | null = null;

beforeEach(async () => {
  ns = await createTopology();
  directory = await makeDirectory();
  fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
});

afterEach(async () => {
  stopReading();
  await ns?.dispose();
  await rm(directory, { recursive: true });
});

function startReading(): void {
  reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
}

function stopReading(): void {
  if (reader !== null) closeSync(reader);
  reader = null;
}

/** All there is in the pipe now. */
function readAll(): string {
  const bytes = Buffer.alloc(MIB);
  let text = "";
  for (;;) {
    try {
      const count = readSync(reader!, bytes);
      if (count === 0) return text;
      text += bytes.toString("utf8", 0, count);
    } catch {
      return text;
    }
  }
}

/** Starts krtd with its standard streams redirected as a shell would: ">&- 2>&-". FIFO stands for the pipe. */
function start(redirection: string, more: readonly string[] = []): Promise<RunningKrtd> {
  const script = `exec "$@" ${redirection.replaceAll("FIFO", fifo)}`;
  return startSynced(ns, CONFIG, {
    directory,
    wrapper: ["unshare", "-m", ...more, "sh", "-c", script, "sh"],
  });
}

function rss(pid: number): number {
  const [, kib] = /VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

/** Makes krtd log so many lines of a kilobyte or more. */
async function babble(krtd: RunningKrtd, lines = LOG_LINES): Promise<void> {
  for (let i = 0; i < lines; i++) {
    krtd.signal("SIGUSR1");
    // An answer after each signal: two signals at once would be one.
    await krtd.state();
  }
}

/** The same questions, and nothing to log. */
async function quiet(krtd: RunningKrtd): Promise<void> {
  for (let i = 0; i < LOG_LINES; i++) await krtd.state();
}

/** Milliseconds for each of LOG_LINES. */
async function timed(what: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await what();
  return (performance.now() - start) / LOG_LINES;
}

async function repairs(krtd: RunningKrtd): Promise<number> {
  const wanted = await ownLines(ns, "-4");
  expect(wanted).toHaveLength(ROUTES);
  const before = performance.now();
  await ns.ip(`route del ${FAMILIES[0]!.net(0)} metric 32 proto 120`);
  await waitFor("the repair", async () => (await ownLines(ns, "-4")).length === ROUTES);
  expect(await krtd.state()).toBe("in-sync");
  return performance.now() - before;
}

/** Works, and goes on working when much is to be logged; then stops in order. */
async function holdsOut(krtd: RunningKrtd): Promise<void> {
  await babble(krtd, 50);
  const before = rss(krtd.pid);
  const answerMs = await timed(() => quiet(krtd));
  const lineMs = await timed(() => babble(krtd));
  const grown = (rss(krtd.pid) - before) / MIB;
  const repairMs = await repairs(krtd);
  printFigure(
    `${LOG_LINES} answers of the API: ${answerMs.toFixed(1)} ms each, with a line logged ${lineMs.toFixed(1)} ms; ${grown.toFixed(1)} MiB more; repair seen after ${repairMs.toFixed(0)} ms`,
  );
  // Twenty milliseconds for each line would be the wait for a pipe that nobody empties.
  expect(lineMs - answerMs).toBeLessThan(15);
  expect(grown).toBeLessThan(40);
  expect(repairMs).toBeLessThan(2_000);
  krtd.signal("SIGPIPE");
  expect(await krtd.state()).toBe("in-sync");
  expect(await krtd.stop()).toBe(0);
  expect(await ownLines(ns, "-4")).toEqual([]);
  expect(await ownLines(ns, "-6")).toEqual([]);
}

describe("krtd holds out", () => {
  it.each<readonly [how: string, redirection: string, wrapper: readonly string[]]>([
    ["with both streams closed", ">&- 2>&-", []],
    ["with all three closed", "<&- >&- 2>&-", []],
    ["on /dev/full", ">/dev/full 2>/dev/full", []],
    [
      "on a full file system",
      '>"$LOG" 2>&1',
      [
        "sh",
        "-c",
        'mount -t tmpfs -o size=64k none /mnt && dd if=/dev/zero of=/mnt/fill bs=4k 2>/dev/null; export LOG=/mnt/log; exec "$@"',
        "sh",
      ],
    ],
    ["with a log file that may not grow (SIGXFSZ)", "2>FIFO.log", ["prlimit", "--fsize=8192"]],
  ])("%s", async (_how, redirection, wrapper) => {
    await using krtd = await start(redirection, wrapper);
    await holdsOut(krtd);
  });

  it("on a pipe whose reader ends, and logs again when there is one again", async () => {
    startReading();
    await using krtd = await start(">FIFO 2>&1");
    expect(readAll()).toContain('"message":"in sync"');
    stopReading();
    await babble(krtd, 20);
    startReading();
    await babble(krtd, 1);
    await waitFor("a line", () => readAll().includes('"message":"Log lines were lost","lines":20'));
    stopReading();
    await holdsOut(krtd);
  });

  it("on a pipe that nobody reads, and says how much was lost when it is read", async () => {
    startReading();
    await using krtd = await start(">FIFO 2>&1");
    await babble(krtd);
    const kept = readAll();
    await babble(krtd, 1);
    const after = readAll();
    const { lines } = JSON.parse(after.slice(after.indexOf("{"), after.indexOf("\n"))) as { lines: number };
    printFigure(`${lines} of ${LOG_LINES} lines lost`);
    expect(lines).toBeGreaterThan(10);
    const whole = kept.split("\n").filter((line) => line.includes('"message":"state"') && line.endsWith("}"));
    expect(whole.length + lines).toBe(LOG_LINES);
    await holdsOut(krtd);
  });
});

describe("krtd --check and --version", () => {
  it.each([
    ["--version", ">&- 2>&-"],
    ["--version", ">/dev/full"],
    ["--check", ">/dev/full 2>/dev/full"],
  ])("%s %s end, and not by a signal", async (word, redirection) => {
    const wrapper = ["sh", "-c", `exec "$@" ${redirection}`, "sh"];
    expect((await runKrtd(ns, CONFIG, { directory, args: [word], wrapper })).code).toBe(0);
  });
});
