/**
 * Two links go down and up two hundred times, as fast as `ip` can. IPv4 removals are silent, IPv6 tells of each; krtd
 * coalesces what it hears, and soon after the last flap the kernel has all routes again, without a periodic scan to
 * help. What only the links took away is nobody's doing: no drift, no contest.
 */

import { describe, expect, it } from "vitest";
import { configOf, FAMILIES, type FamilyCase, ownLines } from "../support/families.ts";
import { ask } from "../support/http-unix.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";
import { addAddress, createTwoLinks, type LinkCase, V, W } from "../support/two-links.ts";

const FLAPS = 200;
/** The kernel needs milliseconds to delete a device. */
const DEVICE_FLAPS = 50;
/** Of each kind: via the first link, via the second, over both, without a gateway. */
const EACH = 100;
const PROMISED_MS = 2000;
/** krtd lets events of this long come together before it scans. */
const COALESCE_MS = 50;

function routesOf({ family, gateway, net }: FamilyCase) {
  const other = W.gateway[family];
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
  down: (link: LinkCase) => readonly string[],
  up: (link: LinkCase) => readonly string[],
): readonly string[] {
  const one = (i: number): readonly string[] => {
    const links = [[V], [W], [V, W]][i % 3]!;
    return [...links.flatMap(down), ...links.flatMap(up)];
  };
  return Array.from({ length: flaps }, (_, i) => one(i)).flat();
}

const COMMANDS = {
  "links go down and up": () =>
    repeat(
      FLAPS,
      ({ name }) => [`link set ${name} down`],
      ({ name }) => [`link set ${name} up`],
    ),
  "carriers go and come": () =>
    repeat(
      FLAPS,
      ({ peer }) => [`link set ${peer} down`],
      ({ peer }) => [`link set ${peer} up`],
    ),
  "addresses go and come": ({ family }: FamilyCase) =>
    repeat(
      FLAPS,
      ({ name, address }) => [`addr del ${address[family]} dev ${name}`],
      (link) => [addAddress(link, family)],
    ),
  "devices are deleted and made again": ({ family }: FamilyCase) =>
    repeat(
      DEVICE_FLAPS,
      ({ name }) => [`link del ${name}`],
      (link) => [
        `link add ${link.name} type veth peer name ${link.peer}`,
        `link set ${link.peer} up`,
        `link set ${link.name} up`,
        addAddress(link, family),
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
    await using ns = await createTwoLinks();
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
