/**
 * Links go down and up, lose carrier, addresses and names, are deleted and made again, perhaps with the index or the
 * name of another one. What remains of foreign routes after that is seen in a namespace without krtd to which the very
 * same was done.
 */

import { expect } from "vitest";
import { FAMILIES } from "../support/families.ts";
import type { Netns } from "../support/netns.ts";
import { addAddress, createTwoLinks, type LinkCase, V, W } from "../support/two-links.ts";
import { configOfWanted, fault, type World } from "./support/fault.ts";
import { foreignRoutes } from "./support/oracles.ts";
import type { WantedRoute, WantedRoutes } from "./support/wanted.ts";

const routesOf = (index: 0 | 1): WantedRoute[] => {
  const { family, net, gateway } = FAMILIES[index]!;
  const other = W.gateway[family];
  return Array.from({ length: 60 }, (_, i): WantedRoute => {
    const prefix = net(200 + i);
    if (i % 10 === 0) return { prefix, nexthops: [{ via: gateway }, { via: other, weight: 2 }] };
    if (i % 10 === 1) return { prefix, dev: "w0" };
    if (i % 10 === 2) return { prefix, type: "unreachable" };
    if (i % 10 === 3) return { prefix, via: other, dev: "w0" };
    return { prefix, via: i % 2 === 0 ? gateway : other };
  });
};
const WANTED: WantedRoutes = { 4: routesOf(0), 6: routesOf(1) };

/** Foreign routes over both links, in tables of krtd and others. */
const FOREIGN = FAMILIES.flatMap(({ family, net, gateway }) => [
  `route add ${net(1)} via ${gateway} metric 32 proto 11`,
  `route add ${net(2)} via ${W.gateway[family]} metric 32 proto 12`,
  `route add ${net(200)} via ${W.gateway[family]} metric 7 proto 4`,
  `route add ${net(201)} dev v0 metric 900 proto 4`,
  `route add ${net(3)} via ${gateway} metric 32 table 1000 proto 120`,
  `route add blackhole ${net(4)} metric 32 proto 16`,
]);

/** Makes a link and its peer as createTwoLinks does. */
function make({ name, peer }: LinkCase, words = ""): string[] {
  return [
    `link add ${name} ${words}type veth peer name ${peer}`,
    `link set ${peer} up`,
    `link set ${name} up`,
  ];
}

const addresses = (link: LinkCase): string[] => [addAddress(link, 4), addAddress(link, 6)];
/** Of IPv6 alone: those of IPv4 stay while a link is down. */
const gone = ({ name, address }: LinkCase): string[] =>
  ([4, 6] as const).map((family) => `addr del ${address[family]} dev ${name}`);

/** Things that happen to a link and end with it as it was. */
const FLAPS: readonly ((link: LinkCase, world: World) => readonly string[])[] = [
  ({ name }) => [`link set ${name} down`, `link set ${name} up`],
  ({ peer }) => [`link set ${peer} down`, `link set ${peer} up`],
  (link) => [...gone(link), ...addresses(link)],
  ({ name }) => [`link set ${name} mtu 1400`, `link set ${name} mtu 1500`],
];

/** What takes a device away or gives it another name or index. */
const DEVICES: typeof FLAPS = [
  (link) => [`link del ${link.name}`, ...make(link), ...addresses(link)],
  (link, { random }) => [
    `link del ${link.name}`,
    ...make(link, `index ${random.between(100, 1_000_000)} `),
    ...addresses(link),
  ],
  ({ name }) => [
    `link set ${name} down`,
    `link set ${name} name other0`,
    "link set other0 up",
    "link set other0 down",
    `link set other0 name ${name}`,
    `link set ${name} up`,
  ],
  // Its index goes to another device for a while.
  (link, { random }) => {
    const index = random.between(2000, 1_000_000);
    return [
      `link del ${link.name}`,
      ...make(link, `index ${index} `),
      ...addresses(link),
      `link del ${link.name}`,
      `link add third0 index ${index} type veth peer name third1`,
      "link set third0 up",
      "link del third0",
      ...make(link),
      ...addresses(link),
    ];
  },
  ({ name }) => [
    "link add bridge0 type bridge",
    `link set ${name} master bridge0`,
    `link set ${name} nomaster`,
    "link del bridge0",
  ],
];

async function both(world: World, twin: Netns, commands: readonly string[]): Promise<void> {
  await world.batch(commands);
  await twin.batch(commands);
}

async function chaos(world: World, kinds: typeof FLAPS, rounds: number): Promise<void> {
  const { random, ns } = world;
  await using twin = await createTwoLinks();
  await both(world, twin, FOREIGN);
  const krtd = await world.startSynced(configOfWanted(WANTED, { kernel: { learn: random.chance(0.3) } }));
  const commands: string[] = [];
  for (let i = 0; i < rounds; i++) commands.push(...random.pick(kinds)(random.pick([V, W]), world));
  // All at once, or with time for krtd in between.
  const pieces = random.pick([1, 3, 10]);
  const size = Math.ceil(commands.length / pieces);
  for (let at = 0; at < commands.length; at += size) {
    await both(world, twin, commands.slice(at, at + size));
    await new Promise((resolve) => setTimeout(resolve, pieces === 1 ? 0 : random.between(0, 200)));
  }
  // In half of the runs something is missing at the end. Multipath routes lose a nexthop then; they are not asked for.
  let wanted = WANTED;
  if (random.chance(0.5)) {
    await both(world, twin, [
      random.pick(["link set w0 down", "link del w0", "addr del 10.0.1.1/24 dev w0"]),
    ]);
    const single = (routes: readonly WantedRoute[]): WantedRoute[] =>
      routes.filter((route) => !("nexthops" in route));
    wanted = { 4: single(WANTED[4]), 6: single(WANTED[6]) };
    world.note("the routes with one nexthop, by configure");
    await krtd.configure(configOfWanted(wanted));
  }
  await world.rememberForeign();
  await world.check(krtd, wanted);
  expect((await foreignRoutes(ns)).sort(), "B: as in the namespace without krtd").toEqual(
    (await foreignRoutes(twin)).sort(),
  );
  expect(krtd.log()).not.toContain("contested");
}

fault("flap storm", { short: 1, full: 40, topology: createTwoLinks }, (world) =>
  chaos(world, FLAPS, world.random.between(5, 120)),
);

fault(
  "devices deleted, renamed and numbered anew",
  { short: 1, full: 60, topology: createTwoLinks },
  (world) => chaos(world, [...FLAPS, ...DEVICES, ...DEVICES], world.random.between(2, 25)),
);
