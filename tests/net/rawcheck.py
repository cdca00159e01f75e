#!/usr/bin/python3
"""rawcheck.py - packets made by hand, and the ICMP errors about them compared byte by byte.

Needs raw sockets (cf-spawn --cap-net-raw) and nothing but Debian's python3-minimal.

	HOST4 HOST6		errors that routers send, and that we make, quote what was sent
	extensions HOST6	IPv6 extension headers, as many as are followed and one more

SPDX-License-Identifier: MIT
"""
import os
import select
import socket
import struct
import sys
import time

CHILD = {4: "192.0.0.2", 6: "2001:2:0:cf::2"}
AF = {4: socket.AF_INET, 6: socket.AF_INET6}
UDP, HOP, ROUTING, FRAGMENT, ICMP6, DEST = 17, 0, 43, 44, 58, 60


def total(data):
    if len(data) % 2:
        data += b"\0"
    n = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return n


def address(v, text):
    return socket.inet_pton(AF[v], text)


def pseudo(v, dst, proto, length):
    return address(v, CHILD[v]) + address(v, dst) + struct.pack("!II", length, proto)


def udp(v, dst, sport, dport, payload):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    sum16 = ~total(pseudo(v, dst, UDP, 8 + len(payload)) + head + payload) & 0xffff
    return head[:6] + struct.pack("!H", sum16 or 0xffff) + payload


def echo(v, dst, ident, seq, payload):
    kind = 8 if v == 4 else 128
    head = struct.pack("!BBHHH", kind, 0, 0, ident, seq)
    start = pseudo(6, dst, ICMP6, 8 + len(payload)) if v == 6 else b""
    return struct.pack("!BBHHH", kind, 0, ~total(start + head + payload) & 0xffff, ident, seq) + payload


def ip(v, dst, proto, hops, tclass, l4, df=False):
    if v == 6:
        return struct.pack("!IHBB", 6 << 28 | tclass << 20, len(l4), proto, hops) + \
            address(6, CHILD[6]) + address(6, dst) + l4
    head = struct.pack("!BBHHHBBH", 0x45, tclass, 20 + len(l4), 0x1234, 0x4000 if df else 0, hops, proto, 0) + \
        address(4, CHILD[4]) + address(4, dst)
    return head[:10] + struct.pack("!H", ~total(head) & 0xffff) + head[12:] + l4


class Wire:
    """What leaves and arrives on tun0."""

    def __init__(self):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.s.bind(("tun0", 3))

    def send(self, packet):
        proto = 0x0800 if packet[0] >> 4 == 4 else 0x86dd
        self.s.sendto(packet, ("tun0", proto))

    def arrivals(self, seconds):
        end = time.monotonic() + seconds
        while select.select([self.s], [], [], max(0, end - time.monotonic()))[0]:
            packet, where = self.s.recvfrom(65536)
            if where[2] != 4:           # PACKET_OUTGOING
                yield packet


def icmp_of(packet):
    """(version, source, type, code, rest) of an ICMP packet whose checksum is right, or None."""
    if packet[0] >> 4 == 4:
        if packet[9] != 1:
            return None
        l4 = packet[(packet[0] & 15) * 4:]
        right = total(l4) == 0xffff and total(packet[:20]) == 0xffff
        return right and (4, socket.inet_ntoa(packet[12:16]), l4[0], l4[1], l4[4:])
    if packet[6] != ICMP6:
        return None
    l4 = packet[40:]
    right = total(packet[8:40] + struct.pack("!II", len(l4), ICMP6) + l4) == 0xffff
    return right and (6, socket.inet_ntop(socket.AF_INET6, packet[8:24]), l4[0], l4[1], l4[4:])


def fields(v, packet, whole):
    """
    What a quote must have as it was sent: all but hop limit, identification, and their sum; and
    the checksum of a datagram of which the socket was only told the beginning.
    """
    head = 40 if v == 6 else 20
    if not whole and packet[6 if v == 6 else 9] == UDP:
        packet = packet[:head + 6] + packet[head + 8:]
    if v == 6:
        return packet[:7] + packet[8:]
    return packet[:4] + packet[6:8] + packet[9:10] + packet[12:]


def error_about(wire, v, packet, want, name):
    """Send it, and hold the error that comes back against it."""
    wire.send(packet)
    for arrived in wire.arrivals(3):
        got = icmp_of(arrived)
        if got is False:
            sys.exit("%s: a bad checksum" % name)
        if got is None or got[0] != v or got[2] in (0, 129, 134, 135, 143):
            continue
        if got[1:4] != want:
            sys.exit("%s: %s, wanted %s" % (name, got[1:4], want))
        quote = got[4][4:]
        if len(quote) < (28 if v == 4 else 48):
            sys.exit("%s: a quote of only %d bytes" % (name, len(quote)))
        whole = len(quote) == len(packet)
        sent = fields(v, packet[:len(quote)], whole)
        quoted = fields(v, quote, whole)
        if quoted != sent:
            sys.exit("%s: quoted\n%s\nof\n%s" % (name, quoted.hex(), sent.hex()))
        print(name, "is quoted in", len(quote), "bytes")
        return
    sys.exit("%s: no error came" % name)


