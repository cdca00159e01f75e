#!/usr/bin/python3
"""capture.py - a line for each packet of a command tree, on standard error.

    cf-spawn --capture-helper ./capture.py -- ping -c 1 192.0.0.1

SPDX-License-Identifier: MIT
"""
import ipaddress, struct, sys

HELLO, PACKET = 1, 65
HEADER = struct.Struct('<IHHQ')                     # length, message, descriptors, flow
protocols = {1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6'}

sys.stdout.buffer.write(HEADER.pack(8, HELLO, 0, 0) + struct.pack('<HHI', 1, 32, 0))
sys.stdout.buffer.flush()
while head := sys.stdin.buffer.read(HEADER.size):
    length, message, _, flow = HEADER.unpack(head)
    body = sys.stdin.buffer.read(length)
    if message != PACKET:
        continue
    time, length, direction, segment, dropped = struct.unpack('<QIHHI', body[:20])
    packet = body[20:]
    at, size, proto = (12, 4, packet[9]) if packet[0] >> 4 == 4 else (8, 16, packet[6])
    source, target = (ipaddress.ip_address(packet[i:i + size]) for i in (at, at + size))
    print(source, '->', target, protocols.get(proto, proto), length, file=sys.stderr)
