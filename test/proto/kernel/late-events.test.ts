/** Events and changes of learning that come at awkward moments. */

import { afterEach, describe, expect, it } from "vitest";
import { ACCEPT_ALL } from "../../../src/nest/filter.ts";
import type { KernelConfig } from "../../../src/proto/kernel/config.ts";
import { RouteFlyweight } from "../../../src/sysdep/model/kernel-route.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip } from "./fixture.ts";

let f: Fixture | null = null;
afterEach(async () => {
  await f?.protocol.stop({ keep: true });
  f = null;
});

const NET = "10.1.0.0/16";
const hop = (gateway: string, device = 0) => ({ gateway: ip(gateway), device });
const VIA = { nexthops: [{ via: "10.0.0.2" }] };

function configOf(more: Partial<KernelConfig> = {}): KernelConfig {
  return {
    name: "k",
    table: "t",
    kernelTable: 254,
    kernelTableName: null,
    scanTimeMs: 0,
    metric: 32,
    learn: false,
    persist: false,
    import: ACCEPT_ALL,
    export: ACCEPT_ALL,
    mergePaths: 1,
    netns: null,
    ...more,
  };
}

describe("an event older than our last write", () => {
  it("'gone' that is read after a scan has put the route back, as it comes to be unwanted: nothing is left", async () => {
    f = await fixture();
    f.want(NET, VIA);
    await f.start();
    // The notification is on its way: somebody deleted the route; a scan was quicker.
    const view = f.kernel.routes(4, 254).find(({ protocol }) => protocol === 120)!;
    f.os.faults.duringScan(1, () => {});
    const deliver = f.protocol.routeEvent.bind(f.protocol);
    let late: (() => void) | null = null;
    f.protocol.routeEvent = (_route, change, port) => {
      late = () => deliver(new RouteFlyweight().show(view), change, port);
    };
    f.foreign({ op: "delete", prefix: NET, metric: 32, protocol: 120 });
    await settle();
    await f.scan();
    expect(f.shown()).toHaveLength(1);
    // One turn: the operator withdraws the route, then the event is read.
    f.unwant(NET);
    late!();
    await settle();
    await f.clock.advance(60_000);
    expect(f.shown()).toEqual([]);
  });
});

describe("learned routes", () => {
  it("learning that is switched off while a scan runs leaves no reference behind", async () => {
    f = await fixture({ learn: true });
    for (let i = 0; i < 200; i++)
      f.foreign({
        op: "add",
        prefix: `10.3.${i}.0/24`,
        metric: 5,
        protocol: 4,
        nexthops: [hop(`10.0.0.${(i % 100) + 2}`)],
      });
    await f.start();
    expect(f.protocol.report().learned).toBe(200);
    const g = f;
    let done: Promise<void> = Promise.resolve();
    f.os.faults.duringScan(70, () => {
      done = g.protocol.reconfigure(configOf({ learn: false }), { soft: false });
    });
    await f.scan();
    await done;
    await f.clock.advance(10_000);
    await f.protocol.stop({ keep: false });
    expect(f.attrs.size).toBe(0);
  });

  it("learning that is switched on while a scan runs", async () => {
    f = await fixture({ learn: false });
    for (let i = 0; i < 200; i++)
      f.foreign({
        op: "add",
        prefix: `10.3.${i}.0/24`,
        metric: 5,
        protocol: 4,
        nexthops: [hop(`10.0.0.${(i % 100) + 2}`)],
      });
    await f.start();
    const g = f;
    let done: Promise<void> = Promise.resolve();
    f.os.faults.duringScan(70, () => {
      done = g.protocol.reconfigure(configOf({ learn: true }), { soft: false });
    });
    await f.scan();
    await done;
    await f.clock.advance(10_000);
    expect(f.protocol.report().learned).toBe(200);
    await f.protocol.stop({ keep: false });
    expect(f.attrs.size).toBe(0);
  });
});

describe("a notification that is read after the scan that saw what came later", () => {
  it("learning that is switched off while a scan runs withdraws all that was learned", async () => {
    f = await fixture({ learn: true });
    f.foreign({ op: "add", prefix: NET, metric: 5, protocol: 4, nexthops: [hop("10.0.0.9")] });
    await f.start();
    const g = f;
    let done: Promise<void> = Promise.resolve();
    f.os.faults.duringScan(1, () => {
      done = g.protocol.reconfigure(configOf({ learn: false }), { soft: false });
    });
    await f.scan();
    await done;
    await f.clock.advance(60_000);
    expect(f.table.routeCount).toBe(0);
  });
});
