#!/usr/bin/python3
"""dgram.py - datagram peers and what a program of the tree sees of them.

Uses only what Debian's python3-minimal has.  Servers serve until they are killed:

	serve HOST PORT ...	answers each datagram by its first word:
		whoami		the sender's port
		count N SIZE	N numbered datagrams of SIZE bytes
		later N		N datagrams, one every 50 ms
		other		one datagram from another port
		tclass		the traffic class that the request came with
		anything else	itself

Commands print what came of it, or end with a message and status 1:

	same_port HOST:PORT ...	one socket asks all: the one port that all of them saw
	ask HOST PORT WORD ...	the answer as text
	stream HOST PORT N SIZE	N datagrams there and back, a window at a time, all equal
	count HOST PORT N SIZE	one request, N replies in order
	train HOST PORT N SIZE	the same with UDP_SEGMENT, and received with UDP_GRO
	later HOST PORT N	replies to one request that take their time
	other HOST PORT		does a datagram from another port of the peer come in?
	sizes HOST PORT SIZE ...	each size comes back as it went
	cut HOST PORT SIZE ...	the same where the network may fragment
	mtu HOST PORT		send with DF until the path's MTU is known; print it
	df HOST PORT SIZE	send with DF, and print the errno
	quote HOST PORT [TTL]	the ICMP error about a datagram, as the error queue has it
	flood FIRST N ADDRESS ...	a datagram to each of N ports of each, one socket
	sockets HOST PORT N	a datagram each from N sockets, that stay open
	chatter			multicast, broadcast, link-local, IGMP and MLD

SPDX-License-Identifier: MIT
"""
import errno
import os
import select
import socket
import struct
import sys
import time

UDP_SEGMENT, UDP_GRO = 103, 104
IP_MTU_DISCOVER, IP_MTU, IP_RECVERR, PMTUDISC_DONT, PMTUDISC_DO, PMTUDISC_PROBE = \
    10, 14, 11, 0, 2, 3
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR = 23, 24, 25
MSG_ERRQUEUE = 0x2000


def v6(host):
    return ":" in host


def new(host, connect=None):
    s = socket.socket(socket.AF_INET6 if v6(host) else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    if connect is not None:
        s.connect((host, int(connect)))
    return s


# ---- the far side ----

def answer(s, host, data, peer, tclass):
    word = data.split(b" ")[0]
    if word == b"whoami":
        s.sendto(b"%d" % peer[1], peer)
    elif word == b"tclass":
        s.sendto(b"%d" % tclass, peer)
    elif word == b"count":
        n, size = map(int, data.split()[1:3])
        for i in range(n):
            s.sendto(struct.pack("!I", i).ljust(size, b"x"), peer)
            if i % 64 == 63:
                time.sleep(0.002)
    elif word == b"later":
        for i in range(int(data.split()[1])):
            time.sleep(0.05)
            s.sendto(b"%d" % i, peer)
    elif word == b"other":
        new(host).sendto(b"from another port", peer)
    else:
        s.sendto(data, peer)


def serve(host, *ports):
    sockets = []
    for port in ports:
        s = new(host)
        s.bind((host, int(port)))
        level = socket.IPPROTO_IPV6 if v6(host) else socket.IPPROTO_IP
        s.setsockopt(level, 66 if v6(host) else 13, 1)  # RECVTCLASS, RECVTOS
        sockets.append(s)
    while True:
        for s in select.select(sockets, [], [])[0]:
            try:
                data, control, _, peer = s.recvmsg(65536, 100)
                tclass = control[0][2][0] if control else -1
                answer(s, host, data, peer, tclass)
            except OSError:
                pass                # its last answer was refused


# ---- the tree's side ----

def same_port(*servers):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(5)
    seen = set()
    for server in servers:
        host, port = server.rsplit(":", 1)
        host = host.strip("[]")
        s.sendto(b"whoami", (host if v6(host) else "::ffff:" + host, int(port)))
        seen.add(s.recv(100).decode())
    if len(seen) != 1:
        sys.exit("ports differ: %s" % seen)
    print(*seen)


def ask(host, port, *words):
    s = new(host, port)
    if words[0] == "tclass":
        level = socket.IPPROTO_IPV6 if v6(host) else socket.IPPROTO_IP
        s.setsockopt(level, 67 if v6(host) else 1, int(words[1]))
    s.send(" ".join(words).encode())
    print(s.recv(65536).decode())


def stream(host, port, count, size):
    s = new(host, port)
    count, size = int(count), int(size)
    tail = os.urandom(size - 4)
    sent = got = 0
    while got < count:
        while sent < count and sent - got < 32:
            s.send(struct.pack("!I", sent) + tail)
            sent += 1
        if s.recv(65536) != struct.pack("!I", got) + tail:
            sys.exit("datagram %d came back changed or out of order" % got)
        got += 1
    print(got)


def replies(s, request, count, size):
    s.send(request)
    got = 0
    while got < count:
        data = s.recv(65536)
        for at in range(0, len(data), size):    # UDP_GRO: several in one
            if data[at:at + size] != struct.pack("!I", got).ljust(size, b"x"):
                sys.exit("reply %d is another" % got)
            got += 1
    print(got)


def count(host, port, n, size):
    replies(new(host, port), b"count %s %s" % (n.encode(), size.encode()), int(n), int(size))


def train(host, port, n, size):
    s = new(host, port)
    s.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
    replies(s, b"count %s %s" % (n.encode(), size.encode()), int(n), int(size))
    s.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 0)
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, int(size))
    s.send(b"e" * (int(size) * 20 + 7))
    got = [len(s.recv(65536)) for _ in range(21)]
    if got != [int(size)] * 20 + [7]:
        sys.exit("a train of 20 and 7 bytes came back as %s" % got)


