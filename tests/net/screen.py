#!/usr/bin/env python3
"""screen.py [-t SECONDS] [-k KEYS]... -- COMMAND: run it on a terminal of 24 by 160.

Each KEYS is typed, or !COMMAND run, once what is on the terminal has not changed for a while.  At the end the last
screen is printed, as a terminal with cursor addresses would show it, and the status returned.
SPDX-License-Identifier: MIT
"""
import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ROWS, COLS, QUIET = 24, 160, 0.6
TIOCGPTN = 0x80045430


class Screen:
    """As much of a terminal as ncurses uses of TERM=vt100."""

    CONTROL = re.compile(rb"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>78DM]|\x0e|\x0f")

    def __init__(self):
        self.cells = [[" "] * COLS for _ in range(ROWS)]
        self.y = self.x = 0
        self.top, self.bottom = 0, ROWS - 1
        self.rest = b""

    def feed(self, data):
        data, at = self.rest + data, 0
        self.rest = b""
        while at < len(data):
            match = self.CONTROL.match(data, at)
            if match:
                self.control(match)
                at = match.end()
            elif data[at] == 0x1B and len(data) - at < 16:
                self.rest = data[at:]
                return
            else:
                self.put(data[at])
                at += 1

    def put(self, byte):
        if byte == 13:
            self.x = 0
        elif byte == 10:
            self.scroll(1)
        elif byte == 9:
            self.x = min(self.x // 8 * 8 + 8, COLS - 1)
        elif byte == 8:
            self.x = max(self.x - 1, 0)
        elif byte >= 32:
            if self.x < COLS:
                self.cells[self.y][self.x] = chr(byte)
            self.x += 1

    def control(self, match):
        if match.group(2) is None:
            if match.group(0) in (b"\x1bM", b"\x1bD"):
                self.scroll(-1 if match.group(0) == b"\x1bM" else 1)
            return
        kind = match.group(2)
        n = [int(v) if v else 0 for v in match.group(1).decode().lstrip("?").split(";")]
        count = n[0] or 1
        if kind == b"H":
            self.y, self.x = max(n[0] - 1, 0), max((n + [0])[1] - 1, 0)
        elif kind == b"J":
            for y in range(self.y, ROWS):
                self.erase(y, self.x if y == self.y else 0, COLS)
        elif kind == b"K":
            self.erase(self.y, *((0, self.x + 1) if n[0] == 1 else (self.x, COLS)))
        elif kind == b"r":
            self.top = max(n[0] - 1, 0)
            self.bottom = (n + [0])[1] - 1 if (n + [0])[1] else ROWS - 1
            self.y = self.x = 0
        elif kind == b"A":
            self.y = max(self.y - count, 0)
        elif kind == b"B":
            self.y = min(self.y + count, ROWS - 1)
        elif kind == b"C":
            self.x = min(self.x + count, COLS - 1)
        elif kind == b"D":
            self.x = max(self.x - count, 0)

    def scroll(self, by):
        """One line down or up; at the edge of the region its lines move instead."""
        if self.y != (self.bottom if by > 0 else self.top):
            self.y = min(max(self.y + by, 0), ROWS - 1)
            return
        del self.cells[self.top if by > 0 else self.bottom]
        self.cells.insert(self.bottom if by > 0 else self.top, [" "] * COLS)

    def erase(self, y, start, end):
        for x in range(start, min(end, COLS)):
            self.cells[y][x] = " "

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("-t", type=float, default=20)
    args.add_argument("-k", action="append", default=[])
    args.add_argument("command", nargs="+")
    args = args.parse_args()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "vt100"
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
        os.execvp(args.command[0], args.command)
    # Held open: else it would be gone while COMMAND has no descriptor of it.
    number = struct.unpack("I", fcntl.ioctl(fd, TIOCGPTN, b"    "))[0]
    os.open("/dev/pts/%d" % number, os.O_RDWR | os.O_NOCTTY)
    screen, last, end, status = Screen(), "", time.monotonic() + args.t, None
    changed = time.monotonic()
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            data = os.read(fd, 65536)
            if b"\x1b[?1049l" not in data:
                screen.feed(data)
            changed = time.monotonic()
        elif status is not None:
            break
        elif time.monotonic() - changed > QUIET and args.k:
            last = screen.text()
            keys = args.k.pop(0)
            if keys.startswith("!"):
                subprocess.run(keys[1:], shell=True, check=True)
            else:
                os.write(fd, keys.encode().decode("unicode_escape").encode())
            changed = time.monotonic()
        if status is None:
            done, code = os.waitpid(pid, os.WNOHANG)
            status = code if done else None
    if status is None:
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    print(last)
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


main()
