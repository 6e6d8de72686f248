/** Filters may ask for the names of devices: when interfaces come or change their names, all is judged again. */

import { expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import type { ChannelStats } from "../../src/nest/channel.ts";
import { modelIp } from "../support/model-ip.ts";
import { type ModelDaemon, startDaemon } from "./fixture.ts";

const ROUTES = 2000;
const LINKS = 40;
const net = (i: number): string => `10.${100 + (i >> 8)}.${i & 255}.0/24`;

const CONFIG: KrtInput = {
  filters: { named: [{ match: { dev: "dummy*" }, action: "reject" }, { action: "accept" }] },
  kernel: { k4: { table: "master4", learn: true, import: "named", export: "named", "scan-time": 0 } },
  static: {
    s: {
      table: "master4",
      import: "named",
      routes: Array.from({ length: ROUTES }, (_, i) => ({ prefix: net(i), via: "10.0.0.2" })),
    },
  },
};

const statsOf = ({ daemon }: ModelDaemon, name: string): ChannelStats =>
  daemon.backend.protocols().find(({ protocol }) => protocol.name === name)!.protocol.channels[0]!.stats;

it("many interfaces that come at once cost no more than a few of them", async () => {
  const foreign = Array.from(
    { length: ROUTES },
    (_, i) => `route add ${net(i)} via 10.1.0.9 metric 7 proto 12`,
  );
  await using d = await startDaemon(CONFIG, { before: foreign });
  const told = (): number[] => {
    const [k4, s] = [statsOf(d, "k4"), statsOf(d, "s")];
    return [k4.exportUpdates.received, k4.importUpdates.received, s.importUpdates.received];
  };
  const before = told();
  for (let i = 0; i < LINKS; i++) modelIp(d.kernel, `link add dummy${i} type ifb`);
  await d.synced();
  const rounds = told().map((count, i) => (count - before[i]!) / ROUTES);
  for (const count of rounds) {
    expect(count).toBeGreaterThanOrEqual(1);
    expect(count).toBeLessThanOrEqual(6);
  }
});
