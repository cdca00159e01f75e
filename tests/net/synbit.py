#!/usr/bin/env python3
"""synbit.py - which SYNs leave by tun0 with the reserved bit that means "own TCP".

Runs inside the tree with CAP_NET_RAW.  One line each: family, kind of socket, bit, and for
the raw packet, which has a whole checksum, whether it still fits.
SPDX-License-Identifier: MIT
"""
import socket
import struct

HOLE = {4: "203.0.113.66", 6: "2001:db8::66"}
CHILD = {4: "192.0.0.2", 6: "2001:2:0:cf::2"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
ETH_P_ALL = 3
PACKET_OUTGOING = 4


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def pseudo(length):
    return socket.inet_aton(CHILD[4]) + socket.inet_aton(HOLE[4]) + struct.pack(">BBH", 0, 6, length)


def raw_syn(port):
    tcp = struct.pack(">HHIIHHHH", 40000, port, 1, 0, 0x5002, 1024, 0, 0)
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo(20) + tcp)) + tcp[18:]
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0,
                       socket.inet_aton(CHILD[4]), socket.inet_aton(HOLE[4]))
    return head + tcp


def syn_to(sniffer, version, port):
    """The TCP header of the next SYN that leaves for this port."""
    while True:
        packet, where = sniffer.recvfrom(2048)
        if where[2] != PACKET_OUTGOING or packet[0] >> 4 != version:
            continue
        at = 20 if version == 4 else 40
        if packet[9 if version == 4 else 6] != 6:
            continue
        tcp = packet[at:]
        if struct.unpack(">H", tcp[2:4])[0] == port and tcp[13] & 0x16 == 2:
            return tcp


def say(version, kind, tcp, more=""):
    print(f"v{version} {kind} {tcp[12] >> 3 & 1}{more}", flush=True)


def main():
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sniffer.bind(("tun0", ETH_P_ALL))
    sniffer.settimeout(5)
    for version in 4, 6:
        for kind, port, device in ("plain", 81, False), ("bound", 82, True), ("names", 53, False):
            s = socket.socket(FAMILY[version], socket.SOCK_STREAM)
            s.setblocking(False)
            if device:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"tun0")
            s.connect_ex((HOLE[version], port))
            say(version, kind, syn_to(sniffer, version, port))
            s.close()
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.sendto(raw_syn(83), (HOLE[4], 0))
    tcp = syn_to(sniffer, 4, 83)
    say(4, "raw", tcp, " whole" if checksum(pseudo(len(tcp)) + tcp) == 0 else " broken")


main()
