"""badproxy.py PORT ... - proxies that do everything that a proxy should not, or only just may.

Port 9100 speaks HTTP (9109: the same by TLS, with server.pem and server.key beside this file), 9101
SOCKS5: what they do is in the name of the destination that they are
asked for ("drip.test").  9102 and up do it before they know of one.  Where a tunnel comes about
the other end of it is here too, and answers whatever it gets with a page.

SPDX-License-Identifier: MIT
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


def drip(c, data):
    for byte in data:
        c.sendall(bytes([byte]))
        time.sleep(0.002)


def page(c):
    c.settimeout(10)
    if c.recv(65536):
        c.sendall(PAGE)


def wait_for_end(c):
    while c.recv(65536):
        pass


# Answers to CONNECT.  True: a tunnel comes of it.
def http_answer(c, what):
    table = {
        "ok": OK,
        "old": b"HTTP/1.0 200 OK\r\n\r\n",
        "bare": b"HTTP/1.1 200\n\n",
        "any": b"HTTP/1.1 299 Whatever\r\nX: y\r\n\r\n",
        "interim": b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK,
        "longline": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 60000 + b"\r\n\r\n",
        "many": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 8000 + b"\r\n",
        "fold": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\tHTTP/1.1 500 no\r\n\r\n",
        # From here on none is a success.
        "s403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret",
        "s407": b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
        "s502": b"HTTP/1.1 502 Bad\r\n\r\n",
        "s504": b"HTTP/1.1 504 Late\r\n\r\n",
        "s999": b"HTTP/1.1 999 Odd\r\n\r\n",
        "endless": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000,
        "switch": b"HTTP/1.1 101 Switching\r\n\r\n",
        "http2": b"HTTP/2 200\r\n\r\n",
        "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
        "nostatus": b"HTTP/1.1 OK\r\n\r\n",
        "zeroes": bytes(4096) + b"\n",
        "half": b"HTTP/1.1 20",
        "inhead": b"HTTP/1.1 200 OK\r\nX: y\r\n",
        "nothing": b"",
    }
    good = list(table)[:8]
    if what == "early":
        c.sendall(OK + b"banner\n")
        c.shutdown(socket.SHUT_WR)
        wait_for_end(c)
        return False
    if what == "silent":
        wait_for_end(c)
        return False
    if what == "reset":
        c.sendall(OK)
        c.recv(65536)
        c.sendall(b"x" * 300000)
        c.recv(65536)           # what is not read when it breaks off may be lost
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if what == "drip":
        drip(c, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20 + b"\r\n")
        return True
    if what == "digest":
        return None
    c.sendall(table.get(what, OK))
    return what in good or what not in table


def http(c):
    data = b""
    while b"\r\n\r\n" not in data:
        more = c.recv(65536)
        if not more:
            return
        data += more
    target = data.split()[1].decode()
    if http_answer(c, target.split(".")[0].split(":")[0]):
        page(c)


def exactly(c, n):
    data = b""
    while len(data) < n:
        more = c.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def socks(c):
    exactly(c, exactly(c, 2)[1])
    c.sendall(b"\x05\x00")
    head = exactly(c, 4)
    if head[3] == 3:
        what = exactly(c, exactly(c, 1)[0]).decode().split(".")[0]
    else:
        what = "ok"
        exactly(c, 4 if head[3] == 1 else 16)
    exactly(c, 2)
    reply = b"\x05\x00\x00\x01" + bytes(6)
    if what.startswith("rep"):
        c.sendall(b"\x05" + bytes([int(what[3:])]) + b"\x00\x01" + bytes(6))
    elif what == "early":
        c.sendall(reply + b"banner\n")
        c.shutdown(socket.SHUT_WR)
        wait_for_end(c)
    elif what == "silent":
        wait_for_end(c)
    elif what == "half":
        c.sendall(reply[:6])
    elif what == "version":
        c.sendall(b"\x04" + reply[1:])
    elif what == "kind":
        c.sendall(b"\x05\x00\x00\x09" + bytes(300))
    elif what == "nothing":
        pass
    else:
        if what == "name":
            reply = b"\x05\x00\x00\x03\xff" + b"x" * 255 + b"\x00\x50"
        elif what == "six":
            reply = b"\x05\x00\x00\x04" + bytes(18)
        if what == "drip":
            drip(c, reply)
        else:
            c.sendall(reply)
        page(c)


def sends(data):
    def answer(c):
        c.recv(65536)
        c.sendall(data)
    return answer


def by_tls(c):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(HERE, "server.pem"), os.path.join(HERE, "server.key"))
    with context.wrap_socket(c, server_side=True) as tls:
        http(tls)


def silent(c):
    wait_for_end(c)


def talks_first(c):
    c.sendall(b"220 mail.example ESMTP\r\n")
    wait_for_end(c)


WAYS = [http, socks, sends(b"\x05\xff"), sends(b"\x04\x00"), sends(b"\x05\x63"), sends(b"\x05\x02"),
        sends(b""), silent, talks_first, by_tls]


def run(way, c):
    try:
        way(c)
    except (OSError, EOFError):
        pass
    c.close()


def serve(way, port):
    s = socket.create_server(("127.0.0.1", port), backlog=1000)
    while True:
        c, _ = s.accept()
        threading.Thread(target=run, args=(way, c), daemon=True).start()


for number, one in enumerate(WAYS[1:], 9101):
    threading.Thread(target=serve, args=(one, number), daemon=True).start()
serve(WAYS[0], 9100)
