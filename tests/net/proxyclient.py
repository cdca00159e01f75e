#!/usr/bin/env python3
"""proxyclient.py - clients of a proxy that curl is not: slow, odd, hostile.

usage: proxyclient.py HOW PORT ...
SPDX-License-Identifier: MIT
"""
import socket
import sys
import time

NEAR = "127.0.0.1"


def dial(port):
    return socket.create_connection((NEAR, port), timeout=30)


def all_of(s):
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return got + b"<reset>"
        if not more:
            return got
        got += more


def raw(port, text):
    """Send the text (backslash escapes count); print what comes, as one line."""
    s = dial(port)
    s.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
    print(all_of(s).decode("latin-1").replace("\r\n", "|"))


def drip(port, url):
    """A request a byte at a time."""
    s = dial(port)
    for c in f"GET {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
        s.sendall(c.encode())
        time.sleep(0.002)
    print(all_of(s).split(b"\r\n\r\n", 1)[1].decode().strip())


def slow(port, number, url):
    """So many connections that say no more than a beginning; and one that asks, meanwhile."""
    held = []
    for _ in range(int(number)):
        s = dial(port)
        s.sendall(b"GET http://")
        held.append(s)
    begin = time.time()
    s = dial(port)
    s.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    print(all_of(s).split(b"\r\n\r\n", 1)[1].decode().strip())
    print("first:", all_of(held[0]).split(b"\r\n", 1)[0].decode())
    print("seconds:", round(time.time() - begin))


def socks(port, *words):
    """Bytes in hexadecimal, one word a message; the answers to all of them."""
    s = dial(port)
    for word in words:
        s.sendall(bytes.fromhex(word))
        time.sleep(0.05)
    s.shutdown(socket.SHUT_WR)
    print(all_of(s).hex())


def smuggle(port, first, second):
    """A second request behind the first, in the same segment: it must go nowhere."""
    s = dial(port)
    s.sendall(f"GET {first} HTTP/1.1\r\nHost: x\r\n\r\nGET {second} HTTP/1.1\r\nHost: y\r\n\r\n".encode())
    print(all_of(s).count(b"HTTP/1.1 "))


def half(port, host, target):
    """Through CONNECT to an echo server: half closed, and all comes back."""
    s = dial(port)
    s.sendall(f"CONNECT {host}:{target} HTTP/1.1\r\nHost: {host}\r\n\r\nearly".encode())
    time.sleep(0.1)
    s.sendall(b"x" * 1000000)
    s.shutdown(socket.SHUT_WR)
    got = all_of(s).split(b"\r\n\r\n", 1)[1]
    print(got[:5].decode(), len(got))


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
