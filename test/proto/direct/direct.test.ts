import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPrefix } from "../../../src/lib/prefix.ts";
import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../../../src/nest/filter.ts";
import { connectedNet } from "../../../src/proto/direct/connected-net.ts";
import { takesInterface } from "../../../src/proto/direct/patterns.ts";
import { settle } from "../../support/fake-clock.ts";
import { addressOf, CONFIG, type DirectFixture, directFixture, linkOf, UP } from "./fixture.ts";

/** One full update: links as [ifindex, name], addresses as [ifindex, text]. */
function full(
  { interfaces }: DirectFixture,
  links: readonly (readonly [number, string, number?])[],
  addresses: readonly (readonly [number, string])[] = [],
): Promise<void> {
  interfaces.beginFull();
  for (const [ifindex, name, flags = UP] of links) interfaces.link(linkOf(ifindex, name, { flags }));
  for (const [ifindex, text] of addresses) interfaces.address(addressOf(ifindex, text));
  interfaces.endFull();
  return settle();
}

/** Takes routes through interfaces whose name begins so. */
function onlyThrough(start: string): Filter {
  return {
    name: `only-${start}`,
    key: `only-${start}`,
    asksDevices: true,
    rejectsAll: false,
    apply: (route, { attrs, deviceName }) =>
      deviceName(attrs.describe(route.attrs).nexthops[0]!.device).startsWith(start),
  };
}

