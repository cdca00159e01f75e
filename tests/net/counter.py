#!/usr/bin/python3
"""counter.py - say each signal and each line that arrives, so that one too many or too few shows.

A shell's trap will not do: a signal just before its read() waits for the next line.
SPDX-License-Identifier: MIT
"""
import os
import select
import signal

r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGCONT):
    signal.signal(number, lambda *_: None)
print("ready", flush=True)
text = b""
while b"end\n" not in text:
    ready, _, _ = select.select([0, r], [], [])
    if r in ready:
        for number in os.read(r, 100):
            print(signal.Signals(number).name[3:], "here", flush=True)
    if 0 in ready:
        line = os.read(0, 1000)
        if not line:
            break
        print("line", line.decode().strip(), flush=True)
        text += line
print("over", flush=True)
