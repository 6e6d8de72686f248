#!/usr/bin/env python3
"""Captures real netlink messages into test/fixtures/netlink/*.json, each beside the command that made it.

    sudo python3 test/support/capture-netlink.py

Works in a network namespace of its own, which is removed at the end and on failure. Device indexes and MAC
addresses are pinned, so another run differs only in time stamps. Each fixture is the payload after nlmsghdr.
An `ip` command the kernel refuses (an encapsulation it was not built with) is reported and left out.
"""

import ctypes
import ipaddress
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys

CLONE_NEWNET = 0x40000000
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 18, 22, 26
RTA_DST, RTA_TABLE = 1, 15
AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6 = 0, 2, 7, 10

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "netlink"

# Devices: lo 1, v0 10 = v1 11, v2 12 = v3 13, bridge br0 14 with the port v4 15 = v5 16, ifb0 17.
TOPOLOGY = """
link set lo up
link add v0 index 10 address 02:00:00:00:00:10 type veth peer name v1 index 11 address 02:00:00:00:00:11
link add v2 index 12 address 02:00:00:00:00:12 type veth peer name v3 index 13 address 02:00:00:00:00:13
link add br0 index 14 address 02:00:00:00:00:14 type bridge
link add v4 index 15 address 02:00:00:00:00:15 type veth peer name v5 index 16 address 02:00:00:00:00:16
link set v4 master br0
addr add 10.0.0.1/24 dev v0
addr add 10.0.1.1/24 dev v2
addr add 2001:db8::1/64 dev v0 nodad
addr add 2001:db8:1::1/64 dev v2 nodad
link set v0 up
link set v1 up
link set v2 up
link set v3 up
link set br0 up
link set v4 up
nexthop add id 1 via 10.0.0.9 dev v0
nexthop add id 2 via 10.0.1.9 dev v2
nexthop add id 3 group 1/2,3
nexthop add id 4 blackhole
nexthop add id 5 via 2001:db8::9 dev v0
"""

NEXTHOPS_64 = " ".join(f"nexthop via 10.0.0.{n} weight {n}" for n in range(2, 66))
NEXTHOPS6_64 = " ".join(f"nexthop via 2001:db8::{n:x} weight {n}" for n in range(2, 66))

ROUTES4 = f"""
route add 198.51.100.0/24 via 10.0.0.9
route add 198.51.101.0/24 dev v0
route add 198.51.102.0/24 via 192.0.2.9 dev v0 onlink
route add 198.51.103.0/24 via 10.0.0.9 metric 32 proto 120
route add 198.51.104.0/24 via 10.0.0.9 metric 4294967295
route add 198.51.105.0/24 via 10.0.0.9 table 1000
route add 198.51.106.0/24 via 10.0.0.9 table 4294967295
route add 198.51.107.0/24 via 10.0.0.9 src 10.0.1.1
route add 198.51.108.0/24 via 10.0.0.9 mtu 1400
route add 198.51.109.0/24 via 10.0.0.9 mtu lock 1400 advmss 1360 window 4096 rtt 20ms rto_min 30ms
route add 198.51.110.0/24 via 10.0.0.9 hoplimit 64 initcwnd 20 initrwnd 30 quickack 1 features ecn fastopen_no_cookie 1
route add 198.51.111.0/24 via 10.0.0.9 congctl reno
route add 198.51.112.0/24 via 10.0.0.9 realms 3/4
route add 198.51.113.0/24 via 10.0.0.9 tos 0x10
route add 198.51.114.0/24 via inet6 fe80::9 dev v0
route add 198.51.115.0/24 dev v0 scope host
route add blackhole 198.51.116.0/24
route add unreachable 198.51.117.0/24 metric 32
route add prohibit 198.51.118.0/24
route add throw 198.51.119.0/24
route add local 198.51.120.0/24 dev v0
route add 198.51.121.0/24 nexthop via 10.0.0.9 weight 3 nexthop via 10.0.1.9 weight 256
route add 198.51.122.0/24 nexthop via 10.0.0.9 nexthop dev v2
route add 198.51.123.0/24 nexthop via 192.0.2.9 dev v0 onlink nexthop via inet6 fe80::9 dev v2 weight 2
route add 198.51.124.0/24 nexthop via 10.0.0.9 realms 5 nexthop via 10.0.1.9
route add 198.51.125.0/24 encap ip id 7 dst 10.0.0.9 dev v0
route add 198.51.126.0/24 encap seg6 mode encap segs fc00::1 dev v0
route add 198.51.127.0/24 encap mpls 100 via 10.0.0.9
route add 198.51.128.0/24 nexthop via 10.0.0.9 nexthop encap ip id 7 dst 10.0.1.9 via 10.0.1.9
route add 198.51.129.0/24 nhid 1
route add 198.51.130.0/24 nhid 3
route add 198.51.131.0/24 nhid 4
route add 198.51.132.0/24 via 10.0.0.9 ttl-propagate enabled
route add 198.51.133.0/24 {NEXTHOPS_64}
route add default via 10.0.0.9
route add 198.51.134.77/32 via 10.0.0.9
"""

