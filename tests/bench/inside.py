#!/usr/bin/python3
"""inside.py - those workloads that are a few lines of Python: run in the sandbox, or around it.

    inside.py startup N COMMAND ...     milliseconds that COMMAND takes, N times
    inside.py hold ADDRESS PORT N       open N connections, say END, keep them
    inside.py dns_loop SERVER SECONDS   queries one at a time, each from a new socket
    inside.py udp_ladder up|down ADDRESS PORT SECONDS
                                        the highest rate of 1400-byte datagrams of which at
                                        most 0.5 % are lost; SECONDS are for all of it

SPDX-License-Identifier: MIT
"""
import contextlib
import json
import os
import re
import resource
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time

LADDER_LOW, LADDER_HIGH, LADDER_STEPS = 50, 12000, 7    # Mbit/s; a step is a bisection


def startup(n, *argv):
    times = []
    for _ in range(int(n)):
        t = time.perf_counter()
        pid = os.posix_spawnp(argv[0], argv, os.environ, setsigdef=[signal.SIGPIPE])
        status = os.waitpid(pid, 0)[1]
        times.append((time.perf_counter() - t) * 1e3)
        if status:
            raise SystemExit(f"{shlex.join(argv)}: wait status {status}")
    print(json.dumps(times))


def hold(address, port, n):
    """Keeps the connections until stdin closes."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = [socket.create_connection((address, int(port)), 5) for _ in range(int(n))]
    print("END 0", flush=True)
    sys.stdin.read()
    del held


def dns_loop(server, seconds):
    query = b"\x01\x00\0\x01\0\0\0\0\0\0" + b"\x05bench\x04test\0\0\x01\0\x01"
    asked = done = 0
    start = time.time()
    while (took := time.time() - start) < float(seconds):
        asked += 1
        ident = struct.pack("!H", asked & 0xffff)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
            s.settimeout(1)
            s.connect((server, 53))
            s.send(ident + query)
            done += s.recv(512)[:2] == ident
    print("RATE", done / took)


def flood(way, address, port, mbit, ms):
    """Megabits a second of 1400-byte datagrams sent and received."""
    out = subprocess.run(["udpflood", way, address, port, "1400", str(int(mbit * 1e6 / 1400 / 8)),
                          str(ms)], stdout=subprocess.PIPE, text=True).stdout
    if not (m := re.search(r"SENT (\d+) GOT (\d+) SECONDS ([\d.]+)", out)):
        raise SystemExit("udpflood: no result")
    return tuple(int(m[i]) * 1400 * 8 / 1e6 / float(m[3]) for i in (1, 2))


def udp_ladder(way, address, port, seconds):
    ms = int(float(seconds) * 1000 / LADDER_STEPS / 2.5)    # a step may have two tries

    def clean(mbit):
        for _ in range(2):
            sent, got = flood(way, address, port, mbit, ms)
            if got >= sent * 0.995 and got > mbit * 0.95:
                return True
        return False
    low, high = LADDER_LOW, LADDER_HIGH
    for _ in range(LADDER_STEPS):
        mid = int((low * high) ** 0.5)
        low, high = (mid, high) if clean(mid) else (low, mid)
    print("BEST", low)


if __name__ == "__main__":
    {f.__name__: f for f in (startup, hold, dns_loop, udp_ladder)}[sys.argv[1]](*sys.argv[2:])
