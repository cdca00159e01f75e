#!/usr/bin/python3
"""asker.py HOST PORT WHAT - a client that a name server should not trust; prints what it saw.

Each WHAT is a function below; the last two are servers.  Uses only what Debian's python3-minimal
has.
SPDX-License-Identifier: MIT
"""
import os
import select
import socket
import struct
import sys
import time

HOST, PORT = sys.argv[1], int(sys.argv[2])
FAMILY = socket.AF_INET6 if ":" in HOST else socket.AF_INET


def query(name, ident, qtype=1, flags=0x0100, udp_size=0):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    opt = struct.pack("!BHHIH", 0, 41, udp_size, 0, 0) if udp_size else b""
    head = struct.pack("!6H", ident, flags, 1, 0, 0, 1 if udp_size else 0)
    return head + labels + b"\0" + struct.pack("!2H", qtype, 1) + opt


def udp(timeout=5.0):
    s = socket.socket(FAMILY, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.settimeout(timeout)
    s.connect((HOST, PORT))
    return s


def tcp(timeout=20.0):
    return socket.create_connection((HOST, PORT), timeout)


def framed(message):
    return struct.pack("!H", len(message)) + message


def take(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def answer(s):
    return take(s, struct.unpack("!H", take(s, 2))[0])


def ident(message):
    return struct.unpack("!H", message[:2])[0]


def closed_after(s):
    """Seconds until the server closes; it must say nothing before."""
    start = time.monotonic()
    try:
        data = s.recv(65536)
    except ConnectionResetError:
        data = b""
    return "data" if data else time.monotonic() - start


def silence():
    """What must not be answered over UDP, and then what must."""
    s = udp()
    s.send(b"")
    s.send(b"\0" * 11)                                  # no header
    s.send(query("example.test", 1, flags=0x8100))      # an answer
    s.send(query("example.test", 2))
    print(ident(s.recv(65535)))


def size():
    """How long an answer is to who takes 65535 bytes, and whether it is cut."""
    s = udp()
    s.send(query("big.example.test", 1, 16, udp_size=65535))
    reply = s.recv(65535)
    print(len(reply) <= 1232, bool(reply[2] & 2))


def pipelined():
    """Many queries at once on one connection, in odd pieces; each has its answer."""
    s = tcp()
    data = b"".join(framed(query("example.test", i)) for i in range(500))
    for at in range(0, len(data), 77):
        s.sendall(data[at:at + 77])
    print(sorted(ident(answer(s)) for _ in range(500)) == list(range(500)))


def half_closed():
    """A client that says no more still gets its answers, and then the end."""
    s = tcp()
    s.sendall(framed(query("example.test", 1)) + framed(query("example.test", 2)))
    s.shutdown(socket.SHUT_WR)
    print(sorted([ident(answer(s)), ident(answer(s))]), s.recv(1))


def garbage():
    """What is no query ends the connection at once."""
    for bad in (b"\0\0", b"\0\5hello", framed(query("example.test", 1, flags=0x8100))):
        s = tcp()
        s.sendall(bad)
        wait = closed_after(s)
        print("at once" if wait != "data" and wait < 3 else wait)


def idle():
    """Nothing, or a byte now and then: closed after ten seconds, neither sooner nor later."""
    quiet, slow = tcp(), tcp()
    start = time.monotonic()
    waits = {}
    at = 0
    while len(waits) < 2 and time.monotonic() - start < 20:
        for s in select.select([x for x in (quiet, slow) if x not in waits], [], [], 0.5)[0]:
            waits[s] = time.monotonic() - start
        if slow not in waits:
            try:
                slow.send(framed(query("example.test", 1))[at:at + 1])
            except OSError:
                pass
            at = min(at + 1, 20)
    print([9 < waits.get(s, 0) < 13 for s in (quiet, slow)])


def deaf():
    """Asks for much and reads nothing: it is not read for ever, and is closed."""
    s = tcp()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.setblocking(False)
    data = framed(query("big.example.test", 1, 16)) * 100
    sent, start, at = 0, time.monotonic(), 0
    try:
        while time.monotonic() - start < 40:
            if not select.select([], [s], [], 0.5)[1]:
                if select.select([s], [], [], 0)[0] and closed(s):
                    break
                continue
            at = s.send(data[at:]) + at
            sent += 1
            at %= len(data)
    except OSError:
        pass
    print("closed" if time.monotonic() - start < 40 else "still open")


def closed(s):
    """Without reading what is there: has the other end gone?"""
    poll = select.poll()
    poll.register(s, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def bulky():
    """Queries of 64 KiB on many connections at once: each is answered."""
    conns = [tcp() for _ in range(60)]
    pad = 65000
    long = query("example.test", 1, udp_size=1232)[:-2] + struct.pack("!3H", pad + 4, 12, pad) + bytes(pad)
    got = 0
    for s in conns:
        s.setblocking(False)
    todo = {s: framed(long) * 8 for s in conns}
    left = {s: 8 for s in conns}
    seen = {s: b"" for s in conns}
    end = time.monotonic() + 80         # as many as fit wait 4.5 s for a resolver that is silent
    while left and time.monotonic() < end:
        r, w, _ = select.select(list(left), [s for s in left if todo[s]], [], 1)
        for s in w:
            todo[s] = todo[s][s.send(todo[s]):]
        for s in r:
            data = s.recv(65536)
            if not data:
                raise EOFError
            seen[s] += data
            while len(seen[s]) >= 2 and len(seen[s]) - 2 >= struct.unpack("!H", seen[s][:2])[0]:
                seen[s] = seen[s][2 + struct.unpack("!H", seen[s][:2])[0]:]
                left[s] -= 1
                got += 1
            if left[s] == 0:
                del left[s]
    print(got)


def crowd():
    """One client with as many connections as it can get; another from another address."""
    held = []
    for _ in range(200):
        s = tcp(5)
        s.sendall(framed(query("example.test", 1)))
        try:
            answer(s)
        except (EOFError, ConnectionResetError):
            break
        held.append(s)
    other = socket.socket(FAMILY, socket.SOCK_STREAM)
    other.settimeout(5)
    other.bind(("127.0.0.2", 0))
    other.connect((HOST, PORT))
    other.sendall(framed(query("example.test", 7)))
    print(len(held), ident(answer(other)))


def flood():
    """One client asks what nobody answers, without end; how many of 100 of another's are served."""
    child = os.fork()
    if child == 0:
        s = udp()
        n = 0
        while os.getppid() != 1:
            n += 1
            try:
                s.send(query("silent%d.test" % n, n & 0xffff))
            except OSError:
                pass
            if n % 50 == 0:
                time.sleep(0.005)
    time.sleep(1)
    s = socket.socket(FAMILY, socket.SOCK_DGRAM)
    s.bind(("127.0.0.2", 0))
    s.settimeout(1)
    served = 0
    for i in range(100):
        s.sendto(query("n%d.test" % i, i), (HOST, PORT))
        try:
            reply = s.recv(65535)
            served += ident(reply) == i and reply[3] & 15 == 0
        except socket.timeout:
            pass
    os.kill(child, 9)
    os.waitpid(child, 0)
    print(served)


def stalled():
    """More on many connections than one client may have under way: all of it is answered."""
    conns = [tcp() for _ in range(10)]
    for s in conns:
        s.sendall(b"".join(framed(query("example.test", i)) for i in range(200)))
    print([sorted(ident(answer(s)) for _ in range(200)) == list(range(200)) for s in conns].count(True))


def stranger():
    """From another address: neither datagram nor connection has an answer."""
    s = udp(1.0)
    s.send(query("example.test", 1))
    try:
        print(s.recv(65535))
    except (socket.timeout, ConnectionRefusedError):
        print("silent")
    s = tcp(5)
    try:
        s.sendall(framed(query("example.test", 1)))
        print(s.recv(65535) or "closed")
    except OSError:
        print("closed")


def mute():
    """A name server with an answer (no error, no record) to all but names like silent1.test."""
    s = socket.socket(FAMILY, socket.SOCK_DGRAM)
    s.bind((HOST, PORT))
    print("ready", flush=True)
    while True:
        message, client = s.recvfrom(65535)
        if message[13:19] != b"silent":
            s.sendto(message[:2] + b"\x81\x80" + message[4:], client)


def lazy():
    """The same, but it answers nothing before nothing more comes; says how much that was."""
    s = socket.socket(FAMILY, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind((HOST, PORT))
    print("ready", flush=True)
    held = []
    while True:
        if select.select([s], [], [], 0.2 if held else None)[0]:
            held.append(s.recvfrom(65535))
            continue
        print(len(held), flush=True)
        for message, client in held:
            s.sendto(message[:2] + b"\x81\x80" + message[4:], client)
        held = []


globals()[sys.argv[3]]()
