"""sandbox.py - one command in a sandbox, held still before and after its work.

The payload says READY, waits for a line, runs its script, says END and the status, and waits
for a line again.  Meanwhile the processes that are the sandbox's own can be looked at.  Each
sandbox has a cgroup of its own, by which its processes are found and, at the end, killed;
those without CFB_PAYLOAD=1 in their environment are the sandbox's own.

SPDX-License-Identifier: MIT
"""
import contextlib
import os
import re
import resource
import select
import shlex
import subprocess
import tempfile
import time

from world import Failed

TICK = os.sysconf("SC_CLK_TCK")


class Sandbox:
    count = 0

    def __init__(self, world, prefix, script):
        Sandbox.count += 1
        self.cgroup = f"{world.cgroup}/{Sandbox.count}"
        os.mkdir(self.cgroup)
        wrapped = f"echo READY; read -r _; {script}\necho; echo END $?; read -r _"
        payload = ["env", "CFB_PAYLOAD=1", f"PATH={world.path}", "sh", "-c", wrapped]
        self.err = tempfile.TemporaryFile("w+")
        self.buf = ""
        self.p = subprocess.Popen(
            world.prefix + shlex.split(prefix) + payload, cwd="/", stderr=self.err,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=self.before_exec,
            env={"PATH": world.path, "HOME": "/tmp", "LC_ALL": "C",
                 "TMPDIR": world.dir + "/tmp"})

    def before_exec(self):
        with open(self.cgroup + "/cgroup.procs", "w") as f:
            f.write("0")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))    # as a login gives it

    def until(self, pattern, timeout):
        """What the payload prints before a line that matches pattern."""
        deadline = time.time() + timeout
        while not (m := re.search(rf"^{pattern}$", self.buf, re.M)):
            left = deadline - time.time()
            if left <= 0 or not select.select([self.p.stdout], [], [], left)[0]:
                raise Failed(f"no {pattern} in {timeout} s")
            data = os.read(self.p.stdout.fileno(), 65536).decode(errors="replace")
            if not data:
                raise Failed(f"ended before {pattern}")
            self.buf += data
        before, self.buf = self.buf[:m.start()], self.buf[m.end():]
        return before

    def go(self):
        self.p.stdin.write(b"\n")
        self.p.stdin.flush()

    def stderr(self):
        self.err.seek(0)
        return " | ".join(self.err.read().strip().splitlines()[-3:])

    def own(self):
        """The pids of the sandbox's own processes: all but the payload's."""
        with open(self.cgroup + "/cgroup.procs") as f:
            pids = f.read().split()
        return [int(pid) for pid in pids
                if "CFB_PAYLOAD=1" not in proc(f"{pid}/environ").split("\0")]

    def cpu(self):
        """User and system seconds of the sandbox's own processes so far."""
        stats = [proc(f"{pid}/stat").rpartition(")")[2].split() for pid in self.own()]
        return sum(int(s[11]) + int(s[12]) for s in stats if s) / TICK

    def pss(self):
        """Memory of the sandbox's own processes in MiB, shared pages divided among sharers."""
        return sum(field("Pss", proc(f"{pid}/smaps_rollup")) for pid in self.own()) / 1024

    def switches(self):
        """{(pid, tid): context switches so far} of the sandbox's own threads."""
        found = {}
        for pid in self.own():
            with contextlib.suppress(OSError):
                for tid in os.listdir(f"/proc/{pid}/task"):
                    status = proc(f"{pid}/task/{tid}/status")
                    found[pid, tid] = (field("voluntary_ctxt_switches", status)
                                       + field("nonvoluntary_ctxt_switches", status))
        return found

    def close(self):
        with contextlib.suppress(OSError):
            self.p.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.p.wait(3)
        with open(self.cgroup + "/cgroup.kill", "w") as f:  # only what this sandbox started
            f.write("1")
        self.p.wait()
        self.p.stdout.close()
        self.err.close()
        for _ in range(100):
            with contextlib.suppress(OSError):
                return os.rmdir(self.cgroup)
            time.sleep(0.02)


def proc(path):
    """A file in /proc, or nothing if its process is gone."""
    with contextlib.suppress(OSError), open("/proc/" + path, errors="replace") as f:
        return f.read()
    return ""


def field(name, text):
    m = re.search(rf"^{name}:\s+(\d+)", text, re.M)
    return int(m[1]) if m else 0


def machine_busy():
    """CPU seconds the whole machine has spent not idle."""
    v = [int(x) for x in proc("stat").split("\n")[0].split()[1:9]]
    return (sum(v) - v[3] - v[4] - v[7]) / TICK
