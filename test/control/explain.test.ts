import { describe, expect, it } from "vitest";
import type { ExplainJson } from "../../src/control/explain-json.ts";
import { KrtdError } from "../../src/lib/errors.ts";
import { parseIp } from "../../src/lib/ip.ts";
import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../../src/nest/filter.ts";
import type { KernelRouteStatus, StaticRouteView } from "../../src/nest/protocol.ts";
import { ip, prefixOf, safety } from "../proto/kernel/fixture.ts";
import type { AttrsText } from "../support/draft.ts";
import { type ExplainRig, explainRig, step } from "../support/explain-rig.ts";
import { ask } from "../support/http-unix.ts";

const NET = "10.1.0.0/16";
const GATEWAY: AttrsText = { nexthops: [{ via: "10.0.0.2" }] };

/** A filter that lets only some routes pass. */
function filter(name: string, passes: (metric: number) => boolean): Filter {
  return {
    name,
    key: `${name} ${passes}`,
    asksDevices: false,
    rejectsAll: false,
    apply: ({ metric }) => passes(metric),
  };
}

const NO_METRIC_50 = filter("no-50", (metric) => metric !== 50);

/** The names of the steps, those that are not ok with "!". */
function way(answer: ExplainJson): string {
  return answer.steps.map((one) => `${one.ok ? "" : "!"}${one.step}`).join(" ");
}

function via(gateway: string): AttrsText {
  return { nexthops: [{ via: gateway }] };
}

interface Case {
  readonly why: string;
  readonly config?: Parameters<typeof explainRig>[0];
  /** Before the kernel protocol starts. */
  readonly setUp: (rig: ExplainRig) => void | Promise<void>;
  /** After it. */
  readonly later?: (rig: ExplainRig) => void | Promise<void>;
  readonly ask?: string;
  readonly verdict: ExplainJson["verdict"];
  readonly reason: string;
  readonly way: string;
  /** Details of single steps, with ok or no before them. */
  readonly details?: Readonly<Record<string, string>>;
}

const TO_KERNEL = "best export-filter nexthop key write kernel";

