import { describe, expect, it } from "vitest";
import type { Interfaces } from "../../../src/nest/iface.ts";
import { settle } from "../../support/fake-clock.ts";
import { address, configOf, type Fixture, fixture, link, type RouteText } from "./fixture.ts";

const PREFIX = "10.8.0.0/16";

async function set(routes: readonly RouteText[], before: (interfaces: Interfaces) => void): Promise<Fixture> {
  const f = fixture(configOf(routes, { checkLink: true }));
  before(f.interfaces);
  await f.protocol.start();
  return f;
}

const ROWS: readonly {
  why: string;
  spec: string;
  have: (interfaces: Interfaces) => void;
  /** null: withdrawn. */
  shown: string | null;
}[] = [
  { why: "its device is up", spec: "dev eth0", have: (i) => i.link(link(3, "eth0")), shown: "dev 3" },
  {
    why: "its device has no carrier",
    spec: "dev eth0",
    have: (i) => i.link(link(3, "eth0", false)),
    shown: null,
  },
  {
    why: "its device is switched off",
    spec: "dev eth0",
    have: (i) => i.link({ ...link(3, "eth0"), flags: 0x10040 }),
    shown: null,
  },
  { why: "its device does not exist", spec: "via 10.0.0.2 dev eth0", have: () => {}, shown: null },
  {
    why: "the device counts, whoever has the gateway's subnet",
    spec: "via 10.0.0.2 dev eth0",
    have: (i) => {
      i.link(link(3, "eth0"));
      i.link(link(4, "eth1", false));
      i.address(address(4, "10.0.0.1/24"));
    },
    shown: "via 10.0.0.2 dev 3",
  },
  {
    why: "the gateway's subnet is on a link that is up",
    spec: "via 10.0.0.2",
    have: (i) => {
      i.link(link(3, "eth0"));
      i.address(address(3, "10.0.0.1/24"));
    },
    shown: "via 10.0.0.2",
  },
  {
    why: "the gateway's subnet is on a link that is down",
    spec: "via 10.0.0.2",
    have: (i) => {
      i.link(link(3, "eth0", false));
      i.address(address(3, "10.0.0.1/24"));
    },
    shown: null,
  },
  {
    why: "the gateway is the peer of a link that is down",
    spec: "via 10.9.0.2",
    have: (i) => {
      i.link(link(3, "ppp0", false));
      i.address({ ...address(3, "10.0.0.1/32"), peer: [(10 << 24) | (9 << 16) | 2, 0, 0, 0] });
    },
    shown: null,
  },
  {
    why: "the longest of the gateway's subnets counts",
    spec: "via 10.0.0.2",
    have: (i) => {
      i.link(link(3, "eth0", false));
      i.link(link(4, "eth1"));
      i.address(address(3, "10.0.0.1/8"));
      i.address(address(4, "10.0.0.1/24"));
    },
    shown: "via 10.0.0.2",
  },
  {
    why: "the gateway is in no subnet: the kernel decides",
    spec: "via 10.0.0.2",
    have: (i) => i.link(link(3, "eth0", false)),
    shown: "via 10.0.0.2",
  },
  {
    why: "an IPv6 gateway has its subnet among the IPv6 ones",
    spec: "via 2001:db8::2",
    have: (i) => {
      i.link(link(3, "eth0", false));
      i.address(address(3, "2001:db8::1/64"));
    },
    shown: null,
  },
  {
    why: "dead nexthops are left out, and the weights of the others stay",
    spec: "nexthop dev eth0 weight 2 nexthop dev eth1 weight 3 nexthop dev eth2 weight 4",
    have: (i) => {
      i.link(link(3, "eth0"));
      i.link(link(4, "eth1", false));
      i.link(link(5, "eth2"));
    },
    shown: "dev 3 weight 2 & dev 5 weight 4",
  },
  {
    why: "the only one left has no weight",
    spec: "nexthop dev eth0 weight 2 nexthop dev eth1 weight 3",
    have: (i) => i.link(link(4, "eth1")),
    shown: "dev 4",
  },
  { why: "it discards, over whatever link", spec: "blackhole", have: () => {}, shown: "blackhole" },
];

