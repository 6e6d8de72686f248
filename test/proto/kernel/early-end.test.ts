/**
 * A foreign route too fat for a frame ends every dump of its table as if nothing came behind it: own routes are kept as
 * they should be all the same, nothing learned is withdrawn, and krtd says what is wrong.
 */

import { afterEach, describe, expect, it } from "vitest";
import { type Fixture, fixture, ip, OWN } from "./fixture.ts";

let f: Fixture;
afterEach(() => f.protocol.stop({ keep: false }));

const BIRD = 12;
const ZEBRA = 11;

describe.each([
  {
    family: 4 as const,
    hops: 2100,
    gateway: (i: number) => `10.0.0.${2 + (i % 250)}`,
    own: (n: number) => `10.${n}.0.0/16`,
    fat: "10.50.0.0/15",
    alien: (n: number) => `10.${n}.0.0/17`,
    before: "10.50.0.0/16",
  },
  {
    family: 6 as const,
    hops: 1200,
    gateway: (i: number) => `2001:db8:0:1::${(i + 2).toString(16)}`,
    own: (n: number) => `2001:db8:${n}00::/40`,
    fat: "2001:db8:50c0::/42",
    alien: (n: number) => `2001:db8:${n}80::/41`,
    before: "2001:db8:4900::/40",
  },
])("IPv$family", ({ family, hops, gateway, own, fat, alien, before }) => {
  const VIA = { nexthops: [{ via: gateway(1) }] };
  const add = (prefix: string, protocol: number, count: number, metric = 20): void => {
    const nexthops = Array.from({ length: count }, (_, i) => ({
      gateway: ip(gateway(i)),
      device: f.kernel.links.byName("v0")!.ifindex,
      weight: 1,
      onlink: false,
    }));
    expect(f.foreign({ op: "add", prefix, metric, protocol, nexthops })).toBe(0);
  };
  const remove = (prefix: string, protocol: number): void => {
    const nexthops = family === 4 ? [] : undefined;
    for (
      let i = 0;
      f.foreign({ op: "delete", prefix, metric: 20, protocol, nexthops: nexthops ?? [] }) === 0;
      i++
    ) {
      expect(i).toBeLessThan(hops + 1);
    }
  };
  const learned = (): number => f.protocol.report().learned;
  const problem = (): string => f.protocol.report().scan.lastProblem ?? "";

  /** Ten routes of ours and ten alien ones, half of them behind where the fat one is to be; they may be silent. */
  async function given(options: Parameters<typeof fixture>[0] = {}, aliens = BIRD): Promise<void> {
    f = await fixture({ family, learn: true, ...options });
    for (let n = 45; n < 55; n++) {
      f.want(own(n), VIA);
      add(alien(n), aliens, 1);
    }
  }

  /** Nobody tells of it, as to a krtd that was not listening. */
  async function silently(act: () => void): Promise<void> {
    act();
    f.os.loseEvents();
    await f.clock.advance(1000);
  }

  const settled = async (): Promise<void> => {
    await f.clock.advance(30_000);
    expect([f.protocol.inSync, problem()]).toEqual([true, ""]);
  };

  it.each([
    ["by another protocol, told by an event", ZEBRA, false],
    ["by another protocol, silently", ZEBRA, true],
    ["by the protocol that is learned, told by an event", BIRD, false],
  ])("a fat route %s changes nothing", async (_why, protocol, silent) => {
    await given();
    await f.start();
    f.writes();
    const all = silent ? 10 : 11;
    if (silent) await silently(() => add(fat, protocol, hops));
    else add(fat, protocol, hops);
    for (let i = 0; i < 5; i++) expect(await f.scan()).toBe(false);
    expect([f.writes(), learned()]).toEqual([[], all]);
    expect(problem()).toContain(`ended early, after ${before}`);
    expect(f.protocol.inSync).toBe(false);
    const said = f.logged.filter(({ message }) => message.includes("whole table"));
    expect(said.map(({ level }) => level)).toEqual(["error"]);
    remove(fat, protocol);
    await settled();
    expect([f.writes(), learned()]).toEqual([[], 10]);
    expect(f.protocol.drift).toEqual([]);
  });

  it("routes of ours behind it are put right, those nobody wants are removed, nothing is replaced in place", async () => {
    await given();
    await f.start();
    await silently(() => add(fat, ZEBRA, hops));
    f.writes();
    await silently(() => {
      f.foreign({ op: "delete", prefix: own(53), metric: 32, protocol: OWN, nexthops: [] });
      f.foreign({ op: "add", prefix: own(60), metric: 32, protocol: OWN, type: 7 });
      f.foreign({ op: "delete", prefix: own(54), metric: 32, protocol: OWN, nexthops: [] });
      f.foreign({ op: "add", prefix: own(54), metric: 32, protocol: OWN, type: 7 });
    });
    await f.clock.advance(5000);
    const writes = f.writes();
    expect(writes.filter((write) => write.includes(own(53)))).toEqual([`add ${own(53)} metric 32`]);
    expect(writes.filter((write) => write.includes(own(60)))).toEqual([`delete ${own(60)} metric 32`]);
    expect(writes.filter((write) => write.includes(own(54)))).toEqual([
      `delete ${own(54)} metric 32`,
      `add ${own(54)} metric 32`,
    ]);
    expect(writes).toHaveLength(4);
    expect(problem()).toContain("ended early");
    f.want(own(52), { nexthops: [{ via: gateway(2) }] });
    await f.clock.advance(100);
    expect(f.writes()).toEqual([`delete ${own(52)} metric 32`, `add ${own(52)} metric 32`]);
    expect(f.status(own(52)).state).toBe("synced");
  });

  it("a start adopts what is behind it, and writes nothing", async () => {
    await given();
    await f.start();
    await f.protocol.stop({ keep: true });
    const { kernel } = f;
    const shown = f.shown();
    f = await fixture({ family, learn: true });
    // What the one before left in the kernel.
    for (let n = 45; n < 55; n++) {
      f.want(own(n), VIA);
      add(alien(n), BIRD, 1);
      f.foreign({
        op: "add",
        prefix: own(n),
        metric: 32,
        protocol: OWN,
        nexthops: [
          { gateway: ip(gateway(1)), device: f.kernel.links.byName("v0")!.ifindex, weight: 1, onlink: false },
        ],
      });
    }
    expect([f.shown(), kernel === f.kernel]).toEqual([shown, false]);
    add(fat, ZEBRA, hops);
    await f.start();
    // A second look makes sure.
    await f.clock.advance(200);
    expect([f.writes(), problem()]).toEqual([[], expect.stringContaining("ended early")]);
    for (let n = 45; n < 55; n++) expect(f.status(own(n)).state).toBe("synced");
    remove(fat, ZEBRA);
    await settled();
    expect([f.writes(), learned()]).toEqual([[], 10]);
  });

  it("routes that really went do not raise the alarm", async () => {
    await given();
    await f.start();
    f.writes();
    for (let n = 48; n < 55; n++) {
      await silently(() => {
        f.foreign({ op: "delete", prefix: own(n), metric: 32, protocol: OWN, nexthops: [] });
        remove(alien(n), BIRD);
      });
    }
    await settled();
    expect([f.writes().length, learned()]).toEqual([7, 3]);
    expect(f.logged.filter(({ message }) => message.includes("whole table"))).toEqual([]);
  });

  it("nor do routes that come while it is looked for them", async () => {
    await given();
    await f.start();
    const scan = f.os.scanRoutes.bind(f.os);
    let n = 60;
    for (const protocol of [OWN, BIRD]) {
      await silently(() => {
        f.foreign({ op: "delete", prefix: own(54), metric: 32, protocol: OWN, nexthops: [] });
        remove(alien(54), BIRD);
        f.os.scanRoutes = (query, sink) => {
          if (query.protocol === protocol) add(alien(++n), protocol, 1);
          return scan(query, sink);
        };
      });
      f.os.scanRoutes = scan;
      await f.clock.advance(2000);
      add(alien(54), BIRD, 1);
      await f.clock.advance(2000);
    }
    // The last route of IPv6 is that of link-local addresses, which stays: nothing gives rise to another look.
    expect(n > 61).toBe(family === 4);
    await settled();
    expect(f.logged.filter(({ message }) => message.includes("whole table"))).toEqual([]);
  });

  it("a dump of ours that fails leaves everything as it is", async () => {
    await given();
    await f.start();
    await silently(() => add(fat, ZEBRA, hops));
    f.writes();
    const scan = f.os.scanRoutes.bind(f.os);
    f.os.scanRoutes = async (query, sink) => {
      const outcome = await scan(query, query.protocol === undefined ? sink : { route: () => {} });
      return query.protocol === undefined ? outcome : { ...outcome, complete: false, reason: "no memory" };
    };
    expect(await f.scan()).toBe(false);
    f.os.scanRoutes = scan;
    expect([f.writes(), learned(), problem()]).toEqual([[], 10, "no memory"]);
  });
});
