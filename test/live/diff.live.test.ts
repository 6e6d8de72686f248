/**
 * diff on the real kernel: silent while all is as wanted, one record for whatever is not, and nothing for what is
 * somebody else's. With --observe it is the list of what krtd would do.
 */

import { describe, expect, it } from "vitest";
import type { DiffJson } from "../../src/control/explain-json.ts";
import { configOf, FAMILIES } from "../support/families.ts";
import { ask } from "../support/http-unix.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, waitFor } from "../support/netns.ts";

async function diff(krtd: RunningKrtd): Promise<DiffJson[]> {
  const { status, text } = await ask(krtd.socket, "/v1/diff");
  expect(status, text).toBe(200);
  return JSON.parse(text) as DiffJson[];
}

const lines = (list: readonly DiffJson[]): string[] =>
  list.map(({ op, dst, kernel, wanted }) => `${op} ${dst} ${(kernel ?? wanted)?.metric}`).sort();

describe.each(FAMILIES)("IPv$family: diff", (it6) => {
  const { family, flag, gateway, otherGateway, farGateway, farAddress, net } = it6;

  it("is empty when the kernel is as wanted, whatever others have there", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${net(1)} via ${otherGateway} metric 5 proto static`);
    await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 5 proto zebra`);
    const routes = [
      { prefix: net(1), via: gateway },
      { prefix: net(3), nexthops: [{ via: gateway }, { via: otherGateway, weight: 3 }] },
      { prefix: net(4), type: "blackhole" as const },
      { prefix: net(5), dev: "v0", mtu: 1400 },
    ];
    await using krtd = await startSynced(ns, configOf(it6, routes, { kernel: { learn: true } }));
    expect(await diff(krtd)).toEqual([]);
    const { code, stdout } = await krtd.ctl("diff");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "no difference\n" });
  });

  it("tells what waits and what a rival keeps out, until they come; krtctl exits with 5", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 32 proto static`);
    const routes = [
      { prefix: net(1), via: farGateway },
      { prefix: net(2), via: gateway },
      { prefix: net(3), via: gateway },
    ];
    await using krtd = await startSynced(ns, configOf(it6, routes));
    const list = await diff(krtd);
    expect(lines(list)).toEqual([`add ${net(1)} 32`, `add ${net(2)} 32`]);
    const reasons = new Map(list.map(({ dst, reason }) => [dst, reason]));
    expect(reasons.get(net(1))).toContain("tried again when an interface, an address or a route changes");
    expect(reasons.get(net(2))).toContain(`Key held by unicast ${net(2)} proto static metric 32`);
    expect((await krtd.ctl("diff")).code).toBe(5);

    await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
    await ns.ip(`${flag} route del ${net(2)} metric 32 proto static`);
    await waitFor("nothing differs", async () => (await diff(krtd)).length === 0, 3000);
    expect((await krtd.ctl("diff")).code).toBe(0);
  });

  it("is what krtd would do while it observes, and is done without it", async () => {
    await using ns = await createTopology();
    await ns.batch([
      `route add ${net(2)} via ${otherGateway} metric 32 proto 120`,
      `route add ${net(3)} via ${gateway} metric 50 proto 120`,
      `route add ${net(4)} via ${gateway} metric 32 proto 120`,
      `route add ${net(5)} via ${gateway} metric 32 proto 120`,
    ]);
    const routes = [1, 2, 3, 5].map((i) => ({ prefix: net(i), via: gateway }));
    const config = configOf(it6, routes);
    {
      await using krtd = await startSynced(ns, config, { args: ["--observe"] });
      const list = await diff(krtd);
      expect(lines(list)).toEqual(
        [
          `add ${net(1)} 32`,
          `replace ${net(2)} 32`,
          `add ${net(3)} 32`,
          `delete ${net(3)} 50`,
          `delete ${net(4)} 32`,
        ].sort(),
      );
      expect(list.find(({ op }) => op === "replace")?.reason).toContain(
        `via ${otherGateway} instead of via ${gateway}`,
      );
    }
    await using krtd = await startSynced(ns, config);
    expect(await diff(krtd)).toEqual([]);
  });
});
