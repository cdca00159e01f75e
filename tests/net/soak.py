#!/usr/bin/python3
"""soak.py - a load of every kind that stays the same, and who grows under it.

	load SECONDS ROUNDS_A_SECOND	inside: rounds of the calls below until the time is over.  Makes the
		file "warm" after the first ten, "idle" when the load is over and all but the flows of
		the first round is closed; ends when there is a file "leave".  A wrong answer ends it.
	watch PID SECONDS	outside: the processes of the run of cf-spawn PID, sampled from "warm" on, up
		to its end.  Standard input is the flow log.  Prints a table, and what grew; status 1 if
		something did.

What may not grow: the memory of a process, by a line fitted to the second half of the load, by more
than GROWTH_KB; the number of its descriptors and threads, and of flows, from "warm" to "idle".

SPDX-License-Identifier: MIT
"""
import json
import os
import random
import select
import socket
import struct
import sys
import time

GROWTH_KB = 512
SETTLE = 330		# seconds: a datagram flow without traffic ends after 300 at most
DIRECT, PROXIED, DENIED = "203.0.113.20", "203.0.113.10", "203.0.113.30"
NAMES = ["www.example.test", "v4.example.test", "example.test", "alias.example.test"]


# ---- the load ----

def touch(name):
    with open(name, "w"):
        pass


def tcp(host, port):
    s = socket.create_connection((host, port), 20)
    s.settimeout(20)
    return s


def udp(host, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.connect((host, port))
    return s


def http(host, path, name, body=None):
    """The length of the answer's body."""
    with tcp(host, 80) as s:
        head = "%s %s HTTP/1.0\r\nHost: %s\r\n" % ("GET" if body is None else "PUT", path, name)
        if body is not None:
            head += "Content-Length: %d\r\n" % len(body)
        s.sendall(head.encode() + b"\r\n" + (body or b""))
        got = b""
        while data := s.recv(65536):
            got += data
    status = got.split(b" ", 2)[1]
    assert status[:1] == b"2", got[:100]
    return len(got) - got.index(b"\r\n\r\n") - 4


def echo(s, data):
    s.sendall(data)
    left = len(data)
    while left > 0:
        n = len(s.recv(65536))
        assert n > 0, "the echo ended"
        left -= n


def datagram(s, data):
    """One may be lost."""
    for _ in range(5):
        s.send(data)
        try:
            return s.recv(65536)
        except socket.timeout:
            pass
    raise AssertionError("five datagrams without an answer")


def found(name):
    return socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]


def missing(name):
    try:
        found(name)
    except socket.gaierror:
        return
    raise AssertionError(name + " has an address")


def refused(host, port):
    try:
        tcp(host, port).close()
    except OSError:
        return
    raise AssertionError("a connection to %s:%d" % (host, port))


