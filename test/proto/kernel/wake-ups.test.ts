/** What wakes a group of waiting routes is not spent on the one of them that happens to be tried. */

import { afterEach, describe, expect, it } from "vitest";
import { ENOBUFS } from "../../../src/lib/errno.ts";
import { type Fixture, fixture } from "./fixture.ts";

const [A, B, C] = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"] as const;
const NEAR = { nexthops: [{ via: "10.0.0.2" }] };
const FAR = { nexthops: [{ via: "10.9.0.2" }] };

let f: Fixture;
afterEach(() => f.protocol.stop({ keep: true }));

/** Three routes that wait for their gateway; C is the one that is tried. */
async function given(): Promise<void> {
  f = await fixture();
  for (const prefix of [A, B, C]) f.want(prefix, FAR);
  await f.start();
  expect(f.protocol.report().waiting).toBe(3);
  f.writes();
}

function gatewayComes(): void {
  const device = f.kernel.links.byName("v0")!.ifindex;
  expect(
    f.foreign({
      op: "add",
      prefix: "10.9.0.0/24",
      metric: 0,
      protocol: 4,
      nexthops: [{ gateway: null, device }],
    }),
  ).toBe(0);
}

const states = (): string[] => [A, B, C].map((prefix) => f.status(prefix).state);

describe("the others of a group come", () => {
  it.each([
    ["wants another gateway", () => f.want(C, NEAR), "synced"],
    ["is not wanted any more", () => f.unwant(C), "none"],
  ])("when the one to be tried %s before its turn", async (_why, change, state) => {
    await given();
    f.protocol.hold();
    gatewayComes();
    await f.clock.advance(100);
    change();
    f.protocol.release();
    await f.clock.advance(1000);
    expect(states().slice(0, 2)).toEqual(["synced", "synced"]);
    if (state !== "none") expect(states()[2]).toBe(state);
  });

  it("when the kernel has no room for the one that is tried", async () => {
    await given();
    f.os.faults.failNextWrite(ENOBUFS);
    gatewayComes();
    await f.clock.advance(1000);
    expect(states()).toEqual(["synced", "synced", "synced"]);
  });
});

it("a group of which one is yet to be sent is not tried once more", async () => {
  f = await fixture();
  const net = (i: number): string => `10.${100 + (i >> 8)}.${i & 255}.0/24`;
  const [nets, groups] = [10_000, 200];
  for (let i = 0; i < nets; i++) f.want(net(i), NEAR);
  for (let i = 0; i < groups * 16; i++) {
    f.want(`172.16.${i >> 8}.${i & 255}/32`, { nexthops: [{ via: `10.9.0.${i % groups}` }] });
  }
  await f.start();
  await f.clock.advance(1000);
  f.writes();
  for (let i = 0; i < nets; i++) f.unwant(net(i));
  await f.clock.advance(1000);
  const writes = f.writes();
  expect(writes.filter((write) => write.startsWith("delete"))).toHaveLength(nets);
  // Every route that is deleted may have hidden the one by which a gateway is reached; they come in ten batches.
  expect(writes.length - nets).toBeLessThanOrEqual(4 * groups);
});
