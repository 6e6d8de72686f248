import { describe, expect, it } from "vitest";
import { parseIp } from "../../src/lib/ip.ts";
import { type AddressInfo, Interfaces, type LinkInfo } from "../../src/nest/iface.ts";
import type { InterfaceEvent } from "../../src/nest/iface-event.ts";

const UP = 0x1 | 0x40 | 0x10000;

function link(ifindex: number, name: string, more: Partial<LinkInfo> = {}): LinkInfo {
  return {
    ifindex,
    name,
    flags: UP,
    mtu: 1500,
    mac: null,
    kind: "veth",
    master: null,
    operstate: 6,
    carrier: true,
    ...more,
  };
}

function address(ifindex: number, text: string, length: number): AddressInfo {
  const ip = parseIp(text);
  if (ip === null) throw new Error(text);
  return { ifindex, ...ip, length, peer: null, scope: 0, flags: 0x80 };
}

function setup(requireAddress = false) {
  const interfaces = new Interfaces({ requireAddress });
  const events: string[] = [];
  interfaces.listen((event) => events.push(tell(event)));
  const full = (links: readonly LinkInfo[], addresses: readonly AddressInfo[] = []): string[] => {
    events.length = 0;
    interfaces.beginFull();
    for (const each of links) interfaces.link(each);
    for (const each of addresses) interfaces.address(each);
    interfaces.endFull();
    return [...events];
  };
  const partial = (act: () => void): string[] => {
    events.length = 0;
    act();
    return [...events];
  };
  return { interfaces, full, partial };
}

function tell(event: InterfaceEvent): string {
  if (event.kind === "renamed") return `renamed ${event.from} ${event.iface.name}`;
  if ("address" in event) return `${event.kind} ${event.iface.name} /${event.address.length}`;
  return `${event.kind} ${event.iface.name}`;
}

describe("Interfaces: up and down", () => {
  const rows: readonly {
    why: string;
    more: Partial<LinkInfo>;
    addresses: number;
    require?: boolean;
    up: boolean;
  }[] = [
    { why: "admin up, link up", more: {}, addresses: 1, up: true },
    { why: "unnumbered links are fine", more: {}, addresses: 0, up: true },
    { why: "unless an address is required", more: {}, addresses: 0, require: true, up: false },
    { why: "required and present", more: {}, addresses: 1, require: true, up: true },
    { why: "admin down", more: { flags: 0x40 }, addresses: 1, up: false },
    { why: "no carrier", more: { flags: 0x1, operstate: 2 }, addresses: 1, up: false },
    { why: "lower layer down", more: { operstate: 3 }, addresses: 1, up: false },
    { why: "running, operstate unknown", more: { flags: 0x41, operstate: 0 }, addresses: 1, up: true },
    { why: "lower up without running", more: { flags: 0x10001, operstate: 0 }, addresses: 1, up: true },
    { why: "loopback is never up for routing", more: { flags: UP | 0x8 }, addresses: 1, up: false },
  ];
  it.each(rows)("up is $up: $why", ({ more, addresses, require, up }) => {
    const { interfaces, full } = setup(require);
    full([link(2, "v0", more)], addresses === 0 ? [] : [address(2, "10.0.0.1", 24)]);
    expect(interfaces.byIndex(2)?.up).toBe(up);
  });

  it("announces up as interface, then addresses, and down the other way round", () => {
    const { full } = setup();
    const a = address(2, "10.0.0.1", 24);
    expect(full([link(2, "v0")], [a])).toEqual(["created v0", "up v0", "address-added v0 /24"]);
    expect(full([link(2, "v0", { flags: 0 })], [a])).toEqual([
      "changed v0",
      "address-removed v0 /24",
      "down v0",
    ]);
  });
});

describe("Interfaces: full and partial updates", () => {
  it("announces an interface that a full update does not name gone, once", () => {
    const { interfaces, full } = setup();
    full([link(2, "v0")], [address(2, "10.0.0.1", 24)]);
    expect(full([])).toEqual(["address-removed v0 /24", "down v0", "gone v0"]);
    expect(full([])).toEqual([]);
    expect(interfaces.byName("v0")).toBeUndefined();
  });

  it("infers no absence from a partial or an abandoned update", () => {
    const { interfaces, full, partial } = setup();
    full([link(2, "v0"), link(3, "v1")], [address(2, "10.0.0.1", 24)]);
    expect(partial(() => interfaces.link(link(2, "v0")))).toEqual([]);
    const events = partial(() => {
      interfaces.beginFull();
      interfaces.link(link(2, "v0"));
      interfaces.abandonFull();
    });
    expect(events).toEqual([]);
    expect(interfaces.byIndex(3)?.up).toBe(true);
    expect(interfaces.byIndex(2)?.addresses).toHaveLength(1);
  });

  it("keeps an interface that came by a single event down until its addresses are read", () => {
    const { interfaces, full, partial } = setup();
    expect(partial(() => interfaces.link(link(4, "v9")))).toEqual(["created v9"]);
    expect(interfaces.byIndex(4)?.up).toBe(false);
    expect(full([link(4, "v9")])).toEqual(["up v9"]);
  });

  it("removes and adds single addresses", () => {
    const { interfaces, full, partial } = setup();
    const a = address(2, "10.0.0.1", 24);
    full([link(2, "v0")], [a]);
    expect(partial(() => interfaces.addressGone(a))).toEqual(["address-removed v0 /24"]);
    expect(partial(() => interfaces.addressGone(a))).toEqual([]);
    expect(partial(() => interfaces.address(a))).toEqual(["address-added v0 /24"]);
  });
});

