/**
 * What krtd takes for the work of the modes push, start, scan, show, memory and lag. One life of it is left alone, for
 * times and memory; in another somebody asks for its status every 10 ms, to see whether it answers while it works.
 */

import { appendFile, copyFile } from "node:fs/promises";
import { cpuSeconds, memory, pause, start, until, within } from "./children.ts";
import { measureIpShow } from "./iproute2.ts";
import { configuration, KrtdProcess } from "./krtd-process.ts";
import type { Limit } from "./limit.ts";
import type { Mode } from "./modes.ts";
import { quantile } from "./samples.ts";
import { expectAllRoutes, type Setting } from "./setting.ts";

const SCANS = 3;
const SCANS_ASKED = 5;
const POLL_MS = 10;

/** From an empty table through what is wanted of scans, a list and a restart to an empty table. */
export async function measureKrtd(
  setting: Setting,
  limit: Limit | null,
  wanted: ReadonlySet<Mode>,
): Promise<void> {
  const { namespace, samples } = setting;
  const first = await KrtdProcess.start(setting);
  await measureStart(setting, first, "push");
  samples.add("push.krtd", samples.of("push.krtd-exec").at(-1)! - samples.of("push.krtd-read").at(-1)!);
  samples.add("writes.push", await first.writes());
  samples.add("memory.krtd", memory(first.child.pid).now);
  if (wanted.has("scan") || wanted.has("memory")) {
    for (let i = 0; i < SCANS; i++) {
      await limit?.measureDump(setting);
      await measureScan(setting, first);
    }
    samples.add("memory.krtd-scan", memory(first.child.pid).now);
  }
  if (wanted.has("show") || wanted.has("memory")) {
    await measureIpShow(setting);
    await measureList(setting, first);
    samples.add("memory.krtd-list", memory(first.child.pid).now);
  }
  samples.add("memory.krtd-peak", memory(first.child.pid).peak);
  await first.stopAndKeep();
  expectAllRoutes(setting, "krtd, stopped with --keep");
  if (wanted.has("start")) {
    const second = await KrtdProcess.start(setting);
    await measureStart(setting, second, "restart");
    samples.add("writes.restart", await second.writes());
    await second.stopAndKeep();
  }
  await namespace.flush();
}

/** The same with a client that never stops asking: start, push, a scan, a reload of the whole file, the end. */
export async function measureAnswers(setting: Setting): Promise<void> {
  const { directory, files, family, namespace, samples } = setting;
  const copy = `${directory}/reloaded.routes`;
  await copyFile(files.krtd, copy);
  const krtd = await KrtdProcess.start(setting, configuration({ family, files: { ...files, krtd: copy } }));
  await krtd.routesRead();
  await measureWaits(setting, krtd, "push", krtd.inSync());
  expectAllRoutes(setting, "krtd, asked for its status");
  await measureWaits(setting, krtd, "scan", scanSeveral(setting, krtd));
  // One line more, in front of none: all others have to be found the same.
  const gateway = family === 4 ? "10.0.0.2" : "fd00::2";
  await appendFile(copy, `${family === 4 ? "198.18.0.0/30" : "fc00:1::/64"} via ${gateway}\n`);
  await measureWaits(setting, krtd, "reload", krtd.reload("bench"));
  samples.add("lag.loop-p99", (await krtd.status())["event-loop"]["lag-p99-ms"]);
  await measureWaits(setting, krtd, "end", krtd.stop(false));
  await until("an empty table", setting.limitMs, 100, () => namespace.routeCount(family) === 0);
}

/** One takes so little that a client asks forty times in it, of which no 99 % can be told. */
async function scanSeveral(setting: Setting, krtd: KrtdProcess): Promise<void> {
  for (let i = 0; i < SCANS_ASKED; i++) await scanOnce(setting, krtd);
}

/** How long the answers took that were asked for while `work` was done. */
async function measureWaits(
  setting: Setting,
  krtd: KrtdProcess,
  kind: string,
  work: Promise<unknown>,
): Promise<void> {
  let done = false;
  const ended = work.finally(() => {
    done = true;
  });
  // Whether it failed is seen at its end.
  ended.catch(() => {});
  const waits: number[] = [];
  while (!done) {
    const asked = performance.now();
    // At the very end nobody answers any more.
    const answered = await krtd.status().catch(() => null);
    if (answered !== null) waits.push(performance.now() - asked);
    await pause(POLL_MS);
  }
  await ended;
  if (waits.length === 0) return;
  setting.samples.add(`lag.${kind}-p99`, quantile(waits, 0.99)!);
  setting.samples.add(`lag.${kind}-max`, Math.max(...waits));
}

async function measureStart(setting: Setting, krtd: KrtdProcess, kind: "push" | "restart"): Promise<void> {
  const { samples } = setting;
  samples.add(`${kind}.krtd-read`, (await krtd.routesRead()) / 1000);
  samples.add(`${kind}.krtd-exec`, (await krtd.inSync()) / 1000);
  samples.add(`${kind}.krtd-cpu`, cpuSeconds(krtd.child.pid));
  expectAllRoutes(setting, "krtd");
}

/** Asks for one scan and waits for its end. */
export async function scanOnce({ limitMs }: Setting, krtd: KrtdProcess): Promise<void> {
  const { count } = (await krtd.kernel()).scan;
  await krtd.requestScan();
  await until("a scan", limitMs, 20, async () => {
    const { scan } = await krtd.kernel();
    return scan.count > count && scan.state === "idle";
  });
}

/** One more scan with nothing to do. */
async function measureScan(setting: Setting, krtd: KrtdProcess): Promise<void> {
  const { samples } = setting;
  const writes = await krtd.writes();
  const cpu = cpuSeconds(krtd.child.pid);
  await scanOnce(setting, krtd);
  samples.add("scan.krtd", ((await krtd.kernel()).scan["last-duration-ms"] ?? 0) / 1000);
  samples.add("scan.krtd-cpu", cpuSeconds(krtd.child.pid) - cpu);
  samples.add("writes.scan", (await krtd.writes()) - writes);
}

/** `krtctl show routes` of everything, to /dev/null. */
async function measureList({ samples, limitMs }: Setting, krtd: KrtdProcess): Promise<void> {
  const before = memory(krtd.child.pid).now;
  const list = start(krtd.listCommand());
  let least = 0;
  let client = 0;
  let server = 0;
  const watch = setInterval(() => {
    const { peak, now } = memory(list.pid);
    if (least === 0 && (performance.now() - list.startedAt) / 1000 > 0.1) least = now;
    client = Math.max(client, peak);
    server = Math.max(server, memory(krtd.child.pid).now - before);
  }, POLL_MS);
  try {
    const code = await within("krtctl show routes", list.exited, limitMs, list);
    if (code !== 0) throw new Error(`krtctl show routes ended with ${code}: ${list.stderr}`);
    samples.add("list.krtctl", (performance.now() - list.startedAt) / 1000);
    samples.add("list.client-peak", client);
    samples.add("list.client-growth", client - least);
    samples.add("list.server-growth", server);
  } finally {
    clearInterval(watch);
  }
}
