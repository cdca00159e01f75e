#!/usr/bin/python3
"""flight.py KIND HOST PORT [ARG ...] - first flights of all kinds, and what becomes of them.

	tls HOST PORT NAME [CUT [RECORD]]	a hello for NAME ("-": none), in segments of CUT bytes and
				records of RECORD; prints "served" for a ServerHello
	say HOST PORT TEXT [CUT]	TEXT with \\n, \\r, \\xNN; prints the answer's last line
	half HOST PORT TEXT	the same, and ends its side at once
	hear HOST PORT		says nothing; prints what the server says
	shut HOST PORT		says nothing and ends its side; prints what comes
	twice HOST PORT TEXT	TEXT two times in one segment; prints how many answers came
	many HOST PORT TEXT N	N connections at once; prints how many were answered
	udp HOST PORT TEXT	two datagrams that are echoed; prints the answers
	keep HOST PORT FILE	server: the first datagram that comes is kept in FILE
	send HOST PORT FILE	sends it; prints "answered" where anything comes back

HOST may be @NAME/ADDRESS: NAME is looked up, ADDRESS is connected to.  Prints the name of the error
where there is one.

SPDX-License-Identifier: MIT
"""
import errno
import socket
import ssl
import struct
import sys
import time

PATIENCE = 8


def name_of(e):
    return errno.errorcode.get(e.errno, str(e)) if isinstance(e, OSError) else str(e)


def open_to(host, port):
    s = socket.create_connection((host, int(port)), PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def send_cut(s, data, cut=0):
    cut = int(cut) or len(data)
    for at in range(0, len(data), cut):
        s.sendall(data[at:at + cut])
        if cut < len(data):
            time.sleep(0.001)   # else the kernel may send several as one


def read_all(s):
    data = b""
    while piece := s.recv(65536):
        data += piece
    return data


def text_of(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def last_line(data):
    lines = data.decode("latin-1").strip().splitlines()
    return lines[-1] if lines else "(nothing)"


def hello(name, record):
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=None if name == "-" else name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    data = out.read()
    if not record:
        return data
    body = data[5:]
    return b"".join(data[:3] + struct.pack(">H", len(body[at:at + record])) + body[at:at + record]
                    for at in range(0, len(body), record))


def tls(host, port, name, cut=0, record=0):
    s = open_to(host, port)
    send_cut(s, hello(name, int(record)), cut)
    head = s.recv(6)
    return "served" if head[:1] == b"\x16" and head[5:] == b"\x02" else repr(head)


def say(host, port, text, cut=0):
    s = open_to(host, port)
    send_cut(s, text_of(text), cut)
    return last_line(read_all(s))


def half(host, port, text):
    s = open_to(host, port)
    s.sendall(text_of(text))
    s.shutdown(socket.SHUT_WR)
    return last_line(read_all(s))


def hear(host, port):
    return last_line(open_to(host, port).recv(4096))


def shut(host, port):
    s = open_to(host, port)
    s.shutdown(socket.SHUT_WR)
    return last_line(read_all(s))


def twice(host, port, text):
    s = open_to(host, port)
    s.sendall(text_of(text) * 2)
    s.shutdown(socket.SHUT_WR)
    return str(read_all(s).count(b"HTTP/1.1 200"))


def many(host, port, text, n):
    socks = [open_to(host, port) for _ in range(int(n))]
    for s in socks:
        s.sendall(text_of(text))
    good = 0
    for s in socks:
        try:
            good += b"HTTP/1.1 200" in read_all(s)
        except OSError:
            pass
    return str(good)


def udp(host, port, text):
    info = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    s = socket.socket(info[0], socket.SOCK_DGRAM)
    s.settimeout(PATIENCE)
    s.connect(info[4])
    s.send(text_of(text))
    s.send(b"second")
    # Each is echoed by a process of its own.
    return " ".join(sorted(s.recv(65536).decode() for _ in range(2)))


def keep(host, port, file):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, int(port)))
    with open(file, "wb") as f:
        f.write(s.recv(65536))
    return "kept"


def send(host, port, file):
    info = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    s = socket.socket(info[0], socket.SOCK_DGRAM)
    s.settimeout(PATIENCE)
    s.connect(info[4])
    with open(file, "rb") as f:
        s.send(f.read())
    s.recv(65536)
    return "answered"


def main(kind, host, *args):
    if host.startswith("@"):
        name, host = host[1:].split("/")
        socket.getaddrinfo(name, None)
    try:
        print(globals()[kind](host, *args))
    except OSError as e:
        print(name_of(e))


main(*sys.argv[1:])