def quotes(host4, host6):
    wire = Wire()
    expired = {4: ("192.0.2.2", 11, 0), 6: ("2001:db8:f:1::2", 3, 0)}
    closed = {4: (host4, 3, 3), 6: (host6, 1, 4)}
    too_big = {4: ("192.0.2.2", 3, 4), 6: ("2001:db8:f:1::2", 2, 0)}
    gateway = {4: ("192.0.0.1", 3, 3), 6: ("2001:2:0:cf::1", 1, 4)}
    for v, host in ((4, host4), (6, host6)):
        payload = os.urandom(64)
        own = "192.0.0.1" if v == 4 else "2001:2:0:cf::1"
        big = os.urandom(1472 if v == 4 else 1452)
        proto = 1 if v == 4 else ICMP6
        for name, packet, want in (
                ("v%d udp, expired" % v, ip(v, host, UDP, 2, 0, udp(v, host, 41000, 5000, payload)), expired[v]),
                ("v%d udp, expired, tclass" % v, ip(v, host, UDP, 2, 0x28, udp(v, host, 41001, 5000, payload)), expired[v]),
                ("v%d udp, expired, odd" % v, ip(v, host, UDP, 2, 0, udp(v, host, 41002, 5000, payload[:7])), expired[v]),
                ("v%d udp, closed" % v, ip(v, host, UDP, 64, 0, udp(v, host, 41003, 9, payload)), closed[v]),
                ("v%d udp, gateway" % v, ip(v, own, UDP, 64, 0, udp(v, own, 41004, 9, payload)), gateway[v]),
                ("v%d udp, too big" % v, ip(v, host, UDP, 64, 0, udp(v, host, 41005, 5000, big), True), too_big[v]),
                ("v%d echo, expired" % v, ip(v, host, proto, 2, 0, echo(v, host, 4242, 7, payload)), expired[v])):
            error_about(wire, v, packet, want, name)
    print("all quotes are right")


def option(next_header, size=8):
    """An option header of size bytes that says nothing: PadN."""
    return struct.pack("!BBBB", next_header, size // 8 - 1, 1, size - 4) + bytes(size - 4)


def answered(wire, sport):
    for packet in wire.arrivals(0.7):
        if packet[0] >> 4 == 6 and packet[6] == UDP and packet[42:44] == struct.pack("!H", sport):
            return True
    return False


def extensions(host):
    wire = Wire()
    sport = 42000
    chains = (
        ("none", [], True), ("hop-by-hop", [HOP], True), ("destination", [DEST], True),
        ("hop-by-hop, destination", [HOP, DEST], True), ("eight", [HOP] + [DEST] * 7, True),
        ("nine", [HOP] + [DEST] * 8, False), ("a hundred", [DEST] * 100, False),
        ("hop-by-hop in the middle", [DEST, HOP], False))
    for name, chain, wanted in chains:
        sport += 1
        datagram = udp(6, host, sport, 5000, b"hello")
        body = b""
        for i, kind in enumerate(chain):
            body += option(chain[i + 1] if i + 1 < len(chain) else UDP)
        wire.send(ip(6, host, chain[0] if chain else UDP, 64, 0, body + datagram))
        if answered(wire, sport) != wanted:
            sys.exit("%s: %s" % (name, "no answer" if wanted else "an answer"))
    sport += 1
    atomic = struct.pack("!BBHI", UDP, 0, 0, 99) + udp(6, host, sport, 5000, b"hello")
    wire.send(ip(6, host, FRAGMENT, 64, 0, atomic))
    if not answered(wire, sport):
        sys.exit("an atomic fragment: no answer")
    sport += 1
    whole = option(UDP) + udp(6, host, sport, 5000, os.urandom(3000))
    for at in range(0, len(whole), 1024):
        piece = whole[at:at + 1024]
        more = at + 1024 < len(whole)
        wire.send(ip(6, host, FRAGMENT, 64, 0, struct.pack("!BBHI", DEST, 0, at | more, 77) + piece))
    found = any(p[0] >> 4 == 6 and p[6] == FRAGMENT for p in wire.arrivals(1))
    if not found:
        sys.exit("fragments: no answer")
    print("all as it should be")


if __name__ == "__main__":
    if sys.argv[1] == "extensions":
        extensions(sys.argv[2])
    else:
        quotes(*sys.argv[1:])
