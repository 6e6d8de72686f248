/**
 * Runs a list of `ip` commands on the real kernel, in one process and in a network namespace that lives only
 * as long as that process (unshare), so nothing can be left behind and nothing outside can be touched.
 */

import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { openLinuxOs } from "../../src/sysdep/linux/index.ts";
import { waitFor } from "./netns.ts";
import { RouteEvents } from "./route-events.ts";

export interface RealRun {
  /** What `ip` printed to stderr for each command, "" on success. */
  readonly texts: readonly string[];
  /** What was notified meanwhile (RouteEvents.lines). */
  readonly events: readonly string[];
  /** The JSON of `ip -j -d route show table all` at the end. */
  readonly routes: string;
}

/** After these the kernel still has something to do: a new IPv6 address gets its local route from a work queue. */
const UNSETTLED = /^addr add|^link set \S+ up/;

/** Set and taken away at the end: when it is seen to go, everything before it was seen. Nobody's table. */
const MARKER = "blackhole 192.88.99.1/32 table 4294900000";

/**
 * Runs them all, failures included, and shows the routes at the end. `settleMs` > 0: waits that long after
 * commands whose effect the kernel finishes later. Needs root.
 */
export async function runReal(commands: readonly string[], settleMs = 0): Promise<RealRun> {
  const args = ["--net", "ip", "-j", "-d", "-force", "-batch", "-"];
  const child = spawn("unshare", args, { stdio: ["pipe", "pipe", "pipe"] });
  const output = Promise.all([collect(child.stdout), collect(child.stderr), ended(child)]);
  child.stdin.on("error", () => {});
  const netns = `/proc/${child.pid}/ns/net`;
  const own = readlinkSync("/proc/self/ns/net");
  await waitFor("unshare is in a namespace of its own", () => readlinkSync(netns) !== own, 5000, 1);
  const os = openLinuxOs({
    transport: "socket",
    rxBufferBytes: 8 << 20,
    attrs: new AttrsTable(),
    log: silentLog,
    netns,
  });
  try {
    await os.open();
    let markerGone = (): void => {};
    const allSeen = new Promise<void>((resolve) => {
      markerGone = resolve;
    });
    const events = new RouteEvents((text) => text.startsWith(MARKER), markerGone);
    await os.monitor(events);
    for (const command of commands) {
      child.stdin.write(`${command}\n`);
      if (settleMs > 0 && UNSETTLED.test(command))
        await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
    child.stdin.end(`route add ${MARKER}\nroute del ${MARKER}\nroute show table all\n`);
    const [stdout, stderr] = await output;
    await allSeen;
    return { texts: errorsByLine(stderr, commands.length), events: events.lines(), routes: stdout };
  } finally {
    child.stdin.end();
    await os.close();
  }
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}

/** `ip` prints what went wrong, then "Command failed -:LINE". */
function errorsByLine(stderr: string, count: number): string[] {
  const texts = new Array<string>(count).fill("");
  let pending: string[] = [];
  for (const line of stderr.split("\n")) {
    const failed = /^Command failed -:(\d+)$/.exec(line);
    if (failed === null) {
      if (line !== "") pending.push(line);
      continue;
    }
    texts[Number(failed[1]) - 1] = pending.join(" / ");
    pending = [];
  }
  if (pending.length > 0) throw new Error(`Cannot run ip -batch: ${pending.join(" / ")}`);
  return texts;
}