ROUTES6 = f"""
route add 2001:db8:100::/48 via 2001:db8::9
route add 2001:db8:101::/48 dev v0
route add 2001:db8:102::/48 via 2001:db8:9999::9 dev v0 onlink
route add 2001:db8:103::/48 via 2001:db8::9 metric 32 proto 120
route add 2001:db8:104::/48 via 2001:db8::9 metric 4294967295
route add 2001:db8:105::/48 via 2001:db8::9 table 1000
route add 2001:db8:106::/48 via fe80::9 dev v0
route add 2001:db8:107::/48 via 2001:db8::9 src 2001:db8:1::1
route add 2001:db8:108::/48 via 2001:db8::9 mtu 1400
route add 2001:db8:109::/48 via 2001:db8::9 mtu lock 1400 advmss 1360 hoplimit 64
route add 2001:db8:10a::/48 via 2001:db8::9 congctl reno
route add 2001:db8:10b::/48 via 2001:db8::9 pref high
route add 2001:db8:10c::/48 via 2001:db8::9 expires 1000
route add 2001:db8:10d::/48 from 2001:db8::/64 via 2001:db8::9
route add blackhole 2001:db8:10e::/48
route add unreachable 2001:db8:10f::/48 metric 32
route add prohibit 2001:db8:110::/48
route add throw 2001:db8:111::/48
route add local 2001:db8:112::/48 dev lo
route add 2001:db8:113::/48 nexthop via 2001:db8::9 weight 3 nexthop via 2001:db8:1::9 weight 256
route add 2001:db8:114::/48 nexthop via 2001:db8:9999::9 dev v0 onlink nexthop via fe80::9 dev v2
route add 2001:db8:115::/48 encap ip6 id 7 dst 2001:db8::9 dev v0
route add 2001:db8:116::/48 encap seg6 mode encap segs fc00::1 dev v0
route add 2001:db8:117::/48 nexthop via 2001:db8::9 nexthop encap seg6 mode encap segs fc00::1 via 2001:db8:1::9
route add 2001:db8:118::/48 nhid 5
route add 2001:db8:119::/48 {NEXTHOPS6_64}
route add default via 2001:db8::9
route add 2001:db8:11a::77/128 via 2001:db8::9
"""

LINKS = """
link add v6 index 20 address 02:00:00:00:00:20 mtu 1400 type veth peer name v7 index 21 address 02:00:00:00:00:21
link set v6 up
link set v7 up
link add v8 index 22 address 02:00:00:00:00:22 type veth peer name v9 index 23 address 02:00:00:00:00:23
link set v8 up
link add br1 index 24 address 02:00:00:00:00:24 type bridge
link set v9 master br1
link add ifb7 index 25 address 02:00:00:00:00:25 type ifb
link add __proto__ index 26 address 02:00:00:00:00:26 type veth peer name constructor index 27 address 02:00:00:00:00:27
link add \udcff\x1b[31m\udc80 index 28 address 02:00:00:00:00:28 type veth peer name -rf index 29 address 02:00:00:00:00:29
link add fifteen-letters index 30 address 02:00:00:00:00:30 type bridge
link add tun-ip index 31 type ipip local 10.0.0.1 remote 10.0.0.9
link add tun-gre6 index 32 type ip6gre local 2001:db8::1 remote 2001:db8::9
"""

