/** iproute2 as a peer: `ip -batch` pushes, `ip route show` lists. */

import { run } from "./children.ts";
import { expectAllRoutes, type Setting } from "./setting.ts";

/** Pushes all routes into the empty table, and takes them out again. */
export async function measureIpBatch(setting: Setting): Promise<void> {
  const { namespace, files, samples, limitMs } = setting;
  const { seconds } = await run(["ip", "-n", namespace.name, "-batch", files.ipBatch], limitMs);
  expectAllRoutes(setting, "ip -batch");
  samples.add("push.ip", seconds);
  await namespace.flush();
}

/** Lists the table as it is, to /dev/null. */
export async function measureIpShow({ namespace, family, samples, limitMs }: Setting): Promise<void> {
  const { seconds } = await run(["ip", `-${family}`, "-n", namespace.name, "route", "show"], limitMs);
  samples.add("list.ip", seconds);
}