const CASES: readonly Case[] = [
  {
    why: "all is well",
    setUp: async (rig) => {
      await rig.source("uplinks");
      rig.offer("uplinks", NET, GATEWAY);
    },
    verdict: "installed",
    reason: "The kernel has it as wanted.",
    way: `source import-filter ${TO_KERNEL}`,
    details: {
      source: "ok: uplinks offers it",
      "import-filter": 'ok: uplinks lets it in by filter "all"',
      best: "ok: uplinks is the only one, preference 200",
      "export-filter": `ok: k's filter "all" let it pass`,
      nexthop: 'ok: gateway 10.0.0.2 is on the link of "v0"',
      key: "ok: table main (254), metric 32, protocol 120",
      write: "ok: the kernel has taken it, or had it already",
      kernel: "ok: table main (254) has 10.1.0.0/16 via 10.0.0.2 dev v0 proto krtd metric 32",
    },
  },
  {
    why: "a device that does not exist",
    setUp: (rig) => rig.want(NET, { nexthops: [{ device: rig.interfaces.resolveDevice("late0") }] }),
    verdict: "not-installed",
    reason: 'Device "late0" does not exist: create device "late0", and krtd installs the route by itself.',
    way: "source best export-filter !nexthop key !write !kernel",
    details: {
      nexthop: 'no: device "late0" does not exist',
      write:
        'no: Device "late0" does not exist (ENODEV); tried again when an interface, an address or a route changes',
      kernel: "no: table main (254) has no route to it",
    },
  },
  {
    why: "a device that is down",
    setUp: (rig) => {
      const v1 = rig.kernel.links.byName("v1")!.ifindex;
      rig.kernel.setDown(v1);
      rig.want(NET, { nexthops: [{ device: v1 }] });
    },
    verdict: "not-installed",
    reason: 'Device "v1" is down: bring it up (ip link set v1 up), and krtd installs the route by itself.',
    way: "source best export-filter !nexthop key !write !kernel",
  },
  {
    why: "a device that is down, with a name nobody should give to a shell",
    setUp: (rig) => {
      const hostile = rig.kernel.addLink({ name: "$(id)\u001b\u00c3\u00a9", kind: "ifb" });
      rig.want(NET, { nexthops: [{ device: hostile }] });
    },
    verdict: "not-installed",
    reason: 'Device "$(id)\\x1b\\xc3\\xa9" is down: bring it up, and krtd installs the route by itself.',
    way: "source best export-filter !nexthop key !write !kernel",
  },
  {
    why: "a gateway nobody covers, in the kernel's words too",
    setUp: (rig) => rig.want(NET, via("10.9.0.2")),
    verdict: "not-installed",
    reason:
      "No address of an interface covers gateway 10.9.0.2: add such an address, or correct the gateway, and krtd installs the route by itself.",
    way: "source best export-filter !nexthop key !write !kernel",
    details: {
      write:
        "no: Nexthop has invalid gateway (ENETUNREACH); tried again when an interface, an address or a route changes",
    },
  },
  {
    why: "a gateway on another link than the device's",
    setUp: (rig) => {
      const v1 = rig.kernel.links.byName("v1")!.ifindex;
      rig.want(NET, { nexthops: [{ via: "10.0.0.2", device: v1 }] });
    },
    verdict: "not-installed",
    reason:
      'Gateway 10.0.0.2 is on the link of "v0", not of "v1": correct the gateway or the device, and krtd installs the route by itself.',
    way: "source best export-filter !nexthop key !write !kernel",
  },
  {
    why: "a gateway that is this machine",
    config: { family: 6 },
    setUp: (rig) => rig.want("2001:db8:5::/48", via("2001:db8:0:1::1")),
    ask: "2001:db8:5::/48",
    verdict: "not-installed",
    reason:
      "The kernel refuses it: Gateway can not be a local address (EINVAL); gateway 2001:db8:0:1::1 is an address of this machine itself, so name another gateway.",
    way: "source best export-filter !nexthop key !write !kernel",
  },
  {
    why: "a preferred source that is not ours",
    setUp: (rig) => rig.want(NET, { ...GATEWAY, prefsrc: "10.0.0.77" }),
    verdict: "not-installed",
    reason:
      "The preferred source 10.0.0.77 is no address of this machine: add the address 10.0.0.77 to an interface, and krtd installs the route by itself.",
    way: "source best export-filter !nexthop key !write !kernel",
  },
  {
    why: "a gateway that the kernel reaches in a way of its own",
    setUp: (rig) => {
      foreign(rig, "10.9.0.0/24", 4, 0, null, "v1");
      rig.want(NET, via("10.9.0.2"));
    },
    verdict: "installed",
    reason: "The kernel has it as wanted.",
    way: `source ${TO_KERNEL}`,
    details: { nexthop: "ok: the kernel takes it" },
  },
  {
    why: "a rival",
    setUp: (rig) => {
      foreign(rig, NET, 4, 32, "10.0.0.9", "v0");
      rig.want(NET, GATEWAY);
    },
    verdict: "not-installed",
    reason:
      "Its key is held by 10.1.0.0/16 via 10.0.0.9 dev v0 proto static metric 32: delete that one, or give krtd's route another metric than 32.",
    way: "source best export-filter nexthop !key !write !kernel",
    details: {
      key: "no: table main (254), metric 32: held by 10.1.0.0/16 via 10.0.0.9 dev v0 proto static metric 32",
      kernel: "no: table main (254) has 10.1.0.0/16 via 10.0.0.9 dev v0 proto static metric 32 (foreign)",
    },
  },
  {
    why: "a foreign route that the kernel prefers",
    setUp: (rig) => {
      foreign(rig, NET, 3, 5, "10.0.0.9", "v0");
      rig.want(NET, GATEWAY);
    },
    verdict: "installed",
    reason:
      "The kernel has it as wanted, but takes 10.1.0.0/16 via 10.0.0.9 dev v0 proto boot metric 5 first: delete that one, or give krtd's route a metric below 5.",
    way: `source ${TO_KERNEL}`,
  },
  {
    why: "the export filter",
    config: { export: NO_METRIC_50 },
    setUp: (rig) => rig.want(NET, GATEWAY, 50),
    verdict: "not-installed",
    reason: 'The export filter "no-50" of k turns it away: change the filter if it should be in the kernel.',
    way: "source best !export-filter !kernel",
    details: { "export-filter": `no: k's filter "no-50" turned it away` },
  },
  {
    why: "more to it than krtd understands",
    setUp: (rig) => rig.want(NET, { nexthops: [{ via: "10.0.0.2", encap: 77 }] }),
    verdict: "not-installed",
    reason:
      "Protocol k does not take it: there is more to it than krtd understands, and it would be another route without that.",
    way: "source best !export-filter !kernel",
  },
  {
    why: "a network of an interface, in table main",
    setUp: async (rig) => {
      await rig.source("direct1", { sourceType: "direct" });
      rig.offer("direct1", NET, { nexthops: [{ device: 2 }] });
    },
    verdict: "not-installed",
    reason: "Protocol k does not take it: the kernel keeps the networks of its interfaces there by itself.",
    way: "source import-filter best !export-filter !kernel",
  },
  {
    why: "nothing is exported",
    config: { export: REJECT_ALL },
    setUp: (rig) => rig.want(NET, GATEWAY),
    verdict: "not-installed",
    reason: "Protocol k exports nothing (export: none).",
    way: "source best !export-filter !kernel",
  },
  {
    why: "a filter changed softly lets pass what stood before it",
    config: { export: NO_METRIC_50 },
    setUp: (rig) => rig.want(NET, GATEWAY, 50),
    later: (rig) => rig.protocol.channels[0]!.setExport(ACCEPT_ALL),
    verdict: "not-installed",
    reason: "The export filter of k lets it pass by now, but has not been asked again: krtctl reload k.",
    way: "source best !export-filter !kernel",
  },
  {
    why: "a filter changed softly would stop what it let pass",
    setUp: (rig) => rig.want(NET, GATEWAY, 50),
    later: (rig) => rig.protocol.channels[0]!.setExport(NO_METRIC_50),
    verdict: "installed",
    reason: "The kernel has it as wanted.",
    way: `source ${TO_KERNEL}`,
    details: {
      "export-filter": `ok: k's filter "no-50" let it pass, but would not today: the route has not met it since`,
    },
  },
  {
    why: "learned",
    config: { learn: true },
    setUp: (rig) => foreign(rig, NET, 11, 7, "10.0.0.9", "v0"),
    verdict: "installed",
    reason: "The kernel has it from somebody else (proto zebra), and k learned it.",
    way: "source import-filter best export-filter kernel",
    details: {
      source: "ok: k (learned) offers it",
      "export-filter": "ok: k learned it from the kernel and does not write it back",
    },
  },
  {
    why: "configured and learned: the configured one wins, and has the higher metric in the kernel",
    config: { learn: true },
    setUp: (rig) => {
      foreign(rig, NET, 11, 7, "10.0.0.9", "v0");
      rig.want(NET, GATEWAY);
    },
    verdict: "installed",
    reason:
      "The kernel has it as wanted, but takes 10.1.0.0/16 via 10.0.0.9 dev v0 proto zebra metric 7 first: delete that one, or give krtd's route a metric below 7.",
    way: `source ${TO_KERNEL}`,
    details: {
      source: "ok: source and k (learned) offer it",
      best: "ok: source is better than k: preference 200 against 10",
    },
  },
  {
    why: "only in the kernel, and not learned",
    setUp: (rig) => foreign(rig, NET, 4, 0, "10.0.0.9", "v0"),
    verdict: "no-such-route",
    reason:
      "Nobody announces 10.1.0.0/16 to table t; the kernel has 10.1.0.0/16 via 10.0.0.9 dev v0 proto static, which k does not learn.",
    way: "!source !kernel",
  },
  {
    why: "in the kernel, and the import filter keeps it out",
    config: { learn: true, import: filter("no-aliens", () => false) },
    setUp: (rig) => foreign(rig, NET, 4, 0, "10.0.0.9", "v0"),
    verdict: "not-installed",
    reason: 'Protocol k knows the route, but its import filter "no-aliens" turns it away.',
    way: "!source !import-filter !kernel",
  },
  {
    why: "nowhere at all",
    setUp: () => {},
    verdict: "no-such-route",
    reason: "Nobody announces 10.1.0.0/16 to table t, and nothing in it covers that.",
    way: "!source !kernel",
  },
  {
    why: "nowhere, but covered",
    setUp: (rig) => rig.want("10.0.0.0/8", GATEWAY),
    verdict: "no-such-route",
    reason: "Nobody announces 10.1.0.0/16 to table t; what covers it there is 10.0.0.0/8 of source.",
    way: "!source !kernel",
  },
  {
    why: "in another table only",
    setUp: async (rig) => {
      await rig.source("lab", { tables: [rig.blue] });
      rig.offer("lab", NET, GATEWAY);
    },
    verdict: "no-such-route",
    reason:
      "Nobody announces 10.1.0.0/16 to table t, but blue has one: krtctl explain 10.1.0.0/16 table blue.",
    way: "!source !kernel",
  },
  {
    why: "an address that another table has a route for",
    setUp: async (rig) => {
      await rig.source("lab", { tables: [rig.blue] });
      rig.offer("lab", NET, GATEWAY);
    },
    ask: "10.1.2.3",
    verdict: "no-such-route",
    reason:
      "Nobody announces a route for 10.1.2.3 to table t, but blue has one: krtctl explain 10.1.2.3 table blue.",
    way: "!source !kernel",
  },
  {
    why: "an address: its longest match",
    setUp: (rig) => {
      rig.want("10.0.0.0/8", GATEWAY);
      rig.want(NET, GATEWAY);
    },
    ask: "10.1.2.3",
    verdict: "installed",
    reason: "10.1.0.0/16 is the longest match for 10.1.2.3: the kernel has it as wanted.",
    way: `source ${TO_KERNEL}`,
  },
  {
    why: "an address whose longest match in the kernel is somebody else's",
    setUp: (rig) => {
      foreign(rig, "10.1.2.0/24", 4, 0, "10.0.0.9", "v0");
      rig.want(NET, GATEWAY);
    },
    ask: "10.1.2.3",
    verdict: "installed",
    reason:
      "10.1.0.0/16 is the longest match for 10.1.2.3: the kernel has it as wanted, but for 10.1.2.3 it takes the longer 10.1.2.0/24 via 10.0.0.9 dev v0 proto static.",
    way: `source ${TO_KERNEL}`,
  },
  {
    why: "an address nothing matches",
    setUp: () => {},
    ask: "192.0.2.7",
    verdict: "no-such-route",
    reason: "Nobody announces a route for 192.0.2.7 to table t, and nothing in it covers that.",
    way: "!source !kernel",
  },
  {
    why: "observing",
    config: { observe: true },
    setUp: (rig) => rig.want(NET, GATEWAY),
    verdict: "not-installed",
    reason: "Observe mode: krtd writes nothing.",
    way: "source best export-filter nexthop key !write !kernel",
  },
  {
    why: "a type without nexthops",
    setUp: (rig) => rig.want(NET, { type: "blackhole" }),
    verdict: "installed",
    reason: "The kernel has it as wanted.",
    way: `source ${TO_KERNEL}`,
    details: {
      nexthop: "ok: type blackhole needs no nexthop",
      kernel: "ok: table main (254) has blackhole 10.1.0.0/16 proto krtd metric 32",
    },
  },
];

