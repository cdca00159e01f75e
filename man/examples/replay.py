#!/usr/bin/python3
"""replay.py FILE HELPER [ARG ...] - play what record.py kept to a helper, and compare its answers.

    ./replay.py names.rec cf-dns && echo the same

Each frame is sent when the helper has given the answers that came before it.  Answers may come in
another order, of the same flow in theirs.  Status 0: all are the same bytes.
SPDX-License-Identifier: MIT
"""
import struct, subprocess, sys

HELLO = 1
HEADER = struct.Struct('<IHHQ')                     # length, message, descriptors, flow
helper = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
early = {}                                          # (message, flow): frames that nobody waits for yet

def frame_of(source):
    head = source.read(HEADER.size)
    return head and head + source.read(HEADER.unpack(head)[0])

def key(frame):
    return HEADER.unpack(frame[:HEADER.size])[1::2]

def answer_like(wanted):
    while not early.get(key(wanted)):
        frame = frame_of(helper.stdout)
        if not frame:
            sys.exit('the helper ended before message %d of flow %d' % key(wanted))
        early.setdefault(key(frame), []).append(frame)
    return early[key(wanted)].pop(0)

same = True
record = open(sys.argv[1], 'rb')
while mark := record.read(1):
    frame = frame_of(record)
    if mark == b'>':
        helper.stdin.write(frame)
        helper.stdin.flush()
    elif answer_like(frame) != frame and key(frame)[0] != HELLO:
        print('message %d of flow %d is another' % key(frame))
        same = False
helper.stdin.close()
sys.exit(0 if helper.wait() == 0 and same else 1)
