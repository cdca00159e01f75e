#!/usr/bin/python3
"""dns.py NAME=ADDRESS ... - names for a command tree: these and no others, over two pipes.

    cf-spawn --dns-helper './dns.py db.test=203.0.113.10' -- curl http://db.test/

SPDX-License-Identifier: MIT
"""
import socket, struct, sys

HELLO, QUERY, ANSWER = 1, 16, 17
HEADER = struct.Struct('<IHHQ')                     # length, message, descriptors, flow
hosts = dict(word.lower().split('=') for word in sys.argv[1:])

def send(message, flow, body):
    sys.stdout.buffer.write(HEADER.pack(len(body), message, 0, flow) + body)
    sys.stdout.buffer.flush()

def answer(query):                                  # RFC 1035, 4.1
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode('latin-1').lower())
        at += 1 + query[at]
    question, kind = query[12:at + 5], query[at + 1:at + 3]
    address = hosts.get('.'.join(labels))
    found = b''
    if address and kind == b'\0\1':                 # A
        found = b'\xc0\x0c' + kind + struct.pack('>HIH', 1, 60, 4) + socket.inet_aton(address)
    flags = 0x8180 if address else 0x8183           # answer, recursion; NXDOMAIN
    return query[:2] + struct.pack('>5H', flags, 1, bool(found), 0, 0) + question + found

send(HELLO, 0, struct.pack('<HHI', 1, 4, 0))        # version 1, DNS, no descriptors
while head := sys.stdin.buffer.read(HEADER.size):
    length, message, _, flow = HEADER.unpack(head)
    body = sys.stdin.buffer.read(length)
    if message == QUERY:                            # transport, who asked, who was asked, query
        send(ANSWER, flow, answer(body[44:]))
