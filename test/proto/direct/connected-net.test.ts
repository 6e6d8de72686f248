import { describe, expect, it } from "vitest";
import { formatPrefix } from "../../../src/lib/prefix.ts";
import { connectedNet } from "../../../src/proto/direct/connected-net.ts";
import { addressOf } from "./fixture.ts";

const rows: readonly {
  address: string;
  peer?: string;
  scope?: number;
  flags?: number;
  net: string | null;
  why: string;
}[] = [
  { address: "10.0.0.1/24", net: "10.0.0.0/24", why: "the address's net" },
  { address: "10.0.0.1/32", net: "10.0.0.1/32", why: "a host address is a net of one" },
  { address: "10.0.0.1/32", peer: "10.9.9.9", net: "10.9.9.9/32", why: "a peer address: the peer" },
  { address: "10.0.0.1/30", peer: "10.9.9.9", net: "10.9.9.8/30", why: "or the peer's net" },
  { address: "169.254.7.1/16", scope: 253, net: "169.254.0.0/16", why: "an IPv4 link is a link" },
  { address: "127.0.0.2/8", scope: 254, net: null, why: "host scope: this machine alone" },
  {
    address: "10.0.0.1/24",
    flags: 0x201,
    net: "10.0.0.0/24",
    why: "secondary, noprefixroute: there all the same",
  },
  { address: "10.0.0.1/0", net: null, why: "a slip is not the default route" },
  { address: "0.1.2.3/24", net: null, why: "the kernel gives 0.0.0.0/8 no net" },
  { address: "2001:db8:1:2::3/64", net: "2001:db8:1:2::/64", why: "an IPv6 net" },
  { address: "2001:db8:1:2:3::3/70", net: "2001:db8:1:2::/70", why: "length within a word" },
  { address: "2001:db8::1/128", peer: "2001:db8::2", net: "2001:db8::2/128", why: "an IPv6 peer" },
  { address: "fe80::1/64", scope: 253, net: null, why: "the same net on every link" },
  { address: "fe80::1/64", scope: 0, net: null, why: "whatever scope the system says" },
  { address: "febf:ffff::1/64", net: null, why: "the last of fe80::/10" },
  { address: "fec0::1/64", net: "fec0::/64", why: "the first beyond it" },
  { address: "fe40::1/64", net: "fe40::/64", why: "the last before it" },
  { address: "2001:db8::1/64", flags: 0x40, net: null, why: "tentative: perhaps not ours" },
  { address: "2001:db8::1/64", flags: 0x44, net: "2001:db8::/64", why: "optimistic: usable at once" },
  { address: "2001:db8::1/64", flags: 0x48, net: null, why: "a duplicate: somebody else's" },
  { address: "2001:db8::1/64", flags: 0x4c, net: null, why: "a duplicate, though optimistic" },
  { address: "2001:db8::1/64", flags: 0xa0, net: "2001:db8::/64", why: "deprecated is ours still" },
  { address: "2001:db8::1/0", net: null, why: "a slip is not the default route" },
];

describe("connectedNet()", () => {
  it.each(rows)("$address peer $peer flags $flags is in $net: $why", ({ net, address, ...more }) => {
    const found = connectedNet(addressOf(2, address, more));
    const text = found && formatPrefix(found.family, found.w0, found.w1, found.w2, found.w3, found.length);
    expect(text).toBe(net);
  });
});
