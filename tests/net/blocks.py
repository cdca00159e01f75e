#!/usr/bin/python3
# blocks.py FILE WHAT - a second reader of pcapng, which knows nothing of the first's writer.
#
#	whole     every block is one that the format knows, is whole, and has whole options
#	dropped   packets that statistics say were dropped
#	lines     a line for each block: its name, and what it says
# SPDX-License-Identifier: MIT
import struct
import sys

NAMES = {0x0a0d0d0a: 'section', 1: 'interface', 4: 'names', 5: 'statistics', 6: 'packet',
         10: 'secrets', 0x80000001: 'process'}


def blocks(data):
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from('<II', data, at)
        assert length >= 12 and length % 4 == 0 and at + length <= len(data), 'block is cut'
        assert struct.unpack_from('<I', data, at + length - 4)[0] == length, 'lengths differ'
        yield NAMES[kind], data[at + 8:at + length - 4]
        at += length
    assert at == len(data)


def options(data, at):
    found, ended = [], at == len(data)
    while not ended:
        code, length = struct.unpack_from('<HH', data, at)
        assert at + 4 + length <= len(data), 'option is cut'
        found.append((code, data[at + 4:at + 4 + length]))
        at += 4 + (length + 3) // 4 * 4
        ended = code == 0
    assert at == len(data), 'bytes behind the options'
    return [f for f in found if f[0] != 0]


def section(body):
    magic, major, minor = struct.unpack_from('<IHH', body)
    assert magic == 0x1a2b3c4d and (major, minor) == (1, 0)
    return options(body, 16)


def interface(body):
    return options(body, 8)


def packet(body):
    kept, original = struct.unpack_from('<II', body, 12)
    assert kept <= original or original == 0
    assert kept <= len(body) - 20
    return options(body, 20 + (kept + 3) // 4 * 4)


def statistics(body):
    return options(body, 12)


def names(body):
    records, at = [], 0
    while True:
        kind, length = struct.unpack_from('<HH', body, at)
        if kind == 0:
            assert length == 0 and at + 4 == len(body)
            return records
        value = body[at + 4:at + 4 + length]
        assert len(value) == length and value.endswith(b'\0')
        records.append((kind, value))
        at += 4 + (length + 3) // 4 * 4


def secrets(body):
    kind, length = struct.unpack_from('<II', body)
    assert kind == 0x544c534b and (length + 3) // 4 * 4 == len(body) - 8
    return [(kind, body[8:8 + length])]


def process(body):
    return [(0, body[:4])] + options(body, 4)


def main():
    with open(sys.argv[1], 'rb') as f:
        data = f.read()
    dropped = 0
    for name, body in blocks(data):
        found = globals()[name](body)
        if name == 'statistics':
            dropped += sum(struct.unpack('<Q', v)[0] for c, v in found if c == 5)
        if sys.argv[2] == 'lines':
            print(name, *(f'{c}={v!r}' for c, v in found))
    if sys.argv[2] == 'dropped':
        print(dropped)


main()
