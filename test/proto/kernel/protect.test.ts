/** safety.protect: nothing is deleted or replaced at a protected prefix, whatever the reason. */

import { afterEach, describe, expect, it } from "vitest";
import { type Fixture, fixture, ip, OWN, prefixOf, safety } from "./fixture.ts";

const FAMILIES = [
  { family: 4, net: "10.1.0.0/16", other: "10.2.0.0/16", hop: "10.0.0.2", next: "10.0.0.3" },
  {
    family: 6,
    net: "2001:db8:a::/48",
    other: "2001:db8:b::/48",
    hop: "2001:db8:0:1::2",
    next: "2001:db8:0:1::3",
  },
] as const;

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

describe.each(FAMILIES)("safety.protect in IPv$family", ({ family, net, other, hop, next }) => {
  const via = (gateway: string) => ({ nexthops: [{ via: gateway }] });
  const kernelVia = (gateway: string) => [{ gateway: ip(gateway), device: 0 }];
  const PROTECTED = safety([net]);
  const ours = (gateway: string, metric = 32, protocol = OWN) =>
    f.foreign({ op: "add", prefix: net, protocol, metric, nexthops: kernelVia(gateway) });
  const begin = async (more: Parameters<typeof fixture>[0] = {}): Promise<void> => {
    f = await fixture({ family, safety: PROTECTED, ...more });
  };
  /** The routes stand in the kernel as they did, nothing was sent, and that is so for good. */
  const untouched = async (before: readonly string[]): Promise<void> => {
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toEqual(before);
    const scans = f.protocol.report().scan.count;
    await f.scan();
    await f.clock.advance(30_000);
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toEqual(before);
    expect(f.protocol.report().scan.count, "it does not look again and again").toBe(scans + 1);
    const lines = f.logged.length;
    await f.scan();
    expect(f.logged.length, "nor speak of it at each scan").toBe(lines);
  };
  const verdicts = async (): Promise<string[]> => {
    const found: string[] = [];
    await f.protocol.dump((route) => {
      if (route.class === "ours") found.push(route.verdict);
    });
    return found;
  };

  it("lets routes be added where the key is free, and others be deleted and replaced", async () => {
    await begin();
    f.want(net, via(hop));
    f.want(other, via(hop));
    await f.start();
    expect(f.writes()).toHaveLength(2);
    f.want(other, via(next));
    await f.clock.advance(100);
    f.unwant(other);
    await f.clock.advance(100);
    expect(f.writes()).toHaveLength(2);
    expect(f.shown()).toHaveLength(1);
    expect(f.status(net).state).toBe("synced");
  });

  it("keeps a route that is not wanted any more, and adds again when it is deleted by somebody", async () => {
    await begin();
    f.want(net, via(hop));
    await f.start();
    f.writes();
    const before = f.shown();
    f.unwant(net);
    await untouched(before);
    expect(await verdicts()).toEqual(["protected"]);
    f.want(net, via(hop));
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    expect(f.status(net).state).toBe("synced");
    f.foreign({ op: "delete", prefix: net, protocol: OWN, metric: 32, nexthops: kernelVia(hop) });
    await f.clock.advance(500);
    expect(f.writes()).toEqual([`add ${net} metric 32`]);
  });

  it("keeps the old content of a route that changes, says so, and lets go when that is wanted again", async () => {
    await begin();
    f.want(net, via(hop));
    await f.start();
    f.writes();
    const before = f.shown();
    f.want(net, via(next));
    await untouched(before);
    expect(f.status(net)).toMatchObject({ state: "failed", errno: null });
    expect(f.status(net).message).toMatch(/what stands .* is kept by safety\.protect/);
    expect(f.protocol.report()).toMatchObject({ failed: 1, waiting: 0 });
    f.want(net, via(hop));
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    expect(f.status(net)).toMatchObject({ state: "synced", message: null });
    expect(f.protocol.report().failed).toBe(0);
  });

  it.each([
    { what: "of another metric that nobody wants", metric: 77, protocol: OWN },
    { what: "that nobody wants", metric: 32, protocol: OWN },
    { what: "of a former number", metric: 32, protocol: 99 },
  ])("keeps what it finds at the start $what", async ({ metric, protocol }) => {
    await begin({ former: [99] });
    ours(hop, metric, protocol);
    const before = f.shown();
    await f.start();
    await untouched(before);
    expect(await verdicts()).toEqual(["protected"]);
  });

  it("keeps what it finds at the start with other content than wanted", async () => {
    await begin();
    ours(next);
    f.want(net, via(hop));
    const before = f.shown();
    await f.start();
    await untouched(before);
    expect(f.status(net).state).toBe("failed");
    expect(await verdicts()).toEqual(["protected"]);
    f.want(net, via(next));
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    expect(f.status(net).state).toBe("synced");
  });

  it("keeps the old key when the metric changes, beside the new one", async () => {
    await begin();
    f.want(net, via(hop), 50);
    await f.start();
    f.writes();
    f.want(net, via(hop), 60);
    await f.clock.advance(500);
    expect(f.writes()).toEqual([`add ${net} metric 60`]);
    const before = f.shown();
    expect(before).toHaveLength(2);
    await untouched(before);
    expect(f.status(net).state).toBe("synced");
    f.unwant(net);
    await untouched(before);
  });

  it("does not repair what somebody changed, nor fight over it", async () => {
    await begin();
    f.want(net, via(hop));
    await f.start();
    f.writes();
    f.foreign({ op: "replace", prefix: net, protocol: OWN, metric: 32, nexthops: kernelVia(next) });
    const before = f.shown();
    await untouched(before);
    expect(f.status(net)).toMatchObject({ state: "failed" });
    expect(f.protocol.drift.map(({ kind, reaction }) => [kind, reaction])).toEqual([["changed", "left"]]);
  });

  it("sees at once that somebody has put right what it must not", async () => {
    await begin();
    f.want(net, via(hop));
    await f.start();
    f.writes();
    for (const [gateway, state] of [
      [next, "failed"],
      [hop, "synced"],
    ] as const) {
      f.foreign({ op: "replace", prefix: net, protocol: OWN, metric: 32, nexthops: kernelVia(gateway) });
      await f.clock.advance(500);
      expect(f.status(net).state).toBe(state);
    }
    expect(f.status(net).message).toBeNull();
    expect(f.protocol.report().failed).toBe(0);
    await untouched(f.shown());
  });

  it("leaves redirects", async () => {
    await begin();
    await f.start();
    f.foreign({ op: "add", prefix: net, protocol: 1, metric: 0, nexthops: kernelVia(hop) });
    const before = f.shown();
    await untouched(before);
  });

  it("keeps its own at the stop, without trying again, and deletes the others", async () => {
    await begin();
    f.want(net, via(hop));
    f.want(other, via(hop));
    await f.start();
    f.writes();
    await f.protocol.stop({ keep: false });
    expect(f.writes()).toEqual([`delete ${other} metric 32`]);
    expect(f.shown()).toHaveLength(1);
    const left = f.logged.filter(({ message }) => message.includes("routes"));
    expect(left.map(({ level, message }) => [level, message])).toEqual([
      ["info", "protected routes stay in the kernel"],
    ]);
  });

  it("writes what it was kept from when the list changes", async () => {
    await begin();
    f.want(net, via(hop));
    f.want(other, via(hop));
    await f.start();
    f.writes();
    f.want(net, via(next));
    f.unwant(other);
    await f.clock.advance(500);
    expect(f.writes()).toEqual([`delete ${other} metric 32`]);
    await f.protocol.rails.configure(safety([other]));
    await f.clock.advance(500);
    expect(f.writes().at(-1)).toMatch(new RegExp(`^(replace|add) ${net} metric 32$`));
    expect(f.status(net).state).toBe("synced");
    await f.protocol.rails.configure(PROTECTED);
    f.unwant(net);
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    await f.protocol.rails.configure(safety());
    await f.clock.advance(500);
    expect(f.writes()).toEqual([`delete ${net} metric 32`]);
  });

  it("deletes nothing that was on its way when the list changed", async () => {
    await begin({ safety: safety() });
    f.want(net, via(hop));
    await f.start();
    f.writes();
    f.protocol.hold();
    f.unwant(net);
    await f.protocol.rails.configure(PROTECTED);
    f.protocol.release();
    await f.clock.advance(500);
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toHaveLength(1);
  });

  it("forgets a kept route that somebody deletes", async () => {
    await begin();
    f.want(net, via(hop));
    await f.start();
    f.unwant(net);
    await f.clock.advance(100);
    const { w0, w1, w2, w3, length } = prefixOf(net);
    expect(f.table.fib.find(w0, w1, w2, w3, length)).not.toBe(0);
    f.foreign({ op: "delete", prefix: net, protocol: OWN, metric: 32, nexthops: kernelVia(hop) });
    await f.clock.advance(500);
    expect(f.table.fib.find(w0, w1, w2, w3, length)).toBe(0);
  });
});

