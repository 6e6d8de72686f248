/** How time and memory grow with the table: the same at four sizes, per route. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { memory } from "./children.ts";
import { scanOnce } from "./krtd.ts";
import { KrtdProcess } from "./krtd-process.ts";
import { writeRoutes } from "./routes.ts";
import { expectAllRoutes, type Setting } from "./setting.ts";

/** Of the routes asked for. The second is what the others are compared with: the first drowns in the cost of a start. */
export const GROWTH_FACTORS = [0.01, 0.1, 1, 2] as const;

export async function measureGrowth(setting: Setting): Promise<void> {
  const { namespace, samples, family } = setting;
  const directory = join(setting.directory, "growth");
  await mkdir(directory, { recursive: true });
  let before: { readonly routes: number; readonly bytes: number } | null = null;
  for (const factor of GROWTH_FACTORS) {
    const routes = Math.max(1, Math.round(setting.routes * factor));
    const files = await writeRoutes(directory, family, routes);
    const here: Setting = { ...setting, routes, files, limitMs: setting.limitMs * 2 };
    const krtd = await KrtdProcess.start(here);
    const read = await krtd.routesRead();
    const inSync = await krtd.inSync();
    expectAllRoutes(here, "krtd");
    await scanOnce(here, krtd);
    await scanOnce(here, krtd);
    const scanMs = (await krtd.kernel()).scan["last-duration-ms"] ?? 0;
    const bytes = memory(krtd.child.pid).now * 1e6;
    samples.add(`growth.push-${factor}`, ((inSync - read) * 1e3) / routes);
    samples.add(`growth.scan-${factor}`, (scanMs * 1e3) / routes);
    if (before !== null) {
      samples.add(`growth.memory-${factor}`, (bytes - before.bytes) / (routes - before.routes));
    }
    before = { routes, bytes };
    await krtd.stopAndKeep();
    await namespace.flush();
  }
}