class Load:
    def __init__(self):
        self.long = [tcp(DIRECT, 7), tcp(PROXIED, 7)]
        self.udp = udp(PROXIED, 7)
        self.icmp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        self.icmp.settimeout(1)
        self.icmp.connect((PROXIED, 0))
        self.turn = 0
        self.calls = [self.long_flows, self.short_flows, self.by_name, self.bulk, self.names,
                      self.datagrams, self.what_fails]

    def round(self):
        for call in self.calls:
            call()
        self.turn += 1

    def long_flows(self):
        for s in self.long:
            echo(s, b"x" * 3000)

    def short_flows(self):
        assert http(DIRECT, "/hello", "www.example.test") == 6
        assert http(PROXIED, "/hello", "www.example.test") == 6

    def by_name(self):
        name = NAMES[self.turn % len(NAMES)]
        assert http(found(name), "/hello", name) == 6

    def bulk(self):
        if self.turn % 5 == 0:
            host = (DIRECT, PROXIED)[self.turn // 5 % 2]
            assert http(host, "/bulk", "www.example.test") == 1000000
            http(host, "/put/soak", "www.example.test", b"u" * 300000)

    def names(self):
        missing("n%d.example.test" % random.randrange(1 << 40))
        missing("n1.example.test")

    def datagrams(self):
        assert datagram(self.udp, b"d" * 1200) == b"d" * 1200
        datagram(self.icmp, struct.pack("!BBHHH", 8, 0, 0, 0, self.turn & 0xFFFF) + b"x" * 56)

    def what_fails(self):
        refused(DENIED, 80)	# by the rules
        refused(DIRECT, 1)	# by the host

    def churn(self):
        """A datagram flow of its own, which the stack has to forget."""
        with udp(PROXIED, 7) as s:
            datagram(s, b"d" * 100)


def load(seconds, rate):
    work, start = Load(), time.monotonic()
    churn_until = seconds - 300	# what churns must have ended when descriptors are counted
    for i in range(10):
        work.round()
    touch("warm")
    n = 0
    while (now := time.monotonic() - start) < seconds:
        work.round()
        if n % 25 == 0 and now < churn_until:
            work.churn()
        n += 1
        time.sleep(max(0, start + n / rate - time.monotonic()))
    touch("idle")
    print("%d rounds" % work.turn)
    while not os.path.exists("leave"):
        time.sleep(0.1)


# ---- who grows ----

def fields(pid):
    out = {}
    with open("/proc/%s/status" % pid) as f:
        for line in f:
            key, _, value = line.partition(":")
            out[key] = value.split()
    return out


class Process:
    def __init__(self, pid):
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            words = f.read().split(b"\0")
        self.pid, self.samples = pid, []
        self.name = fields(pid)["Name"][0]
        if self.name == "cf-proxy":
            self.name += " policy" if b"--policy" in words else " dialler"

    def counts(self):
        """Descriptors and threads."""
        try:
            fds = len(os.listdir("/proc/%s/fd" % self.pid))
        except PermissionError:
            fds = -1
        return fds, int(fields(self.pid)["Threads"][0])

    def sample(self, at):
        self.samples.append((at, int(fields(self.pid)["RssAnon"][0])))

    def growth(self):
        """KB, by a line through the second half of the samples."""
        half = self.samples[len(self.samples) // 2:]
        mean_t = sum(t for t, _ in half) / len(half)
        mean_y = sum(y for _, y in half) / len(half)
        spread = sum((t - mean_t) ** 2 for t, _ in half)
        slope = sum((t - mean_t) * (y - mean_y) for t, y in half) / spread if spread > 0 else 0
        return slope * (half[-1][0] - half[0][0])


class Flows:
    """Those that are open, by the log."""

    def __init__(self):
        self.open, self.total, self.rest, self.ended = set(), 0, b"", False

    def take(self, wait):
        """What the log says within this time."""
        end = time.monotonic() + wait
        while not self.ended and select.select([0], [], [], max(0, end - time.monotonic()))[0]:
            data = os.read(0, 1 << 16)
            self.ended = data == b""
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in lines:
                self.event(json.loads(line))

    def event(self, e):
        if e["event"] == "connect_attempt":
            self.open.add(e["flow"])
            self.total += 1
        elif e["event"] == "flow_end" or e["event"] == "connect_result" and e["status"] != "ok":
            self.open.discard(e["flow"])


def children(pid):
    with open("/proc/%s/task/%s/children" % (pid, pid)) as f:
        return f.read().split()


def processes(spawn):
    """cf-spawn and its helpers, in the order of their start."""
    found_ones = [Process(p) for p in [spawn] + children(spawn)]
    return [p for p in found_ones if p.name.startswith("cf-")]


def sampled(procs, flows, every):
    """From "warm" to "idle"; what was counted at the first."""
    start, at = time.monotonic(), 0
    while not os.path.exists("warm"):
        flows.take(0.1)
    flows.take(0.5)
    before = {p.name: p.counts() for p in procs}, len(flows.open)
    while not os.path.exists("idle"):
        for p in procs:
            p.sample(at)
        flows.take(every)
        at = time.monotonic() - start
    return before


def more(now, before):
    return now[1] > before[1] or any(a > b for p in now[0] for a, b in zip(now[0][p], before[0][p]))


def settled(procs, flows, before):
    """What is counted once there is no more than before, or always will be."""
    end = time.monotonic() + SETTLE
    while True:
        now = {p.name: p.counts() for p in procs}, len(flows.open)
        if not more(now, before) or time.monotonic() > end or flows.ended:
            return now
        flows.take(0.2)


def watch(spawn, seconds):
    procs, flows, grew = processes(spawn), Flows(), []
    before = sampled(procs, flows, max(0.5, seconds / 600))
    after = settled(procs, flows, before)
    touch("leave")
    print("%-20s %22s %9s  %s" % ("", "KB: first, last, growth", "samples", "descriptors, threads"))
    for p in procs:
        growth = p.growth()
        was, now = before[0][p.name], after[0][p.name]
        print("%-20s %7d %7d %+6d %9d  %s -> %s" % (p.name, p.samples[0][1], p.samples[-1][1],
              growth, len(p.samples), was, now))
        if growth > GROWTH_KB:
            grew.append("%s: by %d KB" % (p.name, growth))
        if now[0] > was[0] or now[1] > was[1]:
            grew.append("%s: descriptors, threads %s -> %s" % (p.name, was, now))
    print("flows: %d in all; open %d -> %d" % (flows.total, before[1], after[1]))
    if after[1] > before[1]:
        grew.append("flows: %s" % sorted(flows.open)[:20])
    while not flows.ended:
        flows.take(10)
    if flows.open:
        grew.append("flows without an end: %s" % sorted(flows.open)[:20])
    print("\n".join("grew: " + g for g in grew))
    return 1 if grew else 0


if sys.argv[1] == "load":
    load(float(sys.argv[2]), float(sys.argv[3]))
else:
    sys.exit(watch(sys.argv[2], float(sys.argv[3])))