describe("DirectProtocol", () => {
  it("announces the nets of what is up, in the table of their family, as bare device routes", async () => {
    const f = directFixture();
    await full(
      f,
      [
        [1, "lo", UP | 0x8],
        [2, "eth0"],
        [3, "eth1", 0],
      ],
      [
        [1, "192.0.2.1/32"],
        [2, "10.0.0.1/24"],
        [2, "2001:db8::1/64"],
        [2, "fe80::1/64"],
        [3, "10.3.0.1/24"],
      ],
    );
    await f.protocol.start();
    expect(f.shown()).toEqual(["10.0.0.0/24 dev 2 preference 240", "2001:db8::/64 dev 2 preference 240"]);
    const table = f.tables[0]!;
    const best = table.best(1);
    expect(f.attrs.describe(table.attrsOf(best))).toMatchObject({
      type: "unicast",
      nexthops: [{ gateway: null, device: 2, weight: 1, onlink: false }],
      prefsrc: null,
      scope: null,
    });
    expect(table.metricOf(best)).toBe(0);
    expect(table.source(table.sourceOf(best))).toMatchObject({ name: "direct1", sourceType: "direct" });
    await f.protocol.stop();
    await f.protocol.stop();
    expect([f.shown(), f.attrs.size, table.fib.size]).toEqual([[], 0, 0]);
  });

  it("follows addresses and interfaces as they come and go", async () => {
    const f = directFixture();
    await full(f, [[2, "eth0"]], [[2, "10.0.0.1/24"]]);
    await f.protocol.start();
    f.changes();
    const { interfaces } = f;
    const steps: readonly (readonly [why: string, act: () => void, changes: readonly string[]])[] = [
      ["a second address", () => interfaces.address(addressOf(2, "10.1.0.1/24")), ["10.1.0.0/24 dev 2"]],
      ["one more in the same net", () => interfaces.address(addressOf(2, "10.1.0.2/24")), []],
      ["the first of two in a net goes", () => interfaces.addressGone(addressOf(2, "10.1.0.1/24")), []],
      ["and the last", () => interfaces.addressGone(addressOf(2, "10.1.0.2/24")), ["10.1.0.0/24 gone"]],
      [
        "an address that has to prove itself",
        () => interfaces.address(addressOf(2, "2001:db8::1/64", { flags: 0xc0 })),
        [],
      ],
      [
        "and has",
        () => interfaces.address(addressOf(2, "2001:db8::1/64", { flags: 0x80 })),
        ["2001:db8::/64 dev 2"],
      ],
      [
        "the link goes down",
        () => interfaces.link(linkOf(2, "eth0", { flags: 0 })),
        ["10.0.0.0/24 gone", "2001:db8::/64 gone"],
      ],
      ["and up", () => interfaces.link(linkOf(2, "eth0")), ["10.0.0.0/24 dev 2", "2001:db8::/64 dev 2"]],
      [
        "a breath of down",
        () => {
          interfaces.link(linkOf(2, "eth0", { flags: 0 }));
          interfaces.link(linkOf(2, "eth0"));
        },
        [],
      ],
      ["a new master", () => interfaces.link(linkOf(2, "eth0", { master: 9 })), []],
      ["it is gone", () => interfaces.linkGone(2), ["10.0.0.0/24 gone", "2001:db8::/64 gone"]],
    ];
    for (const [why, act, changes] of steps) {
      act();
      await settle();
      expect(f.changes().sort(), why).toEqual(changes);
    }
    await f.protocol.stop();
  });

  it("announces a net that several interfaces have through the lowest index, without a gap", async () => {
    const f = directFixture();
    const links = [
      [7, "a"],
      [4, "b"],
      [5, "c"],
    ] as const;
    await full(f, links, [
      [7, "10.0.0.1/24"],
      [5, "10.0.0.2/24"],
    ]);
    await f.protocol.start();
    expect(f.changes().at(-1)).toBe("10.0.0.0/24 dev 5");
    f.interfaces.address(addressOf(4, "10.0.0.3/24"));
    await settle();
    f.interfaces.linkGone(5);
    await settle();
    expect(f.protocol.channels[0]!.stats.importUpdates.ignored).toBe(0);
    f.interfaces.linkGone(4);
    await settle();
    f.interfaces.linkGone(7);
    await settle();
    expect(f.changes()).toEqual(["10.0.0.0/24 dev 4", "10.0.0.0/24 dev 7", "10.0.0.0/24 gone"]);
    await f.protocol.stop();
  });

  it("judges an interface by the name it has now", async () => {
    const f = directFixture({ interfaces: ["!eth9", "eth*"] });
    await full(f, [[2, "eth9"]], [[2, "10.0.0.1/24"]]);
    await f.protocol.start();
    expect(f.protocol.info()).toBe("no interface fits");
    f.interfaces.link(linkOf(2, "eth8"));
    await settle();
    expect(f.changes()).toEqual(["10.0.0.0/24 dev 2"]);
    expect(f.protocol.info()).toBe("");
    f.interfaces.link(linkOf(2, "wan"));
    await settle();
    expect(f.changes()).toEqual(["10.0.0.0/24 gone"]);
    await f.protocol.stop();
    expect(f.protocol.info()).toBe("");
  });

  it("asks an import filter that knows names again when an interface is renamed", async () => {
    const f = directFixture({ import: onlyThrough("lan") });
    await full(f, [[2, "eth0"]], [[2, "10.0.0.1/24"]]);
    await f.protocol.start();
    expect(f.shown()).toEqual([]);
    f.interfaces.link(linkOf(2, "lan0"));
    f.interfaces.link(linkOf(2, "lan0", { mtu: 1400 }));
    await settle();
    expect(f.shown()).toHaveLength(1);
    await f.protocol.stop();
    expect(f.attrs.size).toBe(0);
  });

  it("changes nothing but what another configuration asks for", async () => {
    const f = directFixture();
    await full(
      f,
      [
        [2, "eth0"],
        [3, "tun0"],
      ],
      [
        [2, "10.0.0.1/24"],
        [3, "10.1.0.1/24"],
      ],
    );
    await f.protocol.start();
    f.changes();
    const both = ["10.0.0.0/24 dev 2", "10.1.0.0/24 dev 3"];
    const steps: readonly (readonly [object, boolean, readonly string[], string])[] = [
      [{}, false, [], "the same again"],
      [{ interfaces: ["!tun*"] }, false, ["10.1.0.0/24 gone"], "patterns"],
      [{ interfaces: ["!tun*"], preference: 100 }, false, ["10.0.0.0/24 dev 2"], "preference"],
      [{ preference: 240 }, false, both, "both"],
      [{ import: onlyThrough("tun") }, true, [], "a filter, softly"],
      [{ import: onlyThrough("eth") }, false, ["10.1.0.0/24 gone"], "a filter"],
      [{ import: REJECT_ALL }, false, ["10.0.0.0/24 gone"], "nothing passes"],
      [{ import: ACCEPT_ALL }, false, both, "all passes"],
    ];
    for (const [config, soft, changes, why] of steps) {
      await f.protocol.reconfigure({ ...CONFIG, ...config }, soft);
      expect(f.changes().sort(), why).toEqual(changes);
    }
    expect(f.shown()).toEqual(both.map((line) => `${line} preference 240`));
    await f.protocol.reload();
    expect(f.changes()).toEqual([]);
    await f.protocol.stop();
  });

  it("takes a softly changed filter for all routes when it is reloaded", async () => {
    const f = directFixture();
    await full(f, [[2, "eth0"]], [[2, "10.0.0.1/24"]]);
    await f.protocol.start();
    await f.protocol.reconfigure({ ...CONFIG, import: REJECT_ALL }, true);
    expect(f.shown()).toHaveLength(1);
    await f.protocol.reload();
    expect(f.shown()).toEqual([]);
    await f.protocol.stop();
  });

  it("stops in the middle of a long look, and leaves nothing", async () => {
    const f = directFixture();
    const count = 2000;
    await full(
      f,
      Array.from({ length: count }, (_, i) => [i + 1, `e${i}`] as const),
      Array.from({ length: count }, (_, i) => [i + 1, `10.${i >> 8}.${i & 255}.1/24`] as const),
    );
    const starting = f.protocol.start();
    await Promise.resolve();
    await f.protocol.stop();
    await starting;
    expect([f.shown(), f.attrs.size]).toEqual([[], 0]);
  });
});

