#!/usr/bin/python3
"""stream.py - TCP peers that behave badly, and what a program of the tree sees of them.

Uses only what Debian's python3-minimal has.

	serve HOST PORT LOG	a process for each connection, whose first line says what to do:
		echo		bytes as they come
		after_eof N	read to the end, then send N bytes
		before N	end the own side at once; LOG: "before N" bytes that still came
		reset		a RST
		abandoned N	read N bytes; LOG: "abandoned RESET" or what ended it
		stall PORT	read nothing until somebody connects to PORT; LOG: "stall N" bytes
		flood PORT	send until nobody takes any; whoever connects to PORT is told
				how much that was, then end
		close		end both sides once the other has
		die		be killed
		count		LOG: "count N" bytes up to the end
		push		for each line, which is a number, so many bytes
		shout		a, an urgent X, b, and the end
	hold_server HOST PORT	accept, and hold up to the peer's end

Commands print what came of it, or end with a message and status 1:

	half_up, half_down, reset_down, reset_up, stall, flood, close, die, keepalive,
	urgent, syn_data, same_port HOST PORT ...
	pull HOST PORT	for each line of stdin, a number, get so many bytes and print how many came
	leave HOST PORT N	send N bytes and exit before they can have been delivered
	hold HOST PORT N AT_ONCE	N connections, AT_ONCE of them being opened; "held N refused N"
				once they are there, and the same when stdin ends

SPDX-License-Identifier: MIT
"""
import errno
import os
import select
import signal
import socket
import struct
import sys
import time

STUCK = 0.7		# seconds without a byte taken
PIECE = bytes(range(256)) * 256


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def die(text):
    raise SystemExit(text)


def connected(host, port, request="", **options):
    s = socket.socket(family(host), socket.SOCK_STREAM)
    for level, name, value in options.get("options", ()):
        s.setsockopt(level, name, value)
    s.settimeout(20)
    s.connect((host, int(port)))
    s.sendall(request.encode() + b"\n" if request else b"")
    return s


def listening(host, port, backlog=16):
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(port)))
    s.listen(backlog)
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def rest(s):
    """Bytes up to the end, all of which continue PIECE after PIECE."""
    n = 0
    while data := s.recv(65536):
        at = n % len(PIECE)
        if data != (PIECE[at:] + PIECE)[:len(data)]:
            die(f"wrong bytes at {n}")
        n += len(data)
    return n


def send(s, n):
    for at in range(0, n, len(PIECE)):
        s.sendall(PIECE[:n - at])


def send_until_stuck(s):
    s.setblocking(False)
    n = 0
    while select.select([], [s], [], STUCK)[1]:
        try:
            n += s.send((PIECE[n % len(PIECE):] + PIECE)[:len(PIECE)])
        except BlockingIOError:
            pass
    s.settimeout(20)
    return n


def ending(s):
    """How reading ends."""
    try:
        while s.recv(65536):
            pass
        return "EOF"
    except OSError as e:
        return errno.errorcode[e.errno] if e.errno else "TIMEOUT"


# ---- the server ----

def shout(s):
    for data, flags in (b"a", 0), (b"X", socket.MSG_OOB), (b"b", 0):
        s.send(data, flags)
        time.sleep(0.05)
    s.shutdown(socket.SHUT_WR)


def heard(s):
    got = b""
    while data := s.recv(100):
        got += data
    return got.decode()


def serve_one(s, host, log):
    def note(text):
        with open(log, "a") as f:
            f.write(text + "\n")

    line = b""
    while not line.endswith(b"\n"):
        if not (c := s.recv(1)):
            return
        line += c
    what, *args = line.decode().split()
    if what == "echo":
        while data := s.recv(65536):
            s.sendall(data)
    elif what == "after_eof":
        rest(s)
        send(s, int(args[0]))
    elif what == "before":
        s.shutdown(socket.SHUT_WR)
        note(f"before {rest(s)}")
    elif what == "reset":
        reset(s)
    elif what == "abandoned":
        note(f"abandoned {ending(s)}")
    elif what == "stall":
        with listening(host, args[0]) as go:
            go.accept()
        note(f"stall {rest(s)}")
    elif what == "flood":
        with listening(host, args[0]) as asked:
            n = send_until_stuck(s)
            asked.accept()[0].sendall(str(n).encode())
    elif what == "close":
        s.sendall(b"x")
        s.shutdown(socket.SHUT_WR)
        rest(s)
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "push":
        for line in s.makefile():
            send(s, int(line))
    elif what == "shout":
        shout(s)
    elif what == "count":
        note(f"count {rest(s)}")


def serve(host, port, log):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ear = listening(host, port, 1024)
    while True:
        s = ear.accept()[0]
        if os.fork() == 0:
            ear.close()
            serve_one(s, host, log)
            os._exit(0)
        s.close()