def later(host, port, n):
    s = new(host, port)
    s.send(b"later " + n.encode())
    print(*[s.recv(100).decode() for _ in range(int(n))])


def other(host, port):
    s = new(host)
    s.settimeout(1)
    s.sendto(b"hello", (host, int(port)))
    s.recv(100)
    s.sendto(b"other", (host, int(port)))
    try:
        print(s.recv(100).decode())
    except socket.timeout:
        print("nothing")


def sizes(host, port, *all_sizes):
    there_and_back(new(host, port), all_sizes)


def cut(host, port, *all_sizes):
    s = probing(host, port, PMTUDISC_DONT)
    s.settimeout(0.5)
    there_and_back(s, all_sizes, 3)     # in IPv6 the first may be lost: only senders cut


def there_and_back(s, all_sizes, tries=1):
    for size in map(int, all_sizes):
        sent = os.urandom(size)
        for left in range(tries, 0, -1):
            s.send(sent)
            try:
                got = s.recv(65536)
                break
            except socket.timeout:
                if left == 1:
                    raise
        if got != sent:
            sys.exit("%d bytes came back changed" % size)
    print(len(all_sizes))


def probing(host, port, how):
    s = new(host, port)
    if v6(host):
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, how)
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, how)
    return s


def known_mtu(s, host):
    if v6(host):
        return s.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return s.getsockopt(socket.IPPROTO_IP, IP_MTU)


def mtu(host, port):
    s = probing(host, port, PMTUDISC_DO)
    s.settimeout(0.3)
    head = 48 if v6(host) else 28
    for _ in range(10):
        try:
            s.send(b"m" * (known_mtu(s, host) - head))
            s.recv(65536)
            print(known_mtu(s, host))
            return
        except socket.timeout:
            pass
        except OSError as e:
            if e.errno != errno.EMSGSIZE:
                raise
    sys.exit("no size gets through")


def df(host, port, size):
    s = probing(host, port, PMTUDISC_DO)
    try:
        s.send(b"d" * int(size))
        s.recv(65536)
        print("OK")
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))


def quote(host, port, ttl=None):
    s = probing(host, port, PMTUDISC_PROBE)
    level, recverr = (socket.IPPROTO_IPV6, IPV6_RECVERR) if v6(host) else (socket.IPPROTO_IP, IP_RECVERR)
    s.setsockopt(level, recverr, 1)
    if ttl is not None:
        s.setsockopt(level, socket.IPV6_UNICAST_HOPS if v6(host) else socket.IP_TTL, int(ttl))
    s.settimeout(0.1)
    s.send(b"quote me")
    poll = select.poll()
    poll.register(s, 0)
    poll.poll(2000)
    data, control, _, _ = s.recvmsg(2000, 512, MSG_ERRQUEUE)
    _, origin, kind, code = struct.unpack("=IBBB", control[-1][2][:7])
    sender = control[-1][2][16:]
    sender = socket.inet_ntop(socket.AF_INET6, sender[8:24]) if v6(host) else socket.inet_ntop(socket.AF_INET, sender[4:8])
    print(origin, kind, code, sender, data.decode())


def flood(first, n, *hosts):
    by_family = {True: new("::"), False: new("0.0.0.0")}
    refused = 0
    for port in range(int(first), int(first) + int(n)):
        for host in hosts:
            try:
                by_family[v6(host)].sendto(b"anybody?", (host, port))
            except OSError:
                refused += 1
        if port % 50 == 0:
            time.sleep(0.002)       # so that they are opened, not only asked for
    print("done")


def sockets(host, port, n):
    held = []
    for _ in range(int(n)):
        s = new(host, port)
        s.send(b"hello")
        held.append(s)
    print(sum(1 for s in held if s.recv(100) == b"hello"))


def chatter():
    s = new("0.0.0.0")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s6 = new("::")
    name = socket.if_nametoindex("tun0")
    group = socket.inet_aton("239.1.2.3") + socket.inet_aton("192.0.0.2")
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                  socket.inet_pton(socket.AF_INET6, "ff02::1234") + struct.pack("@I", name))
    s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, name)
    for sock, host in ((s, "239.1.2.3"), (s, "224.0.0.251"), (s, "239.255.255.250"),
                       (s, "255.255.255.255"), (s6, "ff02::fb"), (s6, "ff05::2")):
        for port in (1900, 5353, 67, 137):
            try:
                sock.sendto(b"anybody?", (host, port))
            except OSError as e:
                sys.exit("%s: %s" % (host, e))
    print("done")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
