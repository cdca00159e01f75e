#!/usr/bin/python3
"""quota.py - the two ends of what quota.sh counts.

On the server:	serve LOG	ports below; each connection's end is a line of LOG
Inside:		up HOST PORT BYTES [FLOWS]	send so much by each, say what became of it
		up_and_go HOST PORT BYTES	the same, and exit as soon as it is cut
		down HOST PORT [slow]		read to the end, say how much it was
		there_and_back HOST PORT BYTES ...	send so much and read as much, one after the other
		udp_up HOST PORT SIZE COUNT	datagrams until one fails
		udp_down HOST PORT SIZE COUNT	ask for so many, say how many came
		dial HOST:PORT ...		connect to each and hold all, say which could be

SPDX-License-Identifier: MIT
"""
import errno
import os
import socket
import sys
import threading
import time

SINK, SOURCE, SLOW, SHOUT, UDP, TOLD = 6101, 6102, 6103, 6104, 6105, 6106
SLOW_ONES = (SLOW, SHOUT)	# ports that read so; SHOUT talks all the time as well
LONG = 20			# seconds that nothing takes


def name_of(error):
    return errno.errorcode.get(error.errno, str(error))


# ---- the server ----

def sink(s, log, port):
    """Count what comes; a slow one has little room and takes its time."""
    n = 0
    end = "eof"
    try:
        while data := s.recv(2048 if port in SLOW_ONES else 65536):
            n += len(data)
            if port in SLOW_ONES:
                time.sleep(0.0005)
    except OSError as e:
        end = name_of(e)
    log.write(f"{port} {n} {end}\n")
    log.flush()


def shout(s):
    try:
        while True:
            s.sendall(bytes(65536))
    except OSError:
        pass


def one(s, log, port):
    if port in (SOURCE, SHOUT):
        threading.Thread(target=shout, args=(s,), daemon=True).start()
    sink(s, log, port)
    if port == SOURCE:
        s.close()


def accept(port, log):
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    if port in SLOW_ONES:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.bind(("::", port))
    s.listen(64)
    while True:
        threading.Thread(target=one, args=(s.accept()[0], log, port), daemon=True).start()


def datagrams(host, total):
    """Count what comes to a host; one that asks for some gets them."""
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, UDP))
    while True:
        data, peer = s.recvfrom(65536)
        total[0] += 1
        total[1] += len(data)
        if data.startswith(b"give "):
            size, count = map(int, data.split()[1:])
            for _ in range(count):
                s.sendto(bytes(size), peer)
                time.sleep(0.001)


def serve(path):
    log = open(path, "a")
    total = [0, 0]
    for host in ("203.0.113.10", "2001:db8::10"):
        threading.Thread(target=datagrams, args=(host, total), daemon=True).start()
    for port in (SINK, SOURCE, SLOW, SHOUT):
        threading.Thread(target=accept, args=(port, log), daemon=True).start()
    s = socket.create_server(("203.0.113.10", TOLD))
    while True:
        c = s.accept()[0]
        c.sendall(f"{total[0]} {total[1]}\n".encode())
        c.close()


# ---- inside ----

def connected(host, port, room=0):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    s.settimeout(LONG)
    s.connect((host, int(port)))
    return s


def send_some(s, n, said):
    try:
        while n > 0:
            n -= s.send(bytes(min(n, 65536)))
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
        said.append("eof")
    except OSError as e:
        said.append(name_of(e))


def up_and_go(host, port, n):
    """As up, but gone as soon as somebody else sees that it is cut."""
    said = []
    s = connected(host, port)
    threading.Thread(target=send_some, args=(s, int(n), said), daemon=True).start()
    while not said:
        # The quota is used up for others as soon as it is for this one.
        try:
            connected(host, port).close()
        except OSError:
            said.append("cut")
    print("gone", flush=True)
    os._exit(0)


def up(host, port, n, flows="1"):
    said = []
    all_of_them = [threading.Thread(target=send_some, args=(connected(host, port), int(n), said))
                   for _ in range(int(flows))]
    for t in all_of_them:
        t.start()
    for t in all_of_them:
        t.join()
    print(*said)


def down(host, port, slow=""):
    s = connected(host, port, 4096 if slow else 0)
    n = 0
    end = "eof"
    try:
        while data := s.recv(2048 if slow else 65536):
            n += len(data)
            if slow:
                time.sleep(0.0005)
    except OSError as e:
        end = name_of(e)
    print(n, end)


def there_and_back(host, port, *sizes):
    s = connected(host, port)
    n = 0
    end = "open"
    try:
        for size in map(int, sizes):
            s.sendall(bytes(size))
            while size > 0 and (data := s.recv(size)):
                n += len(data)
                size -= len(data)
    except OSError as e:
        end = name_of(e)
    print(n, end)


def udp_socket(host, port):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((host, int(port)))
    s.settimeout(LONG)
    return s


def udp_up(host, port, size, count):
    """The error comes with a call after the datagram that it is about."""
    s = udp_socket(host, port)
    try:
        for _ in range(int(count)):
            s.send(bytes(int(size)))
            time.sleep(0.002)
        s.settimeout(0.2)
        s.recv(1)
    except TimeoutError:
        print("open")
    except OSError as e:
        print(name_of(e))


def waiting(s):
    s.setblocking(False)
    n = 0
    try:
        while s.recv(65536):
            n += 1
    except OSError:
        return n


def udp_down(host, port, size, count):
    s = udp_socket(host, port)
    n = 0
    try:
        s.send(f"give {size} {count}".encode())
        for n in range(1, int(count) + 1):
            s.recv(65536)
        print(n, "open")
    except OSError as e:
        # The kernel tells of the error before what came earlier and waits to be read.
        print(n - 1 + waiting(s), name_of(e))


def dial(*where):
    said, held = [], []
    for w in where:
        host, port = w.rsplit(":", 1)
        try:
            held.append(connected(host.strip("[]"), port))
            said.append("yes")
        except OSError:
            said.append("no")
    print(*said)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
