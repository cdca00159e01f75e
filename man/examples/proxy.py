#!/usr/bin/python3
"""proxy.py - the dialler of a command tree over two pipes: TCP by IPv4, and nothing else.

    cf-spawn --proxy-helper ./proxy.py --dns-direct -- curl http://example.com/

SPDX-License-Identifier: MIT
"""
import socket, struct, sys, threading

HELLO, OPEN, OPENED, REFUSED, DATA, WINDOW, EOF, RESET, CLOSE = 1, 32, 33, 34, 37, 38, 39, 40, 41
HEADER = struct.Struct('<IHHQ')                     # length, message, descriptors, flow
one_at_a_time = threading.Lock()
flows = {}                                          # number: socket, credit

def send(message, flow, body=b''):
    with one_at_a_time:
        sys.stdout.buffer.write(HEADER.pack(len(body), message, 0, flow) + body)
        sys.stdout.buffer.flush()

def serve(flow, sock, credit, proto, family, port, address):
    try:
        if (proto, family) != (6, 4):
            raise OSError(101, 'ENETUNREACH')
        sock.connect((socket.inet_ntoa(address[:4]), port))
    except OSError as error:                        # 2: connect() failed with this
        flows.pop(flow, None)
        return send(REFUSED, flow, struct.pack('<BBBxII20x', 2, 0, 0, error.errno or 110, 0))
    send(OPENED, flow, bytes(24))
    try:
        while data := sock.recv(16384):
            for _ in data:
                credit.acquire()                    # a byte each: the tree grants 262144, then more
            send(DATA, flow, data)
        send(EOF, flow)
    except OSError as error:
        send(RESET, flow, struct.pack('<I', error.errno or 104))

send(HELLO, 0, struct.pack('<HHI', 1, 16, 0))       # version 1, DIAL, no descriptors
while head := sys.stdin.buffer.read(HEADER.size):
    length, message, _, flow = HEADER.unpack(head)
    body = sys.stdin.buffer.read(length)
    if message == OPEN:
        proto, (family, port, address) = body[0], struct.unpack('<BxH16s', body[24:44])
        flows[flow] = socket.socket(), threading.Semaphore(262144)
        threading.Thread(target=serve, args=(flow, *flows[flow], proto, family, port, address),
                         daemon=True).start()
    elif flow in flows:
        sock, credit = flows[flow]
        try:
            if message == DATA:
                sock.sendall(body)
                send(WINDOW, flow, struct.pack('<I', length))
            elif message == WINDOW:
                credit.release(*struct.unpack('<I', body))
            elif message == EOF:
                sock.shutdown(socket.SHUT_WR)
            elif message == CLOSE:
                flows.pop(flow)
                sock.close()
        except OSError:
            pass                                    # its thread has seen that too, and said RESET
