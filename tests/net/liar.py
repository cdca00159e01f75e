#!/usr/bin/python3
"""liar.py HOST PORT - a name server that says what it should not, and then the truth: HOST.

What it says first depends on the first label of the name; a name that begins with "only-" gets
nothing else.  Lies give the address 203.0.113.66.  Over TCP it tells the truth.
Uses only what Debian's python3-minimal has.
SPDX-License-Identifier: MIT
"""
import os
import select
import socket
import struct
import sys
import time

LIE = "203.0.113.66"


def question_end(query):
    return query.index(b"\0", 12) + 5


def first_label(query):
    return query[13:13 + query[12]].decode("latin-1").lower()


def answer(query, address, size=0):
    end = question_end(query)
    record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 0, 4) + socket.inet_aton(address)
    n = 1 + max(0, size - end) // 16
    return query[:2] + b"\x81\x80\0\1" + struct.pack("!H", n) + b"\0\0\0\0" + query[12:end] + record * n


def changed(msg, at, bits):
    return msg[:at] + bytes([msg[at] ^ bits]) + msg[at + 1:]


def records(query, data):
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:question_end(query)] + data


LIES = {
    "id": lambda q: [changed(answer(q, LIE), 1, 1), changed(answer(q, LIE), 0, 0x80)],
    "name": lambda q: [changed(answer(q, LIE), 14, 1)],
    "case": lambda q: [changed(answer(q, LIE), 13, 0x20)],
    "type": lambda q: [changed(answer(q, LIE), question_end(q) - 3, 1)],
    "query": lambda q: [changed(answer(q, LIE), 2, 0x80)],
    "opcode": lambda q: [changed(answer(q, LIE), 2, 0x28)],
    "garbage": lambda q: [os.urandom(n) for n in (0, 1, 11, 12, 13, 40, 512, 1400)],
    "short": lambda q: [answer(q, LIE)[:n] for n in range(0, question_end(q))],
    "unasked": lambda q: [answer(q, LIE)[:4] + b"\0\0" + answer(q, LIE)[6:]],
}
# These are answers, whatever they are worth: they go to who asked.
ANSWERS = {
    "loop": lambda q: records(q, b"\xc0" + bytes([question_end(q)]) + b"\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
    "cname": lambda q: records(q, b"\xc0\x0c\0\5\0\1\0\0\0\0\0\2\xc0\x0c"),
    "cut": lambda q: answer(q, LIE)[:-7],
    "count": lambda q: answer(q, LIE)[:6] + b"\xff\xff" + answer(q, LIE)[8:],
    "long": lambda q: answer(q, LIE, 20000),
}


def say(sock, query, asker, host, late):
    label = first_label(query)
    kind = label.removeprefix("only-")
    if kind in ANSWERS:
        sock.sendto(ANSWERS[kind](query), asker)
        return
    for lie in LIES.get(kind, lambda q: [])(query):
        sock.sendto(lie, asker)
    if kind == "slow":
        late.append((time.monotonic() + 1.2, answer(query, host), asker))
    elif not label.startswith("only-"):
        sock.sendto(answer(query, host), asker)


def main(host, port):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    late = []
    for s in udp, tcp:
        s.bind((host, int(port)))
    tcp.listen(16)
    while True:
        for s in select.select([udp, tcp], [], [], 0.05)[0]:
            if s is udp:
                query, asker = udp.recvfrom(65535)
                say(udp, query, asker, host, late)
            else:
                conn = tcp.accept()[0]
                query = conn.recv(65535)[2:]
                if len(query) > 12:
                    msg = answer(query, host)
                    conn.sendall(struct.pack("!H", len(msg)) + msg)
                conn.close()
        while late and late[0][0] <= time.monotonic():
            udp.sendto(*late.pop(0)[1:])


main(*sys.argv[1:])
