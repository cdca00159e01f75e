# reload.py - hold flows open and say what becomes of them, one line each: "tcp: reset".
# usage: reload.py HOST PORT WAY ...   (tcp udp icmp; a TCP and UDP echo service is there)
# SPDX-License-Identifier: MIT
import errno
import os
import select
import socket
import struct
import sys
import time

host, port, ways = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
PING = {socket.AF_INET: (socket.IPPROTO_ICMP, 8), socket.AF_INET6: (58, 128)}


def opened(way):
    if way == "icmp":
        s = socket.socket(family, socket.SOCK_DGRAM, PING[family][0])
    else:
        kind = socket.SOCK_STREAM if way == "tcp" else socket.SOCK_DGRAM
        s = socket.socket(family, kind)
    s.settimeout(3 if way == "tcp" else 0.5)
    s.connect((host, port))
    return s


def echo(way, s, i):
    if way == "icmp":
        s.send(struct.pack("!BBHHH", PING[family][1], 0, 0, 0, i & 0xFFFF) + b"x" * 8)
    else:
        s.send(b"x" * 8)
    return len(s.recv(100)) > 0


def last(way, s, i):
    """How the flow ended; None while it lives."""
    try:
        return None if echo(way, s, i) else "closed"
    except socket.timeout:
        return "silence" if way == "tcp" else None  # a datagram may be lost
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))


flows = {way: opened(way) for way in ways}
for way, s in flows.items():
    if not echo(way, s, 0):
        sys.exit("%s: no echo" % way)
open("opened.tmp", "w").close()
os.rename("opened.tmp", "opened")
i = 0
while flows and not os.path.exists("stop"):
    i += 1
    for way, s in list(flows.items()):
        how = last(way, s, i)
        if how is not None:
            print("%s: %s" % (way, how), flush=True)
            del flows[way]
    time.sleep(0.02)
for way in flows:
    print("%s: alive" % way, flush=True)
