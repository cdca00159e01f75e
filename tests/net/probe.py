#!/usr/bin/python3
"""probe.py - what a socket call says: "ERRNO-NAME MILLISECONDS" for a connect, and checks that
curl cannot make.

Uses only what Debian's python3-minimal has.

	tcp HOST PORT [TIMEOUT]		connect
	udp HOST PORT			send, and read the error that comes back
	udp_echo HOST PORT SIZE ...	each size comes back as it went, or exit 1
	race HOST PORT SLOW PORT N	N connects to SLOW that hang do not delay one to HOST
	median_of HOST PORT ERROR N	of N connects that fail so, in ms
	slowest_of HOST PORT ERROR N
	read HOST PORT			connect and read
	serve_resets HOST PORT		answer every connection with a reset
	raw				make a raw socket

SPDX-License-Identifier: MIT
"""
import errno
import os
import socket
import struct
import sys
import time


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def said(code, start):
    name = "OK" if code == 0 else errno.errorcode.get(code, str(code))
    print(name, int((time.monotonic() - start) * 1000))


def tcp(host, port, timeout="20"):
    with socket.socket(family(host), socket.SOCK_STREAM) as s:
        s.settimeout(float(timeout))
        start = time.monotonic()
        try:
            s.connect((host, int(port)))
            said(0, start)
        except socket.timeout:
            said(errno.ETIMEDOUT, start)
        except OSError as e:
            said(e.errno, start)


def udp(host, port, timeout="5"):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.settimeout(float(timeout))
        start = time.monotonic()
        try:
            s.connect((host, int(port)))
            s.send(b"anybody?")
            s.recv(100)
            said(0, start)
        except socket.timeout:
            said(errno.ETIMEDOUT, start)
        except OSError as e:
            said(e.errno, start)


def udp_echo(host, port, *sizes):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((host, int(port)))
        for size in map(int, sizes):
            sent = os.urandom(size)
            s.send(sent)
            if s.recv(65536) != sent:
                sys.exit("%d bytes came back changed" % size)


def race(host, port, slow_host, slow_port, count):
    slow = []
    for _ in range(int(count)):
        s = socket.socket(family(slow_host), socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((slow_host, int(slow_port)))
        slow.append(s)
    tcp(host, port)
    for s in slow:
        if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            sys.exit("a connect that should hang has failed")


def failing_times(host, port, error, count):
    times = []
    for _ in range(int(count)):
        start = time.monotonic()
        with socket.socket(family(host), socket.SOCK_STREAM) as s:
            code = s.connect_ex((host, int(port)))
            if code != getattr(errno, error):
                sys.exit("%s, not %s" % (errno.errorcode.get(code), error))
        times.append(int((time.monotonic() - start) * 1000))
    return sorted(times)


def median_of(host, port, error, count):
    times = failing_times(host, port, error, count)
    print(times[len(times) // 2])


def slowest_of(host, port, error, count):
    print(failing_times(host, port, error, count)[-1])


def read(host, port):
    with socket.socket(family(host), socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect((host, int(port)))
        start = time.monotonic()
        try:
            s.recv(1)
            said(0, start)
        except OSError as e:
            said(e.errno, start)


def serve_resets(host, port):
    with socket.socket(family(host), socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, int(port)))
        s.listen(10)
        while True:
            c, _ = s.accept()
            time.sleep(0.2)     # let the client's connect end first
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()


def raw():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        print("OK")
    except OSError as e:
        print(errno.errorcode[e.errno])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