describe("Interfaces: changes of an address", () => {
  it("announces new flags as a change of the interface, not as an address that went and came", () => {
    const { interfaces, full, partial } = setup();
    const tentative = { ...address(2, "2001:db8::1", 64), flags: 0x40 };
    full([link(2, "v0")], [tentative]);
    expect(partial(() => interfaces.address({ ...tentative, flags: 0x80 }))).toEqual(["changed v0"]);
    expect(partial(() => interfaces.address({ ...tentative, flags: 0x80 }))).toEqual([]);
  });
});

describe("Interfaces: addresses of an interface that is not up", () => {
  it("are told as a change of the interface, once", () => {
    const { interfaces, full, partial } = setup();
    const a = address(1, "192.0.2.1", 32);
    full([link(1, "lo", { flags: UP | 0x8 })]);
    expect(partial(() => interfaces.address(a))).toEqual(["changed lo"]);
    expect(partial(() => interfaces.address(a))).toEqual([]);
    expect(partial(() => interfaces.addressGone(a))).toEqual(["changed lo"]);
  });
});

describe("Interfaces: identity", () => {
  it("keeps an interface through a rename", () => {
    const { interfaces, full } = setup();
    full([link(2, "v0")]);
    expect(full([link(2, "wan0")])).toEqual(["renamed v0 wan0"]);
    expect(interfaces.byName("v0")).toBeUndefined();
    expect(interfaces.byName("wan0")?.ifindex).toBe(2);
  });

  it("takes another index under the same name for another interface: down and up", () => {
    const { interfaces, full } = setup();
    full([link(2, "v0")]);
    expect(full([link(7, "v0")])).toEqual(["created v0", "down v0", "gone v0", "up v0"]);
    expect(interfaces.byName("v0")?.ifindex).toBe(7);
  });

  it("takes another kind under the same index for another interface (index reuse)", () => {
    const { full } = setup();
    full([link(2, "v0")]);
    expect(full([link(2, "br0", { kind: "bridge" })])).toEqual([
      "down v0",
      "gone v0",
      "created br0",
      "up br0",
    ]);
  });

  it("bounces when the master changes, and for nothing less", () => {
    const { full } = setup();
    full([link(2, "v0")]);
    expect(full([link(2, "v0", { master: 9 })])).toEqual(["down v0", "up v0"]);
    expect(full([link(2, "v0", { master: 9, mtu: 9000 })])).toEqual(["changed v0"]);
  });

  it("survives two interfaces that swap their names", () => {
    const { interfaces, full } = setup();
    full([link(2, "a"), link(3, "b")]);
    full([link(2, "b"), link(3, "a")]);
    expect(interfaces.byName("a")?.ifindex).toBe(3);
    expect(interfaces.byName("b")?.ifindex).toBe(2);
  });

  it("is not confused by names that are keys of objects", () => {
    const { interfaces, full } = setup();
    full([link(2, "__proto__"), link(3, "constructor")]);
    expect(interfaces.byName("__proto__")?.ifindex).toBe(2);
    expect(interfaces.byName("toString")).toBeUndefined();
  });
});

describe("Interfaces.resolveDevice()", () => {
  it("gives a missing name one negative id, and the index once it exists", () => {
    const { interfaces, full } = setup();
    const missing = interfaces.resolveDevice("tun0");
    expect(missing).toBeLessThan(0);
    expect(interfaces.resolveDevice("tun0")).toBe(missing);
    expect(interfaces.resolveDevice("tun1")).not.toBe(missing);
    expect(interfaces.deviceName(missing)).toBe("tun0");
    full([link(5, "tun0")]);
    expect(interfaces.resolveDevice("tun0")).toBe(5);
    expect(interfaces.deviceName(5)).toBe("tun0");
    expect(interfaces.deviceName(99)).toBe("if99");
  });
});