def hold_server(host, port):
    ear = listening(host, port, 4096)
    poll, held = select.epoll(), {}
    poll.register(ear, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == ear.fileno():
                s = ear.accept()[0]
                held[s.fileno()] = s
                poll.register(s, select.EPOLLIN)
            else:
                held.pop(fd).close()


# ---- half closes ----

def half_up(host, port, n):
    s = connected(host, port, f"after_eof {n}")
    s.sendall(PIECE)
    s.shutdown(socket.SHUT_WR)
    print(rest(s))


def half_down(host, port, n):
    s = connected(host, port, f"before {n}")
    if s.recv(1):
        die("no end of file came")
    time.sleep(0.1)		# the FIN is an old story now
    send(s, int(n))


def close(host, port, times):
    for _ in range(int(times)):
        s = connected(host, port, "close")
        if s.recv(1) != b"x":
            die("no answer")
        s.shutdown(socket.SHUT_WR)
        if s.recv(1):
            die("more than was sent")
        s.close()
    print("ok")


# ---- resets and deaths ----

def reset_down(host, port):
    print(ending(connected(host, port, "reset")))


def reset_up(host, port, size):
    s = connected(host, port, "abandoned 1")
    send(s, int(size))
    reset(s)


def dead(host, port):
    print(ending(connected(host, port, "die")))


def keepalive(host, port):
    s = connected(host, port, "echo", options=(
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)))
    s.settimeout(5)
    if ready := select.select([s], [], [], 4.5)[0]:
        die(f"{ready}: {ending(s)}")
    s.sendall(b"alive")
    print(s.recv(100).decode())


# ---- readers that stop ----

def stall(host, port, gate):
    s = connected(host, port, f"stall {gate}")
    n = send_until_stuck(s)
    connected(host, gate).close()
    s.shutdown(socket.SHUT_WR)
    if s.recv(1):
        die("what was that")
    print(n)


def flood(host, port, gate):
    s = connected(host, port, f"flood {gate}")
    select.select([s], [], [], 20)		# the gate is there before the first byte
    told = int(connected(host, gate).recv(100))
    if (n := rest(s)) != told:
        die(f"{told} bytes were sent, {n} came")
    print(n)


# ---- the rest ----

def urgent(host, port, way):
    s = connected(host, port, "echo" if way == "up" else "shout")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    if way == "up":
        shout(s)
    print(heard(s))


def pull(host, port):
    s = connected(host, port, "push")
    for line in sys.stdin:
        s.sendall(line.encode())
        n = 0
        while n < int(line):
            n += len(s.recv(65536)) or die("it ended")
        print(n, flush=True)


def syn_data(host, port):
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.sendto(b"echo\nhello", socket.MSG_FASTOPEN, (host, int(port)))
    print(s.recv(100).decode())


def same_port(host, port, times):
    """The server ends first, so TIME-WAIT is on the far side of each tuple."""
    own = 0
    for _ in range(int(times)):
        s = socket.socket(family(host), socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", own))
        own = s.getsockname()[1]
        s.settimeout(5)
        while (err := s.connect_ex((host, int(port)))) == errno.EADDRNOTAVAIL:
            time.sleep(0.01)	# our own kernel waits for the ACK of the last FIN
        if err:
            die(os.strerror(err))
        s.sendall(b"close\n")
        if s.recv(1) != b"x" or s.recv(1):
            die("not the end that was asked for")
        s.close()
    print("ok")


def leave(host, port, n):
    s = connected(host, port, "count", options=((socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20),))
    send(s, int(n))


def hold(host, port, n, at_once):
    n, held, refused, opening = int(n), [], 0, {}
    poll = select.epoll()
    while len(held) + refused < n:
        while len(opening) < int(at_once) and len(opening) + len(held) + refused < n:
            s = socket.socket(family(host), socket.SOCK_STREAM)
            s.setblocking(False)
            s.connect_ex((host, int(port)))
            opening[s.fileno()] = s
            poll.register(s, select.EPOLLOUT)
        for fd, _ in poll.poll(30) or die(f"{len(opening)} of {n} do not get through"):
            s = opening.pop(fd)
            poll.unregister(s)
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                refused += 1
            else:
                held.append(s)
    print("held", len(held), "refused", refused, flush=True)
    sys.stdin.read()
    for s in held:
        poll.register(s, select.EPOLLIN)
    print("held", len(held), "refused", refused, "ended", len(poll.poll(0, n)))


COMMANDS = {f.__name__: f for f in (
    serve, hold_server, half_up, half_down, close, reset_down, reset_up, keepalive, stall, flood,
    urgent, pull, syn_data, same_port, leave, hold)}
COMMANDS["die"] = dead

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
