import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIp } from "../../../../src/lib/ip.ts";
import { ADDRESS_DUMP_PAYLOAD, decodeAddress } from "../../../../src/sysdep/linux/rtnetlink/address.ts";
import type { AddressInfo } from "../../../../src/sysdep/os.ts";
import { capturedMessages, placeMessage } from "../../../support/netlink-fixtures.ts";

const captured = capturedMessages("addresses");

function decoded(message: Uint8Array, poison?: number): AddressInfo | null {
  const { bytes, view, start, end } = placeMessage(message, poison);
  return decodeAddress(bytes, view, start, end);
}

function addressText(address: AddressInfo): string {
  const { family, w0, w1, w2, w3, length, peer, scope, flags, ifindex } = address;
  const peerText = peer === null ? "" : ` peer ${formatIp(family, ...peer)}`;
  return `${formatIp(family, w0, w1, w2, w3)}/${length}${peerText} dev ${ifindex} scope ${scope} flags 0x${flags.toString(16)}`;
}

describe("decodeAddress()", () => {
  it.each([
    ["permanent", "192.0.2.1/24 dev v6", "192.0.2.1/24 dev 20 scope 0 flags 0x80"],
    [
      "the second of its subnet is secondary",
      "192.0.2.2/24 dev v6",
      "192.0.2.2/24 dev 20 scope 0 flags 0x81",
    ],
    [
      "IFA_LOCAL is ours, IFA_ADDRESS the peer's",
      "192.0.2.129/32 peer",
      "192.0.2.129/32 peer 192.0.2.130 dev 20 scope 0 flags 0x80",
    ],
    ["a label and a broadcast address", "198.18.0.1/15", "198.18.0.1/15 dev 20 scope 0 flags 0x80"],
    ["scope link", "192.0.2.133/30", "192.0.2.133/30 dev 20 scope 253 flags 0x80"],
    ["scope host on loopback", "192.0.2.137/32", "192.0.2.137/32 dev 1 scope 254 flags 0x80"],
    ["noprefixroute is in IFA_FLAGS alone", "192.0.2.141/30", "192.0.2.141/30 dev 20 scope 0 flags 0x280"],
    ["deprecated", "192.0.2.145/30", "192.0.2.145/30 dev 20 scope 0 flags 0x20"],
    ["nodad", "2001:db8:2::1/64", "2001:db8:2::1/64 dev 20 scope 0 flags 0x82"],
    ["tentative", "2001:db8:2::2/64", "2001:db8:2::2/64 dev 20 scope 0 flags 0xc0"],
    ["an IPv6 peer", "2001:db8:2::3/128", "2001:db8:2::3/128 peer 2001:db8:2::4 dev 20 scope 0 flags 0x82"],
    ["noprefixroute", "2001:db8:2::5/64", "2001:db8:2::5/64 dev 20 scope 0 flags 0x282"],
    ["deprecated", "2001:db8:2::6/64", "2001:db8:2::6/64 dev 20 scope 0 flags 0x22"],
    ["a home address", "2001:db8:2::7/64", "2001:db8:2::7/64 dev 20 scope 0 flags 0x92"],
  ])("reads one that is %s: ip addr add %s", (_why, args, expected) => {
    const message = captured.find(({ command }) => command.startsWith(`ip addr add ${args}`));
    const address = decoded(message!.bytes);
    expect(address && addressText(address)).toBe(expected);
  });

  it("reads every captured message", () => {
    expect(captured.map(({ bytes }) => decoded(bytes)).filter((address) => address === null)).toEqual([]);
  });

  it.each([
    ["shorter than ifaddrmsg", "02180000"],
    ["another family (AF_MPLS)", "1c1880001400000008000100c0000201"],
    ["index 0", "021880000000000008000100c0000201"],
    ["a prefix longer than the address", "022180001400000008000100c0000201"],
    ["no address", "0218800014000000"],
    ["an address of another family's length", "0a4080001400000008000100c0000201"],
    ["an attribute that ends after the message", "021880001400000008000100c000020108000200"],
  ])("returns null for %s", (_why, hex) => {
    expect(decoded(new Uint8Array(Buffer.from(hex, "hex")))).toBeNull();
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

describe("ADDRESS_DUMP_PAYLOAD", () => {
  it("is an ifaddrmsg that asks for all families and has no filter", () => {
    expect([...ADDRESS_DUMP_PAYLOAD]).toEqual(new Array(8).fill(0));
  });
});
