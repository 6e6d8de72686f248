/** The rows of semantics §5: what a change of the best route makes a kernel protocol write, in both families. */

import { afterEach, describe, expect, it } from "vitest";
import type { Family } from "../../../src/lib/ip.ts";
import type { KernelConfig } from "../../../src/proto/kernel/config.ts";
import { settle } from "../../support/fake-clock.ts";
import { type Fixture, fixture, ip, OWN } from "./fixture.ts";

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

const WORDS = {
  4: { net: "10.1.0.0/16", gateways: ["10.0.0.2", "10.0.0.3", "10.0.0.4"], far: "10.99.0.1" },
  6: {
    net: "2001:db8:1::/48",
    gateways: ["2001:db8:0:1::2", "2001:db8:0:1::3", "2001:db8:0:1::4"],
    far: "2001:db8:99::1",
  },
} as const;

interface Row {
  readonly why: string;
  readonly config?: Partial<KernelConfig>;
  /** Before the start; its writes do not count. */
  readonly given?: (at: Hands) => void | Promise<void>;
  /** After the first sync. */
  readonly act: (at: Hands) => void | Promise<void>;
  readonly writes: readonly string[];
}

/** What a row can do. Gateways 0–2 are reachable. */
interface Hands {
  readonly net: string;
  want(gateway: number, metric?: number): void;
  wantFar(metric?: number): void;
  wantDevice(): void;
  wantReject(): void;
  foreign(metric: number): void;
}

function hands(family: Family): Hands {
  const { net, gateways, far } = WORDS[family];
  return {
    net,
    want: (gateway, metric) => f.want(net, { nexthops: [{ via: gateways[gateway]! }] }, metric),
    wantFar: (metric) => f.want(net, { nexthops: [{ via: far }] }, metric),
    wantDevice: () => f.want(net, { nexthops: [{ device: f.kernel.links.byName("v0")!.ifindex }] }),
    wantReject: () => f.want(net, { type: "unreachable" }),
    foreign: (metric) => {
      f.foreign({
        op: "add",
        prefix: net,
        protocol: 4,
        metric,
        nexthops: [{ gateway: ip(gateways[2]!), device: 0 }],
      });
    },
  };
}

const ROWS: readonly Row[] = [
  { why: "a route comes: added", act: (at) => at.want(0), writes: ["add 32"] },
  { why: "with a metric of its own: added there", act: (at) => at.want(0, 50), writes: ["add 50"] },
  {
    why: "there was none in the kernel before: there is no old route to delete",
    act: (at) => {
      at.want(0);
      f.unwant(at.net);
    },
    writes: [],
  },
  {
    why: "same key, another gateway: one replace",
    given: (at) => at.want(0),
    act: (at) => at.want(1),
    writes: ["replace 32"],
  },
  {
    why: "several changes of one prefix in the queue collapse into the last",
    given: (at) => at.want(0),
    act: (at) => {
      at.want(1);
      at.wantReject();
      at.want(2);
    },
    writes: ["replace 32"],
  },
  {
    why: "changes that come back to what is sent: nothing",
    given: (at) => at.want(0),
    act: (at) => {
      at.want(1);
      at.want(0);
    },
    writes: [],
  },
  { why: "the same once more: nothing", given: (at) => at.want(0), act: (at) => at.want(0), writes: [] },
  {
    why: "another metric: the new one first, then the old one goes",
    given: (at) => at.want(0, 20),
    act: (at) => at.want(0, 50),
    writes: ["add 50", "delete 20"],
  },
  {
    why: "another metric that the kernel refuses: the old one stays",
    given: (at) => at.want(0, 20),
    act: (at) => at.wantFar(50),
    writes: ["add 50 refused"],
  },
  {
    why: "withdrawn: deleted by the key that was sent",
    given: (at) => at.want(0, 20),
    act: (at) => f.unwant(at.net),
    writes: ["delete 20"],
  },
  {
    why: "withdrawn after a refusal: there is nothing to delete",
    given: (at) => at.wantFar(),
    act: (at) => f.unwant(at.net),
    writes: [],
  },
  {
    why: "learned by this very protocol: counts as no route",
    config: { learn: true },
    act: (at) => at.foreign(7),
    writes: [],
  },
  {
    why: "a learned route comes up from below when ours goes: deleted, and not written back",
    config: { learn: true },
    given: (at) => {
      at.want(0);
      at.foreign(7);
    },
    act: (at) => f.unwant(at.net),
    writes: ["delete 32"],
  },
  {
    why: "shutting down: nothing",
    given: (at) => at.want(0),
    act: (at) => {
      f.protocol.freeze();
      at.want(1);
      f.unwant(at.net);
    },
    writes: [],
  },
];

describe.each([4, 6] as const)("IPv%d, semantics §5", (family) => {
  it.each(ROWS)("$why", async ({ config, given, act, writes }) => {
    f = await fixture({ family, ...config });
    const at = hands(family);
    await given?.(at);
    await f.start();
    f.writes();
    await act(at);
    await settle();
    const found = f.os.journal.map(
      ({ op, metric, errno }) => `${op} ${metric}${errno === 0 ? "" : " refused"}`,
    );
    expect(found).toEqual(writes);
  });

  it("swaps a gateway route for a device route without a foreign one's harm: IPv4 by one replace, IPv6 by two steps", async () => {
    f = await fixture({ family });
    const at = hands(family);
    at.want(0);
    await f.start();
    f.writes();
    at.wantDevice();
    await settle();
    const found = f.os.journal.map(({ op }) => op);
    expect(found).toEqual(family === 4 ? ["replace"] : ["delete", "add"]);
  });

  it("only sets flags before the first complete scan, which then adopts what is right", async () => {
    f = await fixture({ family });
    const at = hands(family);
    const nexthops = [{ gateway: ip(WORDS[family].gateways[0]), device: 0 }];
    f.foreign({ op: "add", prefix: at.net, protocol: OWN, metric: 32, nexthops });
    f.os.faults.injectIncompleteScan();
    await f.device.start();
    await f.protocol.start();
    f.protocol.sourcesFed();
    f.protocol.allFed();
    await settle();
    at.want(1);
    at.want(0);
    await settle();
    expect(f.writes()).toEqual([]);
    await f.clock.advance(1000);
    expect(f.writes()).toEqual([]);
    expect(f.status(at.net).state).toBe("synced");
  });

  it("with persist leaves at a stop what it put in", async () => {
    f = await fixture({ family, persist: true });
    hands(family).want(0);
    await f.start();
    f.writes();
    await f.protocol.stop({ keep: false });
    expect(f.writes()).toEqual([]);
    expect(f.shown()).toHaveLength(1);
  });
});

describe("a push", () => {
  it.each([
    ["quick", 0, 2],
    ["slow", 5, 1],
  ])("has two batches under way, unless filling one was %s", async (_, each, underway) => {
    f = await fixture();
    await f.start();
    const now = f.clock.now.bind(f.clock);
    let asked = 0;
    f.clock.now = () => now() + each * asked++;
    let most = 0;
    let running = 0;
    const write = f.os.writeRoutes.bind(f.os);
    f.os.writeRoutes = async (batch) => {
      most = Math.max(most, ++running);
      const outcome = await write(batch);
      running--;
      return outcome;
    };
    for (let i = 0; i < 5000; i++)
      f.want(`10.${i >> 8}.${i & 255}.0/24`, { nexthops: [{ via: "10.0.0.2" }] });
    await f.clock.advance(100);
    expect([most, f.writes().length]).toEqual([underway, 5000]);
  });
});