/** Somebody else's `ip route append`. */
function foreign(
  rig: ExplainRig,
  prefix: string,
  protocol: number,
  metric: number,
  gateway: string | null,
  device: string,
): void {
  const hop = {
    gateway: gateway === null ? null : ip(gateway),
    device: rig.kernel.links.byName(device)!.ifindex,
  };
  const errno = rig.foreign({ op: "append", prefix, protocol, metric, nexthops: [hop] });
  expect(errno).toBe(0);
}

describe("explain", () => {
  it.each(CASES)("$why: $verdict", async ({ config = {}, setUp, later, ask: asked = NET, ...expected }) => {
    await using rig = await explainRig(config);
    await setUp(rig);
    await rig.start();
    await later?.(rig);
    const answer = await rig.explain(asked);
    expect(answer.reason).toBe(expected.reason);
    expect(way(answer)).toBe(expected.way);
    expect(answer.verdict).toBe(expected.verdict);
    for (const [name, detail] of Object.entries(expected.details ?? {})) {
      expect(step(answer, name)).toBe(detail);
    }
  });

  it("has the keys of the contract", async () => {
    await using rig = await explainRig();
    foreign(rig, NET, 4, 32, "10.0.0.9", "v0");
    rig.want(NET, GATEWAY);
    await rig.start();
    const answer = await rig.explain(NET);
    const shown = { dst: NET, table: 254, type: "unicast", gateway: "10.0.0.9", dev: "v0", metric: 32 };
    expect(answer).toMatchObject({
      dst: NET,
      table: "t",
      address: null,
      route: { dst: NET, source: "source", kernel: { state: "failed", errno: 17 } },
      wanted: { dst: NET, table: "t", gateway: "10.0.0.2", metric: 32, source: "source" },
      "kernel-routes": [{ ...shown, class: "alien", verdict: "ignore" }],
      rival: shown,
      covering: { route: null, kernel: null },
    });
  });

  it("tells what covers the net in the kernel too", async () => {
    await using rig = await explainRig();
    foreign(rig, "10.0.0.0/8", 4, 9, "10.0.0.9", "v0");
    foreign(rig, "10.0.0.0/8", 4, 5, "10.0.0.8", "v0");
    foreign(rig, "0.0.0.0/0", 4, 0, "10.0.0.7", "v0");
    await rig.start();
    expect((await rig.explain(NET)).covering.kernel).toMatchObject({ dst: "10.0.0.0/8", metric: 5 });
  });

  it.each([
    ["by preference", 200, 0, 100, 0, "preference 200 against 100"],
    ["by metric", 200, 5, 200, 10, "the same preference 200, metric 5 against 10"],
    ["by a metric that is not set", 200, 0, 200, 10, "the same preference 200, metric none set against 10"],
    [
      "by its name",
      200,
      7,
      200,
      7,
      "the same preference 200 and metric, and its name is the first by the alphabet",
    ],
  ])("says why one source is better than another: %s", async (_how, p1, m1, p2, m2, why) => {
    await using rig = await explainRig();
    await rig.source("one");
    await rig.source("two");
    rig.offer("two", NET, GATEWAY, m2, p2);
    rig.offer("one", NET, GATEWAY, m1, p1);
    await rig.start();
    expect(step(await rig.explain(NET), "best")).toBe(`ok: one is better than two: ${why}`);
  });

  it("says that a route of two equally good ones came over a pipe", async () => {
    await using rig = await explainRig();
    await rig.source("a-pipe", { sourceType: "pipe" });
    await rig.source("one");
    rig.offer("a-pipe", NET, GATEWAY, 7, 200);
    rig.offer("one", NET, GATEWAY, 7, 200);
    await rig.start();
    const why = "the same preference 200 and metric, and the other came over a pipe";
    expect(step(await rig.explain(NET), "best")).toBe(`ok: one is better than a-pipe: ${why}`);
  });

  it("looks at the kernel afresh: a route that went without a word is missed", async () => {
    await using rig = await explainRig();
    rig.want(NET, GATEWAY);
    rig.os.faults.withoutMonitor = true;
    await rig.start();
    expect(rig.foreign({ op: "delete", prefix: NET, metric: 32 })).toBe(0);
    const answer = await rig.explain(NET);
    expect(answer.verdict).toBe("not-installed");
    expect(answer.reason).toContain("is gone from the kernel since: the next scan puts it right");
  });

  const AT = Date.UTC(2026, 10, 21, 3);

  it.each<[string, Partial<KernelRouteStatus>, string, string]>([
    [
      "contested",
      { state: "contested", message: "Somebody keeps changing this route", nextRetryAt: AT },
      "Others keep changing it, and krtd pauses between its repairs, next at 2026-11-21T03:00:00.000Z: find out who (krtctl show drift).",
      "no: Somebody keeps changing this route, next try at 2026-11-21T03:00:00.000Z",
    ],
    [
      "a kernel out of memory",
      { state: "pending", errno: 105, message: "No buffer space available", attempts: 255, nextRetryAt: AT },
      "The kernel had no room or time for it: No buffer space available (ENOBUFS), 255 or more attempts; krtd tries again by itself, next at 2026-11-21T03:00:00.000Z.",
      "no: No buffer space available (ENOBUFS), 255 or more attempts, next try at 2026-11-21T03:00:00.000Z",
    ],
    [
      "refused for good",
      { state: "failed", errno: 95, message: "Operation not supported", attempts: 1 },
      "The kernel refuses it: Operation not supported (EOPNOTSUPP); correct the route.",
      "no: Operation not supported (EOPNOTSUPP)",
    ],
    [
      "nexthops of somebody else",
      { state: "failed", errno: 17, message: "Somebody added nexthops to this route", attempts: 1 },
      "Somebody added nexthops to this route: see the routes of 10.1.0.0/16 in kernel table main (254), or give krtd's route another metric than 32.",
      "no: Somebody added nexthops to this route (EEXIST)",
    ],
    [
      "a rival that has gone",
      { state: "failed", errno: 17, message: "Key held by X", attempts: 2, rival: "X" },
      "Its key was held by X, which is gone: krtd's comes with the next scan (krtctl scan k).",
      "no: Key held by X (EEXIST), 2 attempts",
    ],
    [
      "waiting for what nobody sees",
      { state: "waiting", errno: 101, message: "Network is unreachable", attempts: 3 },
      "The kernel cannot use its nexthop now: Network is unreachable (ENETUNREACH), 3 attempts; krtd tries again when an interface, an address or a route changes.",
      "no: Network is unreachable (ENETUNREACH), 3 attempts; tried again when an interface, an address or a route changes",
    ],
    [
      "waiting for a scan",
      { state: "pending" },
      "It waits for the next scan.",
      "no: it waits for the next scan",
    ],
  ])("has words for every state: %s", async (_what, status, reason, write) => {
    await using rig = await explainRig();
    rig.os.faults.withoutMonitor = true;
    rig.want(NET, GATEWAY);
    await rig.start();
    rig.foreign({ op: "delete", prefix: NET, metric: 32 });
    const settled = rig.protocol.status.bind(rig.protocol);
    rig.protocol.status = (node) => ({ ...settled(node), ...status });
    const answer = await rig.explain(NET);
    expect(answer.verdict).toBe("not-installed");
    expect(answer.reason).toBe(reason);
    expect(step(answer, "write")).toBe(write);
  });

  it("says what somebody changed without a word", async () => {
    await using rig = await explainRig();
    rig.os.faults.withoutMonitor = true;
    rig.want(NET, GATEWAY);
    await rig.start();
    const nexthops = [{ gateway: ip("10.0.0.9"), device: 0 }];
    expect(rig.foreign({ op: "replace", prefix: NET, metric: 32, protocol: 120, nexthops })).toBe(0);
    const answer = await rig.explain(NET);
    expect(answer.reason).toBe(
      "It was written, and was changed in the kernel since (via 10.0.0.9 instead of via 10.0.0.2): the next scan puts it right (krtctl scan k).",
    );
    expect(step(answer, "kernel")).toContain("(krtd's, but different: via 10.0.0.9 instead of via 10.0.0.2)");
  });

  it("says that the first scan is still to come", async () => {
    await using rig = await explainRig();
    rig.want(NET, GATEWAY);
    await rig.device.start();
    await rig.protocol.start();
    expect((await rig.explain(NET)).reason).toBe("Nothing is written before the first complete scan.");
  });

  it("does not take a route for gone that an incomplete dump did not show", async () => {
    await using rig = await explainRig();
    rig.want(NET, GATEWAY);
    await rig.start();
    rig.protocol.dump = async () => "the dump was interrupted";
    const answer = await rig.explain(NET);
    expect(answer.verdict).toBe("installed");
    expect(answer.reason).toContain("could not be read completely (the dump was interrupted): ask again");
    rig.protocol.dump = () => Promise.reject(new KrtdError("gone", "no such namespace"));
    expect(step(await rig.explain(NET), "kernel")).toBe(
      "no: table main (254) could not be read completely: no such namespace",
    );
  });

  it("tells old routes of krtd's that are to be deleted", async () => {
    await using rig = await explainRig({ observe: true });
    const nexthops = [{ gateway: ip("10.0.0.9"), device: 0 }];
    rig.foreign({ op: "append", prefix: NET, metric: 32, protocol: 120, nexthops });
    await rig.start();
    const answer = await rig.explain(NET);
    expect(answer.verdict).toBe("no-such-route");
    expect(answer.reason).toContain(
      "the kernel still has an old route of krtd's, which the next scan deletes",
    );
    expect(step(answer, "kernel")).toContain("(krtd's, to be deleted)");
  });

  it("does not say of an old route that safety.protect keeps that it is to be deleted", async () => {
    await using rig = await explainRig({ safety: safety([NET]) });
    const nexthops = [{ gateway: ip("10.0.0.9"), device: 0 }];
    rig.foreign({ op: "append", prefix: NET, metric: 32, protocol: 120, nexthops });
    await rig.start();
    const answer = await rig.explain(NET);
    expect(answer.reason).toContain("which safety.protect keeps");
    expect(step(answer, "kernel")).toContain("(krtd's, kept by safety.protect)");
  });

  it("belongs to the table that is named", async () => {
    await using rig = await explainRig();
    await rig.source("lab", { tables: [rig.blue] });
    rig.offer("lab", NET, GATEWAY);
    await rig.start();
    const answer = await rig.explain(NET, "blue");
    expect(answer.reason).toBe(
      'No kernel protocol is attached to table blue: add one under "kernel:", or a pipe to a table that has one.',
    );
    expect(way(answer)).toBe("source import-filter best !export-filter");
    expect(answer["kernel-routes"]).toEqual([]);
  });

  it.each([
    ["disabled", true, "Kernel protocol k is disabled: krtctl enable k."],
    ["down", false, "Kernel protocol k is down; see krtctl show protocols all k."],
  ])("says that the kernel protocol is %s", async (_state, disabled, reason) => {
    await using rig = await explainRig();
    rig.want(NET, GATEWAY);
    await rig.start();
    await rig.protocol.stop({ keep: false });
    rig.entries[0] = { ...rig.entries[0]!, disabled, state: "down" };
    const answer = await rig.explain(NET);
    expect(answer.reason).toBe(reason);
    expect(way(answer)).toBe("source best !export-filter !kernel");
  });

  const view = (more: Partial<StaticRouteView>): StaticRouteView => ({
    prefix: prefixOf(NET),
    attrs: null,
    configured: null,
    recursive: null,
    metric: null,
    preference: 200,
    ...more,
  });

  it.each([
    [
      "a recursive route without a way",
      view({ recursive: parseIp("10.9.9.9") }),
      {},
      "no route it may follow leads to 10.9.9.9 (recursive)",
    ],
    ["a link that is down", view({}), {}, "the link it leads over is down (check-link)"],
    [
      "an import filter",
      view({
        attrs: {
          type: "blackhole",
          nexthops: [],
          prefsrc: null,
          scope: null,
          flow: 0,
          metrics: new Map(),
          opaque: false,
        },
      }),
      { import: filter("no-tests", () => false) },
      'its import filter "no-tests" turns it away',
    ],
  ])("knows configured routes that are not announced: %s", async (_what, route, options, why) => {
    await using rig = await explainRig();
    const other = view({ prefix: prefixOf("10.200.0.0/16") });
    const facet = { count: 3000, route: (i: number) => (i === 2500 ? route : other) };
    await rig.source("uplinks", { ...options, more: { static: facet } });
    await rig.start();
    const answer = await rig.explain(NET);
    expect(answer.verdict).toBe("not-installed");
    expect(answer.reason).toBe(`Protocol uplinks knows the route, but ${why}.`);
    expect(answer.route).toBeNull();
  });

  it("knows the route that a pipe keeps in the other table", async () => {
    await using rig = await explainRig();
    await rig.source("lab", { tables: [rig.blue] });
    await rig.source("pipe1", {
      tables: [rig.blue, rig.table],
      more: { type: "pipe" },
      export: filter("few", () => false),
      sink: { exported: () => {} },
    });
    rig.offer("lab", NET, GATEWAY);
    await rig.start();
    expect((await rig.explain(NET)).reason).toBe(
      'Protocol pipe1 knows the route, but its filter "few" keeps the one of table blue there.',
    );
  });

  it.each([
    ["", 400, "explain needs a prefix"],
    ["prefix=nonsense", 400, '"nonsense" is not a prefix'],
    ["prefix=10.1.0.1/16", 400, "Did you mean 10.1.0.0/16?"],
    ["prefix=10.1.0.0/16&table=nope", 404, "There are t, blue."],
    ["prefix=2001:db8::/32&table=t", 400, "Table t holds IPv4 routes"],
    ["prefix=10.1.0.0/16&all", 400, "Unknown query parameter"],
  ])("refuses ?%s with %i", async (query, status, words) => {
    await using rig = await explainRig();
    const answer = await ask(rig.path, `/v1/explain?${query}`);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: expect.any(String) } });
    expect(answer.text.replaceAll('\\"', '"')).toContain(words);
  });

  it("takes default for the default route of the table", async () => {
    await using rig = await explainRig({ family: 6 });
    rig.want("::/0", { nexthops: [{ via: "2001:db8:0:1::2" }] });
    await rig.start();
    expect(await rig.explain("default", "t")).toMatchObject({ dst: "::/0", verdict: "installed" });
  });
});
