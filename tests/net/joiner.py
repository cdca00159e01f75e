#!/usr/bin/python3
# joiner.py NAME WHAT - speak to the control socket of the caller's run NAME as no cf-spawn would.
#
# Prints "closed" where the run hangs up, or the type of its answer.
# SPDX-License-Identifier: MIT
import array
import fcntl
import os
import socket
import struct
import sys

MAGIC = 0x63667231
LIST, INFO, JOIN, REFUSED, SIGNAL, ENDED = range(1, 7)
F_ADD_SEALS, ALL_SEALS = 1033, 0xf


def connect(name, uid=None):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("\0childflow/%d/%s" % (os.getuid() if uid is None else uid, name))
    s.settimeout(10)
    return s


def head(kind, value=0, magic=MAGIC):
    return struct.pack("=IIi", magic, kind, value)


def answer(s):
    try:
        data = s.recv(65536)
    except ConnectionResetError:
        return "closed"
    if not data:
        return "closed"
    kind, value = struct.unpack("=Ii", data[4:12])
    return "%s %d" % ({INFO: "info", REFUSED: "refused", ENDED: "ended"}.get(kind, kind), value)


def memfd(words, seal=True):
    fd = os.memfd_create("words", os.MFD_ALLOW_SEALING)
    os.write(fd, words)
    if seal:
        fcntl.fcntl(fd, F_ADD_SEALS, ALL_SEALS)
    return fd


def words(argv, envp, directory=b"/", terminal=0, argc=None):
    return struct.pack("=5I", MAGIC, 0o22, terminal, len(argv) if argc is None else argc,
                       len(envp)) + b"".join(x + b"\0" for x in [directory] + argv + envp)


def join(s, fds):
    s.sendmsg([head(JOIN)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    return answer(s)


TRUE = words([b"true"], [b"PATH=/usr/bin:/bin"])
name, what = sys.argv[1], sys.argv[2]
null = os.open("/dev/null", os.O_RDWR)
pipe = os.pipe()[0]
if what == "silent":
    held = [connect(name) for _ in range(60)]
    print("held", flush=True)
    sys.stdin.read()
    sys.exit(0)
if what == "stranger":
    print(answer(connect(name, int(sys.argv[3]))))
    sys.exit(0)
s = connect(name)
odd = {
    "garbage": b"\xff" * 400, "short": b"abc", "long": head(LIST) + b"x" * 64000,
    "magic": head(LIST, magic=1), "type": head(99), "answer": head(INFO), "list": head(LIST),
}
if what in odd:
    s.send(odd[what])
    print(answer(s))
elif what == "signal":          # there is no command yet
    s.send(head(SIGNAL, 9))
    s.send(head(SIGNAL, -2147483648))
    s.send(head(LIST))
    print(answer(s))
elif what == "few":
    print(join(s, [memfd(TRUE), null]))
elif what == "many":
    print(join(s, [memfd(TRUE)] + 9 * [null]))
elif what == "unsealed":
    print(join(s, [memfd(TRUE, False), null, null, null]))
elif what == "pipe":
    print(join(s, [pipe, null, null, null]))
elif what == "words":
    print(join(s, [memfd(words([b"true"], [], argc=1 << 30)), null, null, null]))
elif what == "nothing":
    print(join(s, [memfd(words([], [])), null, null, null]))
elif what == "tail":
    print(join(s, [memfd(TRUE + b"x\0"), null, null, null]))
elif what == "terminal":        # which standard input is not
    print(join(s, [memfd(words([b"true"], [b"PATH=/usr/bin:/bin"], terminal=1)), null, null, null]))
elif what == "true":
    print(join(s, [memfd(TRUE), null, null, null]))
elif what == "twice":
    hold = os.pipe()
    sleep = words([b"cat"], [b"PATH=/usr/bin:/bin"])
    s.sendmsg([head(JOIN)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                             array.array("i", [memfd(sleep), hold[0], null, null]))])
    print(join(s, [memfd(TRUE), null, null, null]))
else:
    sys.exit("joiner.py: what is %s?" % what)
