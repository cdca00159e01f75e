#!/usr/bin/python3
"""by-hand.py COMMAND [ARG ...] - what cf-spawn does, in its essence: a namespace with a TUN
in it, the helpers with their descriptors, and a command.  No rules, no record, no kernel path.

    command == TUN == cf-netstack -- cf-proxy --policy -- cf-proxy
                           +-- cf-dns -- (the same cf-proxy)

SPDX-License-Identifier: MIT
"""
import ctypes, fcntl, os, socket, struct, subprocess, sys, tempfile

TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 0x0001, 0x1000, 0x4000
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
HELLO = struct.pack('<IHHQHHI', 8, 1, 0, 0, 1, 1, 1)    # version 1, SPAWN, takes descriptors
libc = ctypes.CDLL(None, use_errno=True)

def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def start(channel, *words, **fds):
    """A helper with its channel on 0 and 1 and others under the numbers that its options name.
    In a network namespace of its own, which is empty: words that begin with unshare."""
    for option, fd in fds.items():
        words += '--' + option.replace('_', '-'), str(fd.fileno())
    return subprocess.Popen(words, stdin=channel, stdout=channel,
                            pass_fds=[fd.fileno() for fd in fds.values()])

def in_namespace(parent, command):
    ids = os.getuid(), os.getgid()
    check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET))
    open('/proc/self/setgroups', 'w').write('deny')
    for name, number in zip(('uid_map', 'gid_map'), ids):
        open('/proc/self/' + name, 'w').write('0 %d 1' % number)
    tun = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', b'tun0', IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    for words in 'link set lo up', 'addr add 192.0.0.2/32 dev tun0', 'link set tun0 up', \
            'route add default dev tun0', '-6 addr add 2001:2:0:cf::2/128 dev tun0 nodad', \
            '-6 route add default dev tun0':
        subprocess.check_call(['ip'] + words.split())
    with tempfile.NamedTemporaryFile() as names:
        names.write(b'nameserver 192.0.0.1\n')
        names.flush()
        check(libc.mount(names.name.encode(), b'/etc/resolv.conf', None, 4096, None))    # MS_BIND
    socket.send_fds(parent, [b'T'], [tun])
    os.close(tun)
    parent.recv(1)                                      # all are ready
    os.execvp('setpriv', ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--']
              + command)                                # root's capabilities in there are for nobody else

here, there = socket.socketpair()
if (child := os.fork()) == 0:
    here.close()
    in_namespace(there, sys.argv[1:])
there.close()
resolver = next(line.split()[1] for line in open('/etc/resolv.conf') if line.startswith('nameserver'))
empty = 'unshare', '-r', '-n', '--'
pairs = {name: socket.socketpair() for name in ('control', 'proxy', 'dns', 'dial', 'names')}
tun = socket.recv_fds(here, 1, 1)[1]
if not tun:
    sys.exit('the namespace could not be made')
tun = os.fdopen(tun[0], 'rb', buffering=0)
helpers = [
    start(pairs['dial'][1], 'cf-proxy', '--resolver', resolver, dns_fd=pairs['names'][1]),
    start(pairs['proxy'][1], *empty, 'cf-proxy', '--policy', dial_fd=pairs['dial'][0]),
    start(pairs['dns'][1], *empty, 'cf-dns', '--resolver', resolver, dial_fd=pairs['names'][0]),
    start(pairs['control'][1], *empty, 'cf-netstack', proxy_fd=pairs['proxy'][0],
          dns_fd=pairs['dns'][0], tun_fd=tun),
]
control = pairs.pop('control')[0]
for ends in pairs.values():
    ends[0].close(), ends[1].close()
control.sendall(HELLO)
if len(control.recv(24)) != 24:                         # says HELLO when all are ready
    sys.exit('a helper has failed')
here.send(b'G')
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
control.close()                                         # and cf-netstack ends, then the others
for helper in helpers:
    helper.wait()
sys.exit(status if status >= 0 else 128 - status)
