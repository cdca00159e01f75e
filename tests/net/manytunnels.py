"""manytunnels.py serve ADDR PORT | open ADDR PORT N

An echo server for many connections; or N of them at once, each of which says a byte and hears it.
Prints how many were opened and how many answered.

SPDX-License-Identifier: MIT
"""
import asyncio
import resource
import select
import socket
import sys
import time


async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def serve(addr, port):
    server = await asyncio.start_server(echo, addr, port, backlog=5000)
    await server.serve_forever()


def opened(addr, port, n):
    poll, left, good = select.poll(), {}, []
    for _ in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((addr, port))
        left[s.fileno()] = s
        poll.register(s, select.POLLOUT)
    end = time.time() + 60
    while left and time.time() < end:
        for fd, _ in poll.poll(1000):
            poll.unregister(fd)
            s = left.pop(fd)
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                good.append(s)
    return good


def heard(s):
    s.settimeout(20)
    try:
        return s.recv(1) == b"x"
    except OSError:
        return False


def main():
    what, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if what == "serve":
        asyncio.run(serve(addr, port))
    good = opened(addr, port, int(sys.argv[4]))
    for s in good:
        s.setblocking(True)
        s.send(b"x")
    print(len(good), sum(heard(s) for s in good))


main()
