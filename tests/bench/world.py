"""world.py - the namespaces that a benchmark runs in, its servers, and the end of both.

    [ sandbox, made by the runner ]--TUN--[ "host" namespace ]--veth--[ server namespace ]
                                          10.99.0.1 fd99::1           10.99.0.2 fd99::2
                                          10.99.1.1      --wire--     10.99.1.2
                                          fd99:1::1                   fd99:1::2

* Nothing leaves these namespaces: the default route leads to an address nobody has.
* Both use cubic and Linux's own tcp_rmem and tcp_wmem, whatever the machine's settings.
  That needs cubic in net.ipv4.tcp_allowed_congestion_control as long as the world stands.
* The host's processes have a mount namespace of their own too, in which /dev/net/tun is a
  node that all may open, /etc/resolv.conf names 10.99.0.2, and what "make install" installs
  lies in /srv/cf.  Runners are an ordinary user there, who needs no passwd entry.
* Before all else a guard process is started, in a session of its own.  However the benchmark
  ends, SIGKILL included, the guard puts the congestion control setting back, kills what is in
  the benchmark's cgroup (nothing else is), and removes the namespaces.

SPDX-License-Identifier: MIT
"""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORLD_LOCK = "/tmp/cf-bench.world"      # held as long as a world stands
CGROUPS = next((d for d in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
                if os.path.exists(d + "/cgroup.procs")), None)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SERVER4, HOST4, SERVER6, HOST6 = "10.99.0.2", "10.99.0.1", "fd99::2", "fd99::1"
WIRE_SERVER4, WIRE_HOST4 = "10.99.1.2", "10.99.1.1"
WIRE_SERVER6, WIRE_HOST6 = "fd99:1::2", "fd99:1::1"
NOWHERE4, NOWHERE6 = "10.99.0.254", "fd99::fe"
HTTP_PORT, HOLD_PORT = 8080, 8081
UID = 60990

SETTINGS = {
    "tcp_congestion_control": "cubic",
    "tcp_tw_reuse": "1",
    "ip_local_port_range": "10000 65000",
    "ping_group_range": "0 2147483647",
    "tcp_max_syn_backlog": "4096",
    "tcp_rmem": "4096 131072 6291456",
    "tcp_wmem": "4096 16384 4194304",
}

# Outlives the benchmark, and takes down what it and itself have set up: it waits for its
# stdin to close.
GUARD = """
trap '' INT TERM HUP
before=$(cat $CC)
case " $before " in *" cubic "*) ;; *) echo "$before cubic" >$CC ;; esac
echo ready
read -r _
echo "$before" >$CC
echo 1 >$CGROUP/cgroup.kill
for ns in $SPACES; do ip netns del $ns; done
for i in $(seq 100); do find $CGROUP -depth -type d -exec rmdir {} + && break; sleep 0.02; done
rm -rf "$DIR"
"""

