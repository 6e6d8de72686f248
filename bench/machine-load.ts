/** What else the machine is doing. */

import { readFileSync } from "node:fs";
import { pause } from "./children.ts";

const LOOK_MS = 300;
/** Of all processors' time. Others may never let it come to rest: then the ratios have to do. */
const REST_SHARE = 0.05;
const LONGEST_MS = 10_000;

/** Resolves when hardly anybody works, the kernel included, or after ten seconds. */
export async function machineAtRest(): Promise<void> {
  const until = performance.now() + LONGEST_MS;
  for (let before = processorTimes(); performance.now() < until; ) {
    await pause(LOOK_MS);
    const now = processorTimes();
    if (now.busy - before.busy <= REST_SHARE * (now.all - before.all)) return;
    before = now;
  }
}

/** Of all processors since the start, in the kernel's ticks (proc_stat(5)). */
function processorTimes(): { readonly busy: number; readonly all: number } {
  const [line] = readFileSync("/proc/stat", "latin1").split("\n");
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = line!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + softIrq + steal;
  return { busy, all: busy + idle + ioWait };
}