describe("safety.protect in IPv4", () => {
  it("keeps both of two routes of ours at one key", async () => {
    f = await fixture({ safety: safety(["10.1.0.0/16"]) });
    for (const gateway of ["10.0.0.2", "10.0.0.3"]) {
      f.foreign({
        op: "append",
        prefix: "10.1.0.0/16",
        protocol: OWN,
        metric: 32,
        nexthops: [{ gateway: ip(gateway), device: 0 }],
      });
    }
    f.want("10.1.0.0/16", { nexthops: [{ via: "10.0.0.2" }] });
    await f.start();
    await f.clock.advance(30_000);
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toHaveLength(2);
    expect(f.status("10.1.0.0/16").state).toBe("synced");
  });
});

it("safety.protect lets go of nexthops of ours that an IPv6 route got while it was protected", async () => {
  const net = "2001:db8:a::/48";
  const [hop, next] = ["2001:db8:0:1::2", "2001:db8:0:1::3"];
  f = await fixture({ family: 6, safety: safety([net]) });
  f.want(net, { nexthops: [{ via: hop }] });
  await f.start();
  const before = f.shown();
  f.writes();
  const nexthops = [{ gateway: ip(next), device: 0 }];
  f.foreign({ op: "append", prefix: net, protocol: OWN, metric: 32, nexthops });
  await f.clock.advance(1000);
  expect(f.status(net).state).toBe("failed");
  expect(f.writes()).toEqual([]);
  await f.protocol.rails.configure(safety());
  await f.clock.advance(1000);
  expect(f.status(net).state).toBe("synced");
  expect(f.shown()).toEqual(before);
});
