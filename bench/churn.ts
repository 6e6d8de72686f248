/**
 * A full table that is disturbed: one route at a time, by the operator and by somebody else, then by as many foreign
 * routes as there are. When the kernel's table changes is heard from `ip monitor`, which runs beside and says when it
 * heard of it: what this process takes until it reads that is not krtd's.
 */

import { writeFile } from "node:fs/promises";
import { type Child, memory, pause, run, start, until } from "./children.ts";
import { scanOnce } from "./krtd.ts";
import { configuration, KrtdProcess } from "./krtd-process.ts";
import type { Limit } from "./limit.ts";
import { DEVICE, type Family, generate, METRIC } from "./routes.ts";
import { quantile } from "./samples.ts";
import type { Setting } from "./setting.ts";
import { parseTimedLine } from "./timed-line.ts";

const CHANGES = 2000;
const DELETIONS = 50;
/** What is told is read within this time, however busy the machine. */
const CLOCK_LIMIT_MS = 1000;
const PROBE: Readonly<Record<Family, string>> = { 4: "198.18.0.0/30", 6: "fc00:1::/64" };
const GATEWAY: Readonly<Record<Family, (n: number) => string>> = {
  4: (n) => `10.0.0.${n}`,
  6: (n) => `fd00::${n.toString(16)}`,
};

export async function measureChurn(setting: Setting, limit: Limit | null): Promise<void> {
  const { family, directory, namespace } = setting;
  const file = `${directory}/one.routes`;
  const text = `${configuration(setting).replace("scan-time: 0", "scan-time: 0, learn: true")}\
  one: {table: master${family}, files: [${file}]}
`;
  await writeFile(file, probe(family, 2));
  const krtd = await KrtdProcess.start(setting, text);
  await krtd.inSync();
  const monitor = start(["sh", "-c", `exec ip -tshort -${family} -n ${namespace.name} monitor route 1>&2`]);
  try {
    await measureChanges(setting, krtd, monitor, file);
    await measureDeletions(setting, monitor);
  } finally {
    await monitor.end();
  }
  if (limit !== null) await measureStorm(setting, krtd, limit);
  await krtd.stopAndKeep();
  await namespace.flush();
}

function probe(family: Family, gateway: number): string {
  return `${PROBE[family]} via ${GATEWAY[family](gateway)} dev ${DEVICE}\n`;
}

/** Calls back for each line of the monitor, with the time when that heard of it, as of performance.now(). */
function onChange(monitor: Child, listener: (line: string, at: number) => void): void {
  const zero = zeroOfClock();
  monitor.onLine((text, readAt) => {
    const told = parseTimedLine(text);
    if (told === null) return;
    const at = told.atMs - zero;
    // Where somebody has set the clock, the time when it was read has to do.
    listener(told.line, at <= readAt && at > readAt - CLOCK_LIMIT_MS ? at : readAt);
  });
}

/** What the wall clock showed at 0 of performance.now(), ms: taken when a millisecond begins. */
function zeroOfClock(): number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now - performance.now();
}

/** A line of a small file changes and its protocol is reloaded: until the kernel has it. */
async function measureChanges(
  { family, samples, limitMs }: Setting,
  krtd: KrtdProcess,
  monitor: Child,
  file: string,
): Promise<void> {
  let heardAt = 0;
  let awaited = "";
  onChange(monitor, (line, at) => {
    if (awaited !== "" && line.startsWith(PROBE[family]) && line.includes(awaited)) heardAt = at;
  });
  await pause(300);
  const waits: number[] = [];
  const answers: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const gateway = 3 + (i % 40);
    await writeFile(file, probe(family, gateway));
    heardAt = 0;
    awaited = `via ${GATEWAY[family](gateway)} `;
    const asked = performance.now();
    await krtd.reload("one");
    answers.push(performance.now() - asked);
    await until("a changed route", limitMs, 1, () => heardAt > 0);
    waits.push(heardAt - asked);
  }
  samples.add("churn.change-median", quantile(waits, 0.5)!);
  samples.add("churn.change-p99", quantile(waits, 0.99)!);
  samples.add("churn.answer-median", quantile(answers, 0.5)!);
  samples.add("churn.answer-p99", quantile(answers, 0.99)!);
}

/** Somebody deletes a route of krtd's: from the deletion until it is there again, as the kernel tells of both. */
async function measureDeletions(
  { family, namespace, samples, limitMs }: Setting,
  monitor: Child,
): Promise<void> {
  let goneAt = 0;
  let backAt = 0;
  let victim = "";
  onChange(monitor, (line, at) => {
    if (line.startsWith(`Deleted ${victim} `)) goneAt = at;
    else if (goneAt > 0 && line.startsWith(`${victim} `)) backAt = at;
  });
  const waits: number[] = [];
  for (const { prefix } of generate(family, DELETIONS)) {
    goneAt = 0;
    backAt = 0;
    victim = prefix;
    const command = ["ip", `-${family}`, "-n", namespace.name, "route", "del", prefix, "metric", `${METRIC}`];
    await run(command, limitMs);
    await until("a deleted route", limitMs, 1, () => backAt > 0);
    waits.push(backAt - goneAt);
  }
  samples.add("churn.repair-median", quantile(waits, 0.5)!);
  samples.add("churn.repair-max", Math.max(...waits));
}

/**
 * As many foreign routes as there are of ours come at once, and krtd learns them all; afterwards it is in sync, has not
 * written anything, and a scan finds nothing to do.
 */
async function measureStorm(setting: Setting, krtd: KrtdProcess, limit: Limit): Promise<void> {
  const { routes, samples, limitMs } = setting;
  const writes = await krtd.writes();
  const began = performance.now();
  await limit.pushForeign(setting);
  samples.add("churn.storm-push", (performance.now() - began) / 1000);
  await until("learning the foreign routes", limitMs, 100, async () => {
    const { learned, scan, queued } = await krtd.kernel();
    return learned >= routes && scan.state === "idle" && queued === 0;
  });
  samples.add("churn.storm-learned", (performance.now() - began) / 1000);
  samples.add("churn.storm-memory", memory(krtd.child.pid).peak);
  await scanOnce(setting, krtd);
  const { state, netlink } = await krtd.status();
  samples.add("churn.storm-losses", netlink.overruns);
  const { learned, drift } = await krtd.kernel();
  const after = { state, writes: (await krtd.writes()) - writes, learned, repaired: drift.repaired };
  if (state !== "in-sync" || after.writes !== 0 || learned !== routes) {
    throw new Error(
      `After a storm of ${routes} foreign routes krtd is not as it should be: ${JSON.stringify(after)}`,
    );
  }
}
