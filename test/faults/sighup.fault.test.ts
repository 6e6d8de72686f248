/** SIGHUP after SIGHUP while others change routes without end: the last configuration is what counts. */

import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import { startIpLoop } from "../support/ip-loop.ts";
import { fault } from "./support/fault.ts";
import { routeSet } from "./support/route-set.ts";

const SETS = [routeSet(1000), routeSet(1000, 1), routeSet(200)] as const;
const FILES = Object.assign({}, ...SETS.map(({ files }) => files)) as Readonly<Record<string, string>>;

fault("SIGHUP under churn", { short: 1, full: 30 }, async (world) => {
  const { random, ns, note } = world;
  await world.populate();
  const config = (set: (typeof SETS)[number], learn: boolean): string =>
    set.config({ kernel: { learn }, root: { safety: { "max-delete-percent": 100 } } });
  const krtd = await world.startSynced(config(SETS[0], true), { files: FILES });
  const churn = FAMILIES.flatMap(({ net, host, gateway, otherGateway }) => [
    ...Array.from({ length: 20 }, (_, i) => `route add ${net(300 + i)} via ${gateway} metric 9 proto 11`),
    `route replace ${host(2)} via ${otherGateway} metric 31 proto 12`,
    ...Array.from({ length: 20 }, (_, i) => `route del ${net(300 + i)} metric 9 proto 11`),
    `route del ${host(2)} metric 31 proto 12`,
  ]);
  /** As editors do it: the file is whole at any time. */
  const write = async (yaml: string): Promise<void> => {
    const next = join(krtd.directory, "krt.yaml.next");
    await writeFile(next, yaml);
    await rename(next, join(krtd.directory, "krt.yaml"));
  };
  let last = SETS[0];
  {
    await using _loop = await startIpLoop(ns, world.directory, churn);
    for (let i = random.between(10, 30); i > 0; i--) {
      last = random.pick(SETS);
      await write(config(last, random.chance(0.7)));
      krtd.signal("SIGHUP");
      const pauseMs = random.between(0, 80);
      note(`SIGHUP for ${last.wanted[4].length} routes, then ${pauseMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await write(config(last, true));
    krtd.signal("SIGHUP");
    note("the last SIGHUP");
  }
  for (const command of churn.filter((each) => each.startsWith("route del"))) await ns.tryIp(command);
  await world.check(krtd, last.wanted);
  expect((await krtd.status()).config).toMatchObject({ ok: true, error: null });
});
