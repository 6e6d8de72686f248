import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from "../../../../src/sysdep/linux/netlink/constants.ts";
import { decodeLink, LINK_DUMP_PAYLOAD } from "../../../../src/sysdep/linux/rtnetlink/link.ts";
import type { LinkInfo } from "../../../../src/sysdep/os.ts";
import { capturedMessages, placeMessage } from "../../../support/netlink-fixtures.ts";

const captured = capturedMessages("links");

function decoded(message: Uint8Array, poison?: number): LinkInfo | null {
  const { bytes, view, start, end } = placeMessage(message, poison);
  return decodeLink(bytes, view, start, end);
}

function linkText(link: LinkInfo): string {
  const { ifindex, name, flags, mtu, mac, kind, master, operstate, carrier } = link;
  const up = [
    flags & IFF_UP ? "up" : "",
    flags & IFF_RUNNING ? "running" : "",
    flags & IFF_LOWER_UP ? "lower-up" : "",
  ];
  return [
    `${ifindex} ${JSON.stringify(name)} ${kind} mtu ${mtu} ${mac?.slice(-5)}`,
    `oper ${operstate} carrier ${carrier}${master === null ? "" : ` master ${master}`}`,
    up.filter((flag) => flag !== "").join(","),
  ].join(" | ");
}

describe("decodeLink()", () => {
  it.each([
    ["loopback has no kind", 1, '1 "lo" null mtu 65536 00:00 | oper 0 carrier true | up,running,lower-up'],
    ["a veth that is up", 10, '10 "v0" veth mtu 1500 00:10 | oper 6 carrier true | up,running,lower-up'],
    ["a bridge without carrier", 14, '14 "br0" bridge mtu 1500 00:14 | oper 2 carrier false | up'],
    ["a bridge port", 15, '15 "v4" veth mtu 1500 00:15 | oper 3 carrier false master 14 | up'],
    ["never up", 16, '16 "v5" veth mtu 1500 00:16 | oper 2 carrier false | '],
    ["another MTU", 20, '20 "v6" veth mtu 1400 00:20 | oper 6 carrier true | up,running,lower-up'],
    ["its peer is down", 22, '22 "v8" veth mtu 1500 00:22 | oper 3 carrier false | up'],
    ["down, but a port", 23, '23 "v9" veth mtu 1500 00:23 | oper 2 carrier false master 24 | '],
    ["a kind without a peer", 25, '25 "ifb7" ifb mtu 1500 00:25 | oper 2 carrier true | '],
    ["a name that objects have", 26, '26 "__proto__" veth mtu 1500 00:26 | oper 2 carrier false | '],
    ["a name of any bytes", 28, '28 "\u00ff\\u001b[31m\u0080" veth mtu 1500 00:28 | oper 2 carrier false | '],
    ["a name like an option", 29, '29 "-rf" veth mtu 1500 00:29 | oper 2 carrier false | '],
    ["the longest name", 30, '30 "fifteen-letters" bridge mtu 1500 00:30 | oper 2 carrier false | '],
  ])("reads %s", (_why, ifindex, expected) => {
    const links = captured.map((message) => decoded(message.bytes));
    const link = links.find((candidate) => candidate?.ifindex === ifindex);
    expect(link && linkText(link)).toBe(expected);
  });

  it("gives the whole hardware address", () => {
    const link = captured
      .map((message) => decoded(message.bytes))
      .find((candidate) => candidate?.name === "v0");
    expect(link?.mac).toBe("02:00:00:00:00:10");
  });

  it("returns null for AF_BRIDGE, which tells of ports and not of links", () => {
    const bridge = captured.filter((message) => message.command.startsWith("bridge"));
    expect(bridge.length).toBeGreaterThan(0);
    expect(bridge.map((message) => decoded(message.bytes))).toEqual(bridge.map(() => null));
  });

  it.each([
    ["shorter than ifinfomsg", "0000010001000000"],
    ["without a name, as wireless events are", `00000100010000000000000000000000${"08000d00dc050000"}`],
    ["an empty name", `00000100010000000000000000000000${"0500030000000000"}`],
    ["index 0", `00000100000000000000000000000000${"070003007630000"}0`],
    [
      "an attribute that ends after the message",
      `00000100010000000000000000000000${"0700030076300000"}10000d00`,
    ],
  ])("returns null for %s", (_why, hex) => {
    expect(decoded(new Uint8Array(Buffer.from(hex, "hex")))).toBeNull();
  });

  it("keeps what it knows when an attribute has another length", () => {
    const hex = `00000100010000000000000000000000${"0700030076300000"}${"06000d0001000000"}${"0400010004002100"}${"0800100006000000"}`;
    const link = decoded(new Uint8Array(Buffer.from(hex, "hex")));
    expect(link).toMatchObject({ name: "v0", mtu: 0, mac: null, kind: null, operstate: 0, carrier: null });
  });

  it("does not look outside the message, whatever bytes and length it has", () => {
    const message = fc.constantFrom(...captured).chain(({ bytes }) =>
      fc.record({
        cut: fc.integer({ min: 0, max: bytes.length }),
        changes: fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 }),
        bytes: fc.constant(bytes),
      }),
    );
    fc.assert(
      fc.property(message, ({ bytes, cut, changes }) => {
        const mutated = bytes.slice();
        for (const [at, value] of changes) mutated[at] = value;
        const part = mutated.subarray(0, cut);
        expect(decoded(part, 0x00)).toEqual(decoded(part, 0xff));
      }),
      { numRuns: 500 },
    );
  });
});

describe("LINK_DUMP_PAYLOAD", () => {
  it("is an ifinfomsg that asks for all families and has no filter", () => {
    expect([...LINK_DUMP_PAYLOAD]).toEqual(new Array(16).fill(0));
  });
});
