import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACCEPT_ALL, type Filter } from "../../../src/nest/filter.ts";
import { PLAIN_ORIGIN } from "../../../src/nest/origin.ts";
import { type AttrsText, draftOf } from "../../support/draft.ts";
import { address, configOf, fixture, link, prefixOf, RECURSIVE, type RouteText, specOf } from "./fixture.ts";
import { type OtherRoute, reference } from "./reference.ts";

// Few prefixes and addresses, nested in each other, so that much covers much.
const PREFIXES = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.0.2.0/24"];
const ADDRESSES = ["10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "192.0.2.1", "203.0.113.1"];
const NAMES = ["eth0", "eth1", "red0"];

const specText = fc.oneof(
  fc.constantFrom(...ADDRESSES).map((to) => `recursive ${to}`),
  fc.constantFrom(...ADDRESSES).map((to) => `recursive ${to} metric 9 mtu 1400`),
  fc.constantFrom(
    "via 10.1.2.9",
    "via 10.1.2.9 metric 3",
    "dev eth0",
    "via 10.1.2.8 dev eth1",
    "nexthop via 10.1.2.8 weight 2 nexthop dev eth1 weight 3 nexthop via 192.0.2.7",
    "blackhole",
  ),
);

/** "red": rejects what leads over a device of a red name. */
const noRed: Filter = {
  name: "no-red",
  key: "no-red",
  asksDevices: true,
  rejectsAll: false,
  apply: ({ attrs }, context) =>
    !context.attrs
      .describe(attrs)
      .nexthops.some(({ device }) => device !== 0 && context.deviceName(device).startsWith("red")),
};

const configuration = fc.record({
  routes: fc.uniqueArray(fc.tuple(fc.constantFrom(...PREFIXES), specText), {
    selector: ([prefix]) => prefix,
    maxLength: 5,
  }),
  checkLink: fc.boolean(),
  preference: fc.constantFrom(5, 200, 300),
  filtered: fc.boolean(),
});

const OTHER_ROUTES: readonly AttrsText[] = [
  { nexthops: [{ via: "10.0.0.1" }] },
  { nexthops: [{ via: "10.0.0.1", device: 1 }] },
  { nexthops: [{ device: 2 }] },
  {
    nexthops: [
      { device: 1, weight: 4 },
      { via: "10.1.2.3", device: 1, weight: 2 },
      { via: "10.0.0.2", device: 2 },
    ],
  },
  { nexthops: [{ device: 3, encap: 7 }], opaque: 7 },
  { type: "unreachable" },
];

const ifindex = fc.constantFrom(1, 2, 3);
const step = fc.oneof(
  fc.record({
    do: fc.constant("other" as const),
    prefix: fc.constantFrom(...PREFIXES),
    from: fc.constantFrom("other", "third"),
    route: fc.constantFrom(...OTHER_ROUTES),
    preference: fc.constantFrom(10, 200, 250),
    metric: fc.constantFrom(0, 3),
    recursive: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  }),
  fc.record({
    do: fc.constant("unother" as const),
    prefix: fc.constantFrom(...PREFIXES),
    from: fc.constantFrom("other", "third"),
  }),
  fc.record({
    do: fc.constant("link" as const),
    ifindex,
    name: fc.constantFrom(...NAMES),
    up: fc.boolean(),
  }),
  fc.record({ do: fc.constant("link-gone" as const), ifindex }),
  fc.record({
    do: fc.constantFrom("address" as const, "address-gone" as const),
    ifindex,
    address: fc.constantFrom("10.1.2.1/24", "10.1.2.1/30", "192.0.2.2/24"),
  }),
  fc.record({ do: fc.constant("full" as const), addresses: fc.boolean() }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 1, 60) }),
  fc.record({ do: fc.constant("reconfigure" as const), configuration }),
  fc.record({ do: fc.constantFrom("reload" as const, "turn" as const, "fed" as const) }),
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Configuration = typeof configuration extends fc.Arbitrary<infer C> ? C : never;

const configured = ({ routes, filtered, ...more }: Configuration) =>
  configOf(routes as readonly RouteText[], { ...more, import: filtered ? noRed : ACCEPT_ALL });

async function run(first: Configuration, steps: readonly Step[]): Promise<void> {
  const f = fixture(configured(first));
  const others = new Map<string, OtherRoute>();
  const links = new Map<number, { readonly name: string; readonly up: boolean }>();
  let now = first;
  const expected = (): Record<string, string> =>
    reference({
      ...now,
      routes: now.routes.map(([text, spec]) => ({ prefix: prefixOf(text), text, spec: specOf(spec) })),
      source: f.protocol.channels[0]!.source,
      interfaces: f.interfaces,
      others: [...others.values()],
      passes: ({ nexthops }) =>
        !now.filtered ||
        !nexthops.some(({ device }) => device !== 0 && f.interfaces.deviceName(device).startsWith("red")),
    });
  await f.protocol.start();
  expect(f.announced()).toEqual(expected());
  for (const each of steps) {
    switch (each.do) {
      case "other": {
        const { prefix, from, route, preference, metric, recursive } = each;
        const origin = recursive ? RECURSIVE : PLAIN_ORIGIN;
        f.other(prefix, route, { from, preference, metric, origin });
        const attrs = f.attrs.describeDraft(draftOf(route));
        const source = f.source(from);
        const key = `${prefix} ${from}`;
        others.set(key, { prefix: prefixOf(prefix), attrs, recursive, preference, metric, source });
        break;
      }
      case "unother":
        f.unother(each.prefix, each.from);
        others.delete(`${each.prefix} ${each.from}`);
        break;
      case "link":
        // No two links have one name at a time.
        if ([...links].some(([other, { name }]) => name === each.name && other !== each.ifindex)) break;
        links.set(each.ifindex, each);
        f.interfaces.link(link(each.ifindex, each.name, each.up));
        break;
      case "link-gone":
        links.delete(each.ifindex);
        f.interfaces.linkGone(each.ifindex);
        break;
      case "address":
        f.interfaces.address(address(each.ifindex, each.address));
        break;
      case "address-gone":
        f.interfaces.addressGone(address(each.ifindex, each.address));
        break;
      case "full": {
        const before = f.interfaces.all();
        f.interfaces.beginFull();
        for (const [index, { name, up }] of links) f.interfaces.link(link(index, name, up));
        for (const { addresses } of each.addresses ? before : []) {
          for (const one of addresses) f.interfaces.address(one);
        }
        f.interfaces.endFull();
        break;
      }
      case "wait":
        await f.clock.advance(each.ms);
        break;
      case "reconfigure":
        now = each.configuration;
        void f.protocol.reconfigure(configured(now));
        break;
      case "reload":
        void f.protocol.reload();
        break;
      case "turn":
        await f.clock.yield();
        break;
      case "fed":
        await f.protocol.fed;
        expect(f.announced()).toEqual(expected());
        break;
    }
  }
  await f.clock.advance(100);
  expect(f.announced()).toEqual(expected());
  f.changes.length = 0;
  await f.clock.advance(1000);
  expect(f.changes).toEqual([]);
  expect(await f.leftovers()).toEqual([0, 0, 0]);
}

describe("the static protocol", () => {
  it("announces what the reference does, whatever happens to tables and interfaces", async () => {
    await fc.assert(fc.asyncProperty(configuration, fc.array(step, { maxLength: 25 }), run), {
      numRuns: 500,
    });
  });
});
