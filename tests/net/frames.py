#!/usr/bin/python3
"""frames.py UP DOWN CF-NETSTACK COMMAND ... - a tree whose dialler is behind two plain pipes.

What `ssh host cf-proxy` would be: no descriptor can pass, so payload travels in DATA frames.
Runs in a user and network namespace of its own (unshare -Urn); the dialler, in another,
reads UP and writes DOWN.  Plays cf-spawn's part: makes tun0, starts cf-netstack, runs the command.

SPDX-License-Identifier: MIT
"""
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading

TUNSETIFF, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d8
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x1000, 0x4000
HELLO, R_SPAWN = 1, 1


def tun_open():
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 10))
    for words in ("link set lo up", "link set tun0 mtu 1500 up", "addr add 192.0.0.2/32 dev tun0",
                  "route add default dev tun0", "-6 addr add 2001:2:0:cf::2/128 dev tun0 nodad",
                  "-6 route add default dev tun0"):
        subprocess.run(["ip"] + words.split(), check=True)
    return fd


def pump(read, write):
    def run():
        while data := read(65536):
            while data:
                data = data[write(data):]
    threading.Thread(target=run, daemon=True).start()


def main(up, down, netstack, *command):
    up = os.open(up, os.O_WRONLY)
    down = os.open(down, os.O_RDONLY)
    tun = tun_open()
    here, proxy = socket.socketpair()
    control, spawn = socket.socketpair()
    pump(here.recv, lambda data: os.write(up, data))
    pump(lambda n: os.read(down, n), here.send)
    n = subprocess.Popen([netstack, "--proxy-fd", str(proxy.fileno()), "--tun-fd", str(tun)],
                         stdin=spawn, stdout=spawn, pass_fds=(proxy.fileno(), tun))
    proxy.close()
    spawn.close()
    control.sendall(struct.pack("<IHHQHHI", 8, HELLO, 0, 0, 1, R_SPAWN, 0))
    if len(control.recv(24)) != 24:     # its HELLO: all are ready
        sys.exit("cf-netstack did not start")
    status = subprocess.run(command).returncode
    control.close()
    n.wait(5)
    sys.exit(status)


main(*sys.argv[1:])
