#!/usr/bin/python3
"""record.py FILE HELPER [ARG ...] - stand between a program of childflow and its helper, and keep
every frame of both; replay.py plays the file again.

    cf-spawn --dns-helper './record.py names.rec cf-dns' -- curl http://example.com/

FILE: for each frame '>' (to the helper) or '<', then the frame as it was.
SPDX-License-Identifier: MIT
"""
import os, struct, subprocess, sys, threading

HEADER = struct.Struct('<IHHQ')                     # length, message, descriptors, flow
helper = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
record = open(sys.argv[1], 'wb', buffering=0)

def pass_on(mark, source, target):
    while head := source.read(HEADER.size):
        frame = head + source.read(HEADER.unpack(head)[0])
        record.write(mark + frame)                  # before it has an effect, so they are in order
        target.write(frame)
        target.flush()
    target.close()

up = threading.Thread(target=pass_on, args=(b'>', sys.stdin.buffer, helper.stdin), daemon=True)
up.start()
pass_on(b'<', helper.stdout, sys.stdout.buffer)
os._exit(helper.wait())                             # whatever the other direction waits for
