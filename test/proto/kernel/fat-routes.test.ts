/** Fat routes, behind which dumps end, that lose nexthops or go in silence. */

import { afterEach, expect, it } from "vitest";
import { type Fixture, fixture, ip } from "./fixture.ts";

let f: Fixture;
afterEach(() => f.protocol.stop({ keep: false }));
const hop = (gateway: string) => ({
  gateway: ip(gateway),
  device: f.kernel.links.byName("v0")!.ifindex,
  weight: 1,
  onlink: false,
});
const learned = (): number => f.protocol.report().learned;

it("IPv6: a fat route that loses one nexthop is still fat: what is behind is not withdrawn", async () => {
  f = await fixture({ family: 6, learn: true, kernelTable: 100 });
  const gw = (i: number) => `2001:db8:0:1::${(i + 2).toString(16)}`;
  const add = (prefix: string, protocol: number, count: number, metric: number): void => {
    expect(
      f.foreign({
        op: "add",
        table: 100,
        prefix,
        metric,
        protocol,
        nexthops: Array.from({ length: count }, (_, i) => hop(gw(i))),
      }),
    ).toBe(0);
  };
  add("2001:db8:100::/40", 12, 1, 1);
  add("2001:db8:9000::/40", 12, 1, 1);
  await f.start();
  expect(learned()).toBe(2);
  add("2001:db8:5000::/40", 12, 1200, 20);
  for (let i = 0; i < 3; i++) await f.scan();
  expect(learned()).toBe(3);
  expect(
    f.foreign({
      op: "delete",
      table: 100,
      prefix: "2001:db8:5000::/40",
      metric: 20,
      protocol: 12,
      nexthops: [hop(gw(5))],
    }),
  ).toBe(0);
  await f.clock.advance(1000);
  for (let i = 0; i < 3; i++) await f.scan();
  await f.clock.advance(30_000);
  expect(learned()).toBe(3);
});

it("IPv4: a fat route that goes with its nexthop object, silently, does not hold the alarm for ever", async () => {
  f = await fixture({ family: 4, learn: true });
  const add = (prefix: string, count: number, metric: number): void => {
    expect(
      f.foreign({
        op: "add",
        prefix,
        metric,
        protocol: 12,
        nexthops: Array.from({ length: count }, (_, i) => hop(`10.0.0.${2 + (i % 250)}`)),
      }),
    ).toBe(0);
  };
  add("10.7.0.0/16", 1, 1);
  await f.start();
  add("10.50.0.0/16", 2100, 20);
  for (let i = 0; i < 3; i++) await f.scan();
  // The kernel flushes IPv4 routes of a nexthop object without RTM_DELROUTE; it tells RTM_DELNEXTHOP alone.
  const feed = f.protocol.routeEvent;
  f.protocol.routeEvent = () => {};
  expect(f.foreign({ op: "delete", prefix: "10.50.0.0/16", metric: 20, protocol: 12, nexthops: [] })).toBe(0);
  await f.clock.advance(0);
  f.protocol.routeEvent = feed;
  f.protocol.nexthopGone();
  await f.clock.advance(120_000);
  const { scan } = f.protocol.report();
  expect([f.protocol.inSync, scan.lastProblem, learned()]).toEqual([true, null, 1]);
});

it.each([
  ["of another type of service", { tos: 16 }],
  ["of a lower metric", { metric: 10 }],
  ["of another protocol", { protocol: 11 }],
  ["of the same protocol", {}],
] as const)("IPv4: a fat route is known although a route %s comes and goes beside it", async (_why, more) => {
  f = await fixture({ family: 4, learn: true });
  const one = { metric: 20, protocol: 12 } as const;
  const add = (prefix: string, count = 1, other: object = {}): void => {
    const nexthops = Array.from({ length: count }, (_, i) => hop(`10.0.0.${3 + (i % 250)}`));
    expect(f.foreign({ ...one, op: "append", prefix, nexthops, ...other })).toBe(0);
  };
  const remove = (prefix: string, other: object = {}): void => {
    expect(f.foreign({ ...one, op: "delete", prefix, ...other })).toBe(0);
  };
  const scanned = async (): Promise<unknown> => {
    for (let i = 0; i < 3; i++) await f.scan();
    return [learned(), f.protocol.report().scan.lastProblem];
  };
  const cut = [3, expect.stringContaining("ended early")];
  const fat = "10.50.0.0/16";
  add("10.7.0.0/16");
  add("10.77.0.0/16");
  await f.start();
  add(fat, 2100);
  expect(await scanned()).toEqual(cut);
  const beside = { ...more, nexthops: [hop("10.0.0.2")] };
  add(fat, 1, beside);
  // Another one is the last of the table now: that it is behind a fat route has to be remembered.
  remove("10.77.0.0/16");
  add("10.76.0.0/16");
  expect(await scanned()).toEqual(cut);
  remove(fat, beside);
  remove("10.76.0.0/16");
  add("10.75.0.0/16");
  expect(await scanned()).toEqual(cut);
  remove(fat);
  expect(await scanned()).toEqual([2, null]);
});