describe("a route of a protocol with check-link", () => {
  it.each(ROWS)("is $shown: $why", async ({ spec, have, shown }) => {
    const f = await set([[PREFIX, spec]], have);
    expect(f.announced()).toEqual(shown === null ? {} : { [PREFIX]: shown });
    expect(f.protocol.info()).toBe(shown === null ? "1 route without a link that is up" : "");
    expect(f.protocol.route(0).attrs === null).toBe(shown === null);
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("needs no link without check-link", async () => {
    const f = fixture(configOf([[PREFIX, "via 10.0.0.2 dev eth0"]]));
    f.interfaces.link(link(3, "eth0", false));
    await f.protocol.start();
    f.interfaces.link(link(3, "eth0"));
    f.interfaces.link(link(3, "eth0", false));
    await settle();
    expect(f.changes).toEqual([`+ ${PREFIX}`]);
    expect(f.announced()).toEqual({ [PREFIX]: "via 10.0.0.2 dev 3" });
    await f.protocol.stop();
  });

  /** One interface eth0, up, with the gateway's subnet; then what happens to it, and whether the route is there. */
  const EVENTS: readonly { what: string; spec: string; act: (i: Interfaces) => void; there: boolean }[] = [
    { what: "nothing", spec: "via 10.0.0.2", act: () => {}, there: true },
    { what: "down", spec: "via 10.0.0.2", act: (i) => i.link(link(3, "eth0", false)), there: false },
    { what: "gone", spec: "via 10.0.0.2 dev eth0", act: (i) => i.linkGone(3), there: false },
    {
      what: "gone, and with it the subnet: the kernel decides",
      spec: "via 10.0.0.2",
      act: (i) => i.linkGone(3),
      there: true,
    },
    {
      what: "renamed away",
      spec: "via 10.0.0.2 dev eth0",
      act: (i) => i.link(link(3, "eth9")),
      there: false,
    },
    {
      what: "another one takes over the subnet, and is down",
      spec: "via 10.0.0.2",
      act: (i) => {
        i.link(link(4, "eth1", false));
        i.address(address(4, "10.0.0.1/25"));
      },
      there: false,
    },
    {
      what: "the address is removed from a link that is down",
      spec: "via 10.0.0.2",
      act: (i) => {
        i.link(link(3, "eth0", false));
        i.addressGone(address(3, "10.0.0.1/24"));
      },
      there: true,
    },
  ];
  it.each(EVENTS)("hears of its interface: $what", async ({ spec, act, there }) => {
    const prepare = (interfaces: Interfaces): void => {
      interfaces.beginFull();
      interfaces.link(link(3, "eth0"));
      interfaces.address(address(3, "10.0.0.1/24"));
      interfaces.endFull();
    };
    const f = await set([[PREFIX, spec]], prepare);
    expect(Object.keys(f.announced())).toEqual([PREFIX]);
    act(f.interfaces);
    await settle();
    expect(Object.keys(f.announced())).toEqual(there ? [PREFIX] : []);
    prepare(f.interfaces);
    await settle();
    expect(Object.keys(f.announced())).toEqual([PREFIX]);
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("counts the links of the route it follows, too", async () => {
    const f = await set([[PREFIX, "recursive 192.0.2.9"]], (i) => {
      i.link(link(3, "eth0"));
      i.link(link(4, "eth1"));
    });
    f.other("192.0.2.0/24", { nexthops: [{ device: 3 }, { via: "10.0.0.1", device: 4 }] });
    await f.protocol.fed;
    expect(f.announced()).toEqual({ [PREFIX]: "via 10.0.0.1 dev 4 & via 192.0.2.9 dev 3 recursive" });
    f.interfaces.link(link(3, "eth0", false));
    await f.protocol.fed;
    expect(f.announced()).toEqual({ [PREFIX]: "via 10.0.0.1 dev 4 recursive" });
    f.interfaces.linkGone(4);
    await f.protocol.fed;
    expect([f.announced(), f.protocol.info()]).toEqual([{}, "1 recursive route unresolved"]);
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });
});
