#!/usr/bin/python3
"""queries.py flood SERVER N | pipeline SERVER NAME ... - queries that no resolver library sends.

flood: N queries over UDP for as many names, as fast as they go; says how many answers came.
pipeline: all names in one segment on one TCP connection; says them as their answers come.
Uses only what Debian's python3-minimal has.
SPDX-License-Identifier: MIT
"""
import socket
import struct
import sys


def query(number, name):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!HHHHHH", number & 0xffff, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def drain(socks):
    got = 0
    for s in socks:
        try:
            while True:
                s.recv(65535)
                got += 1
        except OSError:
            pass
    return got


def flood(server, count):
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    got = 0
    for s in socks:
        s.connect((server, 53))
        s.setblocking(False)
    for i in range(int(count)):
        try:
            socks[i % 8].send(query(i, "n%d.flood.test" % i))
        except OSError:
            pass
        if i % 64 == 63:
            got += drain(socks)
    socks[0].settimeout(2)
    print(got + drain(socks))


def read(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            sys.exit("the connection ended")
        data += part
    return data


def pipeline(server, *names):
    sock = socket.create_connection((server, 53), 20)
    messages = [query(i, name) for i, name in enumerate(names)]
    sock.sendall(b"".join(struct.pack("!H", len(m)) + m for m in messages))
    for _ in names:
        msg = read(sock, struct.unpack("!H", read(sock, 2))[0])
        print(names[struct.unpack("!H", msg[:2])[0]])


{"flood": flood, "pipeline": pipeline}[sys.argv[1]](*sys.argv[2:])