# Each makes exactly one address, found again by its text.
ADDRESSES = """
addr add 192.0.2.1/24 dev v6
addr add 192.0.2.2/24 dev v6
addr add 192.0.2.129/32 peer 192.0.2.130/32 dev v6
addr add 198.18.0.1/15 broadcast 198.19.255.255 label v6:one dev v6
addr add 192.0.2.133/30 dev v6 scope link
addr add 192.0.2.137/32 dev lo scope host
addr add 192.0.2.141/30 dev v6 noprefixroute
addr add 192.0.2.145/30 dev v6 valid_lft 1000 preferred_lft 0
addr add 2001:db8:2::1/64 dev v6 nodad
addr add 2001:db8:2::2/64 dev v6
addr add 2001:db8:2::3/128 peer 2001:db8:2::4/128 dev v6 nodad
addr add 2001:db8:2::5/64 dev v6 nodad noprefixroute
addr add 2001:db8:2::6/64 dev v6 nodad valid_lft 1000 preferred_lft 0
addr add 2001:db8:2::7/64 dev v6 nodad home
"""


class Namespace:
    """A network namespace that lives as long as the `with` block."""

    def __enter__(self):
        self.name = f"krtd-capture-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def ip(self, command):
        """Runs `ip <command>`; returns False when the kernel refuses."""
        arguments = command.split()
        encoded = [os.fsencode(word) for word in ["ip", "-n", self.name, *arguments]]
        done = subprocess.run(encoded, capture_output=True)
        if done.returncode != 0:
            print(f"left out: ip {command!r}: {done.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        return done.returncode == 0

    def socket(self):
        """An rtnetlink socket inside, with strict checking; this thread comes back out."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        inside = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(inside, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            if libc.setns(home, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")
        finally:
            os.close(inside)
            os.close(home)
        made.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        return made


def ask(sock, kind, payload, flags):
    """Sends one request and returns the payloads of the answer, of a dump or of a single reply."""
    sock.send(struct.pack("=IHHII", 16 + len(payload), kind, NLM_F_REQUEST | flags, 1, 0) + payload)
    payloads = []
    while True:
        frame = sock.recv(1 << 18)
        at = 0
        while at < len(frame):
            length, answer, _, _, _ = struct.unpack_from("=IHHII", frame, at)
            body = frame[at + 16 : at + length]
            if answer == NLMSG_DONE:
                return payloads
            if answer == NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", body)[0], "netlink")
            payloads.append(body)
            at += (length + 3) & ~3
        if flags & NLM_F_DUMP == 0:
            return payloads


def attributes(body, at):
    """Type → bytes of the attributes from `at`."""
    found = {}
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        found[kind & 0x3FFF] = body[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def rtmsg(family, length=0):
    return struct.pack("=BBBBBBBBI", family, length, 0, 0, 0, 0, 0, 0, 0)


def attribute(kind, payload):
    return struct.pack("=HH", 4 + len(payload), kind) + payload


def routes(sock, family):
    """(prefix text → newest payload) of all tables."""
    found = {}
    for body in ask(sock, RTM_GETROUTE, rtmsg(family), NLM_F_DUMP):
        zero = b"\0" * (4 if family == AF_INET else 16)
        prefix = ipaddress.ip_network((attributes(body, 12).get(RTA_DST, zero), body[1]))
        found[str(prefix)] = body
    return found


def prefix_of(command, family):
    for word in command.split():
        if word == "default":
            return "0.0.0.0/0" if family == AF_INET else "::/0"
        if "/" in word:
            return str(ipaddress.ip_network(word))
    raise ValueError(command)


def entry(command, body):
    text = "ip " + command
    return {"command": text.encode("utf-8", "surrogateescape").decode("latin1"), "hex": body.hex()}


def capture_routes(namespace, sock, family, commands):
    captured = []
    for command in commands.strip().splitlines():
        command = f"-6 {command}" if family == AF_INET6 else command
        if namespace.ip(command):
            captured.append(entry(command, routes(sock, family)[prefix_of(command, family)]))
    return captured


def capture_states(namespace, sock):
    """What state, not configuration, makes of a route: no carrier, a dead nexthop, a cached answer."""
    captured = {AF_INET: [], AF_INET6: []}
    for family, gateway, host in ((AF_INET, "10.0.1.9", "198.51.100.1"), (AF_INET6, "2001:db8:1::9", "2001:db8:100::1")):
        one, two = ("203.0.113.0/25", "203.0.113.128/25") if family == AF_INET else ("2001:db8:f0::/48", "2001:db8:f1::/48")
        other = "10.0.0.9" if family == AF_INET else "2001:db8::9"
        made = {one: f"route add {one} via {gateway}", two: f"route add {two} nexthop via {other} nexthop via {gateway}"}
        for command in made.values():
            namespace.ip(command)
        namespace.ip("link set v3 down")
        shown = routes(sock, family)
        for prefix, command in made.items():
            captured[family].append(entry(f"{command}; ip link set v3 down", shown[prefix]))
        namespace.ip("link set v3 up")
        packed = ipaddress.ip_address(host).packed
        body = ask(sock, RTM_GETROUTE, rtmsg(family, len(packed) * 8) + attribute(RTA_DST, packed), 0)[0]
        captured[family].append(entry(f"route get {host}", body))
    return captured


def capture_links(namespace, sock):
    for command in LINKS.strip("\n").splitlines():
        namespace.ip(command)
    commands = [line for line in (TOPOLOGY + LINKS).splitlines() if line.startswith("link")]
    captured = []
    dumped = ask(sock, RTM_GETLINK, struct.pack("=BBHiII", AF_UNSPEC, 0, 0, 0, 0, 0), NLM_F_DUMP)
    for body in dumped:
        name = os.fsdecode(attributes(body, 16)[3].rstrip(b"\0"))
        made = [command for command in commands if name in command.split()] or [f"link show {name}"]
        captured.append(entry("; ip ".join(made), body))
    for body in ask(sock, RTM_GETLINK, struct.pack("=BBHiII", AF_BRIDGE, 0, 0, 0, 0, 0), NLM_F_DUMP):
        captured.append({"command": "bridge link show", "hex": body.hex()})
    return captured


def capture_addresses(namespace, sock):
    captured = []
    for command in ADDRESSES.strip().splitlines():
        if not namespace.ip(command):
            continue
        wanted = ipaddress.ip_interface(command.split()[2]).ip.packed
        for body in ask(sock, RTM_GETADDR, struct.pack("=BBBBI", AF_UNSPEC, 0, 0, 0, 0), NLM_F_DUMP):
            found = attributes(body, 8)
            if found.get(2, found.get(1)) == wanted:
                captured.append(entry(command, body))
    return captured


def write(name, entries):
    lines = ",\n".join("  " + json.dumps(item) for item in entries)
    (FIXTURES / f"{name}.json").write_text(f"[\n{lines}\n]\n")
    print(f"{name}: {len(entries)} messages")


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    with Namespace() as namespace:
        for command in TOPOLOGY.strip().splitlines():
            namespace.ip(command)
        sock = namespace.socket()
        routes4 = capture_routes(namespace, sock, AF_INET, ROUTES4)
        routes6 = capture_routes(namespace, sock, AF_INET6, ROUTES6)
        states = capture_states(namespace, sock)
        write("routes-ipv4", routes4 + states[AF_INET])
        write("routes-ipv6", routes6 + states[AF_INET6])
        write("links", capture_links(namespace, sock))
        write("addresses", capture_addresses(namespace, sock))
        sock.close()


main()