describe("Interfaces.covering()", () => {
  const rows = [
    { of: "10.0.0.9", is: "v0", why: "connected" },
    { of: "10.0.1.9", is: undefined, why: "nobody's" },
    { of: "10.0.0.129", is: "v1", why: "the longer prefix wins" },
    { of: "2001:db8::1:0:0:9", is: "v0", why: "IPv6, within a word" },
    { of: "2001:db8:0:0:2::9", is: undefined, why: "IPv6, another /80" },
  ] as const;
  it.each(rows)("$of is at $is: $why", ({ of, is }) => {
    const { interfaces, full } = setup();
    full(
      [link(2, "v0"), link(3, "v1")],
      [address(2, "10.0.0.1", 24), address(3, "10.0.0.130", 25), { ...address(2, "2001:db8::1:0:0:1", 80) }],
    );
    const ip = parseIp(of);
    if (ip === null) throw new Error(of);
    expect(interfaces.covering(ip.family, ip.w0, ip.w1, ip.w2, ip.w3)?.name).toBe(is);
  });
});

describe("Interfaces.covering() of a net on several interfaces", () => {
  const rows: readonly { of: string; is: string; why: string }[] = [
    { of: "10.0.0.9", is: "v1", why: "the lowest index, whoever came first" },
    { of: "10.0.1.9", is: "v0", why: "one that is up, though its index is higher" },
    { of: "10.0.2.9", is: "v0", why: "one that is up, though its prefix is shorter" },
    { of: "10.0.3.9", is: "down", why: "one that is down, when there is no other" },
  ];
  it.each(rows)("$of is at $is: $why", ({ of, is }) => {
    const { interfaces, full } = setup();
    full([link(5, "v0")], []);
    full(
      [link(5, "v0"), link(3, "v1"), { ...link(2, "down"), flags: 0 }],
      [
        address(5, "10.0.0.1", 24),
        address(3, "10.0.0.2", 24),
        address(5, "10.0.1.1", 24),
        address(2, "10.0.1.2", 24),
        address(5, "10.0.2.1", 24),
        address(2, "10.0.2.2", 25),
        address(2, "10.0.3.2", 24),
      ],
    );
    const ip = parseIp(of)!;
    expect(interfaces.covering(ip.family, ip.w0, ip.w1, ip.w2, ip.w3)?.name).toBe(is);
  });
});

describe("Interfaces.isPreferred()", () => {
  const rows: readonly (readonly [
    address: string,
    rules: readonly (readonly [string, string])[],
    is: boolean,
    why: string,
  ])[] = [
    ["192.0.2.1", [], true, "no rule: what the kernel would choose"],
    ["192.0.2.2", [["eth*", "192.0.2.2"]], true, "named"],
    ["192.0.2.1", [["eth*", "192.0.2.2"]], false, "another one is named"],
    ["192.0.2.1", [["eth*", "192.0.2.77"]], true, "the named one is not there"],
    ["192.0.2.1", [["wlan*", "192.0.2.2"]], true, "a rule for other interfaces"],
    ["2001:db8::1", [["eth*", "192.0.2.2"]], true, "a rule for the other family"],
    [
      "192.0.2.2",
      [
        ["e*", "192.0.2.1"],
        ["eth0", "192.0.2.2"],
      ],
      false,
      "the first that fits decides",
    ],
  ];
  it.each(rows)("of %s by %j is %s: %s", (text, rules, is) => {
    const { interfaces, full } = setup();
    const addresses = [
      address(2, "192.0.2.1", 24),
      address(2, "192.0.2.2", 24),
      address(2, "2001:db8::1", 64),
    ];
    full([link(2, "eth0")], addresses);
    interfaces.prefer(rules.map(([pattern, preferred]) => ({ pattern, preferred: parseIp(preferred)! })));
    const iface = interfaces.byIndex(2)!;
    const wanted = parseIp(text)!;
    const found = iface.addresses.find(
      ({ family, w0, w3 }) => family === wanted.family && w0 === wanted.w0 && w3 === wanted.w3,
    );
    expect(interfaces.isPreferred(iface, found!)).toBe(is);
  });
});

describe("a dump that shows a name twice, as it was taken over meanwhile", () => {
  it("leaves the name with the interface that has it", () => {
    const interfaces = new Interfaces({ requireAddress: false });
    const read = (...links: readonly (readonly [ifindex: number, name: string])[]): void => {
      interfaces.beginFull();
      for (const [ifindex, name] of links) interfaces.link(link(ifindex, name));
      interfaces.endFull();
    };
    read([5, "eth0"]);
    interfaces.link(link(5, "old"));
    interfaces.link(link(9, "eth0"));
    read([5, "eth0"], [9, "eth0"]);
    read([5, "old"], [9, "eth0"]);
    expect(interfaces.byName("old")?.ifindex).toBe(5);
    expect(interfaces.byName("eth0")?.ifindex).toBe(9);
    read([5, "old"], [9, "eth0"]);
    expect(interfaces.resolveDevice("eth0")).toBe(9);
  });
});
