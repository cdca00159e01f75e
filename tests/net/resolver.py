#!/usr/bin/python3
"""resolver.py HOST PORT FILE [TTL] - a name server that says in FILE, a line for each query, from which
port and with which id it was asked.

Every name has the address HOST, for TTL seconds (0).  Uses only what Debian's python3-minimal has.
SPDX-License-Identifier: MIT
"""
import socket
import struct
import sys


def answer(query, address, ttl):
    end = query.index(b"\0", 12) + 5
    head = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", ttl, 4) + socket.inet_aton(address)
    return head + query[12:end] + record


def main(host, port, path, ttl="0"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, open(path, "w", 1) as told:
        s.bind((host, int(port)))
        print("ready", file=told)
        while True:
            query, asker = s.recvfrom(65535)
            print(asker[1], *struct.unpack("!H", query[:2]), file=told)
            s.sendto(answer(query, host, int(ttl)), asker)


main(*sys.argv[1:])