describe("DirectProtocol, whatever happens to interfaces,", () => {
  const names = ["eth0", "eth1", "tun0", "eth9"];
  const addresses = ["10.0.0.1/24", "10.0.0.2/24", "10.1.0.1/24", "2001:db8::1/64", "fe80::1/64"];
  const op = fc.oneof(
    fc.record({
      op: fc.constant("link" as const),
      ifindex: fc.integer({ min: 1, max: 4 }),
      name: fc.constantFrom(...names),
      flags: fc.constantFrom(UP, UP, UP, 0),
    }),
    fc.record({ op: fc.constant("gone" as const), ifindex: fc.integer({ min: 1, max: 4 }) }),
    fc.record({
      op: fc.constantFrom("address" as const, "unaddress" as const),
      ifindex: fc.integer({ min: 1, max: 4 }),
      address: fc.constantFrom(...addresses),
      flags: fc.constantFrom(0x80, 0x80, 0x40),
    }),
    fc.record({ op: fc.constant("config" as const), interfaces: fc.subarray(["!eth9", "eth*", "tun0"]) }),
    fc.record({ op: fc.constant("wait" as const) }),
  );

  it("shows what the interfaces have in the end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { maxLength: 60 }), async (ops) => {
        const f = directFixture();
        const { interfaces, protocol } = f;
        await full(f, [[1, "eth0"]]);
        await protocol.start();
        let patterns: readonly string[] = [];
        for (const each of ops) {
          if (each.op === "link") {
            interfaces.link(linkOf(each.ifindex, each.name, { flags: each.flags }));
          } else if (each.op === "gone") interfaces.linkGone(each.ifindex);
          else if (each.op === "address")
            interfaces.address(addressOf(each.ifindex, each.address, { flags: each.flags }));
          else if (each.op === "unaddress") interfaces.addressGone(addressOf(each.ifindex, each.address));
          else if (each.op === "config") {
            patterns = each.interfaces;
            void protocol.reconfigure({ ...CONFIG, interfaces: patterns });
          } else await f.clock.yield();
          // Addresses of a new interface count once they were read in full.
          if (each.op === "link") {
            interfaces.beginFull();
            for (const { addresses: held, up: _, ...link } of interfaces.all()) {
              interfaces.link(link);
              for (const address of held) interfaces.address(address);
            }
            interfaces.endFull();
          }
        }
        await settle();
        const expected = new Map<string, number>();
        for (const { up, name, ifindex, addresses: held } of interfaces.all()) {
          if (!up || !takesInterface(patterns, name)) continue;
          for (const address of held) {
            const net = connectedNet(address);
            if (net === null) continue;
            const { family, w0, w1, w2, w3, length } = net;
            const text = formatPrefix(family, w0, w1, w2, w3, length);
            if (!expected.has(text)) expected.set(text, ifindex);
          }
        }
        const lines = [...expected].map(([net, dev]) => `${net} dev ${dev} preference 240`);
        expect(f.shown()).toEqual(lines.sort());
        await protocol.stop();
        expect(f.attrs.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

describe("a net that several interfaces have", () => {
  it("comes from the first of them that the import filter lets in", async () => {
    const refused = new Set([2]);
    const lets = (device: number): boolean => !refused.has(device);
    const f = directFixture({
      import: {
        ...ACCEPT_ALL,
        name: "f",
        key: "f",
        asksDevices: true,
        apply: (route, { attrs }) => lets(attrs.describe(route.attrs).nexthops[0]!.device),
      },
    });
    const give = (...indexes: readonly number[]): void => {
      f.interfaces.beginFull();
      for (const index of indexes) {
        f.interfaces.link(linkOf(index, `eth${index}`));
        f.interfaces.address(addressOf(index, `10.0.0.${index}/24`));
      }
      f.interfaces.endFull();
    };
    give(2, 3, 4);
    await settle();
    await f.protocol.start();
    expect(f.shown()).toEqual(["10.0.0.0/24 dev 3 preference 240"]);
    give(2, 4);
    await settle();
    expect(f.shown()).toEqual(["10.0.0.0/24 dev 4 preference 240"]);
    give(2, 3, 4);
    await settle();
    expect(f.shown()).toEqual(["10.0.0.0/24 dev 3 preference 240"]);
    refused.delete(2);
    await f.protocol.reload();
    expect(f.shown()).toEqual(["10.0.0.0/24 dev 2 preference 240"]);
    give(2);
    await settle();
    refused.add(2);
    await f.protocol.reload();
    expect(f.shown()).toEqual([]);
  });
});
