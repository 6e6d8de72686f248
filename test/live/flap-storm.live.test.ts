/**
 * Two links go down and up two hundred times, as fast as `ip` can. IPv4 removals are silent, IPv6 tells of each; krtd
 * coalesces what it hears, and soon after the last flap the kernel has all routes again, without a periodic scan to
 * help. What only the links took away is nobody's doing: no drift, no contest.
 */

import { describe, expect, it } from "vitest";
import { configOf, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { ask } from "../support/http-unix.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createNetns, createVethPair, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const FLAPS = 200;
/** The kernel needs milliseconds to delete a device. */
const DEVICE_FLAPS = 50;
/** Of each kind: via the first link, via the second, over both, without a gateway. */
const EACH = 100;
const PROMISED_MS = 2000;
/** krtd lets events of this long come together before it scans. */
const COALESCE_MS = 50;

const SECOND = {
  4: { address: "10.0.1.1/24", gateway: "10.0.1.2" },
  6: { address: "2001:db8:0:2::1/64", gateway: "2001:db8:0:2::2" },
};

const peerOf = (link: string): string => link.replace("0", "1");

const addressOf = ({ family, address }: FamilyCase, link: string): string =>
  link === "v0" ? `${address}/${family === 4 ? 24 : 64}` : SECOND[family].address;

const addAddress = (it6: FamilyCase, link: string): string =>
  `addr add ${addressOf(it6, link)} dev ${link}${it6.family === 6 ? " nodad" : ""}`;

/** v0 and w0, each with its peer. IPv6 addresses stay while a link is down, as IPv4 ones do, and serve at once. */
async function createTwoLinks(it6: FamilyCase): Promise<Netns> {
  const ns = await createNetns();
  try {
    const settings = ["all", "default"].flatMap((which) =>
      ["keep_addr_on_down=1", "accept_dad=0"].map((setting) => `net.ipv6.conf.${which}.${setting}`),
    );
    await ns.run("sysctl", ["-qw", ...settings]);
    for (const link of ["v0", "w0"]) {
      await createVethPair(ns, link, peerOf(link));
      await ns.ip(addAddress(it6, link));
    }
    await settled(ns);
    return ns;
  } catch (error) {
    await ns.dispose();
    throw error;
  }
}

function routesOf({ family, gateway, net }: FamilyCase) {
  const other = SECOND[family].gateway;
  const of = (kind: number) => Array.from({ length: EACH }, (_, i) => net(kind * EACH + i));
  return [
    ...of(0).map((prefix) => ({ prefix, via: gateway })),
    ...of(1).map((prefix) => ({ prefix, via: other, dev: "w0" })),
    ...of(2).map((prefix) => ({ prefix, nexthops: [{ via: gateway }, { via: other, weight: 2 }] })),
    ...of(3).map((prefix) => ({ prefix, dev: "v0" })),
  ];
}

const scans = async (krtd: RunningKrtd): Promise<number> =>
  (await krtd.kernels()).reduce((sum, { kernel }) => sum + kernel.scan.count, 0);

const drift = async (krtd: RunningKrtd): Promise<readonly unknown[]> =>
  JSON.parse((await ask(krtd.socket, "/v1/drift")).text) as unknown[];

/** `flaps` times: the commands that take one link or both away, and those that bring them back. */
function repeat(
  flaps: number,
  down: (link: string) => readonly string[],
  up: (link: string) => readonly string[],
): readonly string[] {
  const one = (i: number): readonly string[] => {
    const links = [["v0"], ["w0"], ["v0", "w0"]][i % 3]!;
    return [...links.flatMap(down), ...links.flatMap(up)];
  };
  return Array.from({ length: flaps }, (_, i) => one(i)).flat();
}

const COMMANDS = {
  "links go down and up": () =>
    repeat(
      FLAPS,
      (link) => [`link set ${link} down`],
      (link) => [`link set ${link} up`],
    ),
  "carriers go and come": () =>
    repeat(
      FLAPS,
      (link) => [`link set ${peerOf(link)} down`],
      (link) => [`link set ${peerOf(link)} up`],
    ),
  "addresses go and come": (it6: FamilyCase) =>
    repeat(
      FLAPS,
      (link) => [`addr del ${addressOf(it6, link)} dev ${link}`],
      (link) => [addAddress(it6, link)],
    ),
  "devices are deleted and made again": (it6: FamilyCase) =>
    repeat(
      DEVICE_FLAPS,
      (link) => [`link del ${link}`],
      (link) => [
        `link add ${link} type veth peer name ${peerOf(link)}`,
        `link set ${peerOf(link)} up`,
        `link set ${link} up`,
        addAddress(it6, link),
      ],
    ),
};

type How =
  | "in one batch"
  | "by separate commands"
  | "in one batch, unheard"
  | "by separate commands, scanning";

const ROWS: readonly (readonly [what: keyof typeof COMMANDS, how: How])[] = [
  ["links go down and up", "in one batch"],
  ["links go down and up", "by separate commands"],
  // A periodic scan may see what is missing before the news of the link has come.
  ["links go down and up", "by separate commands, scanning"],
  ["links go down and up", "in one batch, unheard"],
  ["carriers go and come", "by separate commands"],
  ["addresses go and come", "in one batch"],
  ["addresses go and come", "by separate commands"],
  ["devices are deleted and made again", "in one batch"],
  ["devices are deleted and made again", "by separate commands"],
  ["devices are deleted and made again", "in one batch, unheard"],
];

/** Runs the commands; resolves with the time krtd could begin to do something about the last of them. */
async function flap(ns: Netns, krtd: RunningKrtd, commands: readonly string[], how: How): Promise<number> {
  const unheard = how === "in one batch, unheard";
  if (unheard) krtd.signal("SIGSTOP");
  try {
    if (how.startsWith("in one batch")) await ns.batch(commands);
    else for (const command of commands) await ns.ip(command);
  } finally {
    if (unheard) krtd.signal("SIGCONT");
  }
  return performance.now();
}

describe.each(FAMILIES)("IPv$family: two hundred times", (it6) => {
  it.each(ROWS)("%s %s: all routes are back, and nothing more is written", async (what, how) => {
    await using ns = await createTwoLinks(it6);
    const routes = routesOf(it6);
    const config = configOf(it6, routes, {
      scanTime: how.endsWith("scanning") ? "100ms" : 0,
      root: {
        device: { "scan-time": 0 },
        netlink: { "rx-buffer": how.endsWith("unheard") ? "64KiB" : "16MiB" },
      },
    });
    await using krtd = await startSynced(ns, config);
    const wanted = await ownLines(ns, it6.flag);
    expect(wanted).toHaveLength(routes.length);
    const before = await scans(krtd);
    const begin = performance.now();
    const end = await flap(ns, krtd, COMMANDS[what](it6), how);
    const same = async (): Promise<boolean> => (await ownLines(ns, it6.flag)).join() === wanted.join();
    await waitFor("all routes are back", same, 10_000);
    const back = performance.now() - end;
    await waitFor("krtd is in sync", async () => {
      const idle = (await krtd.kernels()).every(({ kernel }) => kernel.scan.state === "idle");
      return idle && (await krtd.state()) === "in-sync";
    });
    const took = performance.now() - begin;
    const scanned = (await scans(krtd)) - before;
    const { overruns } = (await krtd.status()).netlink;
    const figures = {
      family: it6.family,
      what,
      how,
      "flaps-ms": Math.round(end - begin),
      "back-ms": Math.round(back),
      scans: scanned,
      writes: await krtd.writes(),
      overruns,
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(back).toBeLessThan(PROMISED_MS);
    // Each of two kernel protocols at most once in that time; and a few at the end.
    expect(scanned).toBeLessThan((2 * took) / COALESCE_MS + 10);
    if (how.endsWith("unheard")) expect(overruns).toBeGreaterThan(0);

    await settled(ns);
    await krtd.scan();
    await using monitor = await monitorRoutes(ns);
    const writes = await krtd.writes();
    await krtd.scan();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);
    expect(await monitor.events()).toEqual([]);
    expect((await krtd.kernels()).map(({ kernel }) => kernel.contested)).toEqual([0, 0]);
    expect(await drift(krtd)).toEqual([]);
    expect(krtd.log()).not.toContain("contested");
    expect(krtd.log()).not.toContain("by somebody else");
  });
});
