#!/usr/bin/python3
"""reach.py V4 V6 - which of six ways to a host is open: TCP port 80, UDP port 7 (echo) and ping.

Prints "tcp4=OK tcp6=ERRNO udp4=... udp6=... icmp4=... icmp6=..." as a program sees it; "-" for
an address leaves its family out.  Uses only what Debian's python3-minimal has.

SPDX-License-Identifier: MIT
"""
import errno
import socket
import struct
import sys

ICMP, ICMPV6 = 1, 58
ECHO = {4: 8, 6: 128}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def tcp(v, host):
    with socket.socket(FAMILY[v], socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect((host, 80))


def asked(s, host, port, request):
    s.settimeout(5)
    s.connect((host, port))
    s.send(request)
    s.recv(2000)


def udp(v, host):
    with socket.socket(FAMILY[v], socket.SOCK_DGRAM) as s:
        asked(s, host, 7, b"anybody?")


def icmp(v, host):
    with socket.socket(FAMILY[v], socket.SOCK_DGRAM, ICMP if v == 4 else ICMPV6) as s:
        # IPv4 tells a ping socket of soft errors only when it asks to hear of them.
        if v == 4:
            s.setsockopt(socket.IPPROTO_IP, 11, 1)      # IP_RECVERR
        else:
            s.setsockopt(socket.IPPROTO_IPV6, 25, 1)    # IPV6_RECVERR
        asked(s, host, 0, struct.pack("!BBHHH", ECHO[v], 0, 0, 0, 1) + b"anybody?")


def said(way, v, host):
    try:
        way(v, host)
        return "OK"
    except socket.timeout:
        return "ETIMEDOUT"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))


hosts = [(v, host) for v, host in zip((4, 6), sys.argv[1:]) if host != "-"]
print(*("%s%d=%s" % (name, v, said(way, v, host))
        for name, way in (("tcp", tcp), ("udp", udp), ("icmp", icmp)) for v, host in hosts))
