/**
 * What krtd takes for the same work. Two runs in a round: one is left alone, for times and memory; in the other
 * somebody asks for its status every 10 ms, to see whether it answers while it works.
 */

import { cpuSeconds, memory, pause, start, until, within } from "./children.ts";
import { measureIpShow } from "./iproute2.ts";
import { KrtdProcess } from "./krtd-process.ts";
import type { Limit } from "./limit.ts";
import { quantile } from "./samples.ts";
import { expectAllRoutes, type Setting } from "./setting.ts";

const SCANS = 3;
const POLL_MS = 10;

/** From an empty table through scans, a list and a restart to an empty table. */
export async function measureKrtd(setting: Setting, limit: Limit | null): Promise<void> {
  const { namespace, samples } = setting;
  const first = await KrtdProcess.start(setting);
  await measureStart(setting, first, "push");
  samples.add("push.krtd", samples.of("push.krtd-exec").at(-1)! - samples.of("push.krtd-read").at(-1)!);
  samples.add("writes.push", await first.writes());
  samples.add("memory.krtd", memory(first.child.pid).now);
  for (let i = 0; i < SCANS; i++) {
    await limit?.measureDump(setting);
    await measureScan(setting, first);
  }
  samples.add("memory.krtd-scan", memory(first.child.pid).now);
  await measureIpShow(setting);
  await measureList(setting, first);
  samples.add("memory.krtd-list", memory(first.child.pid).now);
  samples.add("memory.krtd-peak", memory(first.child.pid).peak);
  await first.stopAndKeep();
  expectAllRoutes(setting, "krtd, stopped with --keep");

  const second = await KrtdProcess.start(setting);
  await measureStart(setting, second, "restart");
  samples.add("writes.restart", await second.writes());
  await second.stopAndKeep();
  await namespace.flush();
}

/** The same start and a scan again, with a client that never stops asking. */
export async function measureAnswers(setting: Setting): Promise<void> {
  const { namespace, samples, limitMs } = setting;
  const krtd = await KrtdProcess.start(setting);
  await krtd.routesRead();
  let synced = false;
  const inSync = krtd.inSync().then(() => {
    synced = true;
  });
  const push = await askUntil(krtd, () => synced, limitMs);
  await inSync;
  expectAllRoutes(setting, "krtd, asked for its status");
  const lag = (await krtd.status())["event-loop"]["lag-p99-ms"];
  const { count } = (await krtd.kernel()).scan;
  await krtd.requestScan();
  const scan = await askUntil(krtd, async () => (await krtd.kernel()).scan.count > count, limitMs);
  await krtd.stopAndKeep();
  await namespace.flush();
  samples.add("answer.lag-p99", lag);
  samples.add("answer.push-p99", quantile(push, 0.99) ?? 0);
  samples.add("answer.push-max", Math.max(...push));
  samples.add("answer.scan-max", Math.max(...scan));
}

async function measureStart(setting: Setting, krtd: KrtdProcess, kind: "push" | "restart"): Promise<void> {
  const { samples } = setting;
  samples.add(`${kind}.krtd-read`, (await krtd.routesRead()) / 1000);
  samples.add(`${kind}.krtd-exec`, (await krtd.inSync()) / 1000);
  samples.add(`${kind}.krtd-cpu`, cpuSeconds(krtd.child.pid));
  expectAllRoutes(setting, "krtd");
}

/** One more scan with nothing to do. */
async function measureScan({ samples, limitMs }: Setting, krtd: KrtdProcess): Promise<void> {
  const { count } = (await krtd.kernel()).scan;
  const writes = await krtd.writes();
  const cpu = cpuSeconds(krtd.child.pid);
  await krtd.requestScan();
  await until("a scan", limitMs, 20, async () => {
    const { scan } = await krtd.kernel();
    return scan.count > count && scan.state === "idle";
  });
  const { scan } = await krtd.kernel();
  samples.add("scan.krtd", (scan["last-duration-ms"] ?? 0) / 1000);
  samples.add("scan.krtd-cpu", cpuSeconds(krtd.child.pid) - cpu);
  samples.add("writes.scan", (await krtd.writes()) - writes);
}

/** `krtctl show routes` of everything, to /dev/null. */
async function measureList({ samples, limitMs }: Setting, krtd: KrtdProcess): Promise<void> {
  const list = start(krtd.listCommand());
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, memory(list.pid).peak);
  }, POLL_MS);
  try {
    const code = await within("krtctl show routes", list.exited, limitMs, list);
    if (code !== 0) throw new Error(`krtctl show routes ended with ${code}: ${list.stderr}`);
    samples.add("list.krtctl", (performance.now() - list.startedAt) / 1000);
    samples.add("memory.krtctl", peak);
  } finally {
    clearInterval(watch);
  }
}

/** Asks for the status every POLL_MS until `done`; returns how long each answer took, milliseconds. */
async function askUntil(
  krtd: KrtdProcess,
  done: () => boolean | Promise<boolean>,
  limitMs: number,
): Promise<number[]> {
  const waits: number[] = [];
  const end = performance.now() + limitMs;
  while (!(await done())) {
    if (performance.now() > end) throw new Error("krtd is not done in time");
    const asked = performance.now();
    await krtd.status();
    waits.push(performance.now() - asked);
    await pause(POLL_MS);
  }
  return waits;
}
