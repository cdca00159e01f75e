#!/usr/bin/python3
"""replay.py PLAN COMMAND ... - do by hand what cf-spawn --print-plan says, and run COMMAND in it.

The helpers get the descriptors that the plan has for them; the command is in a namespace that has
a TUN, whose descriptor goes to cf-netstack.  Ends with the command's status.

SPDX-License-Identifier: MIT
"""
import array
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys

TUNSETIFF, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d8
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x1000, 0x4000
HELLO, TUN, R_SPAWN, CAP_FD, F_ADD_SEALS = 1, 80, 1, 1, 1033
HELLO_LEN = 24


def tree(plan, fd, command):
    """In the tree's namespace: make the device, send it, wait for the word, run the command."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = plan["tree"]["device"]
    fcntl.ioctl(tun, TUNSETIFF,
                struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(tun, TUNSETVNETHDRSZ, struct.pack("i", 10))
    v4, v6 = plan["tree"]["addresses"]
    for words in ("link set lo up", f"link set {name} mtu {plan['tree']['mtu']} up",
                  f"addr add {v4} dev {name}", f"route add default dev {name}",
                  f"-6 addr add {v6} dev {name} nodad", f"-6 route add default dev {name}"):
        subprocess.run(["ip"] + words.split(), check=True)
    with socket.socket(fileno=fd) as s:
        s.sendmsg([b"t"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tun]))])
        os.close(tun)
        s.recv(1)
    sys.exit(subprocess.run(command).returncode)


def make(thing):
    """Both ends of a descriptor of the plan."""
    if thing["kind"] == "socketpair":
        return [s.detach() for s in socket.socketpair()]
    if thing["kind"] == "pipe":
        return list(os.pipe())
    if thing["kind"] == "eventfd":
        return [os.eventfd(0, os.EFD_NONBLOCK)]
    fd = os.memfd_create("plan", os.MFD_ALLOW_SEALING)
    os.write(fd, bytes.fromhex(thing["content"]))
    fcntl.fcntl(fd, F_ADD_SEALS, 0xf if thing["sealed"] else 0x7)
    return [fd]


def start(helper, things):
    """Its descriptors under the numbers that it expects; sh(1) deals them."""
    fds = {int(n): things[at[0]][at[1]] for n, at in helper["fds"].items() if at != "inherit"}
    deal = " ".join(f"{n}<&{fd}" for n, fd in sorted(fds.items()))
    # First out of the way, so that none is overwritten before it is used.
    high = {n: fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for n, fd in fds.items()}
    deal = " ".join(f"{n}<&{fd}" for n, fd in high.items())
    enter = ["unshare", "-Uni", "--"] if helper["namespace"] == "empty" else []
    words = enter + ["/bin/bash", "-c", f'exec -a "$1" "$0" "${{@:2}}" {deal}',
                     helper["program"]] + helper["argv"]
    p = subprocess.Popen(words, pass_fds=list(high.values()))
    for fd in high.values():
        os.close(fd)
    return p


def main(path, *command):
    with open(path) as f:
        plan = json.load(f)
    things = [make(t) for t in plan["descriptors"]]
    helpers = [start(h, things) for h in plan["helpers"]]
    own = {what: things[at[0]][at[1]] for what, at in plan["cf-spawn"].items()}
    for ends in things:
        for fd in ends:
            if fd not in own.values():
                os.close(fd)
    here, there = socket.socketpair()
    os.set_inheritable(there.fileno(), True)
    inside = subprocess.Popen(["unshare", "-Urn", "--", sys.executable, sys.argv[0], "--tree", path,
                               str(there.fileno())] + list(command), pass_fds=[there.fileno()])
    there.close()
    channels = {what: socket.socket(fileno=fd) for what, fd in own.items()}
    for s in channels.values():
        s.sendall(struct.pack("<IHHQHHI", 8, HELLO, 0, 0, 1, R_SPAWN, CAP_FD))
    _, passed, _, _ = here.recvmsg(1, 64)
    tun = array.array("i", passed[0][2])
    channels["control"].sendmsg(
        [struct.pack("<IHHQII", 8, TUN, 1, 0, plan["tree"]["mtu"], 0)],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, tun)])
    if len(channels["control"].recv(HELLO_LEN, socket.MSG_WAITALL)) != HELLO_LEN:
        sys.exit("cf-netstack is not ready")
    here.send(b"g")
    status = inside.wait()
    for s in channels.values():
        s.close()
    for p in helpers:
        p.wait(20)
    sys.exit(status)


if sys.argv[1] == "--tree":
    with open(sys.argv[2]) as f:
        tree(json.load(f), int(sys.argv[3]), sys.argv[4:])
main(*sys.argv[1:])