# The host's side of the file system; prints "up" and holds it.
HOST_VIEW = """
set -e
mkdir "$DIR/view"
mount -t tmpfs -o mode=755,dev tmpfs "$DIR/view"
mknod -m 666 "$DIR/view/tun" c 10 200
mount --bind "$DIR/view/tun" /dev/net/tun
echo "nameserver $NAMESERVER" >"$DIR/view/resolv.conf"
mount --bind "$DIR/view/resolv.conf" /etc/resolv.conf
if [ -d "$DIR/cf" ]; then
    mount -t tmpfs -o mode=755 tmpfs /srv
    mkdir /srv/cf
    mount --bind "$DIR/cf" /srv/cf
fi
echo up
exec sleep infinity
"""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid;
error_log stderr crit; worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
    access_log off; sendfile on; keepalive_timeout 600; keepalive_requests 1000000;
    client_header_timeout 600; root {dir}/www;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{ listen {http} backlog=4096; listen [::]:{http}; }}
    server {{ listen {hold} backlog=4096; }}
}}
"""


class Failed(Exception):
    """A run that has no result; the text says why."""


def wait_for(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("bench: waiting for another one to end", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


class World:
    """Use in "with": made at its start, gone at its end."""

    def __init__(self, build):
        self.build = build

    def __enter__(self):
        tag = f"cfb{os.getpid()}"
        self.host, self.srv, self.cgroup = tag + "h", tag + "s", f"{CGROUPS}/{tag}"
        with open(WORLD_LOCK, "a") as lock:
            wait_for(lock)
            self.dir = tempfile.mkdtemp(prefix="cf-bench-")
            os.makedirs(self.cgroup + "/world")
            self.guard = subprocess.Popen(
                ["sh", "-c", GUARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=[lock.fileno()],
                env={"PATH": PATH, "CC": "/proc/sys/net/ipv4/tcp_allowed_congestion_control",
                     "CGROUP": self.cgroup, "SPACES": f"{self.host} {self.srv}", "DIR": self.dir})
        self.path = f"{self.dir}/bin:{PATH}"
        try:
            self.guard.stdout.readline()
            os.chmod(self.dir, 0o755)
            self.copy_programs()
            self.network()
            self.host_view()
            self.servers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.guard.stdin.close()
        self.guard.wait()

    def copy_programs(self):
        """Copies: the user may not be able to read the sources' folder, and a build that
        goes on there must not change what is measured."""
        os.mkdir(self.dir + "/bin")
        os.mkdir(self.dir + "/tmp")
        os.chmod(self.dir + "/tmp", 0o1777)
        for f in ("rr", "udpflood", "wire", "plaintun"):
            shutil.copy(f"{self.build}/tests/bench/{f}", self.dir + "/bin")
        for f in ("inside.py", "slirp4netns-run", "proxied"):
            shutil.copy(f"{HERE}/{f}", self.dir + "/bin")
        installed = f"{self.build}/test-root/srv/cf"
        if os.path.isdir(installed):
            shutil.copytree(installed, self.dir + "/cf", symlinks=True)

    def daemon(self, cmd, env=None, **kw):
        """Start a process that the guard will end."""
        def join():
            with open(self.cgroup + "/world/cgroup.procs", "w") as f:
                f.write("0")
        return subprocess.Popen(cmd, cwd="/", stdin=subprocess.DEVNULL, preexec_fn=join,
                                env={"PATH": self.path, **(env or {})}, **kw)

    def ip(self, *args):
        subprocess.run(["ip", *args], check=True)

    def network(self):
        # pasta looks for a default route, and takes the gateway's address for the host's
        # loopback: hence one that leads nowhere.
        for ns in (self.host, self.srv):
            self.ip("netns", "add", ns)
        self.ip("link", "add", "eth0", "netns", self.host, "type", "veth",
                "peer", "eth0", "netns", self.srv)
        for ns, a4, a6 in (self.host, HOST4, HOST6), (self.srv, SERVER4, SERVER6):
            for args in (["link", "set", "lo", "up"], ["link", "set", "eth0", "up"],
                         ["addr", "add", a4 + "/24", "dev", "eth0"],
                         ["addr", "add", a6 + "/64", "dev", "eth0", "nodad"],
                         ["route", "add", "default", "via", NOWHERE4],
                         ["-6", "route", "add", "default", "via", NOWHERE6]):
                self.ip("-n", ns, *args)
            sysctls = [f"net.ipv4.{k}={v}" for k, v in SETTINGS.items()]
            self.ip("netns", "exec", ns, "sysctl", "-qw", *sysctls)

    def host_view(self):
        """A process that holds the host side's mount namespace."""
        holder = self.daemon(["nsenter", f"--net=/run/netns/{self.host}", "unshare", "--mount",
                              "sh", "-c", HOST_VIEW], stdout=subprocess.PIPE, text=True,
                             env={"DIR": self.dir, "NAMESERVER": SERVER4})
        if holder.stdout.readline() != "up\n":
            raise SystemExit("bench: cannot set up the host side")
        self.prefix = ["nsenter", "-t", str(holder.pid), "--net", "--mount",
                       "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]

    def server(self, cmd, port=None):
        """Start a server; wait for its listening TCP port."""
        p = self.daemon(["ip", "netns", "exec", self.srv] + cmd,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 5
        while port and (port, "0A") not in self.server_sockets():
            if time.time() > deadline or p.poll() is not None:
                raise Failed(f"server does not come up: {cmd}")
            time.sleep(0.01)
        if not port:
            time.sleep(0.05)
        return p

    def server_sockets(self):
        """(local port, state) of the server side's TCP sockets."""
        found = []
        for name in ("tcp", "tcp6"):
            with open(f"/proc/{self.probe.pid}/net/{name}") as f:
                for line in f.readlines()[1:]:
                    cols = line.split()
                    found.append((int(cols[1].rsplit(":", 1)[1], 16), cols[3]))
        return found

    def servers(self):
        self.probe = self.server(["sleep", "infinity"])
        os.mkdir(self.dir + "/www")
        with open(self.dir + "/www/index.html", "w") as f:
            f.write("x" * 1024)
        with open(self.dir + "/nginx.conf", "w") as f:
            f.write(NGINX.format(dir=self.dir, http=HTTP_PORT, hold=HOLD_PORT))
        self.server(["nginx", "-c", self.dir + "/nginx.conf"], HTTP_PORT)
        self.server(["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts",
                     "--user=root", "--pid-file", f"--listen-address={SERVER4},{SERVER6}",
                     "--bind-interfaces", "--address=/bench.test/10.99.0.77",
                     "--cache-size=1000"], 53)

    def wire(self, args):
        """Start a wire between host and server; its interfaces go with it."""
        p = self.daemon(["wire", *args, self.host, self.srv], stdout=subprocess.PIPE, text=True)
        if p.stdout.readline() != "ready\n":
            raise Failed(f"wire does not come up: {args}")
        for ns, me4, me6 in ((self.host, WIRE_HOST4, WIRE_HOST6),
                             (self.srv, WIRE_SERVER4, WIRE_SERVER6)):
            self.ip("-n", ns, "addr", "add", me4 + "/24", "dev", "wire0")
            if "-l" in args:    # its random numbers are for our packets, not for IPv6's own
                self.ip("netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.wire0.disable_ipv6=1")
            else:
                self.ip("-n", ns, "addr", "add", me6 + "/64", "dev", "wire0", "nodad")
            self.ip("-n", ns, "link", "set", "wire0", "up")
        return p
