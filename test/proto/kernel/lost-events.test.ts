/** What was believed of the table before notifications were lost is no licence to replace anything there. */

import { afterEach, describe, expect, it } from "vitest";
import { type Fixture, fixture, ip, OWN } from "./fixture.ts";

let f: Fixture;
afterEach(() => f.protocol.stop({ keep: false }));

describe.each([
  { family: 4 as const, net: "10.1.0.0/16", gateways: ["10.0.0.2", "10.0.0.3", "10.0.0.8"] as const },
  {
    family: 6 as const,
    net: "2001:db8:1::/48",
    gateways: ["2001:db8:0:1::2", "2001:db8:0:1::3", "2001:db8:0:1::8"] as const,
  },
])("IPv$family: when notifications are lost", ({ family, net, gateways }) => {
  const hop = (i: 0 | 1 | 2) => ({
    gateway: ip(gateways[i]),
    device: f.kernel.links.byName("v0")!.ifindex,
    weight: 1,
    onlink: false,
  });
  const wanted = (i: 0 | 1) => ({ nexthops: [{ via: gateways[i] }] });
  const others = (): string[] => f.shown().filter((line) => !line.includes(`proto ${OWN}`));

  async function given(): Promise<void> {
    f = await fixture({ family });
    f.want(net, wanted(0));
    await f.start();
    f.writes();
  }

  it("a change of a route of ours hits no foreign one that came before it unheard", async () => {
    await given();
    const op = family === 4 ? ("prepend" as const) : ("append" as const);
    f.foreign({ op, prefix: net, metric: 32, protocol: 4, nexthops: [hop(2)] });
    const before = others();
    f.os.loseEvents();
    f.want(net, wanted(1));
    await f.clock.advance(2000);
    expect(f.writes().filter((write) => write.startsWith("replace"))).toEqual([]);
    if (family === 4) expect(others()).toEqual(before);
    else expect(others().join()).toContain("proto 4 ");
  });

  it("and once a scan has looked, and all that waited is told, a change is one replacement again", async () => {
    await given();
    f.os.loseEvents();
    await f.clock.advance(1000);
    f.protocol.eventsHeard();
    expect([f.writes(), f.status(net).state]).toEqual([[], "synced"]);
    f.want(net, wanted(1));
    await f.clock.advance(100);
    expect(f.writes()).toEqual([`replace ${net} metric 32`]);
  });

  it("what is wanted as before is not written", async () => {
    await given();
    f.os.loseEvents();
    f.want(net, wanted(1));
    f.want(net, wanted(0));
    await f.clock.advance(2000);
    expect([f.writes(), f.status(net).state]).toEqual([[], "synced"]);
  });

  it("no scan begins before everything can be heard again", async () => {
    await given();
    const { count } = f.protocol.report().scan;
    f.protocol.eventsLost();
    expect(await f.scan()).toBe(false);
    await f.clock.advance(5000);
    expect(f.protocol.report().scan.count).toBe(count);
    expect(await f.protocol.resync()).toBe(true);
    expect(f.protocol.report().scan.count).toBe(count + 1);
  });

  it("nor does one that waits for writes under way", async () => {
    await given();
    const { count } = f.protocol.report().scan;
    const write = f.os.writeRoutes.bind(f.os);
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    f.os.writeRoutes = async (batch) => {
      await answered;
      return write(batch);
    };
    f.want(net, wanted(1));
    await f.clock.advance(0);
    const scanned = f.protocol.scan();
    await f.clock.advance(0);
    f.protocol.eventsLost();
    answer();
    expect(await scanned).toBe(false);
    expect(f.protocol.report().scan.count).toBe(count);
    expect(await f.protocol.resync()).toBe(true);
  });
});
