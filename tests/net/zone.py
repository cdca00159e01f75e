#!/usr/bin/python3
"""zone.py HOST PORT RECORDS FILE - a name server over TCP for zone transfers, each in its manner.

The zone's name says what becomes of it:
  whole.test     RECORDS addresses, in messages of many records
  single.test    ten addresses, a message for each record, all in as few segments as may be
  middle.test    whole, but the connection ends before the second half
  silent.test    the same, but it stays open and nothing more comes
  garbage.test   the second message is none
  other.test     the second message has another id
  error.test     the second message is a SERVFAIL
  endless.test   addresses, and never an end; FILE gets how many bytes were taken, and "gone"
  private.test   whole, where each address is 10.0.0.1
IXFR of whole.test gives one difference, and of a serial of 3 or more that nothing is new.
Uses only what Debian's python3-minimal has.
SPDX-License-Identifier: MIT
"""
import socket
import struct
import sys
import threading

SERIAL = 3


def name(text):
    return b"".join(bytes([len(x)]) + x.encode() for x in text.split(".") if x) + b"\0"


def record(owner, kind, data):
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def soa(serial):
    return record(b"\xc0\x0c", 6, name("ns.test") + name("admin.test") +
                  struct.pack("!IIIII", serial, 1, 1, 1, 60))


def host(i, address=None):
    return record(b"\7h%06d\xc0\x0c" % i, 1, address or b"\xcb\0" + struct.pack("!H", i & 0xffff))


def message(query, end, records, question=True, rcode=0, ident=None):
    head = (ident or query[:2]) + bytes([0x84, rcode]) + struct.pack(
        "!HHHH", question, len(records), 0, 0)
    body = head + (query[12:end] if question else b"") + b"".join(records)
    return struct.pack("!H", len(body)) + body


def cut(records, n):
    return [records[i:i + n] for i in range(0, len(records), n)]


def messages(query, end, records, n):
    return [message(query, end, part) for part in cut(records, n)]


def take(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class Server:
    def __init__(self, records, path):
        self.records = records
        self.told = open(path, "w", 1)

    def serve(self, conn):
        try:
            while True:
                query = take(conn, struct.unpack("!H", take(conn, 2))[0])
                self.answer(conn, query)
        except (EOFError, OSError):
            conn.close()

    def answer(self, conn, query):
        end = query.index(b"\0", 12) + 5
        manner = query[13:13 + query[12]].decode().lower()
        kind = struct.unpack("!H", query[end - 4:end - 2])[0]
        address = b"\x0a\0\0\1" if manner == "private" else None
        zone = [soa(SERIAL)] + [host(i, address) for i in range(self.records)] + [soa(SERIAL)]
        whole = messages(query, end, zone, 2000)
        half = whole[:len(whole) // 2]
        if kind == 251:
            conn.sendall(b"".join(self.differences(query, end)))
        elif manner == "single":
            conn.sendall(b"".join(messages(query, end, [soa(SERIAL)] +
                                           [host(i) for i in range(10)] + [soa(SERIAL)], 1)))
        elif manner == "middle":
            conn.sendall(b"".join(half))
            raise EOFError
        elif manner == "silent":
            conn.sendall(b"".join(half))
        elif manner == "garbage":
            conn.sendall(whole[0] + b"\0\x14" + whole[1][2:14] + b"\xff" * 8 + b"".join(whole[2:]))
        elif manner == "other":
            conn.sendall(whole[0] + message(query, end, zone[1:9], ident=b"\0\0") +
                         b"".join(whole[1:]))
        elif manner == "error":
            conn.sendall(whole[0] + message(query, end, [], rcode=2))
        elif manner == "endless":
            self.endless(conn, query, end)
        else:
            conn.sendall(b"".join(whole))

    def differences(self, query, end):
        soa_at = query.index(b"\0\6\0\1", end) + 10
        rdata_len = struct.unpack("!H", query[soa_at - 2:soa_at])[0]
        serial_at = soa_at + rdata_len - 20
        serial = struct.unpack("!I", query[serial_at:serial_at + 4])[0]
        if serial >= SERIAL:
            return messages(query, end, [soa(SERIAL)], 1)
        return messages(query, end, [soa(SERIAL), soa(serial), host(1), soa(SERIAL), host(2),
                                     host(3), soa(SERIAL)], 1)

    def endless(self, conn, query, end):
        sent = 0
        part = message(query, end, [host(i) for i in range(2000)])
        conn.sendall(message(query, end, [soa(SERIAL)]))
        try:
            while True:
                conn.sendall(part)
                sent += len(part)
                print(sent, file=self.told)
        except OSError:
            print("gone", file=self.told)
            raise


def main(address, port, records, path):
    server = Server(int(records), path)
    with socket.create_server((address, int(port)), backlog=64) as s:
        while True:
            conn, _ = s.accept()
            threading.Thread(target=server.serve, args=(conn,), daemon=True).start()


main(*sys.argv[1:])
