/**
 * BIRD 2 as a peer: the same routes in a static protocol, exported by a kernel protocol. It logs when it scans
 * but not when it is done pushing, so that is seen from outside: it has come to rest and the kernel has all routes.
 *
 * BIRD does everything in one thread. The processor time of a scan is what its event loop was blocked for; how
 * long a client waits during the push is measured by connecting to its control socket, which it greets.
 */

import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { type Child, cpuSeconds, memory, pause, run, start, until } from "./children.ts";
import { expectAllRoutes, type Setting } from "./setting.ts";

const SCANS = 2;
const POLL_MS = 10;
/** Longer than a busy machine keeps a runnable process waiting. */
const AT_REST_MS = 200;
const SHORT_LIMIT_MS = 10_000;

/** "BIRD version 2.0.12", or null when it is not installed. */
export async function findBird(): Promise<string | null> {
  const bird = start(["bird", "--version"]);
  try {
    await bird.exited;
    return /BIRD version \S+/.exec(bird.stderr)?.[0] ?? null;
  } catch {
    return null;
  }
}

/** Scans are far enough apart that none falls into the push of this many routes. */
function scanSeconds(routes: number): number {
  return Math.max(3, Math.ceil(routes / 50_000));
}

function configuration(setting: Setting): string {
  return `\
router id 10.0.0.1;
log stderr all;
protocol device {}
protocol kernel {
  ipv${setting.family} { export all; };
  scan time ${scanSeconds(setting.routes)};
  persist;
  debug { events };
}
protocol static {
  ipv${setting.family};
  include "${setting.files.bird}";
}
`;
}

/** From an empty table to an empty table: start, push, memory, and scans if wanted. */
export async function measureBird(setting: Setting, scansWanted: boolean): Promise<void> {
  const { namespace, directory, samples, limitMs } = setting;
  const config = join(directory, "bird.conf");
  const socket = join(directory, "bird.ctl");
  await writeFile(config, configuration(setting));
  const parse = await run(["bird", "-p", "-c", config], limitMs);
  samples.add("push.bird-read", parse.seconds);
  await rm(socket, { force: true });
  const bird = start(namespace.inside(["bird", "-f", "-c", config, "-s", socket]));
  let scans = 0;
  bird.onLine((line) => {
    if (line.includes("Pruning table")) scans++;
  });
  try {
    await watchPush(setting, bird, socket);
    samples.add("push.bird-cpu", await settledCpu(bird));
    samples.add("memory.bird", memory(bird.pid).now);
    expectAllRoutes(setting, "bird");
    for (let i = 0; scansWanted && i < SCANS; i++) {
      const cpu = await settledCpu(bird);
      const before = scans;
      await until("a scan of bird", limitMs, 20, () => scans > before);
      samples.add("scan.bird-cpu", (await settledCpu(bird)) - cpu);
    }
    expectAllRoutes(setting, "bird, after scans");
  } finally {
    await bird.end();
    await namespace.flush();
  }
}

/**
 * The kernel's count walks its whole table, so it is asked only while the table is empty and when BIRD has come to
 * rest; in between its processor time tells that it works.
 */
async function watchPush(setting: Setting, bird: Child, socket: string): Promise<void> {
  const { namespace, family, routes, samples, limitMs } = setting;
  let done = false;
  const longest = longestGreeting(socket, () => done);
  let firstAt = 0;
  let workedAt = 0;
  let cpu = 0;
  await until("the push of bird", limitMs, POLL_MS, () => {
    const now = performance.now();
    if (firstAt === 0 && namespace.routeCount(family) > 0) firstAt = now;
    const before = cpu;
    cpu = cpuSeconds(bird.pid);
    if (cpu !== before) workedAt = now;
    return firstAt > 0 && now - workedAt > AT_REST_MS && namespace.routeCount(family) >= routes;
  });
  done = true;
  samples.add("push.bird-exec", (workedAt - bird.startedAt) / 1000);
  samples.add("push.bird", (workedAt - firstAt) / 1000);
  samples.add("lag.bird-push-max", await longest);
}

/** The longest wait for the greeting of the control socket, milliseconds, until `done`. */
async function longestGreeting(socket: string, done: () => boolean): Promise<number> {
  let longest = 0;
  while (!done()) {
    longest = Math.max(longest, await greeting(socket));
    await pause(POLL_MS);
  }
  return longest;
}

/** 0 when nobody listens yet. */
function greeting(path: string): Promise<number> {
  const asked = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("data", () => {
      resolve(performance.now() - asked);
      socket.destroy();
    });
    socket.once("error", () => resolve(0));
    socket.once("close", () => resolve(0));
  });
}

/** Its processor time, as soon as it does nothing. */
async function settledCpu(bird: Child): Promise<number> {
  let before = -1;
  let now = cpuSeconds(bird.pid);
  await until("bird at rest", SHORT_LIMIT_MS, 100, () => {
    before = now;
    now = cpuSeconds(bird.pid);
    return now === before;
  });
  return now;
}
